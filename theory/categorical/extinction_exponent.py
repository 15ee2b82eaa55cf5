"""The exponent a_t of extinction: after t generations of n points, rare events have seen one sample of n a_t.

    a_1 = 1,    a_{t+1} = 1 - exp(-a_t),    a_t ~ 2/t.

A category of share p is gone by generation t with probability exp(-n p a_t), exactly if counts are Poisson
(`theory.categorical.poisson`), and at most that in the Wright-Fisher chain: (1-x)^n <= e^{-nx}, and if u_t(x)
<= e^{-n x a_t} then u_{t+1}(x) = E u_t(X/n) <= (1 - x(1 - e^{-a_t}))^n <= e^{-n x a_{t+1}} (own). A bound
from the literature, P(survive) >= 1 - exp(-lambda/t) (Suresh, Thangaraj and Khandavally 2025,
arXiv:2412.17646), has half the exponent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONSTANT = 0.399124
"""lim 1/a_t - t/2 - ln(t)/6, to the digits given."""

EXACT_UNTIL = 100_000
"""Generations up to which a_t is iterated; beyond, an expansion continues it."""


def exponents(generations: Sequence[float]) -> NDArray[np.float64]:
    """a_t at increasing generations, inf included.

    Beyond `EXACT_UNTIL`, b = 1/a moves by b' = b + 1/2 + 1/(12 b) + O(b^-3): integrated, b + ... grows by
    t/2 + ln(b/b_0)/6 up to 1e-10 relative.
    """
    found, a, t = [], 1.0, 1
    for wanted in generations:
        while t < min(wanted, EXACT_UNTIL):
            a, t = -math.expm1(-a), t + 1
        found.append(a if wanted <= t else continued(a, t, wanted))
    return np.array(found)


def continued(a: float, t: int, wanted: float) -> float:
    """The exponent at a later generation, not necessarily whole, from a = a_t at a late t."""
    if wanted == math.inf:
        return 0.0
    begin = 1 / a
    b = begin + (wanted - t) / 2
    for _ in range(3):
        b = begin + (wanted - t) / 2 + math.log(b / begin) / 6
    return 1 / b


def exponent_bounds(generation: int) -> tuple[float, float]:
    """Lower and upper bounds on a_t: (t+1)/2 <= 1/a_t <= (t+1)/2 + (h_t - 1)/6, h_t the harmonic number."""
    harmonic = math.fsum(1 / k for k in range(1, generation + 1))
    half = (generation + 1) / 2
    return 1 / (half + (harmonic - 1) / 6), 1 / half


def extinction_bound(count: ArrayLike, generations: Sequence[float]) -> NDArray[np.float64]:
    """exp(-n p a_t) for expected counts n p, [generation, category]: P(gone by t) is at most this."""
    return np.exp(-np.multiply.outer(exponents(generations), np.asarray(count, float)))


def forgetting_time(count: float) -> int:
    """The median generation by which an event seen `count` times is gone: the first t, count a_t <= ln 2.

    About 2 count / ln 2, exact for Poisson counts, one more generation being counted from the observed count.
    """
    a, t = 1.0, 1
    while count * a > math.log(2):
        a, t = -math.expm1(-a), t + 1
    return t


def immigration_exponents(real_share: float, generations: Sequence[int]) -> NDArray[np.float64]:
    """a_t(m): a category is absent at t with probability about exp(-n p a_t(m)), the share m of points real.

    b_0 = 1, b_{k+1} = 1 - exp(-(1-m) b_k), a_t(m) = m sum_{k <= t-2} b_k + b_{t-1}: Poisson branching with
    immigration of m n p a generation (own).
    """
    found, b, immigrants, t = [], 1.0, 0.0, 1
    for wanted in generations:
        while t < wanted:
            immigrants += real_share * b
            b, t = -math.expm1(-(1 - real_share) * b), t + 1
        found.append(immigrants + b)
    return np.array(found)


def immigration_limit(real_share: float) -> float:
    """a_inf(m) = m sum_k b_k, summed until terms stop changing it; about 2m ln(1 + 1/(2m))."""
    b, total = 1.0, 0.0
    while total + real_share * b != total:
        total += real_share * b
        b = -math.expm1(-(1 - real_share) * b)
    return total
