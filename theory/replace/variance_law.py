"""The law of the log-variance after t fits, by Fourier inversion.

log sigma_t^2 is a constant plus S, a sum of logarithms of gamma variables with characteristic function

    phi(u) = prod_j Gamma(a_j + iu) / Gamma(a_j) e^{-iu psi(a_j)}                     (own derivation, R3),

which decays exponentially. Gil-Pelaez (1951, doi:10.1093/biomet/38.3-4.481), by the midpoint rule of step h,

    P(S <= x) = 1/2 - sum_{k >= 0} Im[e^{-i u_k x} phi(u_k)] / (pi (k + 1/2)),      u_k = (k + 1/2) h,

is in error by less than max(P(S < x - 2 pi/h), P(S > x + 2 pi/h)) (Davies, 1973,
doi:10.1093/biomet/60.2.415): with 2 pi/h the range of S, only rounding remains.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from theory.replace.log_gamma_sum import LogGammaSum
from theory.replace.root import increasing_root
from theory.replace.walk import Walk

_LOG_SMALLEST = -42.0  # e^-42 = 6e-19: where the characteristic function is cut


class LogVarianceLaw:
    """The distribution of log sigma_t^2, t the length of the walk."""

    def __init__(self, walk: Walk):
        shapes = walk.degrees / 2
        self.mean = math.log(walk.start_variance) + math.fsum(walk.drifts)
        self._sum = LogGammaSum(shapes)
        self._lower, self._upper = self._sum.range()
        step = 2 * math.pi / (self._upper - self._lower)
        furthest = 4 / self._sum.deviation
        while self._sum.log_transform(np.array([1j * furthest]))[0].real > _LOG_SMALLEST:
            furthest *= 1.5
        k = np.arange(math.ceil(furthest / step)) + 0.5
        self._u = step * k
        self._phi = np.exp(self._sum.log_transform(1j * self._u))
        self._weights = self._phi / (math.pi * k)
        self._step = step

    def cdf(self, x: NDArray) -> NDArray:
        """P(log sigma_t^2 <= x)."""
        return self._evaluate(np.asarray(x, float) - self.mean)[0]

    def quantile(self, p: NDArray) -> NDArray:
        """The x with P(log sigma_t^2 <= x) = p."""
        p = np.asarray(p, float)
        normal = special.ndtri(np.clip(p, 1e-12, 1 - 1e-12))
        skew = self._sum.third_cumulant() / self._sum.deviation**3
        guess = self._sum.deviation * (normal + skew * (normal**2 - 1) / 6)
        lower, upper = np.full(p.shape, self._lower), np.full(p.shape, self._upper)
        root = increasing_root(self._evaluate, p, lower, upper, guess)
        return self.mean + np.where(p <= 0, -np.inf, np.where(p >= 1, np.inf, root))

    def _evaluate(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """The distribution function and the density of S."""
        inside = np.clip(x, self._lower, self._upper)
        wave = np.exp(-1j * inside[..., None] * self._u)
        cdf = 0.5 - (wave * self._weights).imag.sum(-1)
        cdf = np.where(x < self._lower, 0.0, np.where(x > self._upper, 1.0, np.clip(cdf, 0.0, 1.0)))
        return cdf, (wave * self._phi).real.sum(-1) * self._step / math.pi
