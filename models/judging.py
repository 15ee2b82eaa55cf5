"""How good and how varied what a generation makes is, replicate by replicate, beside held-out real points.

Images are judged in the feature space of the data set's classifier (`models.features`), points as they are.
Samples have one size throughout, because estimates from nearest neighbours depend on it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxsim.metrics import effective_number, frechet_between, neighbours, vendi_cosine
from models.ensemble import mapped
from models.features import Classifier
from models.points import Points
from models.real import Real

NEIGHBOURS = 5
MOST = 1000
NEARER = 1 / 3
"""An image is a copy if its nearest training image is this many times nearer than the next (Gu et al. 2023,
arXiv:2310.02664, section 2; Yoon et al. 2023)."""

DIRECTIONS = 64

FEATURE = "feature_"
"""Begins the name of a moment in feature space."""

LITTLE = 0.01
"""The noise on which features are tried, in units of white."""

NOISES = 4


class Judge:
    """Compares generated points with held-out real ones.

    Attributes:
        size: points compared of each.
        axes: principal directions of the real points, columns, at most 64, in decreasing order of variance.
        centre: the mean of the real points.
        feature_axes: principal directions of the held-out images in the feature space, likewise; None for
            points.
    """

    def __init__(self, real: Real, classifier: Classifier | None):
        """Set up; the classifier is that of the data set, None for points."""
        self._real, self._classifier = real, classifier
        held_out = real.held_out[0]
        self.size = min(len(held_out), MOST)
        self._reference = self._features(held_out[: self.size])
        known = held_out if real.data is None else real.data.values[real.data.training]
        flat = known.reshape(len(known), -1).astype(float)
        self._training = None if real.data is None else flat.astype(np.float32)
        self.centre = flat.mean(0)
        self.axes = _directions(flat)
        self.feature_axes = None if classifier is None else _directions(self._reference.astype(float))

    def _features(self, values: np.ndarray) -> np.ndarray:
        if self._classifier is None:
            return np.asarray(values, np.float32).reshape(len(values), -1)
        return self._classifier.see(values).features

    def measure(self, points: Points, conditional: bool) -> dict[str, Float[np.ndarray, " replicate"]]:
        """Every metric of every replicate.

        Args:
            points: at least `size` of each replicate.
            conditional: whether their labels are what the generator was asked for.
        """
        rows = self._rows(points, conditional)
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def _rows(self, points: Points, conditional: bool) -> list[dict[str, float]]:
        values = points.values[:, : self.size]
        features = np.stack([self._features(one) for one in values])
        reference = np.broadcast_to(self._reference, (len(values), *self._reference.shape))
        compared = _compared(jnp.asarray(reference), jnp.asarray(features))
        return [
            {name: float(found[replicate]) for name, found in compared.items()}
            | self._alone(
                values[replicate],
                features[replicate],
                points.labels[replicate, : self.size] if conditional else None,
            )
            for replicate in range(len(values))
        ]

    def of_real(self) -> dict[str, float]:
        """The same metrics of real training points: what a perfect generator would get.

        Confidence and accuracy are those on held-out images: the classifier has been trained on the others.
        """
        rng = np.random.default_rng(1)
        values, labels = self._real.draw(rng, min(self.size, self._real.most or self.size))
        labelled = self._classifier is not None and self._real.classes > 0
        (found,) = self._rows(Points(values[None], labels[None]), labelled)
        for name in ("memorised", "nearest_distance"):
            found.pop(name, None)
        if "confidence" in found:
            found["confidence"] = self._classifier.confidence
            found["classifier_accuracy"] = self._classifier.accuracy
        return found

    def _alone(self, values: np.ndarray, features: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
        """What can be said of one replicate's points by themselves, or beside the training images."""
        flat = values.reshape(len(values), -1)
        found = {"variance": float(features.var(axis=0, ddof=1).sum())}
        if self._training is None:
            found["mean_error_squared"] = float(((flat.mean(0) - self.centre) ** 2).sum())
            return found
        if self._classifier is not None and self._real.classes:
            seen = self._classifier.see(values)
            shares = np.bincount(seen.classes, minlength=self._real.classes) / len(values)
            found["confidence"] = float(seen.confidence.mean())
            found["class_entropy"] = float(np.log(effective_number(jnp.asarray(shares))))
            if labels is not None:
                found["classifier_accuracy"] = float((seen.classes == labels).mean())
        nearest, second = _two_nearest(flat, self._training)
        found["memorised"] = float((nearest < NEARER * second).mean())
        found["nearest_distance"] = float(nearest.mean())
        return found

    def spectrum(self, points: Points) -> dict[str, Float[np.ndarray, "replicate ..."]]:
        """Mean, unbiased covariance and kurtosis along the principal directions of the real points.

        For images the same, as `feature_mean` and so on, in the feature space of the classifier, along the
        principal directions of the held-out images' features.
        """
        flat = points.values.reshape(*points.values.shape[:2], -1)
        found = _moments((flat - self.centre) @ self.axes)
        if self.feature_axes is not None:
            features = np.stack([self._features(values) @ self.feature_axes for values in points.values])
            found |= {FEATURE + name: moment for name, moment in _moments(features.astype(float)).items()}
        return found

    def held_out_mean(self, features: bool = False) -> Float[np.ndarray, " direction"]:
        """The mean of the held-out points along the directions of `spectrum`.

        Args:
            features: whether those of the feature space.
        """
        values = self._real.held_out[0]
        if features:
            return (self._features(values) @ self.feature_axes).mean(0)
        return (values.reshape(len(values), -1).mean(0) - self.centre) @ self.axes

    def response(self) -> Float[np.ndarray, " direction"]:
        """How a little white noise on images moves features: variance along each direction, per unit of it.

        To first order the mean squared gradient of the direction over the held-out images.
        """
        rng = np.random.default_rng(2)
        images = self._real.held_out[0][: self.size].astype(np.float32)
        size = LITTLE * self._real.data.white
        moved = [
            self._features(images + size * rng.standard_normal(images.shape, np.float32)) - self._reference
            for _ in range(NOISES)
        ]
        return ((np.concatenate(moved) @ self.feature_axes / size) ** 2).mean(axis=0)


