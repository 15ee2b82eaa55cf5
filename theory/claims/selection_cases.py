"""Settings that the claims about selection are tested on: a rule, and everything else of the loop."""

from __future__ import annotations

from theory.claim import Case
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Unbiased
from theory.policy import Accumulate, Fixed, Fresh
from theory.selection import (
    BestOf,
    BradleyTerry,
    Correction,
    Detector,
    Rule,
    Tilt,
    TopFraction,
    Verifier,
)


def case(
    rule: Rule, loop: Loop, generations: tuple[int, ...], quick: bool = True, least: int = 2**18
) -> Case:
    """A loop under a selection.

    Points chosen by value have no finite sufficient statistics, so that the engine is the literal one, but
    for a tilt: it keeps them normal.

    Args:
        rule: the selection.
        loop: everything else.
        generations: where it is measured.
        quick: whether `verify --quick` runs it.
        least: replicates at least, where the tail is not known.
    """
    engine = "exact" if isinstance(rule, Detector | Correction | Tilt) else "literal"
    return Case(loop.with_(selection=rule), generations, quick, engine, least)


UNIT, WIDE = Gaussian(0.0, 1.0), Gaussian(1.0, 4.0)
PLANE = Gaussian((0.0, 1.0, 0.0), ((2.0, 0.5, 0.1), (0.5, 1.0, 0.3), (0.1, 0.3, 0.7)))
MLE, UNBIASED = MaximumLikelihood(), Unbiased()
AWAY = Gaussian(2.0, 0.5)

UPPER_HALF = TopFraction(0.5, "linear", applies_to_source=True)
BEST_FIFTH_DOWN = TopFraction(0.2, "linear", direction=-1.0)
POOLED = TopFraction(0.5, "linear", threshold="pool")
TYPICAL = TopFraction(0.8, "typicality")
TYPICAL_POOLED = TopFraction(0.5, "typicality", threshold="pool")
BEST_OF_TWO, BEST_OF_THREE = BestOf(2, applies_to_source=True), BestOf(3)
MOST_TYPICAL = BestOf(4, "typicality")

TEN, TWENTY, THIRTY = Loop(UNIT, Replace(10), MLE), Loop(WIDE, Replace(20), UNBIASED), Loop(UNIT, Replace(30))
STARTED = Loop(UNIT, Replace(15), MLE, start=AWAY)

SCORED = (
    case(UPPER_HALF, TEN, (1, 2, 3)),
    case(BEST_FIFTH_DOWN, TWENTY, (1, 2, 4), quick=False),
    case(POOLED, TEN, (2, 3), quick=False),
    case(UPPER_HALF, STARTED, (1, 3), quick=False),
    case(TYPICAL, TEN, (2, 4), quick=False),
    case(TYPICAL_POOLED, TWENTY, (2, 3), quick=False),
)
"""C2: at finite n under `replace`, by a linear score and by typicality, for both thresholds."""
BEST = (
    case(BEST_OF_TWO, TEN, (1, 2, 4)),
    case(BEST_OF_THREE, TWENTY, (2, 4), quick=False),
    case(MOST_TYPICAL, TWENTY, (2, 3), quick=False),
)
"""C3: likewise, the best of K."""
SPACE = (
    case(
        TopFraction(0.4, "linear", direction=(1.0, -1.0, 0.5)),
        Loop(PLANE, Replace(12), UNBIASED),
        (2, 3),
        quick=False,
    ),
    case(TYPICAL, Loop(PLANE, Replace(12), MLE), (2, 3), quick=False),
)
ACCUMULATED = (
    case(TopFraction(0.3, "linear"), Loop(UNIT, Accumulate(10), UNBIASED), (2, 5), quick=False),
    case(BestOf(2), Loop(UNIT, Accumulate(10), MLE), (2, 10), quick=False),
)
TYPICAL_BESIDE_REAL = (
    case(TYPICAL, Loop(UNIT, Fresh(3, 9), MLE), (2, 6), quick=False),
    case(TYPICAL, Loop(UNIT, Accumulate(10), MLE), (2, 6), quick=False),
    case(MOST_TYPICAL, Loop(UNIT, Fixed(6, 6), UNBIASED), (2, 6), quick=False),
)
LINEAR_TILT = (
    case(Tilt("linear", 0.7, applies_to_source=True), Loop(UNIT, Replace(20), MLE), (1, 3), quick=False),
    case(Tilt("linear", 0.2, direction=-1.0), Loop(WIDE, Replace(30), UNBIASED), (2, 4)),
)
DETECTED = (
    case(Detector(0.9, 0.3), Loop(UNIT, Fresh(2, 8, "iid"), MLE), (2, 8)),
    case(Detector(0.6, 0.9), Loop(WIDE, Fresh(5, 5), UNBIASED), (2, 5), quick=False),
)
CORRECTED = (
    case(Correction(0.5), Loop(UNIT, Replace(10), MLE), (2, 4)),
    case(Correction(1.0), Loop(UNIT, Fixed(5, 10), MLE), (2, 5), quick=False),
    case(Correction(0.25), Loop(WIDE, Accumulate(10), UNBIASED), (2, 5), quick=False),
)

LARGE = Loop(UNIT, Replace(200), MLE)
HALF_REAL = Loop(UNIT, Fresh(200, 200), MLE)


def at_infinity(*rules: Rule, loop: Loop = LARGE, generations: tuple[int, ...] = (2, 5)) -> tuple[Case, ...]:
    """Cases whose n is to grow: the value at n = inf is approached as 1/n."""
    return tuple(case(rule, loop, generations, quick=False, least=0) for rule in rules)


SCORED_AT_INFINITY = at_infinity(UPPER_HALF, BEST_OF_TWO)
PREFERRED = at_infinity(BradleyTerry(2, 0.7, applies_to_source=True), BradleyTerry(5, 1.5))
QUADRATIC_TILT = at_infinity(Tilt("quadratic", 0.5, centre=1.0, applies_to_source=True))
VERIFIED = at_infinity(Verifier(0.3, 1.2))
SCORED_BESIDE_REAL = at_infinity(
    TopFraction(0.5, "linear"), BestOf(2), TopFraction(0.9, "linear"), loop=HALF_REAL
)
TILTED_BESIDE_REAL = at_infinity(Tilt("linear", 0.3), loop=HALF_REAL)
CURVED_BESIDE_REAL = at_infinity(Tilt("quadratic", 2.0, centre=0.0), loop=Loop(UNIT, Fresh(120, 280), MLE))
