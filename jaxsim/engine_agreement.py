"""Whether two independent samples, of two engines say, have one mean.

Nothing is predicted here: scale and tail come from the samples themselves, and the rates are nominal in the
sense of `jaxsim.agreement`. For laws there is `jaxsim.law_agreement.two_samples_agree_in_law`.
"""

from __future__ import annotations

import numpy as np

from jaxsim.agreement import FALSE_ALARM, FALSE_PASS, Sample, Verdicts, alarm_threshold, arrays_of
from jaxsim.tail import replicates_for_normal_tail
from jaxsim.verdict import judge


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
