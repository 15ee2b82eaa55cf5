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

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxsim.tail import replicates_for_normal_tail, square_of_pearson
from jaxsim.verdict import (
    AGREES,
    DISAGREES,
    FALSE_ALARM,
    FALSE_PASS,
    NOT_TESTABLE,
    Verdicts,
    alarm_threshold,
    judge,
    replicates_needed,
    smallest_discrepancy,
)

__all__ = [
    "AGREES",
    "DISAGREES",
    "FALSE_ALARM",
    "FALSE_PASS",
    "NOT_TESTABLE",
    "Agreement",
    "Sample",
    "Theory",
    "Verdicts",
    "agree",
    "alarm_threshold",
    "comparisons_in",
    "replicates_for",
    "replicates_needed",
    "smallest_discrepancy",
]


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
    # replicates that never saw the spread theory speaks of cannot speak for its mean
    unseen = ~studentised & (sample_variance < variance / 2)
    needed = np.where(unseen | np.isinf(variance), np.inf, needed)
    on_mean = judge("mean", sample_mean, mean, np.sqrt(scale_squared), count, needed, rates)
    # replicates that are all the same say nothing of how rarely they are not, unless theory says: never
    alike = studentised & (sample_variance == 0) & (on_mean.verdict == DISAGREES)
    on_mean = replace(
        on_mean,
        verdict=np.where(alike, NOT_TESTABLE, on_mean.verdict),
        replicates=np.where(alike, np.inf, on_mean.replicates),
    )

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
