"""Points as generators take and give them: values, and their classes where classes are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Points(NamedTuple):
    """Points of every replicate.

    Attributes:
        values: what they are.
        labels: their classes, from 0; all 0 where there are none.
    """

    values: Float[np.ndarray, "replicate point *shape"]
    labels: Int[np.ndarray, "replicate point"]

    @property
    def count(self) -> int:
        """Points of one replicate."""
        return self.values.shape[1]

    def taken(self, chosen: Int[np.ndarray, "replicate kept"]) -> Points:
        """Some of the points, others for every replicate."""
        rows = np.arange(len(chosen))[:, None]
        return Points(self.values[rows, chosen], self.labels[rows, chosen])


def joined(parts: Sequence[Points]) -> Points:
    """The points of several sets, one after another."""
    return Points(*(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)))


class Pool(NamedTuple):
    """What a fit takes: points with weights, padded so that every generation has the same shapes.

    Attributes:
        values: what the points are; anything beyond the last one that weighs something.
        labels: their classes.
        cumulative: running sums of the weights, which end at 1.
    """

    values: Float[np.ndarray, "replicate capacity *shape"]
    labels: Int[np.ndarray, "replicate capacity"]
    cumulative: Float[np.ndarray, "replicate capacity"]


def pool(parts: Sequence[Points], weights: Sequence[float] | None, capacity: int) -> Pool:
    """The pool of several portions.

    Args:
        parts: the portions.
        weights: of each portion, spread evenly over its points; None: every point weighs the same.
        capacity: at least the number of points.
    """
    whole = joined(parts)
    if weights is None:
        each = np.full(whole.count, 1 / whole.count)
    else:
        each = np.concatenate([np.full(p.count, w / p.count) for p, w in zip(parts, weights, strict=True)])
    running = np.cumsum(each)
    running = np.concatenate([running[:-1] / running[-1], np.ones(capacity - whole.count + 1)])
    missing = capacity - whole.count
    pad = [(0, 0), (0, missing)]
    replicates = len(whole.values)
    return Pool(
        np.pad(whole.values, pad + [(0, 0)] * (whole.values.ndim - 2)).astype(np.float32),
        np.pad(whole.labels, pad).astype(np.int32),
        np.tile(running.astype(np.float32), (replicates, 1)),
    )
