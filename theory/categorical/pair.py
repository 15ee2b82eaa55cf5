"""Two categories: the whole law of a loop, whatever the sampler makes of a share.

Everything measured on a model is a function of one count, so its moments to any order follow from the law of
that count; a sampler or a selection is a map x -> g(x) on the share of the first category, and rows are
Bin(n, g(i/n)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from theory.categorical import laws
from theory.categorical.course import Course
from theory.categorical.laws import Category, Response
from theory.categorical.wright_fisher import binomial_rows, plogp

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def functions(source: float) -> dict[str, Function]:
    """Every observable of a model with shares x and 1 - x, beside a source with shares p and 1 - p."""
    p, q = source, 1 - source
    return {
        "heterozygosity": lambda x: 2 * x * (1 - x),
        "l2_squared": lambda x: 2 * (x - p) ** 2,
        "chi_squared": lambda x: (x - p) ** 2 / (p * q),
        "support": lambda x: (x > 0) * 1.0 + (x < 1),
        "entropy": lambda x: plogp(x) + plogp(1 - x),
        "kl_to_source": lambda x: -plogp(x) - plogp(1 - x) - x * np.log(p) - (1 - x) * np.log(q),
    }


def central_moments(
    course: Course,
    name: str,
    generations: Sequence[int],
    highest: int,
    response: Response | None = None,
    biased_from: int = 2,
) -> NDArray[np.float64]:
    """Mean and central moments, [moment, generation], of an observable of the first category's share."""
    first = laws.categories_of(course)[:1]
    rows = []
    for law in laws.laws(course, first, generations, response, biased_from):
        rows.append(moments_of(functions(first[0].source)[name](law.share), law.probabilities, highest)[:, 0])
    return np.stack(rows, axis=1)


def moments_of(
    values: NDArray[np.float64], probabilities: NDArray[np.float64], highest: int
) -> NDArray[np.float64]:
    """Mean and central moments over the first axis, [moment, ...]."""
    mean = (values * probabilities).sum(0)
    return np.stack([mean, *(((values - mean) ** k * probabilities).sum(0) for k in range(2, highest + 1))])


def extinct(
    course: Course, generations: Sequence[int], response: Response | None, biased_from: int
) -> NDArray[np.float64]:
    """P(gone), [generation, 2]."""
    first = laws.categories_of(course)[:1]
    rows = []
    for law in laws.laws(course, first, generations, response, biased_from):
        at = law.probabilities[:, 0]
        rows.append([at[law.share[:, 0] == 0].sum(), at[law.share[:, 0] == 1].sum()])
    return np.array(rows)


def passage_time(n: int, first_share: float, response: Response, highest: int) -> list[float]:
    """Mean and central moments of the generation at which one of two categories is gone, n points each.

    Args:
        n: points a generation.
        first_share: what the points of generation 1 are drawn with.
        response: g, acting on every later one.
        highest: 1 to 4.
    """
    from theory.categorical.chain_passage import central_from_binomial

    share = np.arange(1, n) / n
    interior = binomial_rows(n, response(share)).toarray()[:, 1:n]
    first = binomial_rows(n, [first_share]).toarray()[0, 1:n]
    now, binomial = np.ones(n - 1), []
    system = np.eye(n - 1) - interior
    for r in range(1, highest + 1):
        now = np.linalg.solve(system, now)
        if r >= 3:
            now = interior @ now
        binomial.append(float(first @ now))
    binomial[0] += 1
    return central_from_binomial(binomial)


def fixation(n: int, share: float, response: Response) -> float:
    """P(the first category has everything in the end), every draw being of g of its share."""
    inner = np.arange(1, n) / n
    rows = binomial_rows(n, response(inner)).toarray()
    hitting = np.linalg.solve(np.eye(n - 1) - rows[:, 1:n], rows[:, n])
    first = binomial_rows(n, response(np.array([share]))).toarray()[0]
    return float(first[1:n] @ hitting + first[n])


def two(categories: Sequence[Category]) -> bool:
    """Whether there are two categories, both in the source."""
    return len(categories) == 2 and all(category.source > 0 for category in categories)
