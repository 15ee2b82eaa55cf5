"""Whether two independent samples, of two engines say, have one mean or one law; or one sample a law.

Nothing is predicted of two samples: scale and tail come from the samples themselves, and the rates are
nominal in the sense of `jaxsim.agreement`. Kolmogorov-Smirnov needs no moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxsim.agreement import FALSE_ALARM, FALSE_PASS, Sample, Verdicts, alarm_threshold, arrays_of
from jaxsim.tail import replicates_for_normal_tail
from jaxsim.verdict import AGREES, DISAGREES, judge


def two_samples_agree(
    first: Sample,
    second: Sample,
    *,
    comparisons: int | None = None,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> Verdicts:
    """Two-sample z-tests of means; the verdicts' `theory` is the second mean.

    The difference of means counts as the mean of M = N1 N2/(N1 + N2) replicates with cumulants
    k_r(1) (M/N1)^(r-1) + (-1)^r k_r(2) (M/N2)^(r-1): equal laws and sizes have no skewness left.

    Args:
        first: moments of one sample.
        second: of the other; shapes broadcast.
        comparisons: the size of the family these belong to; by default only these.
        false_alarm: of the whole family.
        false_pass: of one comparison.
    """
    parts = arrays_of(first, second)
    (n1, mean1, *moments1), (n2, mean2, *moments2) = parts[:5], parts[5:]
    count = n1 * n2 / (n1 + n2)
    share1, share2 = count / n1, count / n2
    (variance1, third1, fourth1), (variance2, third2, fourth2) = moments1, moments2
    variance = variance1 * share1 + variance2 * share2
    third = third1 * share1**2 - third2 * share2**2
    fourth = (fourth1 - 3 * variance1**2) * share1**3 + (fourth2 - 3 * variance2**2) * share2**3
    if comparisons is None:
        comparisons = max(mean1.size, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.where(variance == 0, 0.0, third / variance**1.5)
        excess = np.where(variance == 0, 0.0, fourth / variance**2)
    needed = replicates_for_normal_tail(
        skewness, excess, alarm_threshold(comparisons, false_alarm), studentised=True
    )
    rates = (comparisons, false_alarm, false_pass)
    return judge("mean", mean1, mean2, np.sqrt(variance), count, needed, rates)


class LawVerdict(NamedTuple):
    """A verdict on a whole distribution function.

    Attributes:
        distance: the greatest difference of two distribution functions.
        threshold: the distance of an alarm.
        smallest_discrepancy: the distance of laws that would have passed with probability `FALSE_PASS`.
        verdict: "agrees" or "disagrees".
    """

    distance: float
    threshold: float
    smallest_discrepancy: float
    verdict: str

    @property
    def holds(self) -> bool:
        """Whether it agrees."""
        return self.verdict == AGREES


def agree_in_law(
    values: ArrayLike,
    cdf: Callable[[NDArray], ArrayLike],
    *,
    comparisons: int = 1,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> LawVerdict:
    """Kolmogorov-Smirnov of independent values against a distribution function.

    P(sup |F_N - F| > e) <= 2 exp(-2 N e^2) for every N and F (Dvoretzky, Kiefer and Wolfowitz, 1956; the
    constant is Massart's, 1990, doi:10.1214/aop/1176990746). By the triangle inequality laws further apart
    than the sum of both radii are told apart.
    """
    values = np.sort(np.asarray(values, float).ravel())
    count = len(values)
    expected = np.asarray(cdf(values), float)
    steps = np.arange(count + 1) / count
    distance = float(max(np.max(steps[1:] - expected), np.max(expected - steps[:-1])))
    return _law_verdict(distance, count, false_alarm / comparisons, false_pass)


def two_samples_agree_in_law(
    first: ArrayLike,
    second: ArrayLike,
    *,
    comparisons: int = 1,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> LawVerdict:
    """Kolmogorov-Smirnov of two samples of one size N against each other.

    P(sup |F_N - G_N| > e) <= 2 exp(-N e^2) for N >= 458 (Wei and Dudley, 2012,
    doi:10.1016/j.spl.2011.11.012).

    Raises:
        ValueError: if the sizes differ or are below 458, where that inequality is not known.
    """
    first, second = np.sort(np.ravel(first)), np.sort(np.ravel(second))
    if len(first) != len(second) or len(first) < 458:
        raise ValueError(
            f"samples of {len(first)} and {len(second)}: two equal sizes of at least 458 are needed"
        )
    everything = np.concatenate([first, second])
    ranks = [np.searchsorted(side, everything, side="right") for side in (first, second)]
    distance = float(np.max(np.abs(ranks[0] - ranks[1])) / len(first))
    return _law_verdict(distance, len(first) / 2, false_alarm / comparisons, false_pass)


def _law_verdict(distance: float, count: float, false_alarm: float, false_pass: float) -> LawVerdict:
    threshold, slack = (float(np.sqrt(np.log(2 / rate) / (2 * count))) for rate in (false_alarm, false_pass))
    # NaN must not pass
    return LawVerdict(distance, threshold, threshold + slack, AGREES if distance <= threshold else DISAGREES)
