"""Data sets as sources: a set of images is replaced by the Gaussian that has its moments.

The digits are scikit-learn's bundled copy of the optical recognition set (Alpaydin and Kaynak, UCI,
doi:10.24432/C50P49): 1,797 images of 8 x 8 pixels, grey levels 0 to 16, installed with the library, so that
nothing is downloaded. Pixels stay in those grey levels: a variance is in grey levels squared.

Some pixels never vary, so the covariance is singular. The source is therefore written in the data's own
principal axes: a point x stands for the image

    mean_image + sum_k x_k axes[k],        x ~ N(0, diag(variances)),

the axes being those eigenvectors of the covariance (divisor: the number of images) whose eigenvalue is not
zero up to rounding. Traces, determinants and spectra are those of the images themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from theory.loop import Gaussian, Images, Loop

VARIANCE_DECIMALS = 10
"""Eigenvalues are kept to this many decimals. Linear algebra libraries differ in the digits beyond, and a
loop's random numbers depend on every digit of the loop: unrounded, they would differ between machines."""


@dataclass(frozen=True, eq=False)
class Subspace:
    """The flat on which a set of images varies, in principal axes.

    Attributes:
        mean_image: the origin of the coordinates.
        axes: one unit image per coordinate, in decreasing order of variance; the pixel of largest weight is
            positive in each.
        variances: the variance of the images along each axis.
    """

    mean_image: Float[np.ndarray, "height width"]
    axes: Float[np.ndarray, "rank height width"]
    variances: Float[np.ndarray, " rank"]

    @property
    def rank(self) -> int:
        """The dimension of the subspace."""
        return len(self.variances)

    def to_images(self, points: Float[np.ndarray, "*batch rank"]) -> Float[np.ndarray, "*batch height width"]:
        """The images that have these coordinates."""
        return self.mean_image + np.tensordot(points, self.axes, axes=1)

    def to_points(self, images: Float[np.ndarray, "*batch height width"]) -> Float[np.ndarray, "*batch rank"]:
        """The coordinates of the projections of these images on the subspace."""
        return np.tensordot(images - self.mean_image, self.axes, axes=([-2, -1], [1, 2]))


def load(dataset: str) -> Float[np.ndarray, "image height width"]:
    """The images of a data set, in its own grey levels."""
    if dataset != "digits":
        raise ValueError(f"dataset is {dataset!r}: the only data set available yet is 'digits'")
    from sklearn.datasets import load_digits

    return load_digits().images


@lru_cache(maxsize=1)
def subspace(dataset: str) -> Subspace:
    """The subspace of a data set, its rank found from the data.

    An eigenvalue counts as zero below largest * (number of pixels) * (machine epsilon), the size of the
    rounding errors of a symmetric eigenvalue problem.
    """
    images = load(dataset)
    pixels = images.reshape(len(images), -1)
    eigenvalues, eigenvectors = np.linalg.eigh(np.cov(pixels, rowvar=False, ddof=0))
    varying = eigenvalues > eigenvalues[-1] * pixels.shape[1] * np.finfo(float).eps
    variances, axes = eigenvalues[varying][::-1], eigenvectors.T[varying][::-1]
    heaviest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
    return Subspace(
        mean_image=images.mean(axis=0),
        axes=(axes * np.sign(heaviest)).reshape(-1, *images.shape[1:]),
        variances=variances.round(VARIANCE_DECIMALS),
    )


def resolve(loop: Loop) -> Loop:
    """The same loop with a source of images replaced by its Gaussian; any other loop is returned as it is.

    Its coordinates are counted from the mean image, so that its mean is zero, and its covariance is diagonal.
    """
    if not isinstance(loop.source, Images):
        return loop
    variances = subspace(loop.source.dataset).variances
    return loop.with_(source=Gaussian(mean=np.zeros(len(variances)), variance=variances))
