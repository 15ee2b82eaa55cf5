"""Settings that the claims about Gaussians on the line are tested on.

A mean can be tested only where replicates meet the values that carry it, and the relative variance of
sigma_t^2 is (1 + 2/nu)^t - 1. So heavy-tailed observables are met at small t, at large n or off the source,
where their leading term is the squared offset; log sigma^2 is light-tailed everywhere.
"""

from __future__ import annotations

from theory.claim import Case
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased

UNIT = Gaussian(0.0, 1.0)
WIDE = Gaussian(1.0, 4.0)
AWAY = Gaussian(3.0, 0.25)

FIVE = Loop(WIDE, Replace(5), MaximumLikelihood())
TWENTY = Loop(UNIT, Replace(20), Unbiased())
HUNDRED = Loop(WIDE, Replace(100), MaximumLikelihood())
HUNDRED_UNBIASED = Loop(WIDE, Replace(100), Unbiased())
TWO = Loop(UNIT, Replace(2), Unbiased())
GROWING = Loop(UNIT, Replace("20 * t ** 2"), Unbiased())
UNEVEN = Loop(WIDE, Replace([40, 15, 80, 25, 60]), MaximumLikelihood())
MOVED = Loop(UNIT, Replace(30), Unbiased(), start=AWAY)
MOVED_LIKELIHOOD = Loop(UNIT, Replace(40), MaximumLikelihood(), start=AWAY)
NUDGED = Loop(UNIT, Replace(64), Unbiased(), start=Gaussian(0.25, 1.0))
NUDGED_LIKELIHOOD = Loop(UNIT, Replace(64), MaximumLikelihood(), start=Gaussian(0.25, 1.0))

FOUR = Loop(UNIT, Replace(4), Unbiased())
FOUR_LIKELIHOOD = Loop(UNIT, Replace(4), MaximumLikelihood())
FOUR_MOVED = Loop(UNIT, Replace(4), MaximumLikelihood(), start=Gaussian(2.0, 1.0))
FOUR_SHRUNK = FOUR.with_(sampler=Sampler(bias=0.5, applies_to_source=True))
FOUR_SHRUNK_MOVED = FOUR_MOVED.with_(sampler=Sampler(bias=0.5), start=Gaussian(2.0, 2.0))
FOUR_COOLED = FOUR.with_(sampler=Sampler(temperature=0.5))
FOUR_COOLED_MOVED = FOUR_MOVED.with_(sampler=Sampler(temperature=0.5), start=Gaussian(2.0, 2.0))
"""So few points that one more of them shifts even a fourth moment by a twentieth of its spread."""

SHRUNK = Loop(WIDE, Replace(20), Unbiased(), Sampler(bias=0.8))
SWOLLEN = Loop(UNIT, Replace(60), MaximumLikelihood(), Sampler(bias=1.1, applies_to_source=True))
SHRUNK_MOVED = Loop(UNIT, Replace(30), MaximumLikelihood(), Sampler(bias=0.7), start=AWAY)
COOLED = Loop(WIDE, Replace(30), MaximumLikelihood(), Sampler(temperature=0.6))
HEATED_MOVED = Loop(UNIT, Replace(50), Unbiased(), Sampler(temperature=1.2), start=AWAY)

NARROW = Loop(WIDE, Replace(10), MaximumLikelihood(), Sampler(truncate=1.5))
NARROW_MOVED = Loop(UNIT, Replace(12), Unbiased(), Sampler(truncate=1.0), start=AWAY)
NARROW_FIRST = Loop(UNIT, Replace(6), Unbiased(), Sampler(truncate=2.0, applies_to_source=True))

