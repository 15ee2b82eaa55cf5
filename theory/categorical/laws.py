"""The law of one category's count in any categorical loop, carried forwards generation by generation.

A union of categories is a category, so the same recursion answers for unions: their extinction gives every
moment of the number of categories left. Rows are those of `theory.categorical.wright_fisher`; beside them
only convolutions with the counts of fresh real points.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from theory.categorical.course import Course
from theory.categorical.wright_fisher import LARGEST_CHAIN, binomial_rows, half_width
from theory.result import central

MOST_ENTRIES = 3e9
"""Entries of transition matrices that one answer may touch: about a minute."""

MOST_UNIONS = 3000
"""Unions of categories whose extinction is computed for one answer."""

Response = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""What the sampler makes of a category's share."""


class Category(NamedTuple):
    """Shares of a category or of a union of categories."""

    start: float
    inflow: float
    source: float


class Law(NamedTuple):
    """Probabilities of counts, [count, category], and the model's share at each count, alike."""

    generation: int
    probabilities: NDArray[np.float64]
    share: NDArray[np.float64]

    def expectation(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """E of a function given at every count, [category]."""
        return (self.probabilities * values).sum(0)


def categories_of(course: Course) -> list[Category]:
    """Every category's shares, in order."""
    return [Category(*shares) for shares in zip(course.start, course.inflow, course.source, strict=True)]


def too_large(course: Course, categories: int, last: int) -> str | None:
    """Why the chain cannot be run to generation `last`, or None."""
    totals = [int(course.step(t).total) for t in {course.initial + 1, last}]
    n = max(totals)
    if n > LARGEST_CHAIN:
        return f"the exact chain of counts is built for at most {LARGEST_CHAIN} points, and here are {n}"
    own = categories if course.step(last).shrink != 0 else 1 + categories / 20
    work = last * (n + 1.0) * (2 * half_width(n) + 1) * own * (course.anchor or 1)
    if work > MOST_ENTRIES:
        return f"the exact chain of counts is too much work here: {work:.1g} entries"
    return None


def settled(course: Course) -> int | None:
    """A generation from which on nothing moves by more than rounding; None where nothing is pulled back.

    Followed backwards, each of n points comes from the inflow with probability m a generation; two copies of
    the loop that share their draws differ only while one has not, n (1 - m)^t at most.
    """
    if course.constant_from is None or course.anchor is not None:
        return None
    step = course.step(course.constant_from + 1)
    pulled = float(step.real + step.synthetic * step.shrink) / float(step.total)
    if pulled == 0:
        return None
    if pulled == 1:
        return course.constant_from + 2
    return course.constant_from + 1 + math.ceil(math.log(2.0**-53 / float(step.total)) / math.log1p(-pulled))


def laws(
    course: Course,
    categories: Sequence[Category],
    generations: Sequence[int],
    response: Response | None = None,
    biased_from: int = 2,
) -> Iterator[Law]:
    """The laws of several categories' counts at increasing generations.

    Args:
        course: without an anchor.
        categories: of which.
        generations: where.
        response: the sampler's effect on shares; none changes nothing.
        biased_from: the first generation whose synthetic points it acts on.
    """
    start, inflow, _ = (np.array(column, float) for column in zip(*categories, strict=True))
    law, total = np.ones((1, len(categories))), 0
    shares = start[None, :]
    wanted = set(generations)
    builder = _Rows()
    for t in range(1, max(generations, default=0) + 1):
        step = course.step(t)
        act = response if response is not None and t >= biased_from else None
        law = builder.sampled(law, shares, step, inflow, act)
        if step.real:
            fresh = binomial_rows(int(step.real), inflow).toarray()
            law = np.stack([np.convolve(law[:, i], fresh[i]) for i in range(len(categories))], axis=1)
        total = int(step.total)
        shares = np.broadcast_to((np.arange(total + 1) / total)[:, None], law.shape)
        if t in wanted:
            m = float(course.shrink(t))
            yield Law(t, law, (1 - m) * shares + m * inflow if m else shares)


class _Rows:
    """Transition matrices, kept while steps repeat."""

    def __init__(self):
        self._cached: dict[tuple, csr_array] = {}

    def sampled(
        self, law: NDArray, shares: NDArray, step: Any, inflow: NDArray, response: Response | None
    ) -> NDArray:
        """The counts of old and synthetic points after this generation."""
        shrink = float(step.shrink)
        if shrink == 0 and len(law) > 1:
            return self._matrix(shares[:, 0], step, 0.0, 0.0, response).T @ law
        columns = [
            self._matrix(shares[:, i], step, shrink, float(inflow[i]), response).T @ law[:, i]
            for i in range(law.shape[1])
        ]
        return np.stack(columns, axis=1)

    def _matrix(
        self, shares: NDArray, step: Any, shrink: float, inflow: float, response: Response | None
    ) -> csr_array:
        key = (len(shares), float(shares[-1]), tuple(step), shrink * inflow, response is None)
        if key in self._cached:
            return self._cached[key]
        if len(self._cached) > 200 or any(old[2] != key[2] for old in self._cached):
            self._cached.clear()
        model = shares if response is None else response(shares)
        rows = binomial_rows(int(step.synthetic), (1 - shrink) * model + shrink * inflow)
        if step.kept:
            moved = np.repeat(np.arange(len(shares)), np.diff(rows.indptr))
            rows = csr_array(
                (rows.data, rows.indices + moved, rows.indptr),
                shape=(len(shares), int(step.kept + step.synthetic) + 1),
            )
        self._cached[key] = rows
        return rows


def extinction(
    course: Course, categories: Sequence[Category], generations: Sequence[int]
) -> NDArray[np.float64]:
    """P(the model gives a category no probability), [generation, category]."""
    rows = []
    for law in laws(course, categories, generations):
        rows.append(np.where(law.share[0] == 0, law.probabilities[0], 0.0))
    return np.stack(rows)


def anchored_average(
    course: Course,
    categories: Sequence[Category],
    generations: Sequence[int],
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """E f(model's share) where the inflow is a fixed set of N real points, [generation, category].

    Generation 1 is the set itself; given its count, the later ones are a chain.
    """
    size = course.anchor
    assert size is not None
    at = np.arange(size + 1) / size
    weights = binomial_rows(size, [category.source for category in categories]).toarray()
    result = np.empty((len(generations), len(at)))
    later = [g for g in generations if g > 1]
    result[: len(generations) - len(later)] = function(at)
    if later:
        shifted = Course(
            lambda t: course.step(t + 1),
            lambda t: course.shrink(t + 1),
            (),
            (),
            (),
            None,
            course.constant_from,
        )
        given = [Category(float(x), float(x), float(x)) for x in at]
        rows = [law.expectation(function(law.share)) for law in laws(shifted, given, [g - 1 for g in later])]
        result[-len(later) :] = np.stack(rows)
    return result @ weights.T


class Union(NamedTuple):
    """Sets of categories of one size and equal shares."""

    size: int
    category: Category
    ways: int


def unions(categories: Sequence[Category], largest: int) -> list[Union] | None:
    """All sets of 1 to `largest` categories, equal ones counted together; None if they are too many."""
    groups = Counter(categories)
    if largest == 1:
        return [Union(1, category, count) for category, count in groups.items()]
    if math.comb(len(groups), min(largest, len(groups))) > MOST_UNIONS:
        return None
    found: Counter = Counter({(0, Category(0.0, 0.0, 0.0)): 1})
    for category, count in groups.items():
        merged: Counter = Counter()
        for (size, mass), ways in found.items():
            for k in range(min(count, largest - size) + 1):
                joined = Category(*(_sum(m, k * s) for m, s in zip(mass, category, strict=True)))
                merged[size + k, joined] += ways * math.comb(count, k)
        if len(merged) > MOST_UNIONS:
            return None
        found = merged
    return [Union(size, category, ways) for (size, category), ways in found.items() if size]


def _sum(mass: float, more: float) -> float:
    """So rounded that equal unions are found to be equal."""
    return min(round(mass + more, 14), 1.0)


def survivors(
    categories: int, together: Sequence[Union], gone: NDArray[np.float64], highest: int
) -> NDArray[np.float64]:
    """Central moments of the number of categories left, [moment, generation].

    E of the falling factorial (G)_r of the number gone is r! times the sum over sets of r of P(all gone).

    Args:
        categories: how many there are at first.
        together: all sets of up to `highest` categories.
        gone: P(all of a set gone), [generation, set].
        highest: 1 to 4.
    """
    sizes = np.array([union.size for union in together])
    ways = np.array([union.ways for union in together], float)
    factorial = [math.factorial(r) * gone[:, sizes == r] @ ways[sizes == r] for r in range(1, highest + 1)]
    stirling = ((1,), (1, 1), (1, 3, 1), (1, 7, 6, 1))
    raw = [sum(c * factorial[k] for k, c in enumerate(row)) for row in stirling[:highest]]
    moments = central(raw)
    moments[0] = categories - moments[0]
    if highest > 2:
        moments[2] = -moments[2]
    return np.stack(moments)


def ancestors(n: int, generations: int) -> NDArray[np.float64]:
    """The law of the number of distinct ancestors of n points `generations` back, [0..n]: the dual chain.

    G_ij = S(i, j) (n)_j / n^i, started at n. It is also the law of the number of different items left when n
    distinct items have been resampled that often; the cost is n^2 a generation. Row i of G follows from row
    i - 1: one more point falls on one of the j ancestors there are, or on a new one.
    """
    law = np.zeros(n + 1)
    law[n] = 1.0
    row = np.zeros(n + 1)
    row[0] = 1.0
    rows = np.empty((n + 1, n + 1))
    known = np.arange(n + 1) / n
    for i in range(n + 1):
        rows[i] = row
        row = row * known + np.concatenate([[0.0], (row * (1 - known))[:-1]])
    for _ in range(generations):
        law = law @ rows
    return law


def masses(shares: Sequence[float]) -> list[Category]:
    """Categories of a loop that starts at its source."""
    return [Category(share, share, share) for share in shares]
