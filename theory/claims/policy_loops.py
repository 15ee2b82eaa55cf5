"""Loops that the claims about data policies are tested on; claims about one loop share its simulation."""

from __future__ import annotations

from fractions import Fraction

from theory.estimator import Weighted
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Web,
    Window,
    WrittenRecipe,
)
from theory.recipes.mixed_statements import admissible

UNIT, WIDE = Gaussian(0.0, 1.0), Gaussian(1.0, 4.0)
PLANE = Gaussian((0.0, 1.0), ((2.0, 0.5), (0.5, 1.0)))
MLE, UNBIASED, WEIGHTED = MaximumLikelihood(), Unbiased(), Weighted()
AWAY = Gaussian(2.5, 0.5)

FRESH = Loop(UNIT, Fresh(6, 10), MLE)
FRESH_IID = Loop(WIDE, Fresh(6, 12, "iid"), MLE)
FRESH_FEW = Loop(WIDE, Fresh(1, 2, "iid"), MLE)
FRESH_UNBIASED = Loop(UNIT, Fresh(10, 15), UNBIASED)
FRESH_BIASED = Loop(UNIT, Fresh(5, 7), MLE, Sampler(bias=0.8))
FRESH_SWOLLEN = Loop(WIDE, Fresh(6, 9, "iid"), UNBIASED, Sampler(bias=1.1, applies_to_source=True))
FRESH_STABLE = Loop(UNIT, Fresh(10, 40), UNBIASED, Sampler(bias=1.05))
FRESH_UNSTABLE = Loop(UNIT, Fresh(4, 36), UNBIASED, Sampler(bias=1.25))
FRESH_MOVED = Loop(UNIT, Fresh(6, 12), MLE, start=AWAY)
FRESH_TRUNCATED = Loop(UNIT, Fresh(4, 8), MLE, Sampler(truncate=1.5))
FRESH_PLANE = Loop(PLANE, Fresh(4, 8), MLE)
NARROWED = Loop(UNIT, Fresh(300, 2700), MLE, Sampler(bias=0.8))
ADMISSIBLE = Loop(UNIT, Fresh(4000, int(admissible(Fraction(7, 10)))), MLE, Sampler(bias=0.7))
HELPED = Loop(UNIT, Fresh(1000, 30), MLE, Sampler(bias=0.7))

FIXED = Loop(UNIT, Fixed(4, 8), MLE)
FIXED_BIASED = Loop(WIDE, Fixed(5, 10), UNBIASED, Sampler(bias=0.8))

WEIGHTED_FRESH = Loop(UNIT, Fresh(6, 6, weight=0.618), WEIGHTED)
WEIGHTED_BEST = Loop(WIDE, Fresh(4, 12, weight="optimal"), WEIGHTED)
WEIGHTED_IN_TIME = Loop(UNIT, Fresh(5, 5, weight="optimal-in-time"), WEIGHTED)
WEIGHTED_TOGETHER = Loop(UNIT, Fresh(3, 9, weight=0.4), MLE)

MEMORY = Loop(UNIT, Memory(3, 3, 2), MLE)
MEMORY_LONG = Loop(WIDE, Memory(4, 2, 4), MLE)

ACCUMULATED = Loop(UNIT, Accumulate(5), MLE)
ACCUMULATED_LARGE = Loop(UNIT, Accumulate(20), MLE)
ACCUMULATED_UNBIASED = Loop(WIDE, Accumulate(5), UNBIASED)
ACCUMULATED_UNEVEN = Loop(UNIT, Accumulate([6, 2, 9, 3, 12, 5]), MLE)
TRICKLE = Loop(UNIT, Accumulate([5] + [1] * 39), MLE)
SUBSAMPLED = Loop(UNIT, AccumulateSubsample(6), MLE)
SUBSAMPLED_LARGE = Loop(UNIT, AccumulateSubsample(16), MLE)
WINDOW = Loop(UNIT, Window(12, 3), MLE)
WINDOW_LARGE = Loop(UNIT, Window(40, 2), MLE)
WINDOW_UNBIASED = Loop(WIDE, Window(6, 2), UNBIASED)

PEERS = Loop(UNIT, Peers(2, 8), MLE)
PEERS_REAL = Loop(WIDE, Peers(2, 4, 3), MLE)
PEERS_MIXED = Loop(
    UNIT, Peers(counts=[[4, 1, 2], [2, 5, 1], [1, 3, 4]], real=[2, 3, 4], targets=[-1.0, 0.5, 2.0]), MLE
)
PEERS_EVEN = Loop(UNIT, Peers(models=3, per_model=14, real=18, targets=[-1.0, 0.0, 2.0]), MLE)
PEERS_LARGE = Loop(UNIT, Peers(models=3, per_model=600, real=1200, targets=[-1.0, 0.0, 2.0]), MLE)
WEB = Loop(UNIT, Web(6, 2, 4), MLE)
WEB_SYNTHETIC = Loop(WIDE, Web(8, 0, 4), MLE)
WEB_SAMPLED = Loop(UNIT, Web(8, 1, 4, n=6), MLE)
CONTAMINATED = Loop(
    UNIT,
    Fresh([24, 18, 14, 10, 8, 6, 6, 4, 4, 2, 2, 2], [0, 6, 10, 14, 16, 18, 18, 20, 20, 22, 22, 22], "iid"),
    MLE,
)

HEALED = Loop(UNIT, Heal(Replace(20), 4, 6, 0.3), MLE)
HEALED_SLOWLY = Loop(WIDE, Heal(Replace(20), 3, 8, 0.1), MLE)
HEALED_AFRESH = Loop(UNIT, Heal(Replace(20), 3, 8, 1.0), MLE)
HEALED_FROM_AFAR = Loop(
    UNIT, WrittenRecipe([[{"real": 6, "weight": 0.3}, {"moments": -1, "weight": 0.7}]]), MLE, start=AWAY
)
HEALED_BY_ONE_SET = Loop(UNIT, Heal(Replace(20), 4, 6, 0.25, True), MLE)

WRITTEN = Loop(
    UNIT,
    WrittenRecipe(
        [[{"real": 8}], [{"set": "anchor"}, {"model": -1, "n": 6}, {"batch": [-1]}]], sets={"anchor": 4}
    ),
    MLE,
)
WRITTEN_WEIGHTED = Loop(
    WIDE,
    WrittenRecipe(
        [
            [{"real": 6, "weight": 1.0}],
            [
                {"real": 4, "weight": 0.3},
                {"model": -1, "n": 8, "weight": 0.5},
                {"moments": -1, "weight": 0.2},
            ],
        ]
    ),
    MLE,
)
