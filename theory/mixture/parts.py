"""The components of a mixture as arrays, and the mixture's mean and covariance as a whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.source import Mixture


class Parts(NamedTuple):
    """A mixture of K normals in d dimensions.

    Attributes:
        weights: [component].
        means: [component, coordinate].
        covariances: [component, coordinate, coordinate].
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """M = sum w_k mu_k, [coordinate]."""
        return self.weights @ self.means

    @property
    def variances(self) -> np.ndarray:
        """The diagonals of the covariances, [component, coordinate]."""
        return np.diagonal(self.covariances, axis1=1, axis2=2)

    @property
    def within(self) -> np.ndarray:
        """W = sum w_k S_k, [coordinate, coordinate]."""
        return np.einsum("k,kij->ij", self.weights, self.covariances)

    @property
    def between(self) -> np.ndarray:
        """B = sum w_k (mu_k - m)(mu_k - m)^T, [coordinate, coordinate]."""
        offset = self.means - self.mean
        return np.einsum("k,ki,kj->ij", self.weights, offset, offset)

    @property
    def covariance(self) -> np.ndarray:
        """The whole's, W + B."""
        return self.within + self.between


def parts(source: Mixture) -> Parts:
    """The components of a mixture whose parameters are numbers."""
    weights = np.array(source.weights, float)
    shape = (source.components, source.dimension)
    means = np.array(source.means, float).reshape(shape)
    return Parts(
        weights / weights.sum(), means, np.stack([_matrix(v, source.dimension) for v in source.variances])
    )


def _matrix(variance: object, dimension: int) -> np.ndarray:
    value = np.asarray(variance, float)
    return value if value.ndim == 2 else np.diag(np.broadcast_to(value, (dimension,)))
