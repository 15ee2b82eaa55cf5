"""`autophagy data`: the data sets known by name."""

from __future__ import annotations

import argparse
from pathlib import Path

from autophagy.arguments import UsageError
from models.catalogue import CATALOGUE, checked_files, data_folder
from theory.quantity import LoopError


def data(options: argparse.Namespace) -> int:
    """Run one of the actions; exit code 1 if something that is checked is not whole.

    Raises:
        UsageError: for a name that is no data set's, nor anything's that is there.
    """
    return {"list": _list, "check": _check, "fetch": _fetch}[options.action](options)


def _list(options: argparse.Namespace) -> int:
    print("digits          1,797 handwritten digits, 8 x 8 (Alpaydin and Kaynak 1998); always there")
    for name, entry in CATALOGUE.items():
        place = data_folder(options.data_dir) / name
        there = all((place / file).is_file() for file, _ in entry.files)
        how = f"in {place}" if there else "to be fetched" if entry.address else "not there"
        print(f"{name:<16}{entry.title}; {how}")
    print("any other name is the path of a folder of pictures, or of an .npz file with x and perhaps y")
    return 0


def _check(options: argparse.Namespace) -> int:
    from models.datasets import data_set

    known = ["digits", *CATALOGUE]
    for name in options.names:
        if name not in known and not Path(name).exists():
            reason = f"it is neither of {', '.join(known)}, nor a folder, nor an .npz file"
            raise UsageError(f"data set {name!r} is unknown: {reason}")
    names = options.names or ["digits", *(name for name in CATALOGUE if _is_there(name, options.data_dir))]
    code = 0
    for name in names:
        try:
            found = data_set(name, options.data_dir)
        except LoopError as error:
            print(f"{name}: {error}")
            code = 1
            continue
        shape = " x ".join(map(str, found.values.shape[1:]))
        division = f"{len(found.training):,} to train on, {len(found.held_out):,} held out"
        print(f"{name}: {len(found.values):,} images of {shape}, {found.classes} classes; {division}")
    return code


def _is_there(name: str, folder: str | None) -> bool:
    place = data_folder(folder) / name
    return any((place / file).exists() for file, _ in CATALOGUE[name].files)


def _fetch(options: argparse.Namespace) -> int:
    from models.fetching import fetch

    for name in options.names:
        fetch(name, options.data_dir, options.address)
        for path in checked_files(name, options.data_dir):
            print(path)
    return 0
