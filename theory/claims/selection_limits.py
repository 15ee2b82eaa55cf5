"""What claims about selection at n = inf expect, and what holds at the n of a case."""

from __future__ import annotations

import numpy as np

from theory.claim import Case
from theory.loop import Loop
from theory.policy import Fresh
from theory.selected.delta import first_order
from theory.selection import BestOf, TopFraction

ROWS = ("mean_error", "variance")


def expected(case: Case, observable: str) -> np.ndarray:
    """The value at n = inf, and nothing of higher moments."""
    mean = _values(case, observable)
    return np.stack([mean, *(np.full_like(mean, np.nan) for _ in range(3))])


def at_finite_n(case: Case, observable: str) -> np.ndarray:
    """The exact mean where it is known, else the value at n = inf and its term in 1/n."""
    if _is_exact(case.loop):
        from theory.predict import central_moments

        return central_moments(case.loop, observable, case.generations)[0]
    return twice(case, observable)[0]


def error(case: Case, observable: str) -> np.ndarray:
    """By how much that may err: nothing, or what two recursions differ by that agree up to O(1/n^2)."""
    if _is_exact(case.loop):
        return np.zeros(len(case.generations))
    one, other = twice(case, observable)
    return np.abs(one - other)


def _is_exact(loop: Loop) -> bool:
    """Whether a finite-n closed form stands beside the one at n = inf."""
    return isinstance(loop.selection, TopFraction | BestOf) and not isinstance(loop.data, Fresh)


def twice(case: Case, observable: str) -> np.ndarray:
    """The value up to O(1/n^2), by both recursions of `theory.selected.delta`: shape [2, generation]."""
    from theory.selected.statistics import about

    rule = about(case.loop.selection, case.loop.source.mean)
    both = first_order(rule, case.loop.with_(selection=None), max(case.generations))
    return np.array([one[ROWS.index(observable)][np.array(case.generations)] for one in both])


def _values(case: Case, observable: str) -> np.ndarray:
    """The map at n = inf, iterated."""
    from theory.selected.statistics import at_infinity

    found = at_infinity(case.loop.selection, case.loop.with_(selection=None), max(case.generations))
    return found[observable][np.array(case.generations)]
