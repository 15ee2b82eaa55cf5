"""What a loop's real points are drawn from: a data set, or a law.

Points of a data set are drawn without replacement from its training images, anew for every draw; those held
out are what generated ones are compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from models.datasets import DataSet, data_set
from theory.loop import Gaussian, Images, Loop, LoopError
from theory.source import Mixture

HELD_OUT = 2000
"""Points of a law that stand for those held out."""

Drawn = tuple[np.ndarray, np.ndarray]
"""Values [point, *shape] and their classes [point]."""


class Real(NamedTuple):
    """Real points of one shape.

    Attributes:
        draw: (random numbers, points) -> values and classes.
        shape: of one point.
        classes: how many; 0 if there are none.
        most: how many can be drawn at once; None: any number.
        held_out: points to compare with, and their classes.
        data: the data set; None: a law.
    """

    draw: Callable[[np.random.Generator, int], Drawn]
    shape: tuple[int, ...]
    classes: int
    most: int | None
    held_out: Drawn
    data: DataSet | None

    @property
    def reach(self) -> float:
        """The largest distance of a held-out coordinate from the mean point."""
        values = self.held_out[0]
        return float(np.abs(values - values.mean(0)).max())

    def bounded(self, values: np.ndarray) -> np.ndarray:
        """Images between black and white; other points as they are."""
        return values if self.data is None else np.clip(values, 0, self.data.white)


def real(loop: Loop, folder: str | None = None) -> Real:
    """The real points of a loop.

    Args:
        loop: its source images, a Gaussian or a mixture.
        folder: where named data sets lie.

    Raises:
        LoopError: for another source, or a data set that is not there.
    """
    source = loop.source
    if isinstance(source, Images):
        return _of_images(data_set(source.dataset, folder))
    if isinstance(source, Gaussian):
        return _of_law([1.0], [source.mean], [source.variance])
    if isinstance(source, Mixture):
        return _of_law(source.weights, source.means, source.variances)
    raise LoopError("source.family", source.family, "a diffusion model needs images, a gaussian or a mixture")


def _of_images(data: DataSet) -> Real:
    def draw(rng: np.random.Generator, n: int) -> Drawn:
        if n > len(data.training):
            reason = f"{data.name} has {len(data.training):,} training images"
            raise LoopError("data", n, f"{reason}, and real points are drawn without replacement")
        taken = data.training[rng.permutation(len(data.training))[:n]]
        return data.values[taken], data.labels[taken]

    held_out = data.values[data.held_out], data.labels[data.held_out]
    return Real(draw, data.values.shape[1:], data.classes, len(data.training), held_out, data)


def _of_law(weights: Any, means: Any, variances: Any) -> Real:
    centres = [np.atleast_1d(np.asarray(mean, float)) for mean in means]
    spreads = [np.asarray(variance, float) for variance in variances]
    size = max(*(len(centre) for centre in centres), *(len(np.atleast_1d(v)) for v in spreads))
    roots = [
        np.linalg.cholesky(v) if v.ndim == 2 else np.diag(np.sqrt(np.broadcast_to(v, size))) for v in spreads
    ]

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        labels = rng.choice(len(weights), size=n, p=np.asarray(weights, float))
        noise = rng.standard_normal((n, size))
        points = [centres[k] + roots[k] @ z for k, z in zip(labels, noise, strict=True)]
        return np.array(points, np.float32).reshape(n, size), labels

    classes = len(weights) if len(weights) > 1 else 0
    return Real(draw, (size,), classes, None, draw(np.random.default_rng(0), HELD_OUT), None)
