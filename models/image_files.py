"""Images from files: IDX, NumPy archives, folders of pictures. Nothing is ever unpickled."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from theory.quantity import LoopError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
IDX_TYPES = {0x08: np.dtype(np.uint8)}
KEYS = {"values": ("x", "images"), "labels": ("y", "labels")}


class Read(NamedTuple):
    """What files held.

    Attributes:
        values: grey levels 0 to 255, one channel or three.
        labels: the class of each, from 0; None: there are none.
        training: which are published for training; None: no such division.
    """

    values: UInt8[np.ndarray, "image height width channel"]
    labels: Int[np.ndarray, " image"] | None
    training: Int[np.ndarray, " training"] | None


def read_idx(path: Path) -> UInt8[np.ndarray, " *shape"]:
    """The array of an IDX file, gzipped or not (LeCun's format: 0, 0, type, rank, sizes, bytes).

    Raises:
        LoopError: if it is truncated, or no such file.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise _refusal(path, f"it cannot be read ({error})") from None
    if len(content) < 4:
        raise _refusal(path, "it is empty" if not content else "it is truncated")
    if content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise _refusal(path, f"it is no IDX file of bytes: it begins with {content[:4].hex(' ')}")
    rank = content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise _refusal(path, "it is truncated")
    shape = tuple(int.from_bytes(content[4 + 4 * k : 8 + 4 * k], "big") for k in range(rank))
    size = int(np.prod(shape, dtype=object))
    if len(content) - start != size:
        raise _refusal(path, f"it holds {len(content) - start:,} values, and its header says {size:,}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_idx_pairs(paths: list[Path]) -> Read:
    """Training images and labels, test images and labels, as four IDX files."""
    images, labels, more_images, more_labels = map(read_idx, paths)
    for (seen, named), file in (((images, labels), paths[0]), ((more_images, more_labels), paths[2])):
        if seen.ndim != 3 or named.ndim != 1 or len(seen) != len(named):
            raise _refusal(file, f"shapes {seen.shape} and {named.shape} are not images and their labels")
    values = np.concatenate([images, more_images])[..., None]
    return Read(values, np.concatenate([labels, more_labels]).astype(int), np.arange(len(images)))


def read_npz(path: Path) -> Read:
    """A NumPy archive: `x` (or `images`), perhaps `y` (or `labels`), perhaps `train` (true or false).

    Raises:
        LoopError: if it is damaged, holds pickled objects, or no images.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refusal(path, f"it cannot be read ({reason})") from None
    values = _first(held, KEYS["values"])
    if values is None:
        raise _refusal(path, f"it holds no array named x or images, but {', '.join(held) or 'nothing'}")
    values = values[..., None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or 0 in values.shape:
        raise _refusal(path, f"images have the shape {values.shape}, not (image, height, width, 1 or 3)")
    if values.dtype != np.uint8:
        raise _refusal(path, f"images are {values.dtype}, and bytes (uint8) are needed")
    labels, training = _first(held, KEYS["labels"]), held.get("train")
    for name, array in (("labels", labels), ("train", training)):
        if array is not None and array.shape != (len(values),):
            raise _refusal(path, f"{name} have the shape {array.shape}, and there are {len(values)} images")
    if labels is not None and labels.dtype.kind not in "iu":
        raise _refusal(path, f"labels are {labels.dtype}, and whole numbers are needed")
    return Read(
        values,
        None if labels is None else np.unique(labels, return_inverse=True)[1],
        None if training is None else np.flatnonzero(training),
    )


def read_folder(path: Path) -> Read:
    """A folder of pictures of one size; where it has folders with pictures inside, these are the classes.

    Raises:
        LoopError: if there are none, or they differ in size.
    """
    from PIL import Image

    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        raise _refusal(path, f"there are no pictures in it ({', '.join(PICTURES)})")
    arrays, grey = [], True
    for file in files:
        try:
            with Image.open(file) as picture:
                grey = grey and picture.mode in ("1", "L")
                arrays.append(np.asarray(picture.convert("RGB")))
        except (OSError, ValueError, SyntaxError) as error:
            raise _refusal(file, f"it cannot be read ({error})") from None
    for file, array in zip(files, arrays, strict=True):
        if array.shape != arrays[0].shape:
            sizes = "{1} x {0}".format(*array.shape), "{1} x {0}".format(*arrays[0].shape)
            raise _refusal(file, f"it is {sizes[0]}, and {files[0].name} is {sizes[1]}")
    values = np.stack(arrays)
    homes = [str(file.parent.relative_to(path)) for file in files]
    classes, labels = np.unique(homes, return_inverse=True)
    return Read(values[..., :1] if grey else values, labels if len(classes) > 1 else None, None)


def _first(held: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray | None:
    return next((held[name] for name in names if name in held), None)


def _refusal(path: Path, reason: str) -> LoopError:
    return LoopError("source.dataset", str(path), reason)
