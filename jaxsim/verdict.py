"""Error rates, the replicates they ask for, and the verdict on a statistic whose scale is known.

A z-test at |z| > z_{alpha/2m} raises an alarm with probability alpha at most in a family of m comparisons
(Bonferroni), and misses an error of (z_{alpha/2m} + z_beta) scale / sqrt(count) with probability beta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FALSE_ALARM = 1e-6
"""The probability that a family of comparisons rejects a theory that is right."""
FALSE_PASS = 1e-6
"""The probability that a comparison accepts a theory wrong by its smallest discrepancy."""
ROUNDING = 1e-12
"""Relative error of a float64 sum; what does not vary is compared to this."""

AGREES, DISAGREES, NOT_TESTABLE = "agrees", "disagrees", "not testable"


def alarm_threshold(comparisons: int, false_alarm: float = FALSE_ALARM) -> float:
    """The |z| that one of `comparisons` two-sided tests must pass to raise an alarm."""
    return float(stats.norm.isf(false_alarm / (2 * comparisons)))


def replicates_needed(
    resolution: ArrayLike,
    scale: ArrayLike,
    comparisons: int,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> NDArray[np.float64]:
    """Replicates with which a mean wrong by `resolution` passes with probability `false_pass`.

    ((z_{alpha/2m} + z_beta) scale / resolution)^2, rounded up; false passes do not add over a family.

    Args:
        resolution: the discrepancy worth seeing, in units of the observable.
        scale: the standard deviation of one replicate.
        comparisons: the size m of the family.
        false_alarm: of the whole family.
        false_pass: of one comparison.
    """
    reach = alarm_threshold(comparisons, false_alarm) + stats.norm.isf(false_pass)
    return np.ceil((reach * np.asarray(scale, float) / np.asarray(resolution, float)) ** 2)


def smallest_discrepancy(
    count: ArrayLike,
    scale: ArrayLike,
    comparisons: int,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> NDArray[np.float64]:
    """The least error of a mean that `count` replicates let pass with probability `false_pass` only."""
    reach = alarm_threshold(comparisons, false_alarm) + stats.norm.isf(false_pass)
    return reach * np.asarray(scale, float) / np.sqrt(np.asarray(count, float))


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on one statistic, arrays of the shape of what was compared.

    Attributes:
        statistic: "mean" or "variance".
        sample: what Monte Carlo found.
        theory: what was predicted; nan: nothing was, and there is no verdict.
        scale: standard deviation of one replicate's contribution.
        count: replicates.
        z: (sample - theory) sqrt(count) / scale.
        rates: comparisons in the family, false alarms of the family, false passes of one comparison.
        smallest_discrepancy: the error that would have passed with that last probability.
        verdict: "agrees", "disagrees", "not testable", or "" where nothing was predicted.
        replicates: how many would make it testable (infinite: no number would).
    """

    statistic: str
    sample: NDArray
    theory: NDArray
    scale: NDArray
    count: NDArray
    z: NDArray
    rates: tuple[int, float, float]
    smallest_discrepancy: NDArray
    verdict: NDArray
    replicates: NDArray

    @property
    def threshold(self) -> float:
        """The |z| of an alarm."""
        return alarm_threshold(*self.rates[:2])

    @property
    def tested(self) -> NDArray:
        """Where there is a verdict for or against."""
        return (self.verdict == AGREES) | (self.verdict == DISAGREES)

    @property
    def disagrees(self) -> bool:
        """Whether anything raised an alarm."""
        return bool((self.verdict == DISAGREES).any())

    @property
    def holds(self) -> bool:
        """Whether something was predicted, and all that was agrees: what cannot be tested does not hold."""
        judged = self.verdict[self.verdict != ""]
        return judged.size > 0 and bool((judged == AGREES).all())

    def rejects(self, resolution: float) -> NDArray:
        """Where a theory moved by `resolution` scales, either way, would have been rejected.

        The negative control of a test: with the replicates of `replicates_for` it fails as rarely as a false
        pass. What does not vary is moved by three roundings instead.
        """
        size = np.where(self.theory == 0, 1, np.abs(self.theory))
        shift = np.where(self.replicates == 1, 3 * ROUNDING * size, resolution * self.scale)
        caught = [
            judge(self.statistic, self.sample, self.theory + way * shift, *self._terms()).verdict == DISAGREES
            for way in (1, -1)
        ]
        return caught[0] & caught[1]

    def _terms(self) -> tuple:
        return self.scale, self.count, self.replicates, self.rates


def judge(
    statistic: str,
    sample: NDArray,
    theory: NDArray,
    scale: NDArray,
    count: NDArray,
    needed: NDArray,
    rates: tuple[int, float, float],
) -> Verdicts:
    """Verdicts from a scale, and from the replicates `needed` for a normal tail.

    Args:
        statistic: "mean" or "variance".
        sample: what Monte Carlo found.
        theory: what was predicted; nan for nothing.
        scale: standard deviation of one replicate's contribution; 0: compared to rounding.
        count: replicates.
        needed: replicates without which there is no verdict.
        rates: comparisons in the family, false alarms of the family, false passes of one.
    """
    threshold = alarm_threshold(*rates[:2])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rounding = ROUNDING * np.abs(theory)
        constant = scale <= rounding
        error = np.where(sample == theory, 0.0, sample - theory)
        close = np.abs(error) <= rounding
        z = np.where(error == 0, 0.0, error * np.sqrt(count) / scale)
        z = np.where(constant, np.where(close, 0.0, np.copysign(np.inf, error)), z)
        passes = np.where(constant, close, np.abs(z) <= threshold)
        least = np.where(constant, rounding, smallest_discrepancy(count, scale, *rates))
    # An infinite expectation is never seen, and a heavy tail too rarely; a NaN always is.
    endless = np.isinf(theory) & np.isfinite(sample)
    needed = np.where(endless, np.inf, np.where(constant, 1.0, needed))
    hidden = np.isfinite(sample) & ~(count >= needed)
    verdict = np.where(passes, AGREES, DISAGREES)
    verdict = np.where(hidden, NOT_TESTABLE, verdict)
    verdict = np.where(np.isnan(theory), "", verdict)
    return Verdicts(statistic, sample, theory, scale, count, z, rates, least, verdict, needed)
