"""How Monte Carlo confronts an asymptotic formula: beside the exact mean that it tends to, at its order.

Theory knows the exact value E beside the formula A. A - E must fall at the stated order as the large
parameter grows, and Monte Carlo is held against E: an error of A that does not fall is a disagreement however
small it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import theory.law
from autophagy.comparison import sample_of
from autophagy.confrontation import RESOLUTION, OfLaw, OfMoments, Outcome, Wanted, known_mean
from jaxsim.agreement import Theory, agree
from jaxsim.law_agreement import agree_on_probability
from jaxsim.verdict import DISAGREES, NOT_TESTABLE
from theory.claim import Case, Claim
from theory.claims.larger_cases import LONGER
from theory.replace.median import asymptotic_median


@dataclass(frozen=True)
class OfLimit:
    """z-tests of means beside asymptotic values, which may err by a known amount.

    Attributes:
        moments: the confrontation with what is known exactly, whose scale and tail are used.
        value: the exact means.
        allowed: by how much they may err.
        ordered: whether its error shrinks at the stated order.
    """

    moments: OfMoments
    value: np.ndarray
    allowed: np.ndarray
    ordered: bool

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfLimit:
        """A claim's formula beside the exact means, wherever it says something."""
        moments = OfMoments.plan(claim, case)
        stated = np.isfinite(np.asarray(moments.expected.mean))
        exact = np.where(stated, known_mean(claim, case), np.nan)
        allowed = np.zeros_like(exact) if claim.error is None else np.asarray(claim.error(case), float)
        return cls(moments, exact, allowed, has_order(claim, case))

    @property
    def wanted(self) -> Wanted:
        """What is simulated."""
        return self.moments.wanted

    @property
    def comparisons(self) -> int:
        """One for every value that is predicted."""
        return int(np.isfinite(self.value).sum())

    def replicates(self, family: int, work: int) -> int:
        """Those of the moments."""
        return self.moments.replicates(family, work)

    def judge(self, measured: Any, family: int) -> Outcome:
        """A verdict on the nearest value that is allowed; the control is moved beyond what is allowed."""
        sample, known = sample_of(measured), self.moments.expected

        def verdicts(value: np.ndarray) -> Any:
            nearest = np.clip(sample.mean, value - self.allowed, value + self.allowed)
            return agree(sample, Theory(nearest, *known[1:]), comparisons=family).mean

        found = verdicts(self.value)
        shift = RESOLUTION * found.scale + 2 * self.allowed
        moved = [verdicts(self.value + way * shift).verdict == DISAGREES for way in (1, -1)]
        return Outcome(
            comparisons=self.comparisons,
            tested=int(found.tested.sum()),
            disagreements=int((found.verdict == DISAGREES).sum()) + (not self.ordered),
            missed=int((found.tested & ~(moved[0] & moved[1])).sum()),
            untestable=int((found.verdict == NOT_TESTABLE).sum()),
            replicates=int(np.min(sample.count)),
            largest_z=float(np.abs(found.z[found.tested]).max(initial=0)),
        )


@dataclass(frozen=True)
class OfMedian:
    """Binomial tests of P(X <= A) = 1/2 at an asymptotic median A, within its known error in probability.

    Attributes:
        law: at the asymptotic median, with the exact probability there.
        value: the asymptotic median at every generation.
        probability: the exact P(X <= A).
        ordered: whether the median's error shrinks like 1/t.
    """

    law: OfLaw
    value: np.ndarray
    probability: np.ndarray
    ordered: bool

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfMedian:
        """R4's median of the log-variance beside the exact one."""

        def error(generations: tuple[int, ...]) -> np.ndarray:
            exact = theory.law.quantile(case.loop, claim.observable, np.array(generations), 0.5)
            return np.array([asymptotic_median(case.loop, g) for g in generations]) - exact

        value = np.array([asymptotic_median(case.loop, g) for g in case.generations])
        at = [
            theory.law.cdf(case.loop, claim.observable, g, x)
            for g, x in zip(case.generations, value, strict=True)
        ]
        ordered = is_of_order(1, error(case.generations), error(tuple(LONGER * g for g in case.generations)))
        return cls(OfLaw.plan(claim, case), value, np.array(at), ordered)

    @property
    def wanted(self) -> Wanted:
        """What is simulated."""
        return self.law.wanted

    @property
    def comparisons(self) -> int:
        """One at every generation."""
        return self.value.size

    def replicates(self, family: int, work: int) -> int:
        """Those of the law."""
        return self.law.replicates(family, work)

    def judge(self, measured: Any, family: int) -> Outcome:
        """A verdict on the probability nearest the frequency that lies between 1/2 and the exact one."""
        values = np.asarray(measured.transpose("replicate", "generation").values)
        below = (values <= self.value).sum(0)
        low, high = np.minimum(self.probability, 0.5), np.maximum(self.probability, 0.5)

        def verdicts(move: float | np.ndarray) -> Any:
            nearest = np.clip(below / len(values), low + move, high + move)
            return agree_on_probability(below, len(values), nearest, comparisons=family)

        found = verdicts(0.0)
        shift = RESOLUTION / 2 + (high - low)
        moved = [verdicts(way * shift).verdict == DISAGREES for way in (1, -1)]
        return Outcome(
            comparisons=self.comparisons,
            tested=self.comparisons,
            disagreements=int((found.verdict == DISAGREES).sum()) + (not self.ordered),
            missed=int((~(moved[0] & moved[1])).sum()),
            untestable=0,
            replicates=len(values),
            largest_z=float(np.abs(found.z).max()),
        )


def has_order(claim: Claim, case: Case) -> bool:
    """Whether a limit's error falls at its order from a case to the grown one, wherever it is confronted."""
    assert claim.expected is not None
    assert claim.grown is not None
    assert claim.order is not None
    at, then = (
        np.asarray(claim.expected(one), float)[0] - known_mean(claim, one)
        for one in (case, claim.grown(case))
    )
    there = np.isfinite(at)
    return bool(there.any()) and is_of_order(claim.order, at[there], then[there])


def is_of_order(order: float, error: np.ndarray, beyond: np.ndarray) -> bool:
    """Whether an error falls like that power, to the nearest half, of a parameter that grew by `LONGER`."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an error of 0 has no order
        power = np.log(np.abs(error) / np.abs(beyond)) / math.log(LONGER)
    return bool((np.round(2 * power) == 2 * order).all())
