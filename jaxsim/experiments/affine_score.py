"""Diffusion on the line with affine denoisers: sampled step by step, and fitted to samples.

A denoiser of a level is a pair (slope, offset), D(x) = slope x + offset, of x = cos x_0 + sin e. It is exact
for a normal, or fitted to noised samples by least squares or by gradient descent. The samplers are written
as their authors wrote them and know nothing of normals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Denoise = Callable[[Array, "Level"], Array]
"""(x, level) -> an estimate of x_0, elementwise."""


class Level(NamedTuple):
    """A noise level, or several along the first axis."""

    cos: Any
    sin: Any
    number: Any


def levels(schedule: str, steps: int) -> tuple[Level, float]:
    """The levels T, ..., 0 of a schedule by name, and the standard deviation that sampling starts from.

    `linear`: every (1000 / T)-th of Ho et al.'s betas; `cosine`: theta = pi t / 2T; `nichol`: Nichol and
    Dhariwal's, with offset and clipped betas; `edm`: Karras et al.'s sigmas from 80 to 0.002.

    Raises:
        ValueError: for another name.
    """
    if schedule == "edm":
        ramp = [80 ** (1 / 7) + i / (steps - 1) * (0.002 ** (1 / 7) - 80 ** (1 / 7)) for i in range(steps)]
        sigma = np.array([*(r**7 for r in ramp), 0.0])
        abar = 1 / (1 + sigma**2)
        return _levels(abar, sigma**2 * abar), float(sigma[0] * np.sqrt(abar[0]))
    if schedule == "linear":
        product, listed = 1.0, []
        for i in range(1000):
            product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999)
            listed.append(product)
        abar = np.array([listed[round(1000 * t / steps) - 1] for t in range(steps, 0, -1)] + [1.0])
        return _levels(abar, 1 - abar), 1.0
    if schedule == "cosine":
        time = np.arange(steps, -1, -1) / steps
        # sin of the complement: exactly 0 where time is 1
        return _levels(np.sin(np.pi / 2 * (1 - time)) ** 2, np.sin(np.pi / 2 * time) ** 2), 1.0
    if schedule == "nichol":
        f = [np.cos((t / steps + 0.008) / 1.008 * np.pi / 2) ** 2 for t in range(steps + 1)]
        listed = [1.0]
        for t in range(1, steps + 1):
            listed.append(listed[-1] * (1 - min(1 - f[t] / f[t - 1], 0.999)))
        abar = np.array(listed[::-1])
        return _levels(abar, 1 - abar), 1.0
    raise ValueError(f"schedule {schedule!r} is unknown")


def _levels(abar: np.ndarray, rest: np.ndarray) -> Level:
    return Level(np.sqrt(abar), np.sqrt(rest), np.arange(len(abar)))


def exact(mean: Any, variance: Any) -> Denoise:
    """E[x_0 | x] of a normal: precision-weighted, cos x / sin^2 from the data and mean / variance before."""

    def denoise(x: Array, level: Level) -> Array:
        weight = variance * level.cos / (level.sin**2 + variance * level.cos**2)
        return mean + weight * (x - level.cos * mean)

    return denoise


def fitted(slope: Array, offset: Array) -> Denoise:
    """The denoiser of fitted numbers [level, ...]; level 0 is pure noise, the last is never asked."""

    def denoise(x: Array, level: Level) -> Array:
        return slope[level.number] * x + offset[level.number]

    return denoise


def guided(conditional: Denoise, unconditional: Denoise, guidance: Any) -> Denoise:
    """The conditional estimate, pushed away from the unconditional one."""

    def denoise(x: Array, level: Level) -> Array:
        towards = conditional(x, level)
        return towards + guidance * (towards - unconditional(x, level))

    return denoise


def ddim(denoise: Denoise, x: Array, at: Level, to: Level, noise: Array, eta: float) -> Array:
    """Song et al. 2021, arXiv:2010.02502, equations 12 and 16."""
    clean = denoise(x, at)
    e = (x - at.cos * clean) / at.sin
    sigma = eta * to.sin / at.sin * jnp.sqrt(1 - (at.cos / to.cos) ** 2)
    return to.cos * clean + jnp.sqrt(jnp.maximum(to.sin**2 - sigma**2, 0)) * e + sigma * noise


def ddpm(denoise: Denoise, x: Array, at: Level, to: Level, noise: Array, kind: str) -> Array:
    """Ho et al. 2020, arXiv:2006.11239, equations 6, 7: the posterior mean, noise beta or beta-tilde.

    Kinds `beta` and `posterior` add no noise in the last transition, `beta-to-the-end` does.
    """
    alpha = (at.cos / to.cos) ** 2
    beta = 1 - alpha
    mean = (to.cos * beta * denoise(x, at) + jnp.sqrt(alpha) * to.sin**2 * x) / at.sin**2
    spread = beta * to.sin**2 / at.sin**2 if kind == "posterior" else beta
    silent = (to.sin == 0) & (kind != "beta-to-the-end")
    return mean + jnp.where(silent, 0.0, jnp.sqrt(spread)) * noise


def heun(denoise: Denoise, x: Array, at: Level, to: Level) -> Array:
    """Karras et al. 2022, arXiv:2206.00364, algorithm 1 without churn, in x / cos and sigma = sin / cos."""
    y, sigma, target = x / at.cos, at.sin / at.cos, to.sin / to.cos
    slope = (y - denoise(x, at)) / sigma
    euler = y + (target - sigma) * slope
    inside = jnp.where(target > 0, target, 1.0)
    there = (euler - denoise(euler * to.cos, to)) / inside
    return to.cos * jnp.where(target > 0, y + (target - sigma) * (slope + there) / 2, euler)


def run(
    denoise: Denoise,
    schedule: tuple[Level, float],
    sampler: str,
    draw: Callable[[Any], Array],
    eta: float = 0.0,
) -> Array:
    """Points from noise.

    Args:
        denoise: elementwise on arrays of the shape of `draw`.
        schedule: of `levels`.
        sampler: `ddim`, `heun`, or a kind of `ddpm`.
        draw: transition number (0: the start) -> standard normals.
        eta: of `ddim`.

    Raises:
        ValueError: for another sampler.
    """
    if sampler not in ("ddim", "heun", "beta", "posterior", "beta-to-the-end"):
        raise ValueError(f"sampler {sampler!r} is unknown")
    listed, start = schedule
    first = start * draw(0)
    taken = Level(*(jnp.asarray(part, first.dtype) for part in listed[:2]), jnp.asarray(listed.number))

    def step(x: Array, number: Array) -> tuple[Array, None]:
        at, to = (Level(*(part[k] for part in taken)) for k in (number - 1, number))
        if sampler == "ddim":
            return ddim(denoise, x, at, to, draw(number) if eta else 0.0, eta), None
        if sampler == "heun":
            return heun(denoise, x, at, to), None
        return ddpm(denoise, x, at, to, draw(number), sampler), None

    return lax.scan(step, first, jnp.arange(1, len(listed.cos)))[0]


def normals(key: Any, shape: tuple[int, ...]) -> Callable[[Any], Array]:
    """Draws for `run`: transition k draws from fold_in(key, k)."""
    return lambda number: jax.random.normal(jax.random.fold_in(key, number), shape)


class Affine(NamedTuple):
    """Slope and offset of a denoiser, [level, ...]."""

    slope: Float[Array, "level ..."]
    offset: Float[Array, "level ..."]


def fit_least_squares(
    key: Any, data: Float[Array, "sample ..."], schedule: tuple[Level, float], noises: int
) -> Affine:
    """Regress x_0 on x = cos x_0 + sin e at every level, every sample noised `noises` times."""
    listed = schedule[0]

    def at_level(number: Array) -> tuple[Array, Array]:
        noise = jax.random.normal(jax.random.fold_in(key, number), (noises, *data.shape), data.dtype)
        cos, sin = (jnp.asarray(part, data.dtype)[number] for part in listed[:2])
        x = cos * data + sin * noise
        centre, target = x.mean((0, 1)), data.mean(0)
        slope = ((x - centre) * (data - target)).mean((0, 1)) / ((x - centre) ** 2).mean((0, 1))
        return slope, target - slope * centre

    return Affine(*lax.map(at_level, jnp.arange(len(listed.cos))))


def fit_by_gradient(
    key: Any,
    data: Float[Array, "sample ..."],
    schedule: tuple[Level, float],
    steps: int,
    batch: int,
    rate: float,
) -> Affine:
    """Stochastic gradient descent on the mean of (D(x) - x_0)^2, averaged over its second half.

    Every step noises `batch` samples anew at every level. (Averaging: Polyak and Juditsky 1992,
    doi:10.1137/0330046.)
    """
    listed = schedule[0]
    shape = (len(listed.cos), *(1 for _ in data.shape))
    cos, sin = (jnp.asarray(part, data.dtype).reshape(shape) for part in listed[:2])

    def loss(parameters: Affine, chosen: Array, noise: Array) -> Array:
        x = cos * chosen + sin * noise
        error = parameters.slope[:, None] * x + parameters.offset[:, None] - chosen
        return jnp.sum(jnp.mean(error**2, axis=1)) / 2

    def step(carry: tuple[Affine, Affine], number: Array) -> tuple[tuple[Affine, Affine], None]:
        parameters, total = carry
        choosing, noising = jax.random.split(jax.random.fold_in(key, number))
        chosen = data[jax.random.randint(choosing, (batch,), 0, len(data))]
        noise = jax.random.normal(noising, (len(listed.cos), *chosen.shape), data.dtype)
        slope = jax.grad(loss)(parameters, chosen, noise)
        parameters = jax.tree.map(lambda value, by: value - rate * by, parameters, slope)
        counted = jnp.where(number >= steps // 2, 1.0, 0.0)
        return (parameters, jax.tree.map(lambda a, b: a + counted * b, total, parameters)), None

    zero = jnp.zeros((len(listed.cos), *data.shape[1:]), data.dtype)
    start = Affine(zero, zero)
    (_, total), _ = lax.scan(step, (start, start), jnp.arange(steps))
    return jax.tree.map(lambda value: value / (steps - steps // 2), total)
