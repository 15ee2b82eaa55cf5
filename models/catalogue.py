"""The data sets known by name: their files, what these must hash to, and where they are published."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from theory.quantity import LoopError

VARIABLE = "AUTOPHAGY_DATA"
IDX = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
       "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A data set of files.

    Attributes:
        title: what it is, and by whom.
        files: name and hash, `algorithm:digest`, of each.
        address: where the files are published; None: not in this form.
    """

    title: str
    files: tuple[tuple[str, str], ...]
    address: str | None = None


CATALOGUE = {
    "mnist": Entry(
        "60,000 + 10,000 handwritten digits, 28 x 28 (LeCun, Cortes and Burges 1998)",
        tuple(
            zip(
                IDX,
                (
                    "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
                strict=True,
            )
        ),
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    "fashion-mnist": Entry(
        "60,000 + 10,000 articles of clothing, 28 x 28 (Xiao et al. 2017, arXiv:1708.07747)",
        tuple(
            zip(
                IDX,
                (
                    "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "md5:25c81989df183df01b3e8a0aad5dffbe",
                    "md5:bef4ecab320f06d8554ea6380940ec79",
                    "md5:bb300cfdad3c16e7a12a480ee83cd310",
                ),
                strict=True,
            )
        ),
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    "flowers102": Entry(
        "8,189 flowers of 102 kinds, 32 x 32 in colour (Nilsback and Zisserman 2008)",
        (
            (
                "flowers102_32x32.npz",
                "sha256:84cbd241df94bfaa9d800397e138fefb028042a4866de81717e995d72cc5171c",
            ),
        ),
    ),
    "cub200": Entry(
        "11,788 birds of 200 kinds, 32 x 32 in colour (Wah et al. 2011)",
        (("cub200_32x32.npz", "sha256:c10f297deff8e0f802c898c672e803a2edef4ddb78246dffccb169e0e0a43269"),),
    ),
}


def data_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Where data sets lie: what is given, or the variable AUTOPHAGY_DATA, or a folder in the user's cache."""
    chosen = given or os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autophagy" / "data"


def digest(path: Path, algorithm: str) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def checked_files(name: str, folder: str | os.PathLike[str] | None = None) -> list[Path]:
    """The files of a data set, all there and hashing to what they must.

    Raises:
        LoopError: naming the first file that is missing, unreadable or another.
    """
    place = data_folder(folder) / name
    paths = []
    for file, expected in CATALOGUE[name].files:
        path = place / file
        if not path.is_file():
            raise LoopError("source.dataset", name, f"there is no file {path}; {_remedy(name)}")
        algorithm, _, wanted = expected.partition(":")
        try:
            found = digest(path, algorithm)
        except OSError as error:
            raise LoopError("source.dataset", name, f"{path} cannot be read ({error.strerror})") from None
        if found != wanted:
            raise LoopError(
                "source.dataset",
                name,
                f"{path} is not the published file: its {algorithm} is {found[:12]}..., not {wanted[:12]}...",
            )
        paths.append(path)
    return paths


def _remedy(name: str) -> str:
    if CATALOGUE[name].address is None:
        return f"set --data-dir or {VARIABLE} to the folder that holds {name}/"
    return f"set --data-dir or {VARIABLE}, or run `autophagy data fetch {name}`"
