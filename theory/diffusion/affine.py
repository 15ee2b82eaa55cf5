"""Mean and variance through a sampler whose denoiser is affine, but not the right one.

D_t(x) = p_t x + q_t estimates x_0; with it e = (x - cos_t D) / sin_t and one transition is

    x' = cos' D + sqrt(sin'^2 - v) e + sigma z,     v = share of sin'^2 that fresh noise replaces,

v = sigma^2 = eta^2 beta-tilde for DDIM, v = beta-tilde with sigma^2 = beta or beta-tilde for DDPM. Guidance
and errors of the score keep it affine: mean and variance then follow two linear recursions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.diffusion.schedule import Schedule


class Denoiser(NamedTuple):
    """D_t(x) = slope_t x + offset_t, t = 1, ..., T along the first axis."""

    slope: NDArray[np.float64]
    offset: NDArray[np.float64]


class Normal(NamedTuple):
    """A law on the line, or several."""

    mean: ArrayLike
    variance: ArrayLike


def denoiser(schedule: Schedule, law: Normal) -> Denoiser:
    """The exact one, E[x_0 | x_t = x] = mu + cos s (x - cos mu) / V."""
    mean, variance = np.broadcast_arrays(*(np.asarray(part, float) for part in law))
    cos, sin = (part[1:].reshape((-1,) + (1,) * mean.ndim) for part in schedule[:2])
    slope = cos * variance / (cos**2 * variance + sin**2)
    return Denoiser(slope, mean * (1 - slope * cos))


def guided(conditional: Denoiser, unconditional: Denoiser, guidance: float) -> Denoiser:
    """(1 + guidance) conditional - guidance unconditional (Ho and Salimans 2022, arXiv:2207.12598)."""
    return Denoiser(
        *((1 + guidance) * c - guidance * u for c, u in zip(conditional, unconditional, strict=True))
    )


def sampled(
    schedule: Schedule,
    affine: Denoiser,
    *,
    eta: float = 0.0,
    ancestral: bool = False,
    last_noise: bool = False,
) -> Normal:
    """The law of x_0 from N(0, P).

    Args:
        schedule: noise levels.
        affine: the denoiser at each of them.
        eta: DDIM's share of noise.
        ancestral: DDPM with sigma^2 = beta_t instead of DDIM.
        last_noise: whether DDPM adds noise in its last transition.
    """
    mean, variance = np.float64(0.0), np.float64(schedule.start)
    for t in range(schedule.steps, 0, -1):
        cos, sin = schedule.cos[t], schedule.sin[t]
        to_cos, to_sin = schedule.cos[t - 1], schedule.sin[t - 1]
        beta = 1 - (cos / to_cos) ** 2
        posterior = beta * (to_sin / sin) ** 2
        replaced = posterior if ancestral else eta**2 * posterior
        noise = beta if ancestral else replaced
        if ancestral and t == 1 and not last_noise:
            noise = 0.0
        along = np.sqrt(max(to_sin**2 - replaced, 0.0)) / sin
        through = to_cos - along * cos
        gain = through * affine.slope[t - 1] + along
        mean = gain * mean + through * affine.offset[t - 1]
        variance = gain**2 * variance + noise
    return Normal(mean, variance)
