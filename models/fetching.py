"""Downloads of published data sets, their hashes checked before a file takes its place."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from models.catalogue import CATALOGUE, data_folder
from theory.quantity import LoopError

TIMEOUT = 30
"""Seconds without a byte after which a download is given up."""

BLOCK = 1 << 16


def fetch(name: str, folder: str | os.PathLike[str] | None = None, address: str | None = None) -> list[Path]:
    """Download the files of a data set that are not there yet.

    Args:
        name: of `models.catalogue.CATALOGUE`.
        folder: where data sets lie; see `models.catalogue.data_folder`.
        address: of the folder that holds the files, instead of where they are published.

    Raises:
        LoopError: if the name is unknown, nothing is published, a download fails or hashes to something else.
    """
    if name not in CATALOGUE:
        raise LoopError("data", name, f"there is nothing to fetch by that name; there are {_published()}")
    entry = CATALOGUE[name]
    base = address or entry.address
    if base is None:
        raise LoopError("data", name, "it is not published in this form; put its file there by hand")
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    place = data_folder(folder) / name
    paths = []
    for file, expected in entry.files:
        try:
            found = pooch.retrieve(f"{base.rstrip('/')}/{file}", expected, file, place, downloader=_download)
        except Exception as error:  # whatever the network, the server and the disk can do
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LoopError("data", f"{name}/{file}", f"the download failed ({reason})") from None
        paths.append(Path(found))
    return paths


def _download(url: str, target: str, _: object) -> None:
    """What pooch does by default, its connection closed whatever happens."""
    import requests

    with requests.get(url, stream=True, timeout=TIMEOUT) as response, Path(target).open("wb") as file:
        response.raise_for_status()
        for block in response.iter_content(BLOCK):
            file.write(block)


def _published() -> str:
    return ", ".join(name for name, entry in CATALOGUE.items() if entry.address)
