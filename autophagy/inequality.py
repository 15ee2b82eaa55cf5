"""How Monte Carlo confronts a bound on a mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autophagy.comparison import sample_of
from autophagy.confrontation import RESOLUTION, OfMoments, Outcome, Wanted
from jaxsim.agreement import Theory, agree
from jaxsim.verdict import DISAGREES, NOT_TESTABLE
from theory.claim import Case, Claim


@dataclass(frozen=True)
class OfInequality:
    """z-tests of means that may lie on one side of a bound only.

    Attributes:
        moments: what is simulated, and how many replicates it asks for; its mean is the bound.
        sign: 1 if the mean lies below the bound, -1 if above.
    """

    moments: OfMoments
    sign: int

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfInequality:
        """The confrontation of a claim about a bound."""
        return cls(OfMoments.plan(claim, case), {"below": 1, "above": -1}[str(claim.side)])

    @property
    def wanted(self) -> Wanted:
        """What is simulated."""
        return self.moments.wanted

    @property
    def comparisons(self) -> int:
        """One for every mean that is bounded."""
        return int(np.isfinite(self.moments.expected.mean).sum())

    def replicates(self, family: int, work: int) -> int:
        """Those of the moments."""
        return self.moments.replicates(family, work)

    def judge(self, measured: Any, family: int) -> Outcome:
        """Disagreement where a mean lies beyond its bound; the control is a bound that the mean breaks."""
        sample, known = sample_of(measured), self.moments.expected
        bound = np.asarray(known.mean)

        def verdicts(value: np.ndarray) -> Any:
            nearest = self.sign * np.minimum(self.sign * value, self.sign * np.asarray(sample.mean))
            return agree(sample, Theory(nearest, *known[1:]), comparisons=family).mean

        found = verdicts(bound)
        broken = verdicts(np.asarray(sample.mean) - self.sign * RESOLUTION * found.scale)
        return Outcome(
            comparisons=self.comparisons,
            tested=int(found.tested.sum()),
            disagreements=int((found.verdict == DISAGREES).sum()),
            missed=int((found.tested & (broken.verdict != DISAGREES)).sum()),
            untestable=int((found.verdict == NOT_TESTABLE).sum()),
            replicates=int(np.min(sample.count)),
            largest_z=float(np.abs(found.z[found.tested]).max(initial=0)),
        )
