"""Data sets at half their side, which cost a processor a quarter: archives written where a figure runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from paper_figs.style import replacing


class Halved(NamedTuple):
    """What an archive holds.

    Attributes:
        dataset: the data set whose images are reduced.
        classes: whether their classes are kept; without, images are compared in their principal axes.
    """

    dataset: str
    classes: bool


HALVED = {
    "mnist_14x14.npz": Halved("mnist", True),
    "flowers102_16x16.npz": Halved("flowers102", False),
    "cub200_16x16.npz": Halved("cub200", False),
}
"""By the name of the archive. It is relative, because a loop's random numbers depend on it."""


def halve(archive: str, folder: Path, data_folder: str | None = None) -> Path:
    """Write an archive, unless it is there: bytes `x`, classes `y`, and which to train on, `train`.

    Every pixel is the mean of a square of four.

    Args:
        archive: a key of `HALVED`.
        folder: where it is written.
        data_folder: where data sets lie; None: as the environment says.
    """
    from models.datasets import data_set

    path = folder / archive
    if path.exists():
        return path
    full = data_set(HALVED[archive].dataset, data_folder)
    training = np.zeros(len(full.values), bool)
    training[full.training] = True
    classes = {"y": full.labels} if HALVED[archive].classes else {}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, x=means_of_four(full.values), train=training, **classes)
    return path


def means_of_four(
    images: Shaped[np.ndarray, "image height width channel"],
) -> Shaped[np.ndarray, "image half_height half_width *grey_or_colour"]:
    """Images of half the side, in bytes; grey ones without an axis for the channel."""
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    small = np.round(blocks.mean(axis=(2, 4))).astype(np.uint8)
    return small[..., 0] if channels == 1 else small
