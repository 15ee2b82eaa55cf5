"""Files written whole or not at all, their folder checked before the work begins."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from autophagy.arguments import UsageError


def check_file(path: str, endings: Iterable[str]) -> None:
    """Refuse an output file of an unknown kind, or in a folder that cannot be written."""
    target = Path(path)
    if target.suffix not in endings:
        raise UsageError(f"-o is {path!r}: the file name must end in {', '.join(endings)}")
    if target.suffix == ".nc" and not (find_spec("h5netcdf") and find_spec("h5py")):
        raise UsageError("-o: writing NetCDF needs h5netcdf and h5py: pip install 'autophagy[netcdf]'")
    if target.is_dir():
        raise UsageError(f"-o is {path!r}: it is a folder")
    if not target.parent.is_dir():
        raise UsageError(f"-o is {path!r}: the folder {str(target.parent)!r} does not exist")
    check_folder(str(target.parent), path)


def check_folder(path: str, asked: str | None = None) -> None:
    """Refuse a folder that cannot be written, or made in one that is there; nothing is made yet.

    Args:
        path: of the folder.
        asked: what -o is, where that is a file in it.
    """
    check_parent(path)
    folder = Path(path)
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(20, "it is a file")
        with tempfile.TemporaryFile(dir=folder if folder.exists() else folder.parent):
            pass
    except OSError as error:
        said = f"-o is {(asked or path)!r}: the folder cannot be written ({error.strerror})"
        raise UsageError(said) from None


def check_parent(path: str) -> None:
    """Refuse a folder or a store whose folder does not exist; a URL is for its owner to judge."""
    if "://" not in path and not Path(path).parent.is_dir():
        raise UsageError(f"-o is {path!r}: the folder {str(Path(path).parent)!r} does not exist")


def write(path: str, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a file beside `path`, then move it there in one step."""
    target = Path(path)
    draft = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        fill(draft)
        os.replace(draft, target)
    except OSError as error:
        raise UsageError(f"-o is {path!r}: it cannot be written ({error.strerror or error})") from None
    finally:
        draft.unlink(missing_ok=True)