def _moments(along: np.ndarray) -> dict[str, Float[np.ndarray, "replicate ..."]]:
    """Moments of points [replicate, point, direction]."""
    deviation = along - along.mean(axis=1, keepdims=True)
    covariance = np.swapaxes(deviation, 1, 2) @ deviation / (along.shape[1] - 1)
    squared = np.maximum((deviation**2).mean(axis=1) ** 2, np.finfo(float).tiny)
    return {
        "mean": along.mean(axis=1),
        "variance": np.diagonal(covariance, axis1=1, axis2=2),
        "covariance": covariance,
        "kurtosis": (deviation**4).mean(axis=1) / squared,
    }


def _directions(points: np.ndarray) -> Float[np.ndarray, "coordinate direction"]:
    """Principal directions, in decreasing order of variance."""
    axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False))).eigenvectors
    return axes[:, ::-1][:, :DIRECTIONS]


@mapped
def _compared(reference: jax.Array, features: jax.Array) -> dict[str, jax.Array]:
    found = neighbours(reference, features, NEIGHBOURS)._asdict()
    return found | {
        "frechet": frechet_between(reference, features),
        "vendi": vendi_cosine(features),
    }


def _two_nearest(flat: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the two nearest training images."""
    squares = (training**2).sum(1)
    found = []
    for start in range(0, len(flat), 250):
        block = flat[start : start + 250].astype(np.float32)
        apart = (block**2).sum(1)[:, None] + squares - 2 * block @ training.T
        found.append(np.sort(np.partition(apart, 1, axis=1)[:, :2], axis=1))
    nearest, second = np.sqrt(np.maximum(np.concatenate(found), 0)).T
    return nearest, second
