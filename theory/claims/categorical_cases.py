"""Settings that the claims about categorical and Poisson loops are tested on, and what they are held against.

An indicator that is almost surely 0 or 1 asks for more replicates than there are, so extinction is confronted
where its probability is between 0.08 and 0.92 and otherwise left out, as not known; its variance says nothing
that its mean does not. Where a variance would ask for millions of replicates the mean alone is confronted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from theory.categorical.reading import passage, statistics
from theory.claim import Case
from theory.discrete_source import Categorical, Poisson
from theory.estimator import Smoothed
from theory.loop import Loop, Sampler
from theory.policy import Accumulate, AccumulateSubsample, Fixed, Fresh, Replace, Web, Window
from theory.selection import BestOf, BradleyTerry

RARE = 0.08
"""The least probability at which an indicator is confronted."""

FOUR = Categorical((0.5, 0.25, 0.15, 0.1))
THREE = Categorical((0.5, 0.3, 0.2))
PAIR = Categorical((0.3, 0.7))
EVEN = Categorical((0.5, 0.5))
DOGS = Categorical((0.55, 0.2, 0.12, 0.08, 0.03, 0.02))
ZIPF = Categorical(zipf={"exponent": 1.3, "categories": 300})
ITEMS = Categorical((1 / 60,) * 60)
COUNTS = Poisson((0.08, 0.3, 1.0))

REPLACED = Loop(FOUR, Replace(40))
SMALL = Loop(THREE, Replace(12))
UNEVEN = Loop(FOUR, Replace([30, 12, 50, 20, 25]))
GROWING = Loop(FOUR, Replace("5 * t ** 2"))
STARTED = Loop(THREE, Replace(25), start=Categorical((0.2, 0.3, 0.5)))
KENNEL = Loop(DOGS, Replace(100))
TWO = Loop(PAIR, Replace(30))
EIGHT_COUNTS = Poisson((0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2))
RATES = Loop(COUNTS, Replace(5))
SMOOTHED = Loop(FOUR, Replace(30), Smoothed(4.0))
LEVELLED = Loop(THREE, Replace(20), Smoothed(3.0, "uniform"))
SPLIT = Loop(FOUR, Fresh(3, 27))
MIXED = Loop(FOUR, Fresh(3, 27, "iid"))
HALVED = Loop(FOUR, Fresh(3, 3))
HALVED_MIXED = Loop(FOUR, Fresh(3, 3, "iid"))
ANCHORED = Loop(FOUR, Fixed(30, 70))
REFRESHED = Loop(FOUR, Web(10, 2, 8))
POOLED = Loop(FOUR, Accumulate(10))
FOUNDED = Loop(FOUR, Accumulate([25, *[10] * 20]))
ODD = Loop(FOUR, Accumulate([6, 1, 3, 50, 2, 2, 10, 1, 1, 30]))
SINGLES = Loop(THREE, Accumulate([6, *[1] * 20]))
SUBSAMPLED = Loop(FOUR, AccumulateSubsample(10))
WINDOWED = Loop(FOUR, Window(15, 3))
CUT = Loop(DOGS, Replace(30), sampler=Sampler(top_k=3, applies_to_source=True))
COLD = Loop(PAIR, Replace(60), sampler=Sampler(temperature=0.95, applies_to_source=True))
COLD_LATER = Loop(PAIR, Replace(60), sampler=Sampler(temperature=0.95))
COLD_MIXED = Loop(PAIR, Fresh(5, 45), sampler=Sampler(temperature=0.9))
LARGE_COLD = Loop(
    Categorical((0.45, 0.55)), Replace(500), sampler=Sampler(temperature=0.9, applies_to_source=True)
)
NUCLEUS = Loop(PAIR, Replace(60), sampler=Sampler(nucleus=0.93, applies_to_source=True))
CHOSEN = Loop(PAIR, Replace(50), selection=BradleyTerry(4, 0.1, (1.0, 0.0), applies_to_source=True))
BEST = Loop(
    Categorical((0.1, 0.9)), Replace(50), selection=BestOf(4, direction=(1.0, 0.0), applies_to_source=True)
)
FIXATION = Loop(
    Categorical((0.4, 0.6)), Replace(60), sampler=Sampler(temperature=0.98, applies_to_source=True)
)

HETEROZYGOSITY = (
    Case(REPLACED, (1, 5, 25)),
    Case(UNEVEN, (1, 3, 5)),
    Case(GROWING, (1, 4, 12), quick=False),
    Case(STARTED, (4, 15), quick=False),
)
WINDOW = (Case(WINDOWED, (1, 6), quick=False),)
SQUARED_ERROR = (Case(REPLACED, (1, 5, 25)), Case(UNEVEN, (1, 3, 5)), Case(STARTED, (1, 8)))
ALL_MOMENTS = (Case(TWO, (5, 20)), Case(Loop(EVEN, Replace(16)), (2, 8), quick=False))
EXTINCTION = (Case(KENNEL, (1, 2, 5, 10, 20, 50)), Case(REPLACED, (2, 25)))
POISSON = (Case(RATES, (1, 2, 5, 20)),)
NEAR_EXTINCTION = (Case(KENNEL, (1, 2, 5, 10, 20, 50), nearest=0.98), Case(REPLACED, (2, 25)))
NEAR_POISSON = (Case(RATES, (1, 2, 5, 20), nearest=1.0),)
SURVIVORS = (
    Case(KENNEL, (1, 2, 5, 10, 20, 50)),
    Case(Loop(ITEMS, Replace(60)), (1, 7)),
    Case(Loop(ZIPF, Replace(200)), (1, 8), quick=False),
    *POISSON,
)
ENTROPY = (Case(KENNEL, (1, 5, 20), least=2**18), Case(TWO, (1, 10)), Case(STARTED, (1, 8), quick=False))
COLLAPSE = (Case(TWO), Case(Loop(FOUR, Replace(20))))
# few counts: each lives t generations with probability ~ 1/t, so that the time has no third moment
FIRST_LOSS = (Case(Loop(FOUR, Replace(40))), Case(Loop(EIGHT_COUNTS, Replace(5)), quick=False))
SMOOTHING = (Case(SMOOTHED, (1, 4, 12, 60)), Case(LEVELLED, (1, 5, 30), quick=False))
MIGRATION = (
    Case(HALVED, (1, 2, 8)),
    Case(HALVED_MIXED, (1, 2, 8)),
    Case(SPLIT, (1, 5, 30), quick=False),
    Case(MIXED, (1, 5, 30), quick=False),
    Case(ANCHORED, (1, 2, 9)),
    Case(REFRESHED, (1, 3, 15), quick=False),
)
RARE_MIGRATION = (Case(SPLIT, (1, 5, 30)), Case(MIXED, (1, 5, 30), quick=False))
URNS = (
    Case(POOLED, (1, 5, 41)),
    Case(FOUNDED, (2, 15), quick=False),
    Case(ODD, (2, 4, 10)),
    Case(SINGLES, (1, 20), quick=False),
)
SUBSAMPLES = (Case(SUBSAMPLED, (4, 10), engine="literal"),)


def certain_enough(case: Case) -> np.ndarray:
    """Mean and variance of extinction, nan where it is almost sure or almost impossible."""
    found = statistics(case.loop, ["extinct"], case.generations)["extinct"].central_moments()
    found[:, (found[0] < RARE) | (found[0] > 1 - RARE)] = np.nan
    return found


def mean_of(observable: str) -> Callable[[Case], np.ndarray]:
    """Mean and variance of an observable, the shape of its law left to the replicates."""
    return lambda case: statistics(case.loop, [observable], case.generations)[observable].central_moments()


def mean_time(observable: str) -> Callable[[Case], np.ndarray]:
    """The same of a first passage."""

    def expected(case: Case) -> np.ndarray:
        found = passage(case.loop, observable).central_moments()
        found[2:] = np.nan
        return found

    return expected


def held_against(value: Callable[[Case], Any], observable: str) -> Callable[[Case], np.ndarray]:
    """A formula or a bound in the place of the mean, with the exact central moments as its scale."""

    def expected(case: Case) -> np.ndarray:
        if observable == "extinct":
            found = certain_enough(case)
        else:
            found = mean_of(observable)(case)
        found[0] = np.where(np.isnan(found[0]), np.nan, value(case))
        return found

    return expected
