"""Independent Poisson counts: a Galton-Watson tree for every category.

With n points a generation counts are X_1 ~ Poisson(n rate) and X_{t+1} ~ Poisson(X_t) (the Poisson model of
Suresh, Thangaraj and Khandavally 2025, arXiv:2412.17646), so exactly

    P(gone by t) = exp(-lambda a_t),    lambda = n rate,    a_1 = 1,    a_{t+1} = 1 - exp(-a_t),

where their bound has lambda / t: half the exponent, since t a_t -> 2. From a count c that was observed it is
exp(-c a_t) after t more generations. Where sizes vary, means are multiplied by n_{t+1} / n_t and the exponent
is carried back: c_T = inf, c_{t-1} = (n_t / n_{t-1}) (1 - exp(-c_t)), and it is n_1 rate (1 - exp(-c_1))
(own).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad

from theory.categorical.counts import indicator_moments
from theory.categorical.extinction_exponent import EXACT_UNTIL, continued, exponents
from theory.counts import is_constant, points
from theory.loop import Loop
from theory.result import Statistic, unknown

CLAIM = {"extinct": "mixture.C3", "support": "mixture.C5"}
SUMMED = EXACT_UNTIL
"""Generations of a passage that are summed one by one; the rest is integrated."""


def extinction(rates: ArrayLike, generations: Sequence[float]) -> NDArray[np.float64]:
    """P(gone by t) = exp(-lambda a_t) for expected counts lambda, [generation, category]."""
    return np.exp(-np.multiply.outer(exponents(generations), np.asarray(rates, float)))


def varying_exponent(sizes: Sequence[int]) -> float:
    """B with P(gone by the last generation) = exp(-rate b), for sizes n_1, ..., n_T."""
    c = math.inf
    for before, after in reversed(list(pairwise(sizes))):
        c = after / before * -math.expm1(-c)
    return sizes[0] * -math.expm1(-c)


def survivors(gone: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central moments of the number of categories left, independent indicators, [moment, generation]."""
    _, q, third, fourth = indicator_moments(1 - gone)
    variance = q.sum(1)
    # cumulants add up: the fourth is mu_4 - 3 mu_2^2
    return np.stack([(1 - gone).sum(1), variance, third.sum(1), (fourth - 3 * q**2).sum(1) + 3 * variance**2])


def passage_moments(
    rates: ArrayLike, left: Callable[[NDArray[np.float64]], NDArray[np.float64]], power: int
) -> list[float]:
    """E T and Var T from P(T > t) = left(P(alive at t)) of all categories together.

    Args:
        rates: expected counts.
        left: from [generation, category] to [generation]; falls like t^-power for large t.
        power: of the tail; a moment of order r is infinite if power <= r.
    """
    rates = np.asarray(rates, float)
    time = np.arange(1.0, SUMMED)
    survival = left(alive(rates, exponents(time)))
    last = exponents([SUMMED])[0]

    def beyond(weight: Callable[[float], float]) -> float:
        def density(u: float) -> float:
            t = SUMMED * math.exp(u)
            a = continued(last, SUMMED, t - 0.5)  # the middle of a generation's interval
            return weight(t - 0.5) * t * float(left(alive(rates, np.array([a])))[0])

        return quad(density, 0, 60, limit=400)[0]

    if power <= 1:
        return [math.inf, math.inf]
    mean = 1 + math.fsum(survival) + beyond(lambda _: 1.0)
    if power <= 2:
        return [mean, math.inf]
    square = 1 + math.fsum((2 * time + 1) * survival) + beyond(lambda t: 2 * t + 1)
    return [mean, square - mean**2]


def alive(rates: NDArray[np.float64], exponent: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - exp(-lambda a), [generation, category]."""
    return -np.expm1(-np.multiply.outer(exponent, rates))


def no_loss(there: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(every category is left)."""
    return np.prod(there, axis=1)


def several_left(there: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(two or more categories left), carried through the categories: none, one, more."""
    none, one, more = np.ones(len(there)), np.zeros(len(there)), np.zeros(len(there))
    for p in there.T:
        none, one, more = none * (1 - p), one * (1 - p) + none * p, more + one * p
    return more


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of a loop with a Poisson source: `extinct` and `support`, all moments exact."""
    rates = np.array(loop.first_model.rates, float)
    known = [name for name in names if name in CLAIM]
    gone = np.exp(-np.multiply.outer(_exponents_of(loop, wanted), rates)) if known else np.empty(0)
    found = {}
    for name in names:
        if name not in CLAIM:
            reason = "shares of Poisson counts have no closed form, and none at all once every count is 0"
            found[name] = unknown((len(wanted),), "none", None, reason)
            continue
        moments = indicator_moments(gone) if name == "extinct" else survivors(gone)
        found[name] = Statistic(*moments[:2], "exact", CLAIM[name], None, None, *moments[2:highest])
    return found


def _exponents_of(loop: Loop, wanted: Iterable[float]) -> NDArray[np.float64]:
    """b_t with P(gone by t) = exp(-rate b_t)."""
    n = loop.data.n
    if is_constant(n):
        return n * exponents(list(wanted))
    found = []
    for g in wanted:
        if g == math.inf:
            found.append(math.nan)
            continue
        found.append(varying_exponent([points("n", n, t, 1) for t in range(1, int(g) + 1)]))
    return np.array(found)


def passage(loop: Loop, name: str) -> Statistic:
    """The generation of the first loss, or from which at most one category is left."""
    if not is_constant(loop.data.n):
        return unknown((), "none", None, "a passage under varying sizes has no closed form; simulate it")
    rates = loop.data.n * np.array(loop.first_model.rates, float)
    if name == "first_loss_time":
        mean, variance = passage_moments(rates, no_loss, len(rates))
    else:
        mean, variance = passage_moments(rates, several_left, 2 if len(rates) > 1 else 100)
    if math.isinf(mean):
        return Statistic(
            np.array(math.inf), np.array(math.inf), "infinite", None, "one count outlives any mean"
        )
    return Statistic(np.array(mean), np.array(variance), "recursion", None)
