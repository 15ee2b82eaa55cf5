"""Data sets of smaller images, which cost a processor less: archives written where a figure runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from paper_figs.style import replacing


class Reduced(NamedTuple):
    """What an archive holds.

    Attributes:
        dataset: the data set whose images are reduced.
        factor: by which a side is: a pixel is the mean of a square of as many.
        classes: whether their classes are kept; without, images are compared in their principal axes.
    """

    dataset: str
    factor: int
    classes: bool


REDUCED = {
    "mnist_14x14.npz": Reduced("mnist", 2, True),
    "flowers102_16x16.npz": Reduced("flowers102", 2, False),
    "cub200_16x16.npz": Reduced("cub200", 2, False),
}
"""By the name of the archive. It is relative, because a loop's random numbers depend on it."""


def reduce(archive: str, folder: Path, data_folder: str | None = None) -> Path:
    """Write an archive, unless it is there: bytes `x`, classes `y`, and which to train on, `train`.

    Args:
        archive: a key of `REDUCED`.
        folder: where it is written.
        data_folder: where data sets lie; None: as the environment says.
    """
    from models.datasets import data_set

    path = folder / archive
    if path.exists():
        return path
    kept = REDUCED[archive]
    full = data_set(kept.dataset, data_folder)
    training = np.zeros(len(full.values), bool)
    training[full.training] = True
    classes = {"y": full.labels} if kept.classes else {}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, x=means_of_squares(full.values, kept.factor), train=training, **classes)
    return path


def means_of_squares(
    images: Shaped[np.ndarray, "image height width channel"], factor: int
) -> Shaped[np.ndarray, "image lower narrower *colour"]:
    """Images of a side `factor` times smaller, in bytes; grey ones without an axis for the channel."""
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // factor, factor, width // factor, factor, channels)
    small = np.round(blocks.mean(axis=(2, 4))).astype(np.uint8)
    return small[..., 0] if channels == 1 else small
