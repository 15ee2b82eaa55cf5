"""The fits of a replace loop in d dimensions, in runs of equal ones up to the generations asked for.

A fit draws its points with covariance factor x Sigma: Sigma' = (factor / divisor) Sigma^{1/2} W Sigma^{1/2},
W Wishart with n - 1 degrees of freedom unless the samples were truncated.

A limit t -> inf is read off the generation 2^56 and the one twice as late: the closed forms reach them as
easily as any other, and what still grows between them is infinite, what still shrinks is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from theory.loop import Gaussian, Loop
from theory.replace.fits import Fit, constant_size, fit, models, runs

FOR_EVER = 2**56
"""Fits that stand for infinitely many: (1 - 1/n)^(2^56) is below rounding up to n = 10^15."""
SETTLED = 1e-9
"""Relative change, while the number of fits doubles from `FOR_EVER`, below which a limit is reached."""


@dataclass(frozen=True)
class Path:
    """The fits up to the generations asked for, in runs of equal ones.

    Attributes:
        loop: the loop.
        generations: as asked for, numbers >= 0; infinity needs a constant n.
    """

    loop: Loop
    generations: tuple[float, ...]

    @classmethod
    def of(cls, loop: Loop, generations: Sequence[float]) -> Path:
        """The path of `loop` to `generations`."""
        return cls(loop, tuple(np.atleast_1d(np.asarray(generations, float)).tolist()))

    @cached_property
    def dimension(self) -> int:
        """The number of coordinates d."""
        return models(self.loop)[0].dimension

    @cached_property
    def source_covariance(self) -> NDArray[np.float64]:
        """The source's covariance matrix."""
        return matrix(models(self.loop)[0])

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """The covariance matrix of model 0."""
        return matrix(models(self.loop)[1])

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """Where the walk's mean begins, seen from the source: model 0's mean minus the source's."""
        source, first = models(self.loop)
        return vector(first) - vector(source)

    @cached_property
    def infinite(self) -> NDArray[np.bool_]:
        """Which generations are the limit."""
        return np.isinf(np.array(self.generations))

    @cached_property
    def has_limit(self) -> bool:
        """Whether a limit is asked for."""
        return bool(self.infinite.any())

    @cached_property
    def last(self) -> int:
        """The last finite generation."""
        return int(max((g for g in self.generations if np.isfinite(g)), default=0))

    @cached_property
    def stops(self) -> tuple[int, ...]:
        """Generations to compute, increasing; the last two stand for the limit if there is one."""
        finite = sorted({int(g) for g in self.generations if np.isfinite(g)})
        return (*finite, *((FOR_EVER, 2 * FOR_EVER) if self.has_limit else ()))

    @cached_property
    def runs(self) -> tuple[tuple[Fit, int], ...]:
        """The fits in order, equal ones counted together."""
        begun = max(self.last, int(self.has_limit))
        fits = list(runs(self.loop, begun))
        if self.has_limit:
            fits.append((fit(self.loop, 2, constant_size(self.loop)), 2 * FOR_EVER - begun))
        return tuple(fits)

    @cached_property
    def truncated(self) -> bool:
        """Whether some samples are truncated."""
        return any(one.truncate is not None for one, _ in self.runs)

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """The rank of Sigma at each stop: r_t = min(r_{t-1}, n_t - 1)."""
        nus = [self.dimension, *(one.nu for one, _ in self.runs)]
        return np.minimum.accumulate(nus)[self._run_at()]

    def _run_at(self) -> NDArray[np.int64]:
        """For each stop the number of runs begun, 0 at generation 0."""
        ends = np.cumsum([0, *(count for _, count in self.runs)])
        return np.searchsorted(ends, self.stops)

    def total(self, value: Callable[[Fit], NDArray]) -> NDArray:
        """The sum of `value`, an array for each fit, over the fits up to each stop: [stop, ...]."""
        if not self.runs:
            return np.array([0 * value(fit(self.loop, 1, 2))] * len(self.stops))
        known = {one: value(one) for one in dict(self.runs)}
        each = np.array([known[one] for one, _ in self.runs])
        counts = np.array([count for _, count in self.runs], dtype=each.dtype)
        shape = (-1,) + (1,) * (each.ndim - 1)
        sums = np.cumsum(np.concatenate([0 * each[:1], counts.reshape(shape) * each]), axis=0)
        begun = self._run_at()
        ends = np.cumsum([0, *(count for _, count in self.runs)])
        missing = np.array([ends[i] - stop for i, stop in zip(begun, self.stops, strict=True)], each.dtype)
        return sums[begun] - missing.reshape(shape) * each[np.maximum(begun, 1) - 1]

    def settled(self, values: NDArray) -> NDArray[np.float64]:
        """Numbers at the stops, as floats at the generations asked for: [generation, ...]; nan: no limit."""
        numbers = np.array(values, float)
        if not self.has_limit:
            limit = np.full(numbers.shape[1:], np.nan)
        else:
            early, late = numbers[-2:]
            with np.errstate(invalid="ignore"):
                still = (early == late) | (np.abs(late - early) <= SETTLED * np.abs(early))
            grown = np.where(np.abs(late) > np.abs(early), np.copysign(np.inf, late), 0.0)
            limit = np.where(still, late, np.where(np.isnan(late), np.nan, grown))
        place = {stop: i for i, stop in enumerate(self.stops)}
        return np.array([numbers[place[int(g)]] if np.isfinite(g) else limit for g in self.generations])


def matrix(model: Gaussian) -> NDArray[np.float64]:
    """The covariance matrix of a Gaussian."""
    variance = np.asarray(model.variance, float)
    if variance.ndim == 2:
        return variance
    return np.diag(np.broadcast_to(variance, model.dimension))


def vector(model: Gaussian) -> NDArray[np.float64]:
    """The mean of a Gaussian."""
    return np.array(np.broadcast_to(np.asarray(model.mean, float), model.dimension))
