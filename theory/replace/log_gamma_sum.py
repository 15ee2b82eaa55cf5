"""Sums of logarithms of independent gamma variables, the law behind every Gaussian replace loop.

log(chi2_nu / c) = log(2/c) + log G, G gamma with shape a = nu/2, so the log-variance after t fits is a
constant plus the centred sum

    S = sum_j (log G_j - psi(a_j)),
    log E e^{zS} = sum_j [log Gamma(a_j + z) - log Gamma(a_j) - z psi(a_j)].

The difference of large logarithms is avoided, where |z| <= a/2, by the Taylor series

    log Gamma(a + z) - log Gamma(a) - z psi(a) = sum_{k >= 2} (-1)^k zeta(k, a) z^k / k      (|z| < a),

zeta the Hurwitz zeta function (DLMF 5.7.4, 5.15.1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

NEGLIGIBLE = 1e-17
"""Probabilities below this are left out."""
_LOG_NEGLIGIBLE = math.log(NEGLIGIBLE)


class LogGammaSum:
    """S as above.

    Args:
        shapes: the a_j; equal ones are collected.
    """

    def __init__(self, shapes: ArrayLike):
        self.shapes, self.counts = np.unique(np.asarray(shapes, float), return_counts=True)
        self.variance = float(self.counts @ special.polygamma(1, self.shapes))

    @property
    def deviation(self) -> float:
        """The standard deviation of S."""
        return math.sqrt(self.variance)

    def third_cumulant(self) -> float:
        """The third cumulant of S, sum_j psi''(a_j)."""
        return float(self.counts @ special.polygamma(2, self.shapes))

    def log_transform(self, z: ArrayLike) -> NDArray:
        """The logarithm of E e^{zS}, for Re z > -min a_j."""
        z = np.asarray(z)
        furthest = np.abs(z).max(initial=0.0)
        near = self.shapes >= 2 * furthest
        total = np.zeros_like(z)
        if near.any():
            total = total + _taylor(self.shapes[near], self.counts[near], z)
        for a, count in zip(self.shapes[~near], self.counts[~near], strict=True):
            close = np.abs(z) <= a / 2
            part = np.empty_like(z)
            part[close] = _taylor(np.array([a]), np.array([1]), z[close])
            far = z[~close]
            part[~close] = special.loggamma(a + far) - special.gammaln(a) - far * special.digamma(a)
            total = total + count * part
        return total

    def range(self) -> tuple[float, float]:
        """Two points beyond which S is with probability at most `NEGLIGIBLE` each.

        Chernoff: P(S > x) <= e^{-sx} E e^{sS} for every s > 0, so x = (log E e^{sS} - log p)/s serves at
        any s; the best of a geometric grid around the normal's s is taken.
        """
        s = np.geomspace(0.3, 300.0, 60) / self.deviation
        least = self.shapes[0]
        left = -s * least / (s + least)
        upper = ((self.log_transform(s) - _LOG_NEGLIGIBLE) / s).min()
        lower = ((self.log_transform(left) - _LOG_NEGLIGIBLE) / left).max()
        return float(lower), float(upper)


def log_density(shape: float, x: NDArray) -> NDArray:
    """The log-density of log G - psi(a) at x.

    With y = x + psi(a) - log a the density is exp{a (y - expm1 y)} / I, I = Gamma(a) e^a a^{-a}, which
    Stirling's series gives without cancellation for large a.
    """
    y = np.asarray(x) + digamma_less_log(shape)
    return shape * (y - np.expm1(y)) - _log_normaliser(shape)


def _log_normaliser(a: float) -> float:
    """The logarithm of Gamma(a) e^a a^{-a}."""
    if a < 20:
        return float(special.gammaln(a) + a - a * math.log(a))
    series = 1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * a**2)) / a**2) / a**2) / a**2
    return 0.5 * math.log(2 * math.pi / a) + series / a


def digamma_less_log(a: ArrayLike) -> NDArray:
    """psi(a) - log a, without cancellation for large a."""
    a = np.asarray(a, float)
    big = np.maximum(a, 20.0)
    series = 1 / 12 - (1 / 120 - (1 / 252 - (1 / 240 - 1 / (132 * big**2)) / big**2) / big**2) / big**2
    return np.where(a < 20, special.digamma(a) - np.log(a), -0.5 / big - series / big**2)


def _taylor(shapes: NDArray, counts: NDArray, z: NDArray) -> NDArray:
    """sum_j counts_j sum_k (-1)^k zeta(k, a_j) z^k / k, for |z| <= min a_j / 2, by Horner in z / min a_j."""
    least = shapes[0]
    ratio = z / least
    furthest = float(np.abs(ratio).max(initial=0.0))
    if furthest == 0:
        return np.zeros_like(z)
    orders = np.arange(2, 4 + math.ceil(40 / -math.log(furthest)))
    weights = counts * least * (least / shapes) ** (orders[:, None] - 1)
    coefficients = (weights * _scaled_zeta(orders[:, None], shapes)).sum(1) * (-1.0) ** orders / orders
    total = np.zeros_like(ratio)
    for coefficient in coefficients[::-1]:
        total = total * ratio + coefficient
    return total * ratio**2


def _scaled_zeta(k: NDArray, a: NDArray) -> NDArray:
    """a^{k-1} zeta(k, a), by Euler and Maclaurin's expansion for large a (k is at most about 60)."""
    k, a = np.broadcast_arrays(np.asarray(k, float), np.asarray(a, float))
    small = a < 1000
    value = np.empty(a.shape)
    value[small] = a[small] ** (k[small] - 1) * special.zeta(k[small], a[small])
    p, b = k[~small], a[~small]
    rising = p * (p + 1) * (p + 2)
    value[~small] = (
        1 / (p - 1) + 1 / (2 * b) + p / (12 * b**2)
        - rising / (720 * b**4) + rising * (p + 3) * (p + 4) / (30240 * b**6)
    )  # fmt: skip
    return value
