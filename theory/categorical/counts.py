"""What the counts of single categories say of a categorical loop: extinction, survivors, entropy, divergence.

Means for any number of categories; beside them every central moment of extinction (an indicator), of the
number of survivors (unions of categories are categories) and, where there are two categories, of all of them.
Beyond `LARGEST_CHAIN` points the exponent a_t of `theory.categorical.extinction_exponent` stands in:
extinction is (1 - p a_t)^n, at most exp(-n p a_t), and at least the truth, with an error of order t/n;
entropy falls by (E K_s - 1) / (2n) in generation s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.categorical import laws
from theory.categorical import wright_fisher as chain
from theory.categorical.course import Course
from theory.categorical.extinction_exponent import exponents, immigration_exponents
from theory.categorical.laws import Category
from theory.policy import Accumulate, Fixed, Fresh, Policy, Replace, Web

LATEST_ASYMPTOTIC = 0.1
"""Largest t/n at which extinction by the exponent is answered."""

LARGEST_FIRST = 10**8
"""The largest n whose first generation is summed exactly."""


class Answer(NamedTuple):
    """Central moments, [moment, generation, ...], nan where not known; their status; why it is not exact."""

    moments: NDArray[np.float64]
    status: str
    reason: str | None = None


class Counted(NamedTuple):
    """A loop as the counts see it."""

    policy: Policy
    course: Course
    categories: list[Category]


def constant_replace(loop: Counted) -> int | None:
    """n, if every generation replaces all points by n new ones and nothing else happens."""
    policy, course = loop.policy, loop.course
    plain = isinstance(policy, Replace) and course.shrink(1) == 0 and course.constant_from == 1
    return int(course.step(1).synthetic) if plain else None


def gone(
    loop: Counted, sets: Sequence[Category], generations: Sequence[float]
) -> tuple[NDArray[np.float64] | None, str, str | None]:
    """P(a category, or a whole set of them, has no probability in the model), [generation, set]."""
    course = loop.course
    start = np.array([category.start for category in sets])
    source = np.array([category.source for category in sets])
    inflow = np.array([category.inflow for category in sets])
    g = np.array(generations, float)[:, None]
    if course.anchor is None and course.shrink(1) != 0:
        found = np.where(inflow > 0, 0.0, 1.0)
        if (inflow > 0).all():
            return np.broadcast_to(found, (len(g), len(sets))).copy(), "exact", None
    match loop.policy:
        case Fixed(real=real):
            return np.broadcast_to((1 - source) ** real, (len(g), len(sets))).copy(), "exact", None
        case Accumulate():
            first = int(course.step(1).synthetic)
            found = np.where((course.shrink(1) != 0) & (inflow > 0), 0.0, (1 - start) ** first)
            return np.broadcast_to(found, (len(g), len(sets))).copy(), "exact", None
        case Web(start=first, real=real):
            return (1 - source) ** (first + (g - 1) * real), "exact", None
    n = constant_replace(loop)
    if n is not None and n > chain.LARGEST_CHAIN:
        return _by_exponent(n, start, generations)
    if n is not None:
        if max(generations) * n**1.5 > laws.MOST_ENTRIES / 10 and max(generations) < 20 * n:
            return None, "none", "the exact chain of counts is too much work here"
        return chain.extinction(n, start, generations), "recursion", None
    reason = laws.too_large(course, len(set(sets)), max(generations))
    if reason is None:
        return laws.extinction(course, sets, generations), "recursion", None
    if isinstance(loop.policy, Fresh) and course.constant_from == 1 and course.shrink(1) == 0:
        real, synthetic = loop.policy.real, loop.policy.synthetic
        exponent = immigration_exponents(real / (real + synthetic), generations)
        return (
            np.exp(-np.multiply.outer(exponent, (real + synthetic) * source)),
            "asymptotic",
            ("counts taken as Poisson; the error is of order t/n"),
        )
    return None, "none", reason


def _by_exponent(
    n: int, start: NDArray, generations: Sequence[int]
) -> tuple[NDArray[np.float64], str, str | None]:
    a = exponents(generations)
    with np.errstate(divide="ignore"):
        found = np.exp(n * np.log1p(-np.multiply.outer(a, start)))
    late = np.array(generations) > LATEST_ASYMPTOTIC * n
    found[late] = np.nan
    reason = (
        "(1 - p a_t)^n, at least the truth, with an error of order t/n;"
        f" up to n = {chain.LARGEST_CHAIN} it is exact"
    )
    if late.any():
        reason += f"; not given beyond t = {LATEST_ASYMPTOTIC} n"
    if max(generations) == 1:
        return found, "exact", None
    return found, "asymptotic", reason


def extinct(loop: Counted, generations: Sequence[int], highest: int) -> Answer:
    """An indicator for every category: [moment, generation, category]."""
    found, status, reason = gone(loop, loop.categories, generations)
    if found is None:
        shape = (highest, len(generations), len(loop.categories))
        return Answer(np.full(shape, np.nan), status, reason)
    return Answer(indicator_moments(found)[:highest], status, reason)


def indicator_moments(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and central moments of an indicator along a leading axis."""
    q = probability * (1 - probability)
    return np.stack([probability, q, q * (1 - 2 * probability), q * (1 - 3 * q)])


