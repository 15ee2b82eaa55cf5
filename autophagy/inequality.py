"""How Monte Carlo confronts a bound on a mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autophagy.comparison import sample_of
from autophagy.confrontation import RESOLUTION, OfMoments, Outcome, Wanted, known_mean
from jaxsim.agreement import Theory, agree
from jaxsim.verdict import DISAGREES, NOT_TESTABLE, ROUNDING
from theory.claim import Case, Claim


@dataclass(frozen=True)
class OfInequality:
    """z-tests of means that may lie on one side of a bound only, and come as near to it as is stated.

    Where theory knows the mean, the bound is held against that, and Monte Carlo confronts the mean. Elsewhere
    Monte Carlo confronts the bound, and the share of it that is reached.

    Attributes:
        moments: what is simulated, and how many replicates it asks for; its mean is the bound.
        sign: 1 if the mean lies below the bound, -1 if above.
        exact: the mean, nan where theory does not know it.
        nearest: the share of the bound that the mean reaches somewhere (from below: of the mean, the bound).
    """

    moments: OfMoments
    sign: int
    exact: np.ndarray
    nearest: float | None = None

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfInequality:
        """The confrontation of a claim about a bound."""
        moments, sign = OfMoments.plan(claim, case), {"below": 1, "above": -1}[str(claim.side)]
        exact = np.where(np.isfinite(np.asarray(moments.expected.mean)), known_mean(claim, case), np.nan)
        return cls(moments, sign, exact, case.nearest)

    @property
    def wanted(self) -> Wanted:
        """What is simulated."""
        return self.moments.wanted

    @property
    def comparisons(self) -> int:
        """One for every mean that is bounded, and one more where it must come near."""
        bounded = int(np.isfinite(self.bound).sum())
        return bounded + (bounded if self.nearest is not None else 0)

    @property
    def bound(self) -> np.ndarray:
        """The bound, nan where it says nothing."""
        return np.asarray(self.moments.expected.mean)

    @property
    def farthest(self) -> np.ndarray:
        """What the mean reaches where it is nearest to the bound: a share of it, or what it is a share of."""
        assert self.nearest is not None
        return self.bound * self.nearest**self.sign

    @property
    def wrong(self) -> int:
        """On how many known means the bound is false, and 1 if none of them is as near as is stated."""
        known = np.isfinite(self.exact)
        bound, exact = self.bound[known], self.exact[known]
        slack = ROUNDING * np.abs(exact)
        false = int((self.sign * (bound - exact) < -slack).sum())
        if not known.any() or self.nearest is None:
            return false
        near = self.sign * (exact - self.farthest[known]) >= -slack
        return false + int(not near.any())

    def replicates(self, family: int, work: int) -> int:
        """Those of the moments."""
        return self.moments.replicates(family, work)

    def judge(self, measured: Any, family: int) -> Outcome:
        """Disagreement where a mean is not what theory says, or lies beyond its bound, or nowhere near it.

        The control is a bound that the mean breaks: by `RESOLUTION`, the known mean or the sample's own.
        """
        sample, expected = sample_of(measured), self.moments.expected

        def verdicts(nearest: np.ndarray) -> Any:
            return agree(sample, Theory(nearest, *expected[1:]), comparisons=family).mean

        def beside(bound: np.ndarray, sign: int) -> Any:
            return verdicts(sign * np.minimum(sign * bound, sign * np.asarray(sample.mean)))

        known = np.isfinite(self.exact)
        beyond = beside(self.bound, self.sign)
        mean = verdicts(np.where(known, self.exact, self.bound))
        found = np.where(known, mean.verdict, beyond.verdict)
        truth = np.where(known, self.exact, sample.mean)
        broken = beside(truth - self.sign * RESOLUTION * beyond.scale, self.sign)
        far = 0
        if self.nearest is not None and not known.any():
            far = int((beside(self.farthest, -self.sign).verdict == DISAGREES)[beyond.tested].all())
        z = np.where(known, mean.z, beyond.z)
        return Outcome(
            comparisons=self.comparisons,
            tested=int(beyond.tested.sum()),
            disagreements=int((found == DISAGREES).sum()) + self.wrong + far,
            missed=int((beyond.tested & (broken.verdict != DISAGREES)).sum()),
            untestable=int((beyond.verdict == NOT_TESTABLE).sum()),
            replicates=int(np.min(sample.count)),
            largest_z=float(np.abs(z[beyond.tested]).max(initial=0)),
        )