LIGHT = (
    Case(FIVE, (1, 2)),
    Case(TWENTY, (1, 2, 5)),
    Case(HUNDRED, (1, 5, 10)),
    Case(HUNDRED_UNBIASED, (2, 10), quick=False),
    Case(GROWING, (1, 3, 10)),
    Case(UNEVEN, (1, 3, 5)),
    Case(MOVED, (1, 2, 5)),
    Case(MOVED_LIKELIHOOD, (1, 3), quick=False),
)
"""For the mean error, its square, the variance, its root, W2 and the divergence to the source."""
HEAVY = (
    Case(HUNDRED, (1, 2)),
    Case(HUNDRED_UNBIASED, (1, 2)),
    Case(FOUR, (1,)),
    Case(FOUR_LIKELIHOOD, (1,)),
    Case(TWENTY, (1,), quick=False),
    Case(GROWING, (1, 2), quick=False),
    Case(UNEVEN, (1,), quick=False),
    Case(MOVED, (1, 2)),
    Case(MOVED_LIKELIHOOD, (1, 2), quick=False),
)
"""For second moments of the variance."""
FOURTH = (
    Case(FOUR_MOVED, (1, 2)),
    Case(MOVED, (1, 2)),
    Case(NUDGED, (1, 2)),
    Case(NUDGED_LIKELIHOOD, (1, 2)),
    Case(NUDGED_LIKELIHOOD, (3, 4), quick=False),
)
"""For the fourth power of the mean error: two standard errors from zero, where its tail is lighter."""
LOGARITHM = (
    Case(TWO, (1, 2, 10, 100)),
    Case(FIVE, (1, 2, 10, 100)),
    Case(TWENTY, (1, 2, 5, 200)),
    Case(HUNDRED, (1, 5, 10, 1000), quick=False),
    Case(GROWING, (1, 3, 10)),
    Case(UNEVEN, (1, 3, 5)),
    Case(MOVED, (1, 2, 5)),
)
"""For log sigma^2, at any t."""
COLLAPSE = (Case(TWO, (200,)), Case(FIVE, (1000,)), Case(TWENTY, (2000,), quick=False))
"""For the rate of the almost sure collapse."""
REVERSE = (
    Case(HUNDRED, (1, 5, 10)),
    Case(HUNDRED_UNBIASED, (1, 5), quick=False),
    Case(TWENTY, (1, 2)),
    Case(GROWING, (1, 3)),
    Case(UNEVEN, (1, 2)),
    Case(MOVED_LIKELIHOOD, (1, 2), quick=False),
)
"""For the divergence from the source: 1/sigma^2 has few moments."""
BIASED = (
    Case(SHRUNK, (1, 2, 3)),
    Case(SWOLLEN, (1, 2, 5)),
    Case(SHRUNK_MOVED, (1, 2, 5)),
)
"""For lambda, all observables but those below."""
BIASED_HEAVY = (
    Case(FOUR_SHRUNK, (1,)),
    Case(SWOLLEN, (1, 2), quick=False),
    Case(SHRUNK_MOVED, (1, 2)),
)
BIASED_FOURTH = (Case(FOUR_SHRUNK_MOVED, (2, 3)), Case(SHRUNK_MOVED, (1, 2, 3)))
TEMPERED = (Case(COOLED, (1, 2, 3)), Case(HEATED_MOVED, (1, 2)))
TEMPERED_HEAVY = (
    Case(FOUR_COOLED, (1,)),
    Case(COOLED, (1, 2), quick=False),
    Case(HEATED_MOVED, (1, 2)),
)
TEMPERED_FOURTH = (Case(FOUR_COOLED_MOVED, (2, 3)), Case(HEATED_MOVED, (1, 2)))
TRUNCATED = (Case(NARROW, (1, 2, 3)), Case(NARROW_MOVED, (1, 2, 3)), Case(NARROW_FIRST, (1, 2)))
TRUNCATED_HEAVY = (Case(NARROW_MOVED, (1, 2)), Case(NARROW_FIRST, (1,), quick=False))
TRUNCATED_FOURTH = (Case(NARROW_MOVED, (1, 2, 3)),)
