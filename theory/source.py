"""Sources on a line or in space: what a loop's first real data are drawn from. Vocabulary only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.quantity import LoopError, Number, array, is_symbolic, positive

ROUNDING = 1e-9
"""By how much probabilities may miss 1: written with ten digits, a handful of them does."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution: the family `gaussian`.

    Attributes:
        mean: a number, or a vector of length d.
        variance: a number (d = 1, or the same for every direction), a vector (diagonal) or a symmetric
            positive-definite matrix (full covariance).
    """

    mean: Number
    variance: Number
    family: ClassVar[str] = "gaussian"

    def __post_init__(self):
        mean, variance = array("mean", self.mean, 1), array("variance", self.variance, 2)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", variance)
        if isinstance(mean, tuple) and isinstance(variance, tuple) and len(mean) != len(variance):
            raise LoopError("variance", variance, f"the mean has {len(mean)} coordinates")
        _check_variance("variance", variance)

    @property
    def is_scalar(self) -> bool:
        """Whether this is a distribution on the line, written with plain numbers."""
        return not isinstance(self.mean, tuple) and not isinstance(self.variance, tuple)

    @property
    def dimension(self) -> int:
        """The number of coordinates d."""
        if isinstance(self.mean, tuple):
            return len(self.mean)
        return len(self.variance) if isinstance(self.variance, tuple) else 1


def _check_variance(key: str, variance: Number) -> None:
    """Refuse a variance, diagonal or covariance matrix that is not positive."""
    if not isinstance(variance, tuple):
        positive(key, variance)
    elif not isinstance(variance[0], tuple):
        for entry in variance:
            positive(key, entry)
    else:
        _check_covariance(key, variance)


def _check_covariance(key: str, matrix: tuple[tuple[Number, ...], ...]) -> None:
    size = len(matrix)
    if len(matrix[0]) != size:
        raise LoopError(key, matrix, "a covariance matrix is square")
    for i in range(size):
        for j in range(i):
            if matrix[i][j] != matrix[j][i]:
                raise LoopError(
                    key, matrix, f"it is not symmetric: entries {i + 1},{j + 1} and {j + 1},{i + 1} differ"
                )
    if any(is_symbolic(entry) for row in matrix for entry in row):
        return
    import numpy as np

    try:
        np.linalg.cholesky(np.asarray(matrix))
    except np.linalg.LinAlgError:
        raise LoopError(key, matrix, "a covariance matrix must be positive definite") from None


@dataclass(frozen=True)
class Mixture:
    """Normal distributions, one of them drawn for every point: the family `mixture`.

    Attributes:
        weights: of the components; they are positive and sum to 1.
        means: one a component: numbers, or vectors of length d.
        variances: one a component: a number (on the line, or the same for every direction), a vector
            (diagonal) or a covariance matrix.
    """

    weights: Any
    means: Any
    variances: Any
    family: ClassVar[str] = "mixture"

    def __post_init__(self):
        weights = probabilities("weights", self.weights)
        for key, depth in (("means", 2), ("variances", 3)):
            value = getattr(self, key)
            value = value.tolist() if hasattr(value, "tolist") else value
            if not isinstance(value, list | tuple) or len(value) != len(weights):
                raise LoopError(key, value, f"a list of {len(weights)} entries is needed, one a weight")
            entries = tuple(array(key, entry, depth - 1) for entry in value)
            object.__setattr__(self, key, entries)
        object.__setattr__(self, "weights", weights)
        sizes = {len(mean) if isinstance(mean, tuple) else None for mean in self.means}
        if len(sizes) > 1:
            raise LoopError("means", self.means, "they differ in length")
        for weight in weights:
            positive("weights", weight)
        for variance in self.variances:
            if isinstance(variance, tuple):
                if self.is_scalar:
                    raise LoopError("variances", variance, "the means are numbers: give a number")
                if len(variance) != self.dimension:
                    raise LoopError("variances", variance, f"the means have {self.dimension} coordinates")
            _check_variance("variances", variance)

    @property
    def components(self) -> int:
        """How many normal distributions there are."""
        return len(self.weights)

    @property
    def is_scalar(self) -> bool:
        """Whether this is a distribution on the line, written with plain numbers."""
        return not isinstance(self.means[0], tuple)

    @property
    def dimension(self) -> int:
        """The number of coordinates d."""
        return 1 if self.is_scalar else len(self.means[0])


def probabilities(key: str, value: object) -> tuple[Number, ...]:
    """A tuple of numbers that are not negative and sum to 1, up to the rounding of what was written.

    Raises:
        LoopError: if it is not that; a wrong sum is said.
    """
    shares = array(key, value, 1)
    if not isinstance(shares, tuple):
        raise LoopError(key, value, "a list of probabilities is needed")
    if any(is_symbolic(share) for share in shares):
        return shares
    for share in shares:
        if share < 0:
            raise LoopError(key, share, "a probability is not negative")
    total = sum(shares)
    if abs(total - 1) > ROUNDING:
        raise LoopError(key, list(shares), f"probabilities sum to 1, and these sum to {total:.12g}")
    return shares


@dataclass(frozen=True)
class Images:
    """A data set of images, which `models.datasets` knows by its name or its path: the family `images`.

    Without a generator it stands for the Gaussian that matches its moments.
    """

    dataset: str
    family: ClassVar[str] = "images"

    def __post_init__(self):
        if not isinstance(self.dataset, str) or not self.dataset:
            raise LoopError("dataset", self.dataset, "the name of a data set, or a path, is needed")
