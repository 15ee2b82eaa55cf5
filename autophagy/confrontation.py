"""How Monte Carlo confronts one claim on one loop: planned before the first draw, judged after the last.

Each kind of confrontation says how many comparisons it makes, how many replicates it asks for once the size
of the whole family is known, what it wants measured, and what the measurement says. Its negative control is
the same theory moved by `RESOLUTION` standard deviations of one replicate, either way, which must be
rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

import theory.bounds
import theory.law
import theory.predict
from autophagy.comparison import sample_of
from jaxsim.agreement import Theory, agree, comparisons_in, replicates_for
from jaxsim.law_agreement import agree_on_probability, replicates_for_probability
from jaxsim.verdict import DISAGREES, NOT_TESTABLE, ROUNDING, replicates_needed
from theory.claim import Case, Claim, Experiment
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
class Wanted:
    """What a confrontation wants simulated.

    Attributes:
        loop: numbers throughout; or an experiment.
        observable: what is measured.
        generations: where; empty for a first passage and for an experiment.
        keep: "summary", "replicates" or "passage".
        engine: which simulates a loop.
        least: replicates at least, where the tail is not known.
    """

    loop: Loop | Experiment
    observable: str
    generations: tuple[int, ...]
    keep: str
    engine: Literal["exact", "literal"] = "exact"
    least: int = 0


def affordable(work: int, wanted: Wanted, family: int) -> int:
    """Replicates whose generations fit into `work`, but no fewer than the rates ask for without a tail."""
    fitting = work // max(wanted.generations, default=1)
    return max(fitting, int(replicates_needed(RESOLUTION, 1.0, family)))


def known_mean(claim: Claim, case: Case) -> np.ndarray:
    """The exact mean beside a formula or a bound, nan where theory does not know it."""
    if claim.exact is not None:
        return np.asarray(claim.exact(case), float)
    if isinstance(case.loop, Experiment):
        return np.full_like(np.asarray(claim.expected(case), float)[0], np.nan)  # type: ignore[misc]
    return theory.predict.central_moments(case.loop, claim.observable, case.generations)[0]


@dataclass(frozen=True)
class OfMoments:
    """z-tests of the mean at every generation and component, and of the variance where it can be afforded.

    Attributes:
        wanted: what is simulated.
        expected: its central moments.
    """

    wanted: Wanted
    expected: Theory

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfMoments:
        """The confrontation of a claim about moments, or about the mean of a first passage."""
        keep = "passage" if claim.check == "passage" else "summary"
        wanted = Wanted(case.loop, claim.observable, case.generations, keep, case.engine, case.least)
        if claim.expected is not None:
            moments = np.asarray(claim.expected(case), float)
        elif keep == "passage":
            loop = case.loop
            moments = theory.predict.reading(loop).passage(loop, claim.observable).central_moments()
        else:
            moments = theory.predict.central_moments(case.loop, claim.observable, case.generations)
        return cls(wanted, Theory(*moments))

    @property
    def comparisons(self) -> int:
        """Means and variances that theory knows."""
        return comparisons_in(self.expected)

    def replicates(self, family: int, work: int) -> int:
        """What the rates and the tails of all means ask for, and of those variances that can be afforded.

        Args:
            family: comparisons in all.
            work: see `affordable`.
        """
        asked = replicates_for(self.expected, RESOLUTION, family)
        for_mean, for_variance = (part[np.isfinite(part)] for part in asked)
        if not for_mean.size:  # of unknown shape: the sample's own will say whether they were enough
            return max(int(replicates_needed(RESOLUTION, 1.0, family)), self.wanted.least)
        # a variance is worth the work that the same number of replicates would be on the line
        within = affordable(work // _numbers(self.wanted.loop) ** 2, self.wanted, family)
        for_variance = for_variance[for_variance <= within]
        most = max(for_mean.max(initial=2), for_variance.max(initial=2))
        return max(int(min(most, affordable(work, self.wanted, family))), self.wanted.least)

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


def _numbers(loop: Loop | Experiment) -> int:
    """Into how many numbers a point of the loop falls."""
    return getattr(loop.source, "dimension", 1) if isinstance(loop, Loop) else 1


@dataclass(frozen=True)
class OfLaw:
    """Exact binomial tests of P(X <= x_p) = p at the quantiles x_p of the claimed law.

    Attributes:
        wanted: what is simulated.
        quantiles: x_p at every generation and level.
    """

    wanted: Wanted
    quantiles: np.ndarray

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfLaw:
        """The confrontation of a claim about a distribution function."""
        quantiles = theory.law.quantile(case.loop, claim.observable, np.array(case.generations), LEVELS)
        wanted = Wanted(case.loop, claim.observable, case.generations, "replicates")
        return cls(wanted, np.asarray(quantiles))

    @property
    def comparisons(self) -> int:
        """One at every generation and level."""
        return self.quantiles.size

    def replicates(self, family: int, work: int) -> int:
        """What the rates ask for, whatever the `work`: a probability has no tail."""
        del work
        return int(replicates_for_probability(LEVELS, RESOLUTION, family).max())

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


@dataclass(frozen=True)
class OfBound:
    """A bound on P(X > x): held against the exact probability, which is itself confronted, and the frequency.

    Attributes:
        law: the exact probabilities, as a confrontation.
        bounds: upper bounds on 1 - p, axes generation, level, bound.
    """

    law: OfLaw
    bounds: np.ndarray

    @classmethod
    def plan(cls, claim: Claim, case: Case) -> OfBound:
        """The confrontation of the bounds of `theory.bounds`, at the quantiles of the exact law."""
        law = OfLaw.plan(claim, case)
        bounds = [
            [[bound.value(case.loop, g, float(x)) for bound in theory.bounds.BOUNDS] for x in row]
            for g, row in zip(case.generations, law.quantiles, strict=True)
        ]
        return cls(law, np.array(bounds))

    @property
    def wanted(self) -> Wanted:
        """What is simulated."""
        return self.law.wanted

    @property
    def comparisons(self) -> int:
        """Those of the law, and with every frequency each bound that says something: one below 1."""
        return self.law.comparisons + int((self.bounds < 1).sum())

    def replicates(self, family: int, work: int) -> int:
        """Those of the law."""
        return self.law.replicates(family, work)

    def judge(self, measured: Any, family: int) -> Outcome:
        """The law's verdicts, and a disagreement for a bound below the truth or a frequency beyond it."""
        outcome = self.law.judge(measured, family)
        values = np.asarray(measured.transpose("replicate", "generation").values)
        above = (values[..., None] > self.law.quantiles).sum(0)[..., None]
        bounds = np.minimum(self.bounds, 1.0)
        _, most = agree_on_probability(above, len(values), bounds, comparisons=family).accepted
        below_truth = bounds < (1 - LEVELS)[:, None] * (1 - ROUNDING)
        return outcome._replace(
            comparisons=self.comparisons,
            tested=outcome.tested + int((self.bounds < 1).sum()),
            disagreements=outcome.disagreements + int(((above > most) | below_truth).sum()),
        )
