"""One style for every figure.

Theory is a line, Monte Carlo a point with its error bar, a real generator an open marker. Error bars are 95%
intervals throughout.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMN = 3.25
"""Width of a figure of one column, in inches."""

PAGE = 6.75
"""Width of a figure across the page, in inches."""

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8C8C8C"
"""Okabe and Ito (2008), *Color universal design*, distinct to the colour-blind; and a grey."""

STYLE_FILE = Path(__file__).with_name("autophagy.mplstyle")
FORMATS = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
"""What must be left out of each format for a figure to have the same bytes whenever it is written."""


@contextlib.contextmanager
def styled() -> Generator[None]:
    """The figures' style, on top of matplotlib's defaults and of nothing that the user's settings hold."""
    with matplotlib.style.context(["default", str(STYLE_FILE)]):
        yield


def theory(axes: Axes, x: Any, y: Any, colour: str, **options: Any) -> None:
    """Draw what is exact: a line."""
    look: dict[str, Any] = {"color": colour, "zorder": 2}
    axes.plot(x, y, **(look | options))


def monte_carlo(axes: Axes, x: Any, y: Any, low: Any, high: Any, colour: str, **options: Any) -> None:
    """Draw what was simulated: points, with the interval from `low` to `high` as error bar."""
    below = [centre - end for centre, end in zip(y, low, strict=True)]
    above = [end - centre for centre, end in zip(y, high, strict=True)]
    look: dict[str, Any] = {
        "fmt": "o",
        "color": colour,
        "markeredgewidth": 0,
        "elinewidth": 0.8,
        "zorder": 3,
    }
    axes.errorbar(x, y, yerr=[below, above], **(look | options))


def real_generator(axes: Axes, x: Any, y: Any, low: Any, high: Any, colour: str, **options: Any) -> None:
    """Draw what a trained network did: open markers, with error bars."""
    open_marker = {"fmt": "s", "markerfacecolor": "white", "markeredgewidth": 0.8}
    monte_carlo(axes, x, y, low, high, colour, **(open_marker | options))


def thousands(count: int) -> str:
    """A count for mathematical text, its thousands set apart by a comma."""
    return f"{count:,}".replace(",", "{,}")


def panel_letter(axes: Axes, letter: str) -> None:
    """Name a panel, above its upper left corner."""
    axes.annotate(
        f"({letter})",
        (0, 1),
        xycoords="axes fraction",
        xytext=(-2, 4),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontweight="bold",
    )


def save(figure: Figure, folder: str | os.PathLike[str], name: str, description: str = "") -> list[Path]:
    """Write `name.pdf` and `name.png` into `folder`, whole or not at all, and return their paths.

    The same figure gives the same bytes, whenever and wherever it is written with the same matplotlib.

    Args:
        figure: what `draw` returned.
        folder: made if it is missing.
        name: without a suffix.
        description: kept inside the files: how the rows behind the figure were made.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with styled():
        for suffix, metadata in FORMATS.items():
            key = "Subject" if suffix == "pdf" else "Description"
            path = folder / f"{name}.{suffix}"
            with replacing(path) as unfinished:
                figure.savefig(
                    unfinished, format=suffix, metadata=metadata | {"Title": name, key: description}
                )
            written.append(path)
    return written


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary file beside `path` that takes its place at the end, or vanishes on an error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o666 & ~_umask())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
