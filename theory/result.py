"""What a closed form says of one observable: numbers per generation, and how they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.claim import Status


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


def unknown(shape: tuple[int, ...], status: Status, claim: str | None, reason: str) -> Statistic:
    """A statistic without numbers, and why."""
    return Statistic(np.full(shape, np.nan), np.full(shape, np.nan), status, claim, reason)
