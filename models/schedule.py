"""Noise levels as angles: x = cos(theta) x_0 + sin(theta) e, from pure noise down to the data.

A variance-preserving schedule has cos^2(theta) = abar; in the coordinates of Karras et al. (2022,
arXiv:2206.00364), x / cos(theta) = x_0 + sigma e with sigma = tan(theta). Every schedule is written so, and
the data are in units of their own spread, so that one denoiser serves all. Where abar_T is not zero, a
variance-preserving sampler starts from a standard normal, one in sigma from N(0, sigma_T^2), which is
N(0, sin^2(theta_T)) here.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory import generator as words
from theory.generator import LINEAR_STEPS
from theory.quantity import LoopError

SIGMA_LEAST, SIGMA_MOST, RHO = 0.002, 80.0, 7.0
"""The grid of Karras et al. (2022), table 1, in units of the data's standard deviation."""

LOG_SIGMA_MEAN, LOG_SIGMA_STD = -1.2 + np.log(2), 1.2
"""Karras et al. (2022), table 1: ln(sigma) from N(-1.2, 1.2^2) for data whose standard deviation is 0.5."""

BETA_FIRST, BETA_LAST = 1e-4, 0.02
"""Ho et al. (2020), arXiv:2006.11239, section 4."""


class Levels(NamedTuple):
    """The T + 1 noise levels of a sampler, from noise to data.

    Attributes:
        cos: cos(theta), the share of the data; the last is 1.
        sin: sin(theta), the share of the noise; the last is 0.
        start: the standard deviation of the noise that sampling begins with.
    """

    cos: Float[np.ndarray, " level"]
    sin: Float[np.ndarray, " level"]
    start: float


def levels(schedule: str, steps: int) -> Levels:
    """The noise levels of `steps` transitions.

    `linear`: abar after the betas numbered round(k 1000 / T), k = T, ..., 1. `cosine`: theta = pi t / 2T,
    abar = cos^2(theta) (Nichol and Dhariwal 2021, arXiv:2102.09672, without their offset). `edm`: sigma_i =
    (sigma_max^(1/rho) + i / (T - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho, i < T, and 0.

    Raises:
        LoopError: if the schedule is none of these.
    """
    start = 1.0
    match schedule:
        case words.COSINE:
            angles = np.pi / 2 * np.arange(steps, -1, -1) / steps
            cos, sin = np.cos(angles), np.sin(angles)
            cos[0] = 0.0  # and not the rounding error of cos(pi / 2)
        case words.LINEAR:
            abar = np.cumprod(1 - np.linspace(BETA_FIRST, BETA_LAST, LINEAR_STEPS))
            taken = np.rint(np.arange(steps, 0, -1) * LINEAR_STEPS / steps).astype(int) - 1
            abar = np.append(abar[taken], 1.0)
            cos, sin = np.sqrt(abar), np.sqrt(1 - abar)
        case words.EDM:
            ends = SIGMA_MOST ** (1 / RHO), SIGMA_LEAST ** (1 / RHO)
            sigma = np.append((ends[0] + np.arange(steps) / (steps - 1) * (ends[1] - ends[0])) ** RHO, 0.0)
            cos, sin = 1 / np.hypot(1, sigma), sigma / np.hypot(1, sigma)
            start = float(sin[0])
        case _:
            raise LoopError("schedule", schedule, "no levels are known for it")
    return Levels(cos, sin, start)


def draw_level(schedule: str, key: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """(cos, sin) of a random noise level to train at.

    `linear` and `cosine`: t uniform on (0, 1), the betas of `linear` in continuous time; `edm`: log-normal.

    Raises:
        LoopError: if the schedule is none of these.
    """
    match schedule:
        case words.EDM:
            sigma = jnp.exp(LOG_SIGMA_MEAN + LOG_SIGMA_STD * jax.random.normal(key))
            return 1 / jnp.hypot(1.0, sigma), sigma / jnp.hypot(1.0, sigma)
        case words.COSINE:
            t = jax.random.uniform(key)
            return jnp.cos(jnp.pi / 2 * t), jnp.sin(jnp.pi / 2 * t)
        case words.LINEAR:
            t = jax.random.uniform(key)
            log_abar = -LINEAR_STEPS * (BETA_FIRST * t + (BETA_LAST - BETA_FIRST) * t**2 / 2)
            return jnp.exp(log_abar / 2), jnp.sqrt(-jnp.expm1(log_abar))
        case _:
            raise LoopError("schedule", schedule, "no noise level is known for it")
