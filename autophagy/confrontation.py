"""How Monte Carlo confronts one claim on one loop: planned before the first draw, judged after the last.

Each kind of confrontation says how many comparisons it makes, how many replicates it asks for once the size
of the whole family is known, what it wants measured, and what the measurement says. Its negative control is
the same theory moved by `RESOLUTION` standard deviations of one replicate, either way, which must be
rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import theory.law
import theory.predict
from autophagy.compare import sample_of
from jaxsim.agreement import Theory, agree, comparisons_in, replicates_for
from jaxsim.law_agreement import agree_on_probability, replicates_for_probability
from jaxsim.verdict import DISAGREES, NOT_TESTABLE
from theory.claim import Case, Claim
from theory.loop import Loop

RESOLUTION = 1 / 20
"""The error that every test must see, in standard deviations of one replicate."""

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
"""Where a distribution function is confronted: at the quantiles of these probabilities."""


class Outcome(NamedTuple):
    """What one confrontation said.

    Attributes:
        comparisons: how many were planned.
        tested: how many had enough replicates for a verdict.
        disagreements: how many raised an alarm.
        missed: how many tested comparisons would have let the negative control pass.
        untestable: how many had to be tested and could not be: a fault of the case.
        replicates: how many there were.
        largest_z: the largest |z| of those tested.
    """

    comparisons: int
    tested: int
    disagreements: int
    missed: int
    untestable: int
    replicates: int
    largest_z: float


@dataclass(frozen=True)
class OfMoments:
    """z-tests of the mean at every generation and component, and of the variance where it can be afforded.

    Attributes:
        loop: what is simulated.
        observable: what is measured.
        generations: where; empty for a first passage.
        expected: its central moments.
        keep: "summary", or "passage".
    """

    loop: Loop
    observable: str
    generations: tuple[int, ...]
    expected: Theory
    keep: str = "summary"

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfMoments:
        """The confrontation of a claim about moments, or about the mean of a first passage."""
        if not case.generations:
            predicted = theory.predict.predict(case.loop, 1, [claim.observable])[claim.observable]
            return cls(case.loop, claim.observable, (), Theory(*np.asarray(predicted.values)), "passage")
        moments = theory.predict.central_moments(case.loop, claim.observable, case.generations)
        return cls(case.loop, claim.observable, case.generations, Theory(*moments))

    @property
    def comparisons(self) -> int:
        """Means and variances that theory knows."""
        return comparisons_in(self.expected)

    def replicates(self, family: int, limit: int) -> int:
        """What the rates and the tails ask for; a variance beyond `limit` is left out, a mean is not."""
        for_mean, for_variance = (
            part[np.isfinite(part)] for part in replicates_for(self.expected, RESOLUTION, family)
        )
        affordable = for_variance[for_variance <= limit]
        return int(min(max(for_mean.max(initial=2), affordable.max(initial=2)), limit))

    def judge(self, measured: Any, family: int) -> Outcome:
        """Verdicts on means and variances together."""
        sample = sample_of(measured)
        agreement = agree(sample, self.expected, comparisons=family)
        tested = [part.tested for part in agreement]
        missed = [~part.rejects(RESOLUTION) & part.tested for part in agreement]
        z = [np.abs(part.z[part.tested]).max(initial=0) for part in agreement]
        return Outcome(
            comparisons=self.comparisons,
            tested=int(sum(part.sum() for part in tested)),
            disagreements=int(sum((part.verdict == DISAGREES).sum() for part in agreement)),
            missed=int(sum(part.sum() for part in missed)),
            untestable=int((agreement.mean.verdict == NOT_TESTABLE).sum()),
            replicates=int(np.min(sample.count)),
            largest_z=float(max(z)),
        )


@dataclass(frozen=True)
class OfLaw:
    """Exact binomial tests of P(X <= x_p) = p at the quantiles x_p of the claimed law.

    Attributes:
        loop: what is simulated.
        observable: what is measured.
        generations: where.
        quantiles: x_p at every generation and level.
        keep: "replicates".
    """

    loop: Loop
    observable: str
    generations: tuple[int, ...]
    quantiles: np.ndarray
    keep: str = "replicates"

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfLaw:
        """The confrontation of a claim about a distribution function."""
        quantiles = theory.law.quantile(case.loop, claim.observable, np.array(case.generations), LEVELS)
        return cls(case.loop, claim.observable, case.generations, np.asarray(quantiles))

    @property
    def comparisons(self) -> int:
        """One at every generation and level."""
        return self.quantiles.size

    def replicates(self, family: int, limit: int) -> int:
        """What the rates ask for; a probability has no tail."""
        return min(int(replicates_for_probability(LEVELS, RESOLUTION, family).max()), limit)

    def judge(self, measured: Any, family: int) -> Outcome:
        """Verdicts at every level together."""
        values = np.asarray(measured.transpose("replicate", "generation").values)
        below = (values[..., None] <= self.quantiles).sum(0)
        verdict = agree_on_probability(below, len(values), LEVELS, comparisons=family)
        shift = RESOLUTION * np.sqrt(LEVELS * (1 - LEVELS))
        moved = [
            agree_on_probability(below, len(values), LEVELS + way * shift, comparisons=family)
            for way in (1, -1)
        ]
        missed = ~((moved[0].verdict == DISAGREES) & (moved[1].verdict == DISAGREES))
        return Outcome(
            comparisons=self.comparisons,
            tested=below.size,
            disagreements=int((verdict.verdict == DISAGREES).sum()),
            missed=int(missed.sum()),
            untestable=0,
            replicates=len(values),
            largest_z=float(np.abs(verdict.z).max()),
        )


CHECKS = {"moments": OfMoments, "passage": OfMoments, "law": OfLaw}


Confrontation = OfMoments | OfLaw


def plan(claim: Claim, case: Case) -> Confrontation:
    """The confrontation of `claim` on one case, by its check."""
    return CHECKS[claim.check].plan(claim, case)
