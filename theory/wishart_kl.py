"""KL(N_t || N_0) in d dimensions.

In coordinates where the source is N(0, I) (the start then has Sigma and the distance b),

    KL(N_t || N_0) = (Q - d - log det Sigma_t) / 2,    Q = tr Sigma_t + |mu_t|^2.

Given the covariances Q has the cumulants of |mu_t|^2, the first with tr Sigma_t added; its moments with powers
of log det Sigma_t come from tilting (`theory.wishart_recursion`). With D = log det Sigma_t - E log det Sigma_t,

    E[(Q - E Q)^a D^j] = j! [theta^j] E[e^{theta D}] E_{nu + 2 theta}[(Q - E Q)^a]      (own derivation).
"""

from __future__ import annotations

from decimal import Decimal
from math import comb, factorial

import mpmath
import numpy as np
from numpy.typing import NDArray

from theory.precision import digits
from theory.wishart_fits import Fit, Path, covariance, offset
from theory.wishart_moments import (
    Spectrum,
    arithmetic,
    error_cumulants,
    evaluated,
    moments_from_cumulants,
)
from theory.wishart_recursion import Decimals
from theory.wishart_words import monomial


def whitened(path: Path) -> Spectrum:
    """Generation 0 in coordinates where the source is N(0, I)."""
    loop = path.loop
    d = loop.source.dimension
    if loop.start is None:
        return Spectrum((Decimal(1),) * d, (Decimal(0),) * d)
    root = np.linalg.cholesky(covariance(loop.source))
    half = np.linalg.solve(root, covariance(loop.start))
    matrix = np.linalg.solve(root, half.T)
    return Spectrum.of((matrix + matrix.T) / 2, np.linalg.solve(root, offset(loop)))


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
        mean = series[0, :, 0] + start.form(0) - d - logs[0] - sum(x.ln() for x in start.eigenvalues)
        result = [mean / 2]
        for k in range(2, highest + 1):
            result.append(_central_with_log(series, logs, k) / 2**k)
        return [path.settled(x) for x in result]


def _central_with_log(series: Decimals, logs: Decimals, k: int) -> Decimals:
    """The k-th central moment of Q - log det from the tilted moments of Q: [power, stop, power of theta]."""
    stops = series.shape[1]
    one = np.full((stops, k + 1), Decimal(0), object)
    one[:, 0] = Decimal(1)
    tilt = _exponential(logs, k)
    expected = series[0, :, 0]
    total = np.full(stops, Decimal(0), object)
    for j in range(k + 1):  # E[(Q - E Q)^{k-j} D^j] is j! times a Taylor coefficient
        power = k - j
        centred = np.full((stops, j + 1), Decimal(0), object)
        for i in range(power + 1):
            moment = one if i == 0 else series[i - 1]
            weight = comb(power, i) * (-1) ** (power - i)
            factor = np.full(stops, Decimal(1), object)
            for _ in range(power - i):
                factor = factor * expected
            width = min(j + 1, moment.shape[1])
            centred[:, :width] = centred[:, :width] + (weight * factor)[:, None] * moment[:, :width]
        coefficient = sum(tilt[:, i] * centred[:, j - i] for i in range(j + 1))
        total = total + (-1) ** j * comb(k, j) * factorial(j) * coefficient
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
    """sum_{i=1..d} psi^{(r-1)}((nu - i + 1) / 2), by psi^{(r-1)}(x + 1) = psi^{(r-1)}(x) - (-1)^r (r-1)!/x^r."""
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