def support(loop: Counted, generations: Sequence[int], highest: int) -> Answer:
    """The number of categories that the model gives some probability."""
    present = [category for category in loop.categories if any(category)]
    nothing = np.full((highest, len(generations)), np.nan)
    known = highest
    together = laws.unions(present, known)
    while together is None or (known > 1 and _too_many(loop, len(together), max(generations))):
        known -= 1
        together = laws.unions(present, known) if known else None
        if not known:
            return Answer(nothing, "none", "there are too many different categories")
    found, status, reason = gone(loop, [union.category for union in together], generations)
    if found is None:
        return Answer(nothing, status, reason)
    moments = np.full((highest, len(generations)), np.nan)
    moments[:known] = laws.survivors(len(present), together, found, known)
    if status == "asymptotic":
        moments[1:] = np.nan  # a difference of nearly equal numbers, each with an error of order t/n
    return Answer(moments, status, reason)


def _too_many(loop: Counted, sets: int, last: float) -> bool:
    """Whether a chain is needed for every set, and they are too many."""
    if isinstance(loop.policy, Fixed | Accumulate | Web) or constant_replace(loop) is not None:
        return False
    return laws.too_large(loop.course, sets, int(last)) is not None


def entropy(loop: Counted, generations: Sequence[int]) -> Answer:
    """The mean entropy of the model."""
    n = constant_replace(loop)
    last = max(generations)
    start = [category.start for category in loop.categories]
    if n is not None and n <= chain.LARGEST_CHAIN and last * n**1.5 <= laws.MOST_ENTRIES / 10:
        return Answer(chain.entropy(n, start, generations)[None], "recursion")
    if n is not None and last == 1 and n <= LARGEST_FIRST:
        return Answer(np.array([[first_entropy(n, start)]]), "recursion")
    if n is not None and n > chain.LARGEST_CHAIN:
        return _entropy_by_support(n, start, generations)
    made = loop.course
    reason = laws.too_large(made, len(set(loop.categories)), last)
    if reason is not None:
        return Answer(np.full((1, len(generations)), np.nan), "none", reason)
    return Answer(_average(loop, generations, chain.plogp).sum(1)[None], "recursion")


def first_entropy(n: int, shares: Sequence[float]) -> float:
    """E of the entropy after one generation of n points."""
    rows = chain.binomial_rows(n, shares)
    return float(rows.data @ chain.plogp(rows.indices / n))


