"""Root and logarithm of the variance where every point is kept: products of one-dimensional integrals (A6).

Where all data so far are fitted, the pool's moments are the last model's, so a batch of n of its samples
beside the N' points before, N = N' + n, multiplies the variance by a factor independent of the past,

    sigma_t^2 = sigma_{t-1}^2 A_t,    c A = c' + lambda [chi2_{n-1} + (N'/N) z^2],

c = N and c' = N' (one less unbiased). With phi the Laplace transform of X = c A,

    E sqrt(X) = int_0^inf (1 - phi(s)) s^{-3/2} ds / (2 sqrt(pi)),

and -s phi'(s) is the density of log s = log(E/X), E exponential and independent, so that the cumulants of
log X are those of that density less those of log E, up to sign. Integrands are analytic in log s and
vanish exponentially at both ends: the trapezoidal rule has no error but rounding. Own derivation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma

from theory.counts import points
from theory.loop import Loop, MaximumLikelihood
from theory.policy import Accumulate, Web
from theory.replace.fits import is_synthetic, sampling_factor
from theory.result import Statistic

STEP, REACH = 0.2, 76.0  # e^{-REACH/2} is below rounding
GRID = np.arange(-REACH, REACH + STEP / 2, STEP)
EXPONENTIAL = tuple(float(polygamma(r - 1, 1.0)) for r in range(1, 5))
"""Cumulants of the logarithm of a standard exponential: psi^{(r-1)}(1)."""


class Factors(NamedTuple):
    """The factors A_1, ..., A_t as arrays: c A = rest + lambda (chi2_degrees + share z^2)."""

    divisor: NDArray[np.float64]
    rest: NDArray[np.float64]
    degrees: NDArray[np.float64]
    share: NDArray[np.float64]
    factor: NDArray[np.float64]


def factors(loop: Loop, last: int) -> Factors | None:
    """Of generations 1, ..., `last`; None where a fit takes anything but all synthetic points so far."""
    data: Any = loop.data
    if not isinstance(data, Accumulate | Web) or loop.sampler.truncate is not None or loop.selection:
        return None
    if isinstance(data, Web) and (data.real or data.n is not None):
        return None
    first = points("n", data.n, 1, 2) if isinstance(data, Accumulate) else data.start
    later = [
        points("n", data.n, t, 1) if isinstance(data, Accumulate) else data.synthetic
        for t in range(2, last + 1)
    ]
    sizes = np.array([first, *later], float)
    total = np.cumsum(sizes)
    before = total - sizes
    less = 0 if isinstance(loop.estimator, MaximumLikelihood) else 1
    bias = np.full(last, float(sampling_factor(loop.sampler)))
    if not is_synthetic(loop, 1):
        bias[0] = 1.0
    rest = np.where(before > 0, before - less, 0.0)
    return Factors(total - less, rest, sizes - 1, before / total, bias)


def root(x: Factors) -> NDArray[np.float64]:
    """E sqrt(A) of each factor."""
    scale, log_transform = _transform(x)
    integrand = -np.expm1(log_transform) * np.exp(-GRID / 2)
    return np.sqrt(scale / x.divisor) * integrand.sum(1) * STEP / (2 * math.sqrt(math.pi))


def logarithm(x: Factors) -> NDArray[np.float64]:
    """The first four cumulants of log A of each factor: [cumulant, factor]."""
    scale, log_transform = _transform(x)
    s = np.exp(GRID) / scale[:, None]
    pull = x.rest[:, None] * s
    for weight, count in ((x.factor, x.degrees), (x.factor * x.share, np.ones_like(x.degrees))):
        part = weight[:, None] * s
        pull = pull + count[:, None] * part / (1 + 2 * part)
    density = pull * np.exp(log_transform) * STEP
    mean = density @ GRID
    away = GRID - mean[:, None]
    second, third, fourth = ((density * away**k).sum(1) for k in (2, 3, 4))
    found = [mean, second, third, fourth - 3 * second**2]
    cumulants = [(-1) ** r * (k - c) for r, k, c in zip(range(1, 5), found, EXPONENTIAL, strict=True)]
    cumulants[0] = cumulants[0] + np.log(scale / x.divisor)
    return np.array(cumulants)


def _transform(x: Factors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """E X of each factor, and log phi of X / E X on the grid of log s."""
    scale = x.rest + x.factor * (x.degrees + x.share)
    s = np.exp(GRID) / scale[:, None]
    lam, share = x.factor[:, None], x.share[:, None]
    slow = x.degrees[:, None] * np.log1p(2 * lam * s) + np.log1p(2 * lam * share * s)
    return scale, -x.rest[:, None] * s - slow / 2


def statistic(loop: Loop, name: str, wanted: Sequence[float], known: NDArray[np.float64]) -> Statistic | None:
    """The statistic of an observable made of root, logarithm and second moments; None if it is not closed.

    Args:
        loop: on the line.
        name: of `theory.observable`.
        wanted: generations.
        known: E mu, E mu^2, E sigma^2 along the first axis.
    """
    if name not in ("std", "log_variance", "w2_squared", "kl_to_source") or math.inf in wanted:
        return None
    found = factors(loop, int(max(wanted)))
    if found is None:
        return None
    at = np.array(wanted, int) - 1
    source, first = loop.source.variance, loop.first_model.variance
    mean_square, variance = known[1], known[2]
    nothing = np.full(len(wanted), np.nan)
    if name in ("std", "w2_squared"):
        std = math.sqrt(first) * np.cumprod(root(found))[at]
        if name == "std":
            return Statistic(std, variance - std**2, "recursion", "gaussian.A6")
        mean = mean_square + variance + source - 2 * math.sqrt(source) * std
        return Statistic(mean, nothing, "recursion", "gaussian.A6")
    mean, second, third, excess = np.cumsum(logarithm(found), axis=1)[:, at]
    mean = mean + math.log(first)
    if name == "log_variance":
        fourth = excess + 3 * second**2
        return Statistic(mean, second, "recursion", "gaussian.A6", third=third, fourth=fourth)
    mean = ((variance + mean_square) / source - 1 - mean + math.log(source)) / 2
    return Statistic(mean, nothing, "recursion", "gaussian.A6")
