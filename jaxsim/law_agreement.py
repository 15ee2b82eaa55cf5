"""Whether a sample follows a law: exact binomial tests at stated quantiles, and Kolmogorov-Smirnov.

Neither needs a moment, so that both hold for tails of any weight, at any number of replicates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from jaxsim.verdict import AGREES, DISAGREES, FALSE_ALARM, FALSE_PASS, replicates_needed


class ProbabilityVerdict(NamedTuple):
    """Verdicts on probabilities, arrays of one shape.

    Attributes:
        frequency: the share of replicates.
        probability: what was predicted.
        z: (frequency - probability) / sqrt(p (1 - p) / count): for reading, not for judging.
        accepted: the least and greatest number of replicates that raise no alarm.
        smallest_discrepancy: the error that would have passed with probability `FALSE_PASS`.
        verdict: "agrees" or "disagrees".
    """

    frequency: NDArray
    probability: NDArray
    z: NDArray
    accepted: tuple[NDArray, NDArray]
    smallest_discrepancy: NDArray
    verdict: NDArray

    @property
    def holds(self) -> bool:
        """Whether all agree."""
        return bool((self.verdict == AGREES).all())


def agree_on_probability(
    successes: ArrayLike,
    count: ArrayLike,
    probability: ArrayLike,
    *,
    comparisons: int | None = None,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> ProbabilityVerdict:
    """Exact two-sided binomial tests that an event has its predicted probability.

    The number of successes is Binomial(count, p); each of its tails beyond what is accepted has at most
    alpha/2m. An event of probability p1 is accepted with probability at most P(Bin(count, p1) <= upper), a
    beta integral in p1, whose root gives the smallest discrepancy (Clopper and Pearson, 1934).

    Args:
        successes: how often it happened, out of `count`, for each event.
        count: replicates.
        probability: predicted.
        comparisons: the size of the family these belong to; by default only these.
        false_alarm: of the whole family.
        false_pass: of one comparison.
    """
    successes, count, p = np.broadcast_arrays(
        *(np.asarray(part, float) for part in (successes, count, probability))
    )
    tail = false_alarm / (2 * (comparisons or max(p.size, 1)))
    # ppf(q) is the least k with cdf(k) >= q, so that P(X < k) < q; isf(q) likewise bounds P(X > k) by q.
    lower, upper = stats.binom.ppf(tail, count, p), stats.binom.isf(tail, count, p)
    passes = (lower <= successes) & (successes <= upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(upper < count, special.betainccinv(upper + 1, count - upper, false_pass), 1.0)
        below = np.where(lower > 0, special.betaincinv(lower, count - lower + 1, false_pass), 0.0)
        error = successes / count - p
        z = np.where(error == 0, 0.0, error / np.sqrt(p * (1 - p) / count))
    return ProbabilityVerdict(
        successes / count,
        p,
        z,
        (lower, upper),
        np.maximum(above - p, p - below),
        np.where(passes, AGREES, DISAGREES),
    )


def replicates_for_probability(
    probability: ArrayLike,
    resolution: float,
    comparisons: int,
    false_alarm: float = FALSE_ALARM,
    false_pass: float = FALSE_PASS,
) -> NDArray[np.float64]:
    """Replicates with which `agree_on_probability` sees an error of `resolution` sqrt(p (1 - p)).

    The normal design, raised in steps of 2% until the exact test has the power.
    """
    p = np.asarray(probability, float)
    count = np.broadcast_to(replicates_needed(resolution, 1.0, comparisons, false_alarm, false_pass), p.shape)
    while True:
        design = agree_on_probability(
            np.zeros_like(p),
            count,
            p,
            comparisons=comparisons,
            false_alarm=false_alarm,
            false_pass=false_pass,
        )
        short = design.smallest_discrepancy > resolution * np.sqrt(p * (1 - p))
        if not short.any():
            return count
        count = np.where(short, np.ceil(1.02 * count), count)


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
