"""Noise levels of a diffusion sampler, as angles: x = cos(theta) x_0 + sin(theta) e.

Index 0 is the data (cos 1, sin 0), index T the noise that sampling starts from, in the coordinates in which
cos^2 + sin^2 = 1 (cos^2 is the usual abar). A schedule given by sigma, x = x_0 + sigma e, is the same one
divided by sqrt(1 + sigma^2): sigma = tan(theta).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BETAS = (1e-4, 0.02, 1000)
"""First and last beta, and their number: Ho et al. 2020, arXiv:2006.11239, section 4."""

NOISE = (0.002, 80.0, 7.0)
"""Smallest and largest sigma, and rho: Karras et al. 2022, arXiv:2206.00364, table 1."""


class Schedule(NamedTuple):
    """The levels of T transitions.

    Attributes:
        cos: [T + 1], from 1 downwards.
        sin: [T + 1], from 0 upwards.
        start: the variance of what sampling starts from, N(0, start).
    """

    cos: NDArray[np.float64]
    sin: NDArray[np.float64]
    start: float = 1.0

    @property
    def steps(self) -> int:
        """T."""
        return len(self.cos) - 1


def of_abar(abar: ArrayLike) -> Schedule:
    """The schedule of abar_1 > ... > abar_T >= 0, started from N(0, 1).

    Raises:
        ValueError: unless they lie in [0, 1) and decrease.
    """
    levels = np.append(1.0, np.asarray(abar, float))
    if len(levels) < 2 or (np.diff(levels) >= 0).any() or levels[-1] < 0:
        raise ValueError("abar must decrease from below 1 and stay at least 0")
    return Schedule(np.sqrt(levels), np.sqrt(1 - levels))


def of_sigma(sigma: ArrayLike) -> Schedule:
    """The schedule of 0 < sigma_1 < ... < sigma_T, started from N(0, sigma_T^2) in sigma's coordinates.

    Raises:
        ValueError: unless they are positive and increase.
    """
    levels = np.append(0.0, np.asarray(sigma, float))
    if len(levels) < 2 or (np.diff(levels) <= 0).any():
        raise ValueError("sigma must increase from above 0")
    length = np.hypot(1.0, levels)
    return Schedule(1 / length, levels / length, float((levels[-1] / length[-1]) ** 2))


def linear(steps: int) -> Schedule:
    """The abar after the betas numbered round(1000 k / T), k = 1, ..., T, of Ho et al.'s thousand.

    Raises:
        ValueError: if there are more steps than betas.
    """
    first, last, count = BETAS
    if not 1 <= steps <= count:
        raise ValueError(f"steps is {steps}: there are {count} betas")
    abar = np.cumprod(1 - np.linspace(first, last, count))
    return of_abar(abar[np.rint(np.arange(1, steps + 1) * count / steps).astype(int) - 1])


def cosine(steps: int) -> Schedule:
    """theta_t = pi t / 2T exactly: Nichol and Dhariwal 2021, arXiv:2102.09672, without their offset."""
    angle = np.pi / 2 * np.arange(steps + 1) / steps
    cos, sin = np.cos(angle), np.sin(angle)
    cos[-1] = 0.0  # and not the rounding of cos(pi / 2)
    return Schedule(cos, sin)


def nichol(steps: int, offset: float = 0.008, largest: float = 0.999) -> Schedule:
    """Nichol and Dhariwal 2021, equation 17: abar = f(t) / f(0), beta <= 0.999.

    f(t) = cos^2((t/T + offset) / (1 + offset) pi/2).
    """
    f = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    return of_abar(np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], largest)))


def edm(steps: int, least: float = NOISE[0], most: float = NOISE[1], rho: float = NOISE[2]) -> Schedule:
    """Karras et al. 2022, equation 5: sigma^(1/rho) evenly spaced from `most` to `least`, and then 0.

    Raises:
        ValueError: for fewer than two steps.
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}: the grid has two ends")
    return of_sigma(np.linspace(least ** (1 / rho), most ** (1 / rho), steps) ** rho)
