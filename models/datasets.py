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

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from models.catalogue import CATALOGUE, checked_files
from models.image_files import Read, read_folder, read_idx_pairs, read_npz
from theory.loop import Gaussian, Images, Loop
from theory.quantity import LoopError

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

    mean_image: Float[np.ndarray, "height width *channel"]
    axes: Float[np.ndarray, "rank height width *channel"]
    variances: Float[np.ndarray, " rank"]

    @property
    def rank(self) -> int:
        """The dimension of the subspace."""
        return len(self.variances)

    def to_images(self, points: Float[np.ndarray, "*batch rank"]) -> Float[np.ndarray, "*batch_and_pixels"]:
        """The images that have these coordinates."""
        return self.mean_image + np.tensordot(points, self.axes, axes=1)

    def to_points(self, images: Float[np.ndarray, "*batch_and_pixels"]) -> Float[np.ndarray, "*batch rank"]:
        """The coordinates of the projections of these images on the subspace."""
        pixels = self.mean_image.ndim
        return np.tensordot(
            images - self.mean_image, self.axes, axes=(range(-pixels, 0), range(1, pixels + 1))
        )


HELD_OUT = 1 / 3
"""The share of images kept from every training where no division is published."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images, and which of them a loop may train on.

    Attributes:
        name: as it was asked for.
        values: grey levels, from 0 to `white`; the channels last, one or three.
        labels: classes from 0; all 0 if there are none.
        classes: how many; 0 if there are none.
        white: the highest grey level.
        training: numbers of the images that may be trained on.
        held_out: those of the others.
    """

    name: str
    values: Float[np.ndarray, "image height width channel"]
    labels: Int[np.ndarray, " image"]
    classes: int
    white: float
    training: Int[np.ndarray, " training"]
    held_out: Int[np.ndarray, " held_out"]


@lru_cache(maxsize=2)
def data_set(dataset: str, folder: str | None = None) -> DataSet:
    """A data set by its name, or that of a folder of pictures or a NumPy archive by its path.

    Where no division into training and test images is published, a random third is held out, always the same.

    Args:
        dataset: `digits`, a name in `models.catalogue.CATALOGUE`, or a path.
        folder: where named data sets lie; see `models.catalogue.data_folder`.

    Raises:
        LoopError: in one sentence, if it is not there, or not what it should be.
    """
    if dataset == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return _divided(dataset, Read(digits.images[..., None], digits.target, None), 16.0)
    if dataset in CATALOGUE:
        paths = checked_files(dataset, folder)
        return _divided(dataset, read_idx_pairs(paths) if len(paths) > 1 else read_npz(paths[0]), 255.0)
    path = Path(dataset).expanduser()
    if path.is_dir():
        return _divided(dataset, read_folder(path), 255.0)
    if path.suffix == ".npz" and path.is_file():
        return _divided(dataset, read_npz(path), 255.0)
    known = ", ".join(("digits", *CATALOGUE))
    raise LoopError("source.dataset", dataset, f"it is neither of {known}, nor a folder, nor an .npz file")


def _divided(name: str, read: Read, white: float) -> DataSet:
    count = len(read.values)
    order = np.random.default_rng(0).permutation(count)
    if read.training is not None and 0 < len(read.training) < count:
        training, held_out = read.training, np.setdiff1d(np.arange(count), read.training)
    else:
        held_out, training = np.sort(order[: int(count * HELD_OUT)]), np.sort(order[int(count * HELD_OUT) :])
    labels = np.zeros(count, int) if read.labels is None else read.labels
    if min(len(training), len(held_out)) < 2:
        raise LoopError("source.dataset", name, f"{count} images are too few")
    classes = 0 if read.labels is None else int(labels.max()) + 1
    return DataSet(name, np.asarray(read.values, np.float32), labels, classes, white, training, held_out)


def load(
    dataset: str, folder: str | os.PathLike[str] | None = None
) -> Float[np.ndarray, "image height width *channel"]:
    """All images of a data set, in its own grey levels; grey images have no axis for the channel.

    Raises:
        LoopError: in one sentence, if it is not there, or not what it should be.
    """
    values = data_set(dataset, None if folder is None else os.fspath(folder)).values.astype(float)
    return values[..., 0] if values.shape[-1] == 1 else values


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
