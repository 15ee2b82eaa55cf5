"""What claims about selection at n = inf expect, and by how much they may err at the n of a case."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.claim import Case
from theory.loop import Loop
from theory.policy import Fresh
from theory.selection import BestOf, TopFraction


def expected(case: Case, observable: str) -> np.ndarray:
    """The value at n = inf, and nothing of higher moments."""
    mean = _values(case, observable)
    return np.stack([mean, *(np.full_like(mean, np.nan) for _ in range(3))])


def error(case: Case, observable: str) -> np.ndarray:
    """What finite n changes: the exact difference where it is known, else t/N of the value or of the unit."""
    value = _values(case, observable)
    if _is_exact(case.loop):
        from theory.predict import central_moments

        return np.abs(central_moments(case.loop, observable, case.generations)[0] - value)
    data: Any = case.loop.data
    n = data.real + data.synthetic if isinstance(data, Fresh) else data.n
    unit = case.loop.source.variance if observable == "variance" else case.loop.source.variance**0.5
    return np.array(case.generations) / n * np.maximum(np.abs(value), unit)


def _is_exact(loop: Loop) -> bool:
    """Whether a finite-n closed form stands beside the one at n = inf."""
    return isinstance(loop.selection, TopFraction | BestOf) and not isinstance(loop.data, Fresh)


def _values(case: Case, observable: str) -> np.ndarray:
    """The map at n = inf, iterated."""
    from theory.selected import at_infinity

    found = at_infinity(case.loop.selection, case.loop.with_(selection=None), max(case.generations))
    return found[observable][np.array(case.generations)]
