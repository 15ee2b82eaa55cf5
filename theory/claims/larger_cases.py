"""Cases whose large parameter has grown, at which the order of an asymptotic formula's error is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from theory.claim import Case, Experiment
from theory.discrete_source import Categorical

LONGER = 4
"""By how much the large parameter grows."""

COUNTS = ("n", "real", "synthetic", "per_model")
"""Fields of a data policy that count points."""


def longer(case: Case) -> Case:
    """`LONGER` times as many generations."""
    return replace(case, generations=tuple(LONGER * g for g in case.generations))


def larger(case: Case) -> Case:
    """`LONGER` times as many points of every kind, all constant, and the same generations."""
    data = case.loop.data
    counts = {name: getattr(data, name, None) for name in COUNTS}
    grown = {name: LONGER * count for name, count in counts.items() if isinstance(count, int)}
    return replace(case, loop=case.loop.with_(data=replace(data, **grown)))


def larger_and_longer(case: Case) -> Case:
    """Both, at fixed t / n."""
    return longer(larger(case))


def rarer(case: Case) -> Case:
    """`LONGER` times as many points at the same n p: the first category takes what the others leave."""
    grown, shares = larger(case), np.array(case.loop.source.shares)
    rare = shares[1:] / LONGER
    return replace(grown, loop=grown.loop.with_(source=Categorical((1 - rare.sum(), *rare))))


def more(*names: str) -> Callable[[Case], Case]:
    """What makes those whole numbers of an experiment `LONGER` times as large."""

    def grown(case: Case) -> Case:
        given = dict(case.loop.parameters)
        given |= {name: LONGER * given[name] for name in names}
        return replace(case, loop=Experiment(case.loop.name, tuple(given.items())))

    return grown
