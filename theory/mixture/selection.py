"""Keeping the most typical fraction q of a mixture's samples: one step of an infinite sample (Q1, Q2).

One normal in d dimensions keeps the ball P(chi2_d <= r) = q and its variance is multiplied by
P(chi2_{d+2} <= r) / q in every direction (Q1; `theory.selected.law.central`). Of a mixture whose modes do not
overlap, the points of density at least tau are a ball around each mode, in that mode's own metric:

    c_k^2 = max(0, 2 ln(w_k / ((2 pi)^{d/2} |S_k|^{1/2} tau))),    sum_k w_k F_d(c_k^2) = q,
    w_k' = w_k F_d(c_k^2) / q,    S_k' = S_k F_{d+2}(c_k^2) / F_d(c_k^2),

with F_d the distribution function of chi2_d: a mode with w_k / |S_k|^{1/2} <= (2 pi)^{d/2} tau is wiped out
in one step, so that broad minor modes go first. Own derivations. The error of taking modes as apart is of the
order of the density of one mode at the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import integrate, optimize, special, stats

from theory.mixture.parts import Parts


class Kept(NamedTuple):
    """A mixture after its most typical points alone are kept.

    Attributes:
        weights: w_k', [component].
        factors: S_k' = factors_k S_k, [component]; 0 where nothing of a component is left.
        log_density: ln tau, the density at the edge.
    """

    weights: np.ndarray
    factors: np.ndarray
    log_density: float


def kept(model: Parts, fraction: float) -> Kept:
    """The mixture of separated modes whose densest points, a share `fraction` of all, are kept (Q2)."""
    d = model.means.shape[1]
    heights = np.log(model.weights) - (d * np.log(2 * np.pi) + np.linalg.slogdet(model.covariances)[1]) / 2

    def masses(log_density: float, dimension: int) -> np.ndarray:
        return stats.chi2.cdf(2 * np.maximum(heights - log_density, 0), dimension)

    low = heights.min() - stats.chi2.isf(1e-3 * (1 - fraction), d) / 2 if fraction < 1 else -np.inf
    if fraction == 1:
        return Kept(model.weights, np.ones_like(model.weights), low)
    edge = optimize.brentq(
        lambda level: model.weights @ masses(level, d) - fraction, low, heights.max(), xtol=1e-14, rtol=1e-14
    )
    inside, moment = masses(edge, d), masses(edge, d + 2)
    factors = np.divide(moment, inside, out=np.zeros_like(moment), where=inside > 0)
    return Kept(model.weights * inside / fraction, factors, float(edge))


def nearest_of_pool(n: int, pool: int) -> float:
    """E of the mean of the n smallest of `pool` squared standard normals: the best n of M by |x| (Q1).

    (M/n) int Q(u) P(Bin(M - 1, u) <= n - 1) du, Q the quantile function of chi2_1: point by point, the
    probability that at most n - 1 of the others are nearer. A maximum-likelihood fit of their variance has
    1 - 1/n of it, the signs being independent.
    """

    def integrand(x: float) -> float:
        u = special.gammainc(0.5, x * x / 2)
        others = 1.0 if n == pool else special.betainc(pool - n, n, 1 - u)
        return float(x * x * others * 2 * np.exp(-x * x / 2) / np.sqrt(2 * np.pi))

    total, _ = integrate.quad(integrand, 0, np.inf, epsabs=1e-14, epsrel=1e-12, limit=500)
    return pool / n * total
