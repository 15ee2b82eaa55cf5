"""How rows of loops around generators of images are drawn: strips of images, and panels of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from paper_figs import style
from paper_figs.generated import CONTROL, LOOP, REAL, SHOWN, WHITE, described, size, unpacked
from paper_figs.rows import Rows

BETWEEN = 2
"""Pixels of paper between two images of a strip."""


def columns(rows: Rows, looks: Mapping[str, Any], first: int = 0, end: int = SHOWN) -> dict[str, Rows]:
    """The images with these numbers, loop by loop."""
    numbered = (row for row in rows.records if row["image"] is not None)
    kept = Rows(rows.provenance, tuple(row for row in numbered if first <= row["image"] < end))
    return {name: found for name in looks if (found := kept.where(loop=name))}


def strips(figure: SubFigure, columns: Mapping[str, Rows], generations: Sequence[int]) -> None:
    """Images: a column a loop, a line a generation, and a last line the control, where there is one."""
    lines = {f"{g}": {"whose": LOOP, "generation": g} for g in generations}
    if any(rows.where(whose=CONTROL) for rows in columns.values()):
        lines["control"] = {"whose": CONTROL}
    places = figure.subplots(len(lines), len(columns), squeeze=False)
    for across, (title, rows) in enumerate(columns.items()):
        places[0, across].set_title(title)
        for axes, (line, which) in zip(places[:, across], lines.items(), strict=True):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if words := rows.where(**which).column("pixels"):
                axes.imshow(mosaic([unpacked(word) for word in words]), vmin=0, vmax=WHITE)
            if across == 0:
                axes.set_ylabel(line, rotation=0, ha="right", va="center")
    figure.supylabel("generation", fontsize="medium")


def mosaic(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images side by side, with paper between them."""
    grey = images[0].ndim == 2
    edge = [(0, 0), (0, BETWEEN)] + [(0, 0)] * (not grey)
    apart = [np.pad(image.astype(float), edge, constant_values=np.nan if grey else WHITE) for image in images]
    return np.hstack(apart)[:, :-BETWEEN] / (1 if grey else WHITE)


def panels(
    figure: SubFigure,
    rows: Rows,
    metrics: Mapping[str, str],
    looks: Mapping[str, tuple[str, str]],
    real: str,
    *,
    lines: int = 1,
) -> dict[str, Axes]:
    """A panel a metric, with a legend below.

    Args:
        figure: where to draw.
        rows: of the loops.
        metrics: with the title of their panel.
        looks: colour and marker of every loop.
        real: what the dotted line is called.
        lines: of panels.

    Returns:
        The panels by metric.
    """
    places = figure.subplots(lines, len(metrics) // lines, squeeze=False).ravel()
    generations = sorted({g for g in rows.column("generation") if g > 0})
    for letter, axes, (metric, label) in zip("abcdef", places, metrics.items(), strict=False):
        panel(axes, rows.where(metric=metric), looks, real)
        axes.set_title(label)
        axes.set_xticks(generations)
        axes.set_xlabel("generation $g$")
        style.panel_letter(axes, letter)
    handles, labels = places[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6)
    return dict(zip(metrics, places, strict=True))


def panel(axes: Axes, rows: Rows, looks: Mapping[str, tuple[str, str]], real: str) -> None:
    """One metric: a loop is open markers with bars, its control a band, and dotted is what real images have.

    Args:
        axes: where to draw.
        rows: of the metric.
        looks: colour and marker of every loop.
        real: what the dotted line is called.
    """
    names = [name for name in looks if rows.where(loop=name)]
    known: dict[float, str] = {}
    for index, name in enumerate(names):
        found, (colour, marker) = rows.where(loop=name), looks[name]
        known |= dict.fromkeys(found.where(whose=REAL).column("value"), colour)
        if control := found.where(whose=CONTROL):
            band = (control.column(key) for key in ("generation", "low", "high"))
            axes.fill_between(*band, color=colour, alpha=0.3, linewidth=0, label=f"{name}, control")
        made = found.where(whose=LOOP)
        x = [g + 0.08 * (index - (len(names) - 1) / 2) for g in made.column("generation")]
        columns = (made.column(key) for key in ("value", "low", "high"))
        style.real_generator(axes, x, *columns, colour, fmt=marker, label=name)
    for value, colour in known.items():
        colour = style.BLACK if len(known) == 1 else colour
        label = real if value == min(known) else None
        axes.axhline(value, color=colour, linestyle=":", linewidth=0.8, label=label)


def head(figure: Figure, rows: Rows, what: str) -> None:
    """Say above the figure what was run.

    Args:
        figure: to be headed.
        rows: behind it.
        what: the data set.
    """
    side = size(rows)
    figure.suptitle(f"{what} at {side} x {side}; {described(rows)}", fontsize="small")
