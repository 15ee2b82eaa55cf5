"""Zipf shares p_k = C k^-b, b > 1, and what is missing from samples, generation after generation.

One sample of n points misses the mass A n^-c, c = 1 - 1/b, A = C^{1/b} Gamma(1 - 1/b) / b (Hutter 2021,
arXiv:2102.04074), and has Gamma(1 - 1/b) (C n)^{1/b} - 1/2 different symbols. After t generations of
replacement a rare symbol has seen one sample of n a_t points (`theory.categorical.extinction_exponent`), so
the missing mass is A (n a_t)^-c: it grows like t^c, slower than in proportion to t (own). Where contexts come
from outside, and a symbol is right if it was seen in every generation, the error is sum p [1 - (1 -
(1-p)^n)^t], about A n^-c (ln t + gamma)^c / Gamma(1 + c) (own). Cut at rank k, sum_{i<=k} p_i (1 - p_i/P_k)^n
+ sum_{i>k} p_i (shape: Dohmatob et al. 2024, arXiv:2402.07043).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.categorical import wright_fisher as chain
from theory.categorical.extinction_exponent import exponents


def normalisation(exponent: float, categories: float = math.inf) -> float:
    """C with sum_{k<=K} C k^-b = 1; b > 1 if K is infinite."""
    if math.isinf(categories):
        return 1 / float(mpmath.zeta(exponent))
    return 1 / math.fsum(k**-exponent for k in range(1, int(categories) + 1))


def missing_mass(shares: ArrayLike, n: int, generations: Sequence[int]) -> NDArray[np.float64]:
    """E of the source's mass of all symbols gone by generation t under replacement, by binary chains."""
    p = np.asarray(shares, float)
    return chain.extinction(n, p, generations) @ p


def missing_mass_by_exponent(
    shares: ArrayLike, n: float, generations: Sequence[float]
) -> NDArray[np.float64]:
    """Sum p exp(-n p a_t): at least the truth."""
    p = np.asarray(shares, float)
    return np.exp(-n * np.multiply.outer(exponents(generations), p)) @ p


def tail_constant(exponent: float, normaliser: float | None = None) -> float:
    """A = C^{1/b} Gamma(1 - 1/b) / b."""
    c = normalisation(exponent) if normaliser is None else normaliser
    return c ** (1 / exponent) * math.gamma(1 - 1 / exponent) / exponent


def asymptotic_missing_mass(
    exponent: float, n: float, generations: Sequence[float], normaliser: float | None = None
) -> NDArray[np.float64]:
    """A (n a_t)^-(1 - 1/b), infinitely many symbols."""
    scale = n * exponents(generations)
    return tail_constant(exponent, normaliser) * scale ** -(1 - 1 / exponent)


def asymptotic_support(exponent: float, n: float, normaliser: float | None = None) -> float:
    """Different symbols among n points: Gamma(1 - 1/b) (C n)^{1/b} - 1/2, by Euler and Maclaurin."""
    c = normalisation(exponent) if normaliser is None else normaliser
    return math.gamma(1 - 1 / exponent) * (c * n) ** (1 / exponent) - 0.5


def exogenous_error(shares: ArrayLike, n: float, generation: int) -> float:
    """Sum p [1 - (1 - (1-p)^n)^t]: unseen in at least one of t independent samples."""
    p = np.asarray(shares, float)
    unseen = np.exp(n * np.log1p(-p))
    return float(p @ -np.expm1(generation * np.log1p(-unseen)))


def exogenous_growth(exponent: float, generation: int) -> float:
    """S_t = sum_{k<=t} (-1)^{k+1} C(t, k) k^-c, by which the asymptotic error of one generation grows.

    The digits carried grow with t, because the sum cancels like 2^-t.
    """
    c = 1 - 1 / exponent
    with mpmath.workdps(30 + generation // 2):
        terms = (
            (-1) ** (k + 1) * mpmath.binomial(generation, k) * mpmath.mpf(k) ** -c
            for k in range(1, generation + 1)
        )
        return float(mpmath.fsum(terms))


def asymptotic_exogenous_growth(exponent: float, generation: float) -> float:
    """(ln t + gamma)^c / Gamma(1 + c)."""
    c = 1 - 1 / exponent
    return (math.log(generation) + float(mpmath.euler)) ** c / math.gamma(1 + c)


def cut_error(shares: ArrayLike, n: float, kept: int) -> float:
    """Mass unseen by n points of the first `kept` symbols alone: the cut tail, and what the sample misses."""
    p = np.asarray(shares, float)
    head = p[:kept]
    return float(head @ np.exp(n * np.log1p(-np.minimum(head / head.sum(), 1 - 2.0**-53))) + p[kept:].sum())
