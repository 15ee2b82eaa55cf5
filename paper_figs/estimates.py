"""Monte Carlo estimates with 95% intervals, and when a mean has one that can be believed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from theory.loop import Loop

COVERAGE = 0.95


class Estimate(NamedTuple):
    """An estimate and the ends of its 95% interval."""

    value: float
    low: float
    high: float


def mean(samples: Float[np.ndarray, " seed"]) -> Estimate:
    """The sample mean with its normal interval; see `mean_is_testable` for when that one holds."""
    centre = float(np.mean(samples))
    half = stats.norm.ppf((1 + COVERAGE) / 2) * float(np.std(samples, ddof=1)) / np.sqrt(len(samples))
    return Estimate(centre, centre - half, centre + half)


def of_few(samples: Float[np.ndarray, " seed"]) -> Estimate:
    """The sample mean with Student's interval, exact for normal samples; of one sample no interval."""
    centre, half = float(np.mean(samples)), 0.0
    if len(samples) > 1:
        reach = stats.t.ppf((1 + COVERAGE) / 2, len(samples) - 1)
        half = float(reach * np.std(samples, ddof=1) / np.sqrt(len(samples)))
    return Estimate(centre, centre - half, centre + half)


def quantile(samples: Float[np.ndarray, " seed"], p: float) -> Estimate:
    """The sample quantile with the interval between two order statistics that needs no law.

    Of N samples, the number B below the true p-quantile is binomial (N, p) if the law is continuous, so
    [X_(l), X_(u)] covers it with probability P(l <= B < u): at least 95% with l and u - 1 the 2.5% and 97.5%
    quantiles of B (David and Nagaraja, *Order Statistics*, 2003, section 7.1).

    Raises:
        ValueError: if there are too few samples for both ends to exist.
    """
    ordered, count = np.sort(samples), len(samples)
    tail = (1 - COVERAGE) / 2
    lower, upper = int(stats.binom.ppf(tail, count, p)), int(stats.binom.ppf(1 - tail, count, p)) + 1
    if lower < 1 or upper > count:
        raise ValueError(f"{count} samples are too few for an interval around the {p} quantile")
    return Estimate(float(np.quantile(ordered, p)), float(ordered[lower - 1]), float(ordered[upper - 1]))


def skewness(
    loop: Loop, observable: str, generation: int, samples: Float[np.ndarray, " seed"]
) -> tuple[float, str]:
    """The skewness of an observable, and whether it is `exact` or, where theory knows none, of the `runs`."""
    from theory.predict import central_moments

    _, variance, third, _ = np.asarray(central_moments(loop, observable, [generation]))[:, 0]
    if np.isfinite(third) and variance > 0:
        return float(third / variance**1.5), "exact"
    return float(stats.skew(samples)), "runs"


def mean_is_testable(skewness: float, count: int) -> bool:
    """Whether the normal interval of a mean of `count` samples deserves its name: count > 25 skewness^2.

    Cochran's rule (*Sampling Techniques*, 3rd ed. 1977, section 2.15): a 95% interval is then wrong at most
    6% of the time. Products of many factors soon break it: their mean is carried by runs too rare to be seen.
    """
    return count > 25 * skewness**2
