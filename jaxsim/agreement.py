"""Whether Monte Carlo agrees with theory: error rates first, replicates next, a verdict last.

A comparison raises an alarm when |z| passes the threshold z_{alpha/2m}: at most `FALSE_ALARM` = alpha in a
whole family of m comparisons (Bonferroni). It would have passed a theory wrong by its smallest discrepancy
(z_{alpha/2m} + z_beta) scale / sqrt(count), or more, with probability at most `FALSE_PASS` = beta. The
number of replicates follows from the discrepancy worth seeing and is fixed before the first draw.

The scale is theory's own standard deviation, not the sample's, and a mean is judged only with as many
replicates as its tail asks for (`jaxsim.tail`); with fewer it is "not testable", however good its z looks.

What remains of the rates where theory knows less: with a variance but no third and fourth central moments,
the sample's decide about the tail, and a sample whose variance is under half of theory's is refused, since
it has not met its own tail; with no variance either, the mean is divided by the sample's standard
deviation. A tail that no replicate visited is invisible to both, so that those rates are nominal, not
guaranteed.

Numbers in, verdicts out: nothing here knows what was simulated. (The design is that of TensorFlow
Probability's `statistical_testing`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from jaxsim.tail import replicates_for_normal_tail, square_of_pearson

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


class Sample(NamedTuple):
    """What Monte Carlo found, arrays of one shape (broadcast): `variance` to `fourth` are central moments."""

    count: ArrayLike
    mean: ArrayLike
    variance: ArrayLike
    third: ArrayLike = np.nan
    fourth: ArrayLike = np.nan

    @classmethod
    def of(cls, values: ArrayLike) -> Sample:
        """The moments of replicates along the first axis; the variance has divisor count - 1."""
        values = np.asarray(values, float)
        mean = values.mean(0)
        error = values - mean
        count = len(values)
        return cls(count, mean, (error**2).sum(0) / (count - 1), (error**3).mean(0), (error**4).mean(0))


class Theory(NamedTuple):
    """What is predicted: the mean and central moments of one replicate, nan where unknown."""

    mean: ArrayLike
    variance: ArrayLike = np.nan
    third: ArrayLike = np.nan
    fourth: ArrayLike = np.nan


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
        shift = np.where(self.replicates == 1, 3 * ROUNDING * np.abs(self.theory), resolution * self.scale)
        caught = [
            judge(self.statistic, self.sample, self.theory + way * shift, *self._terms()).verdict == DISAGREES
            for way in (1, -1)
        ]
        return caught[0] & caught[1]

    def _terms(self) -> tuple:
        return self.scale, self.count, self.replicates, self.rates


class Agreement(NamedTuple):
    """Verdicts on the mean, and on the variance where theory knows the fourth central moment."""

    mean: Verdicts
    variance: Verdicts

    @property
    def disagrees(self) -> bool:
        """Whether anything raised an alarm."""
        return self.mean.disagrees or self.variance.disagrees

    @property
    def holds(self) -> bool:
        """Whether all that was predicted agrees."""
        predicted = [v for v in self if (v.verdict != "").any()]
        return bool(predicted) and all(v.holds for v in predicted)


def comparisons_in(theory: Theory) -> int:
    """How many comparisons `agree` makes: means that are predicted, and variances with a known scale."""
    mean, variance, _, fourth = arrays_of(theory)
    return int(np.isfinite(mean).sum() + (np.isfinite(variance) & np.isfinite(fourth)).sum())


def agree(
    sample: Sample,
    theory: Theory,
    *,
    comparisons: int | None = None,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> Agreement:
    """Confront sample moments with predicted ones: z-tests of every mean and of every variance.

    Args:
        sample: of independent replicates.
        theory: arrays that broadcast with it, over generations and components.
        comparisons: the size of the family these belong to; by default only these.
        false_alarm: of the whole family.
        false_pass: of one comparison.
    """
    *moments, mean, variance, third, fourth = arrays_of(sample, theory)
    count, sample_mean, sample_variance, sample_third, sample_fourth = moments
    if comparisons is None:
        comparisons = max(comparisons_in(theory), 1)
    rates = (comparisons, false_alarm, false_pass)
    threshold = alarm_threshold(comparisons, false_alarm)

    studentised = ~np.isfinite(variance)
    scale_squared = np.where(studentised, sample_variance, variance)
    complete = np.isfinite(variance) & np.isfinite(third) & np.isfinite(fourth)
    unknown = ~complete & ~np.isinf(third) & ~np.isinf(fourth)
    shape = shape_of(
        np.where(unknown, sample_variance, variance),
        np.where(unknown, sample_third, third),
        np.where(unknown, sample_fourth, fourth),
    )
    needed = np.where(
        studentised,
        replicates_for_normal_tail(*shape, threshold, studentised=True),
        replicates_for_normal_tail(*shape, threshold),
    )
    unseen = unknown & ~studentised & (sample_variance < variance / 2)
    needed = np.where(unseen | np.isinf(variance), np.inf, needed)
    on_mean = judge("mean", sample_mean, mean, np.sqrt(scale_squared), count, needed, rates)

    with np.errstate(invalid="ignore", over="ignore"):
        # exactly the variance of a sample variance with divisor N - 1, times N
        spread = fourth - variance**2 * (count - 3) / np.maximum(count - 1, 1)
    predicted = np.where(complete, variance, np.nan)
    needed = replicates_for_normal_tail(*square_of_pearson(*shape_of(variance, third, fourth)), threshold)
    on_variance = judge(
        "variance", sample_variance, predicted, np.sqrt(np.maximum(spread, 0)), count, needed, rates
    )
    return Agreement(on_mean, on_variance)


def replicates_for(theory: Theory, resolution: float, comparisons: int) -> tuple[NDArray, NDArray]:
    """Replicates with which `agree` sees an error of `resolution` scales in a mean, and in a variance.

    The larger of what the error rates and what the tail ask for; infinite where no number would do, nan
    where nothing is predicted. Where theory does not know the tail, the normal's is planned for.
    """
    mean, variance, third, fourth = arrays_of(theory)
    threshold = alarm_threshold(comparisons)
    power = replicates_needed(resolution, 1.0, comparisons)
    skewness, excess = shape_of(variance, third, fourth)
    tail = replicates_for_normal_tail(
        np.where(np.isnan(skewness), 0.0, skewness), np.where(np.isnan(excess), 0.0, excess), threshold
    )
    tail = np.where(np.isinf(variance), np.inf, tail)
    square = replicates_for_normal_tail(*square_of_pearson(skewness, excess), threshold)
    complete = np.isfinite(variance) & np.isfinite(third) & np.isfinite(fourth)
    varies = variance != 0
    return (
        np.where(np.isfinite(mean), np.where(varies, np.maximum(power, tail), 1.0), np.nan),
        np.where(complete & varies, np.maximum(power, square), np.nan),
    )


def arrays_of(*groups: NamedTuple) -> list[NDArray[np.float64]]:
    """The parts of `groups`, broadcast to one shape."""
    return list(np.broadcast_arrays(*(np.asarray(part, float) for group in groups for part in group)))


def shape_of(variance: NDArray, third: NDArray, fourth: NDArray) -> tuple[NDArray, NDArray]:
    """Skewness and excess kurtosis; 0 where nothing varies."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        skewness, excess = third / variance**1.5, fourth / variance**2 - 3
    constant = variance == 0
    return np.where(constant, 0.0, skewness), np.where(constant, 0.0, excess)


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
