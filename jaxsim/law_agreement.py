"""Whether a sample follows a law: exact binomial tests at stated quantiles.

They need no moment, so that they hold for tails of any weight, at any number of replicates.
"""

from __future__ import annotations

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
