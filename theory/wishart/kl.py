"""KL(N_t || N_0) in d dimensions.

In coordinates where the source is N(0, I) (the start then has Sigma and the distance b),

    KL(N_t || N_0) = (Q - d - log det Sigma_t) / 2,    Q = tr Sigma_t + |mu_t|^2.

Given the covariances Q has the cumulants of |mu_t|^2, the first with tr Sigma_t added; its moments with
powers of log det Sigma_t come from tilting (`theory.wishart.recursion`). With D = log det Sigma_t - E log
det Sigma_t,

    E[(Q - E Q)^a D^j] = j! [theta^j] E[e^{theta D}] E_{nu + 2 theta}[(Q - E Q)^a]      (own derivation).
"""

from __future__ import annotations

from decimal import Decimal
from math import comb, factorial

import mpmath
import numpy as np
from numpy.typing import NDArray

from theory.replace.fits import Fit
from theory.replace.precision import digits
from theory.wishart.fits import Path
from theory.wishart.moments import (
    Spectrum,
    arithmetic,
    error_cumulants,
    evaluated,
    moments_from_cumulants,
)
from theory.wishart.recursion import Decimals
from theory.wishart.words import monomial


def whitened(path: Path) -> Spectrum:
    """Generation 0 in coordinates where the source is N(0, I)."""
    if path.loop.start is None:
        return Spectrum((Decimal(1),) * path.dimension, (Decimal(0),) * path.dimension)
    root = np.linalg.cholesky(path.source_covariance)
    half = np.linalg.solve(root, path.covariance)
    start = np.linalg.solve(root, half.T)
    symmetric = (start + start.T) / 2
    return Spectrum.of(symmetric.astype(np.float64), np.linalg.solve(root, path.offset))


def kl_to_source(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of KL(N_t || N_0); path without limit, every n > d."""
    start = whitened(path)
    d = len(start.eigenvalues)
    with arithmetic(path):
        logs = log_det_cumulants(path, d, highest)
        cumulants = error_cumulants(highest, start.shifted)
        cumulants[0] = cumulants[0] | {monomial("s"): Decimal(1)}
        moments = moments_from_cumulants(cumulants, highest)[1:]
        series = evaluated(moments, path, start, highest - 1)
        shift = start.form(0) - d - sum((x.ln() for x in start.eigenvalues), Decimal(0))
        return [path.settled(x) for x in central_moments(series, logs, shift, -1)]


def central_moments(series: Decimals, logs: Decimals, shift: Decimal, sign: int) -> list[Decimals]:
    """Central moments of (Q + shift + sign log det) / 2 from tilted raw moments of Q.

    Args:
        series: [power - 1, stop, power of theta]: E_{nu + 2 theta} Q^power.
        logs: cumulants of log det along the loop: [cumulant, stop].
        shift: a constant.
        sign: 1 or -1.
    """
    result = [(series[0, :, 0] + shift + sign * logs[0]) / 2]
    for k in range(2, len(series) + 1):
        result.append(_central_with_log(series, logs, k, sign) / 2**k)
    return result


def _central_with_log(series: Decimals, logs: Decimals, k: int, sign: int) -> Decimals:
    """The k-th central moment of Q + sign log det, by powers j of the centred log det."""
    tilt = _exponential(logs, k)
    total = np.full(series.shape[1], Decimal(0), object)
    for j in range(k + 1):
        centred = _centred(series, k - j, j)
        coefficient = sum(tilt[:, i] * centred[:, j - i] for i in range(j + 1))
        total = total + sign**j * comb(k, j) * factorial(j) * coefficient
    return total


def _centred(series: Decimals, power: int, order: int) -> Decimals:
    """Taylor coefficients 0..order of E_{nu + 2 theta}[(Q - E Q)^power], E Q that at theta = 0."""
    stops = series.shape[1]
    constant = np.full((stops, order + 1), Decimal(0), object)
    constant[:, 0] = Decimal(1)
    total, factor = np.full_like(constant, Decimal(0)), np.full(stops, Decimal(1), object)
    for i in range(power, -1, -1):
        moment = series[i - 1, :, : order + 1] if i else constant
        total = total + (comb(power, i) * factor)[:, None] * moment
        factor = -factor * series[0, :, 0]
    return total


def _exponential(logs: Decimals, highest: int) -> Decimals:
    """Taylor coefficients of E e^{theta D}, D centred: [stop, power]."""
    coefficients = np.full((logs.shape[1], highest + 1), Decimal(0), object)
    coefficients[:, 0] = Decimal(1)
    for n in range(2, highest + 1):
        for r in range(2, n + 1):
            term = logs[r - 1] * coefficients[:, n - r] / (factorial(r - 1) * n)
            coefficients[:, n] = coefficients[:, n] + term
    return coefficients


def log_det_cumulants(path: Path, d: int, highest: int) -> Decimals:
    """Cumulants of log det Sigma_t - log det Sigma_0 in decimals: [cumulant, stop]."""

    def value(fit: Fit) -> Decimals:
        sums = np.array([_log_wishart(fit.nu, d, r) for r in range(1, highest + 1)], object)
        sums[0] += d * (2 * fit.scale).ln()
        return sums

    return path.total(value).T


def _log_wishart(nu: int, d: int, r: int) -> Decimal:
    """The sum of psi^{(r-1)}((nu - i + 1) / 2), i = 1..d, by the recurrence of psi^{(r-1)} in steps of 1."""
    total = Decimal(0)
    sign = (-1) ** r * factorial(r - 1)
    for parity in range(min(2, d)):
        i = parity + 1 + 2 * ((d - 1 - parity) // 2)
        x = Decimal(nu - i + 1) / 2
        with mpmath.workdps(digits()):
            text = mpmath.nstr(mpmath.psi(r - 1, mpmath.mpf(nu - i + 1) / 2), digits(), strip_zeros=False)
        value = Decimal(text)
        while i >= 1:
            total += value
            value -= sign / x**r
            x, i = x + 1, i - 2
    return total