def _entropy_by_support(n: int, start: Sequence[float], generations: Sequence[int]) -> Answer:
    """S_0 - (1/2n) sum_{s<t} (E K_s - 1)."""
    p = np.array([share for share in start if share > 0])
    last = max(generations)
    if last > LATEST_ASYMPTOTIC * n or last * len(p) > laws.MOST_ENTRIES / 100:
        return Answer(
            np.full((1, len(generations)), np.nan), "none",
            f"beyond {chain.LARGEST_CHAIN} points entropy is known for t <= {LATEST_ASYMPTOTIC} n only",
        )  # fmt: skip
    masses, counts = np.unique(p, return_counts=True)
    left = np.empty(last)
    left[0] = len(p)
    for s, a in enumerate(exponents(range(1, last)), 1):
        left[s] = counts @ -np.expm1(n * np.log1p(-masses * a))
    fallen = np.cumsum(left - 1) / (2 * n)
    found = chain.plogp(p).sum() - fallen[np.array(generations) - 1]
    return Answer(
        found[None], "asymptotic",
        "entropy as integrated support; categories of n p << 1 count with an error of the size of their loss",
    )  # fmt: skip


def kl_to_source(loop: Counted, generations: Sequence[int]) -> Answer:
    """The mean of KL(p_t || p_0) = - S_t - sum_i p_{t,i} ln p_{0,i}; infinite off the source's support."""
    answer = entropy(loop, generations)
    shares = mean_shares(loop.course, generations)
    source = np.array([category.source for category in loop.categories])
    with np.errstate(divide="ignore"):
        surprise = np.where(source > 0, -np.log(np.where(source > 0, source, 1.0)), np.inf)
    cross = np.array([sum(x * s for x, s in zip(row, surprise, strict=True) if x > 0) for row in shares])
    return answer._replace(moments=(cross - answer.moments[0])[None])


def mean_shares(course: Course, generations: Sequence[int]) -> NDArray[np.float64]:
    """E of the model's shares, [generation, category]."""
    x, y = np.array(course.start, float), np.array(course.inflow, float)
    if course.anchor is not None:
        return np.broadcast_to(np.array(course.source, float), (len(generations), len(x)))
    found, wanted = [], set(generations)
    for t in range(1, max(generations) + 1):
        step = course.step(t)
        c = float(step.shrink)
        x = (step.kept * x + step.real * y + step.synthetic * ((1 - c) * x + c * y)) / step.total
        if t in wanted:
            m = float(course.shrink(t))
            found.append((1 - m) * x + m * y)
    return np.stack(found)


def _average(loop: Counted, generations: Sequence[int], function: laws.Response) -> NDArray[np.float64]:
    """E of a function of every category's share, [generation, category]."""
    different = list(dict.fromkeys(loop.categories))
    if loop.course.anchor is not None:
        found = laws.anchored_average(loop.course, different, generations, function)
    else:
        carried = laws.laws(loop.course, different, generations)
        found = np.stack([law.expectation(function(law.share)) for law in carried])
    place = {category: k for k, category in enumerate(different)}
    return found[:, [place[category] for category in loop.categories]]


def absorbed(loop: Counted, name: str, highest: int) -> NDArray[np.float64]:
    """Central moments in the limit of replacement, when one category has everything with its first share."""
    start = np.array([category.start for category in loop.categories])
    source = np.array([category.source for category in loop.categories])
    if name == "extinct":
        return indicator_moments(1 - start)[:highest]
    with np.errstate(divide="ignore"):
        values = {
            "support": np.ones_like(start),
            "entropy": np.zeros_like(start),
            "kl_to_source": -np.log(np.where(source > 0, source, np.nan)),
        }[name]
    values = np.where(np.isnan(values), np.inf, values)
    values, start = values[start > 0], start[start > 0]
    mean = float(start @ values)
    if math.isinf(mean):
        return np.array([math.inf] + [math.nan] * (highest - 1))
    return np.array([mean, *(start @ (values - mean) ** k for k in range(2, highest + 1))])
