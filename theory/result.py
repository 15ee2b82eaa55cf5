"""What a closed form says of one observable: numbers per generation, and how they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from theory.claim import Status

ORDER: tuple[Status, ...] = ("exact", "recursion", "asymptotic", "bound", "infinite", "none")
"""From the most to the least certain status."""
SIMULATE = "; `autophagy simulate` measures it"
"""What a reason ends with where there is no closed form."""
TOO_LARGE = "the mean is finite but exceeds the largest float, 1.8e308: measure in larger units"


@dataclass(frozen=True)
class Statistic:
    """Mean and central moments of an observable.

    Attributes:
        mean: per generation and trailing axes; nan where not known, infinite where it diverges.
        variance: likewise.
        status: how it is known.
        claim: the id of the claim behind it, if there is one.
        reason: why there is no closed form, or which condition of finiteness fails.
        almost_surely: at t = inf, the limit of almost every run where it is a constant, else nan.
        third: third central moment, likewise, if known.
        fourth: fourth central moment.
    """

    mean: np.ndarray
    variance: np.ndarray
    status: Status
    claim: str | None
    reason: str | None = None
    almost_surely: np.ndarray | None = None
    third: np.ndarray | None = None
    fourth: np.ndarray | None = None

    def central_moments(self) -> np.ndarray:
        """Mean, variance, third and fourth central moments along a leading axis; nan where not known."""
        unknown = np.full_like(self.mean, np.nan)
        third = unknown if self.third is None else self.third
        fourth = unknown if self.fourth is None else self.fourth
        return np.stack([self.mean, self.variance, third, fourth])


def joined(early: Statistic, final: Statistic) -> Statistic:
    """The statistic over the finite generations and then the limit; the less certain status is kept."""
    weaker = max(early, final, key=lambda part: ORDER.index(part.status))
    if early.status != final.status == "none":
        weaker = replace(early, reason=final.reason)
    return Statistic(
        mean=np.concatenate([early.mean, final.mean]),
        variance=np.concatenate([early.variance, final.variance]),
        status=weaker.status,
        claim=early.claim,
        reason=weaker.reason,
        almost_surely=final.almost_surely,
    )


def unknown(shape: tuple[int, ...], status: Status, claim: str | None, reason: str) -> Statistic:
    """A statistic without numbers, and why."""
    return Statistic(np.full(shape, np.nan), np.full(shape, np.nan), status, claim, reason)


def central(raw: Sequence[Any]) -> list[Any]:
    """Mean and central moments from as many raw moments, in any ring."""
    moments = list(raw[:1])
    if len(raw) > 1:
        one, two = raw[:2]
        moments.append(two - one * one)
    if len(raw) > 2:
        three = raw[2]
        moments.append(three - 3 * one * two + 2 * one**3)
    if len(raw) > 3:
        moments.append(raw[3] - 4 * one * three + 6 * one**2 * two - 3 * one**4)
    return moments
