r"""A diffusion sampler with the exact affine score, as a map g on the variance of each direction.

The score of data N(mu, diag(s)) is affine: with V_t(s) = cos_t^2 s + sin_t^2,

    eps(x, t) = sin_t (x - cos_t mu) / V_t.

A sampler started from N(0, P) is therefore a linear recursion in each eigen-direction by itself, x_0 is
normal, its variance is g(s) = s lambda(s), and training on n samples merely puts the fitted s in the place
of the true one. lambda is the sampling bias of the loop file, no constant but a function of s.
(The affine score: Wang and Vastola 2023, arXiv:2311.10892; Pierret and Galerne 2025, arXiv:2405.14250. The
angle form, the sums and the cosh law are own derivations.)

Every function takes variances s > 0 of any shape and returns variances of that shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.diffusion.schedule import Schedule

Array = NDArray[np.float64]
VarianceMap = Callable[[ArrayLike], Array]


def angles(schedule: Schedule, s: ArrayLike) -> Array:
    """phi_t = arctan(tan(theta_t) / sqrt s), t = 0, ..., T, along a new first axis."""
    s = np.asarray(s, float)
    shape = (-1,) + (1,) * s.ndim
    return np.arctan2(schedule.sin.reshape(shape), schedule.cos.reshape(shape) * np.sqrt(s))


def noised(schedule: Schedule, s: ArrayLike) -> Array:
    """V_t = cos_t^2 s + sin_t^2, t = 0, ..., T, along a new first axis."""
    s = np.asarray(s, float)
    shape = (-1,) + (1,) * s.ndim
    return schedule.cos.reshape(shape) ** 2 * s + schedule.sin.reshape(shape) ** 2


def ddim(schedule: Schedule, s: ArrayLike) -> Array:
    r"""Deterministic DDIM (Song et al. 2021, arXiv:2010.02502), which is Euler's method in sigma.

    lambda(s) = P / V_T prod_{t=1}^T cos^2(phi_t - phi_{t-1}): it contracts every direction under every
    schedule with P <= V_T.
    """
    turns = np.diff(angles(schedule, s), axis=0)
    bias = schedule.start / noised(schedule, s)[-1] * np.prod(np.cos(turns) ** 2, axis=0)
    return np.asarray(s, float) * bias


def probability_flow(schedule: Schedule, s: ArrayLike) -> Array:
    """The limit of ever finer steps from the same start: the ODE itself, lambda(s) = P / V_T."""
    return np.asarray(s, float) * schedule.start / noised(schedule, s)[-1]


def best_ddim(schedule: Schedule, s: ArrayLike) -> Array:
    """The most that DDIM leaves with these ends and steps: all turns equal, lambda ~ cos^{2T}(phi_T / T)."""
    last = angles(schedule, s)[-1]
    bias = schedule.start / noised(schedule, s)[-1] * np.cos(last / schedule.steps) ** (2 * schedule.steps)
    return np.asarray(s, float) * bias


def cosh_law(steps: int, s: ArrayLike) -> Array:
    """DDIM on the cosine schedule to first order in 1/T: lambda(s) = exp(-(pi^2 / 4T) cosh(ln(s) / 2)).

    The error of ln lambda is of order T^-3 (`cosh_law_error`). It follows from sum (turn)^2 and
    int phi'^2 = pi^2 (1 + s) / (8 sqrt s) over the schedule.
    """
    s = np.asarray(s, float)
    return s * np.exp(-(np.pi**2) / (4 * steps) * np.cosh(np.log(s) / 2))


def sum_of_turns(schedule: Schedule, s: ArrayLike) -> Array:
    """DDIM on any schedule to second order in its turns: ln lambda = ln(P / V_T) - sum (turn)^2."""
    turns = np.diff(angles(schedule, s), axis=0)
    bias = schedule.start / noised(schedule, s)[-1] * np.exp(-np.sum(turns**2, axis=0))
    return np.asarray(s, float) * bias


Ancestral = Literal["beta", "posterior", "optimal"]


def ancestral_noise(schedule: Schedule, s: ArrayLike, variance: Ancestral) -> Array:
    """sigma_t^2 of t = 1, ..., T along a new first axis.

    `beta`: beta_t = 1 - cos_t^2 / cos_{t-1}^2. `posterior`: beta_t sin_{t-1}^2 / sin_t^2, the usual
    beta-tilde. `optimal`: beta_t V_{t-1} / V_t, under which g(s) = s where P = V_T (Bao et al. 2022,
    arXiv:2201.06503, in its Gaussian form).
    """
    s = np.asarray(s, float)
    shape = (-1,) + (1,) * s.ndim
    beta = (1 - (schedule.cos[1:] / schedule.cos[:-1]) ** 2).reshape(shape) * np.ones_like(s)
    if variance == "beta":
        return beta
    levels = noised(schedule, s if variance == "optimal" else np.zeros_like(s))
    return beta * levels[:-1] / levels[1:]


def ddpm(schedule: Schedule, s: ArrayLike, variance: Ancestral, *, last_noise: bool) -> Array:
    r"""Ancestral sampling (Ho et al. 2020, arXiv:2006.11239, algorithm 2).

    g(s) = s^2 (cos_T^2 P / V_T^2 + sum_{t=1}^T cos_{t-1}^2 sigma_t^2 / V_{t-1}^2). With sigma^2 = beta,
    directions below 1 are inflated and those above contracted; with the posterior variance all contract.

    Args:
        schedule: noise levels.
        s: variances.
        variance: of the noise (`ancestral_noise`).
        last_noise: whether the last transition, t = 1, adds noise. Most programs do not.
    """
    s = np.asarray(s, float)
    levels = noised(schedule, s)
    noise = ancestral_noise(schedule, s, variance)
    if not last_noise:
        noise[0] = 0.0
    cos = schedule.cos.reshape((-1,) + (1,) * s.ndim)
    total = (cos[-1] / levels[-1]) ** 2 * schedule.start + np.sum(
        (cos[:-1] / levels[:-1]) ** 2 * noise, axis=0
    )
    return s**2 * total


def ddpm_bias(schedule: Schedule, s: ArrayLike, variance: Ancestral, *, last_noise: bool) -> Array:
    """What `ddpm` adds, g(s) - s: each step's noise against the exact one, and the start against V_T.

    It is sum (cos_{t-1} s / V_{t-1})^2 (sigma_t^2 - beta_t V_{t-1} / V_t) + (cos_T s / V_T)^2 (P - V_T).
    """
    s = np.asarray(s, float)
    levels = noised(schedule, s)
    noise = ancestral_noise(schedule, s, variance)
    if not last_noise:
        noise[0] = 0.0
    excess = noise - ancestral_noise(schedule, s, "optimal")
    cos = schedule.cos.reshape((-1,) + (1,) * s.ndim)
    missing = (cos[-1] * s / levels[-1]) ** 2 * (schedule.start - levels[-1])
    return np.sum((cos[:-1] * s / levels[:-1]) ** 2 * excess, axis=0) + missing


def ddim_with_noise(schedule: Schedule, s: ArrayLike, eta: float) -> Array:
    """DDIM with a share eta of the ancestral noise (Song et al. 2021, equation 16), by its recursion.

    The step has gain [cos cos' s + sqrt(sin'^2 - sigma^2) sin] / V and noise
    sigma^2 = eta^2 (beta-tilde); eta = 0 is `ddim`, eta = 1 `ddpm` with the posterior variance.
    """
    s = np.asarray(s, float)
    levels = noised(schedule, s)
    noise = eta**2 * ancestral_noise(schedule, np.zeros_like(s), "posterior")
    value = np.full_like(s, schedule.start)
    for t in range(schedule.steps, 0, -1):
        along = np.sqrt(np.maximum(schedule.sin[t - 1] ** 2 - noise[t - 1], 0)) * schedule.sin[t]
        gain = (schedule.cos[t] * schedule.cos[t - 1] * s + along) / levels[t]
        value = gain**2 * value + noise[t - 1]
    return value


def heun(schedule: Schedule, s: ArrayLike) -> Array:
    """Heun's method in sigma, the last step Euler's (Karras et al. 2022, arXiv:2206.00364, algorithm 1).

    From sigma = a to b the gain is 1 + (b - a)/2 [a / (s + a^2) + b / (s + b^2) (s + a b) / (s + a^2)].
    On the usual grid it expands every direction, by an amount of order T^-2.

    Raises:
        ValueError: if the schedule starts from infinite sigma.
    """
    if schedule.cos[-1] == 0:
        raise ValueError("the schedule starts from infinite sigma, where Heun's method has no step")
    s = np.asarray(s, float)
    sigma = schedule.sin / schedule.cos
    gain = np.ones_like(s)
    for a, b in zip(sigma[:0:-1], sigma[-2::-1], strict=True):
        euler = (s + a * b) / (s + a**2)
        gain *= 1 + (b - a) / 2 * (a / (s + a**2) + b / (s + b**2) * euler) if b > 0 else euler
    return schedule.start / schedule.cos[-1] ** 2 * gain**2


def mean_retained(schedule: Schedule, s: ArrayLike) -> Array:
    """What deterministic DDIM keeps of the data's mean: x_0 has mean mu (1 - cos_T prod A_t).

    prod A_t = sqrt(g(s) / P) is the gain from the start to x_0; all of the mean is kept where abar_T = 0,
    as it is by any sampler whose start was centred at cos_T mu.
    """
    return 1 - schedule.cos[-1] * np.sqrt(ddim(schedule, s) / schedule.start)


def stability_threshold(bias: ArrayLike) -> Array:
    """The share of fresh real data beyond which variances stay finite (n = inf): max(0, 1 - 1 / lambda)."""
    return np.maximum(0.0, 1 - 1 / np.asarray(bias, float))


def stationary_variance(bias: ArrayLike, real: ArrayLike, source: ArrayLike) -> Array:
    """With a share m of real data and n = inf, m V_0 / (1 - (1 - m) lambda); infinite if unstable."""
    bias, real, source = (np.asarray(part, float) for part in (bias, real, source))
    kept = 1 - (1 - real) * bias
    return np.where(kept > 0, real * source / np.where(kept > 0, kept, 1.0), np.inf)


def cosh_law_error(steps: int, s: ArrayLike) -> Array:
    """The next term of ln lambda beyond `cosh_law`, of order T^-3.

    With h = 1/T, ln lambda = -h int phi'^2 - h^3 int (phi'^4 / 6 - phi''^2 / 12) + O(h^5), as phi'' vanishes
    at both ends. The integrands are analytic and periodic, so that the trapezoidal rule is exact.
    """
    s = np.asarray(s, float)
    nodes = max(64, int(40 * np.sqrt(np.maximum(s, 1 / s)).max()))  # the poles lie 2 / sqrt(s) off the axis
    angle = (np.pi / 2 * (np.arange(nodes) + 0.5) / nodes).reshape((-1,) + (1,) * s.ndim)
    level = s * np.cos(angle) ** 2 + np.sin(angle) ** 2
    first = np.pi / 2 * np.sqrt(s) / level
    second = -np.pi / 2 * first * (1 - s) * np.sin(2 * angle) / level
    return -np.mean(first**4 / 6 - second**2 / 12, axis=0) / steps**3
