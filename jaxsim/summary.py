"""Additive summaries: count, mean and central moments up to the fourth; merging is `+`.

A block of replicates is reduced on the device in two passes: its mean, then powers of the deviations, scaled
by the largest of them so that neither 1e-30 nor 1e30 loses its fourth power in float32. Blocks are merged on
the host in float64, pairwise in block order, by the formulas of Chan, Golub and LeVeque (1979) and Pébay
(2008, SAND2008-6212).
"""

from dataclasses import dataclass, fields
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

STATISTICS = ("count", "mean", "variance", "third", "fourth", "standard_error")
PARTIALS = 6  # numbers a block is reduced to


@dataclass(frozen=True)
class Summary:
    """Moments of a batch of replicates, elementwise over arrays of one shape.

    Attributes:
        count: replicates.
        mean: their mean.
        second, third, fourth: sums of the powers of the deviations from it.
    """

    count: np.ndarray
    mean: np.ndarray
    second: np.ndarray
    third: np.ndarray
    fourth: np.ndarray

    def __add__(self, other: "Summary") -> "Summary":
        a, b = self, other
        if not np.any(b.count):
            return a
        if not np.any(a.count):
            return b
        with np.errstate(all="ignore"):
            n = a.count + b.count
            d, p, q = b.mean - a.mean, a.count / n, b.count / n
            square = d * d  # products: a power of an array is ten times as slow
            merged = (
                a.mean + d * q,
                a.second + b.second + square * (a.count * q),
                a.third
                + b.third
                + square * d * (a.count * q * (p - q))
                + 3 * d * (p * b.second - q * a.second),
                a.fourth
                + b.fourth
                + square * square * (a.count * q * (p * p - p * q + q * q))
                + 6 * square * (p * p * b.second + q * q * a.second)
                + 4 * d * (p * b.third - q * a.third),
            )
        # arithmetic on arrays without axes gives scalars
        return Summary(np.asarray(n), *map(_beyond, map(np.asarray, merged)))

    def scaled(self, factor: np.ndarray | float, shift: np.ndarray | float = 0.0) -> "Summary":
        """The summary of shift + factor * (what was summarised)."""
        with np.errstate(all="ignore"):
            moments = (self.second, self.third, self.fourth)
            powers = (m * factor**k for k, m in enumerate(moments, start=2))
            moved = (self.mean * factor + shift, *powers)
            return Summary(self.count, *map(_beyond, map(np.asarray, moved)))

    def statistics(self) -> np.ndarray:
        """The rows named in `STATISTICS`: central moments, the variance with divisor count - 1."""
        n = np.maximum(self.count, 1)
        with np.errstate(all="ignore"):
            # one replicate has no spread to speak of: its variance and standard error are infinite
            variance = np.where(n > 1, self.second / np.maximum(n - 1, 1), np.inf)
            rows = (self.count, self.mean, variance, self.third / n, self.fourth / n, np.sqrt(variance / n))
        return np.stack(np.broadcast_arrays(*rows)).astype(float)

    def take(self, index: slice) -> "Summary":
        """The part of every array that `index` selects."""
        return Summary(*(getattr(self, field.name)[index] for field in fields(self)))


class Tally:
    """A sum of summaries, added pairwise like the digits of a binary counter.

    The total depends on the parts and their order alone. Stretches of 2^k parts that begin at a multiple of
    2^k may be added elsewhere first, the last one shorter: the bits are the same.
    """

    def __init__(self) -> None:
        self._sums: list[tuple[int, Summary]] = []

    def add(self, part: Summary) -> None:
        """Add the next part."""
        level = 0
        while self._sums and self._sums[-1][0] == level:
            part = self._sums.pop()[1] + part
            level += 1
        self._sums.append((level, part))

    def sum(self) -> Summary:
        """The total of at least one part."""
        return reduce(lambda later, earlier: earlier + later, (part for _, part in reversed(self._sums)))


def of(samples: np.ndarray) -> Summary:
    """The summary of samples [replicate, ...] on the host."""
    count = np.full(samples.shape[1:], float(len(samples)))
    mean = np.asarray(samples.mean(0)) if len(samples) else np.zeros(samples.shape[1:])
    return Summary(count, mean, *(np.asarray(((samples - mean) ** k).sum(0)) for k in (2, 3, 4)))


def _beyond(value: np.ndarray) -> np.ndarray:
    """What left the range of floating point is infinite; the sign is kept where there is one."""
    return np.where(np.isnan(value), np.inf, value)


def partial(values: Float[Array, " block *axes"], kept: Bool[Array, " block"]) -> Float[Array, " 6 *axes"]:
    """A centre, the largest deviation from it, and the sums of the scaled deviations' powers, over the kept.

    The centre is the mean of a whole block, the first value standing in for those not kept: dividing by a
    power of two is exact, so the same however a compiler fuses it; dividing by the number kept is not.
    """
    kept = kept.reshape(-1, *(1 for _ in values.shape[1:]))
    centre = _fold(jnp.where(kept, values, values[:1]) / len(values))
    deviation = jnp.where(kept, values - centre, 0)
    largest = _fold(jnp.abs(deviation), jnp.maximum)
    scaled = deviation * jnp.where(largest > 0, 1 / largest, 0)
    square = scaled * scaled
    sums = (_fold(power) for power in (scaled, square, square * scaled, square * square))
    return jnp.stack([centre, largest, *sums])


def _fold(values: Array, combine=jnp.add) -> Array:
    """Reduce axis 0 by halves: pairwise in rounding, and in vector instructions on a CPU."""
    while len(values) > 16 and len(values) % 2 == 0:
        half = len(values) // 2
        values = combine(values[:half], values[half:])
    return jnp.sum(values, axis=0) if combine is jnp.add else jnp.max(values, axis=0)


def of_block(partials: np.ndarray, count: int) -> Summary:
    """The summary [generation, ...] of a block of `count` replicates, reduced to [generation, 6, ...]."""
    centre, largest, *sums = np.moveaxis(partials.astype(float), 1, 0)
    with np.errstate(all="ignore"):
        square = largest * largest
        powers = (largest, square, square * largest, square * square)
        s1, s2, s3, s4 = (s * power for s, power in zip(sums, powers, strict=True))
        d = s1 / count  # of the mean from the centre
        second = s2 - d * s1
        third = s3 - d * (3 * s2 - 2 * d * s1)
        fourth = s4 - d * (4 * s3 - d * (6 * s2 - 3 * d * s1))
    finite = np.isfinite(centre)
    moments = (np.where(finite, _beyond(m), np.inf) for m in (second, third, fourth))
    return Summary(np.full(centre.shape, float(count)), _beyond(centre + np.where(finite, d, 0)), *moments)
