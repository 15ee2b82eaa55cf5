"""Diffusion as pure functions of a denoiser: the training loss, and samplers.

A denoiser D(x, cos, sin) estimates x_0 from x = cos x_0 + sin e. It is preconditioned as in Karras et al.
(2022, arXiv:2206.00364, table 1): with data of unit spread their c_skip, c_out and c_in become

    D(x) = cos x + sin F(x),        loss = |F(x) - (sin x_0 - cos e)|^2,

in which the network F has input and target of unit spread at every noise level: -F is the velocity of
Salimans and Ho (2022, arXiv:2202.00512).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from models.schedule import Levels, draw_level
from theory import generator as words
from theory.quantity import LoopError

Denoiser = Callable[[Array, Array, Array], Array]
"""(x, cos, sin) -> the estimate of x_0."""

Draw = Callable[[Array, tuple[int, ...], jnp.dtype], Array]
"""(key, shape, dtype) -> the noise of a sampler."""


def preconditioned(network: Callable[[Array, Array, Array], Array]) -> Denoiser:
    """The denoiser D = cos x + sin F of a network F(x, cos, sin)."""
    return lambda x, cos, sin: cos * x + sin * network(x, cos, sin)


def affine(mean: Array, variances: Array) -> Denoiser:
    """E[x_0 | x] of N(mean, diag(variances)): mean + cos s (x - cos mean) / (cos^2 s + sin^2)."""

    def denoise(x, cos, sin):
        return mean + cos * variances / (cos**2 * variances + sin**2) * (x - cos * mean)

    return denoise


def guided(conditional: Denoiser, unconditional: Denoiser, weight: float) -> Denoiser:
    """(1 + w) conditional - w unconditional (Ho and Salimans 2022, arXiv:2207.12598, equation 6)."""
    if weight == 0:
        return conditional

    def denoise(x, cos, sin):
        return (1 + weight) * conditional(x, cos, sin) - weight * unconditional(x, cos, sin)

    return denoise


def loss(
    network: Callable[[Array, Array, Array], Array],
    key: Array,
    x0: Float[Array, "*point"],
    schedule: str,
) -> Float[Array, ""]:
    """The mean square of F(x) - (sin x_0 - cos e) for one point, at one random noise level."""
    level_key, noise_key = jax.random.split(key)
    cos, sin = draw_level(schedule, level_key)
    noise = jax.random.normal(noise_key, x0.shape, x0.dtype)
    return jnp.mean((network(cos * x0 + sin * noise, cos, sin) - (sin * x0 - cos * noise)) ** 2)


class Step(NamedTuple):
    """One transition of a sampler: from one noise level to a lower one."""

    cos: Array
    sin: Array
    next_cos: Array
    next_sin: Array


def transitions(levels: Levels, dtype: jnp.dtype = jnp.float32) -> Step:
    """All transitions of a sampler, stacked."""
    cos, sin = (jnp.asarray(part, dtype) for part in (levels.cos, levels.sin))
    return Step(cos[:-1], sin[:-1], cos[1:], sin[1:])


def step(
    denoise: Denoiser,
    x: Float[Array, "*points"],
    noise: Float[Array, "*points"],
    to: Step,
    sampler: str,
    eta: float = 0.0,
) -> Float[Array, "*points"]:
    """One transition.

    With x_0 = D(x), e = (x - cos x_0) / sin, primes at the next level, v^2 = (sin'/sin)^2 (1 - cos^2/cos'^2),

        ddim:  x' = cos' x_0 + sqrt(sin'^2 - eta^2 v^2) e + eta v z     (Song et al. 2021, equation 12),
        ddpm:  x' = cos' x_0 + sqrt(sin'^2 - v^2) e + sqrt(beta) z,     beta = 1 - cos^2/cos'^2,

    and no noise where sin' = 0 (Ho et al. 2020, algorithm 2). heun: in y = x / cos and sigma = tan, the mean
    of e at both ends (Karras et al. 2022, algorithm 1); an Euler step in these is ddim with eta = 0.

    Raises:
        LoopError: if the sampler is none of these.
    """
    x0 = denoise(x, to.cos, to.sin)
    e = (x - to.cos * x0) / to.sin
    beta = 1 - (to.cos / to.next_cos) ** 2
    posterior = (to.next_sin / to.sin) ** 2 * beta
    match sampler:
        case words.DDPM:
            spread = jnp.where(to.next_sin > 0, jnp.sqrt(beta), 0.0)
            return to.next_cos * x0 + _root(to.next_sin**2 - posterior) * e + spread * noise
        case words.DDIM:
            along = _root(to.next_sin**2 - eta**2 * posterior)
            return to.next_cos * x0 + along * e + eta * jnp.sqrt(posterior) * noise
        case words.HEUN:
            euler = to.next_cos * x0 + to.next_sin * e
            inside = jnp.where(to.next_sin > 0, to.next_sin, 1.0)
            there = (euler - to.next_cos * denoise(euler, to.next_cos, inside)) / inside
            slope = jnp.where(to.next_sin > 0, (e + there) / 2, e)
            return to.next_cos * (x / to.cos + (to.next_sin / to.next_cos - to.sin / to.cos) * slope)
        case _:
            raise LoopError("sampler", sampler, "no step is known for it")


def _root(square: Array) -> Array:
    return jnp.sqrt(jnp.maximum(square, 0.0))


def sample(
    denoise: Denoiser,
    key: Array,
    shape: tuple[int, ...],
    levels: Levels,
    sampler: str,
    *,
    eta: float = 0.0,
    draw: Draw = jax.random.normal,
    dtype: jnp.dtype = jnp.float32,
) -> Float[Array, "*shape"]:
    """Points from noise, the transitions in one `scan`.

    Args:
        denoise: of an array of that shape.
        key: transition k draws from `fold_in(key, k)`, the start from `fold_in(key, 0)`.
        shape: of what is returned.
        levels: of `models.schedule.levels`.
        sampler: `ddim`, `ddpm` or `heun`.
        eta: of `ddim`.
        draw: the noise; a scaled or truncated normal biases what is sampled.
        dtype: of the arithmetic.
    """
    taken = transitions(levels, dtype)

    def onward(x, numbered):
        return advance(denoise, key, x, *numbered, sampler, eta, draw), None

    start = begin(key, shape, levels, draw, dtype)
    return jax.lax.scan(onward, start, (jnp.arange(1, len(levels.cos)), taken))[0]


def begin(key: Array, shape: tuple[int, ...], levels: Levels, draw: Draw, dtype: jnp.dtype) -> Array:
    """The noise that sampling starts from."""
    return levels.start * draw(jax.random.fold_in(key, 0), shape, dtype)


def advance(
    denoise: Denoiser, key: Array, x: Array, number: Array, to: Step, sampler: str, eta: float, draw: Draw
) -> Array:
    """Transition `number`, counted from 1, with its own noise."""
    return step(denoise, x, draw(jax.random.fold_in(key, number), x.shape, x.dtype), to, sampler, eta)
