"""Handwritten digits fed back to a diffusion model: what it draws, and how good and how varied that is.

A network is trained anew in every generation on 1,000 images that the one before drew; generation 1 on real
digits. Above, one run's images; below, means over four runs with 95% intervals (Student's t), beside a
control: the same training, each generation on real digits. What the control lacks to the dotted line, real
digits, is training's doing; what the loop lacks to the control is the loop's.

The intervals are of the runs, given the split, the classifier and the held-out digits that all runs share;
the dotted line is one draw of real digits, without an interval, and for the confidence all held-out ones.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs import estimates, style
from paper_figs.rows import Rows, provenance
from paper_figs.stages import Progress
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace

if TYPE_CHECKING:
    from models.generation import Generation

LOOP = Loop(
    Images("digits"),
    Replace(1000),
    generator=Diffusion("mlp", "edm", 50, "ddim", width=256, depth=2),
    training=Training("adam", 2e-3, 2500, 64, 0.999, clip=1.0),
)

METRICS = {
    "confidence": "classifier's confidence",
    "recall": "recall",
    "coverage": "coverage",
    "frechet": "Fréchet distance",
}

TITLES = {"loop": "the loop", "control": "control, trained on real digits"}

SHOWN = 10
"""Images of a generation that are drawn."""

PICTURED = (1, 2, 3, 5)
WHITE = 16
"""The largest grey level of the digits."""


def collect(
    seeds: int = 4,
    seed: int = 0,
    *,
    loop: Loop = LOOP,
    generations: int = 5,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Rows:
    """Run the loop.

    Args:
        seeds: replicates, trained at once.
        seed: the master seed.
        loop: around a generator of images.
        generations: how many.
        folder: where the run is kept, and goes on after a kill; None: nowhere.
        progress: told `(done, total)`.
    """
    from models.loop import Run

    with tempfile.TemporaryDirectory() as passing:
        run = Run(loop, seeds, seed, Path(passing) / "run" if folder is None else Path(folder))
        run.check(generations)
        records = list(_reference(run.judge.of_real()))
        for generation in run.generations(generations):
            records += _measured(generation)
            records += _images(generation)
            if progress is not None:
                progress(generation.number, generations)
    sized = tuple({"n": loop.data.n} | record for record in records)
    return Rows(provenance({"digits": loop}, seed, seeds), sized)


def _row(generation: int, whose: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"generation": generation, "whose": whose, "metric": None, "image": None}
    row |= dict.fromkeys(("value", "low", "high"))
    return row | {f"pixel_{k:02d}": None for k in range(64)} | values


def _reference(real: dict[str, float]) -> Iterator[dict[str, Any]]:
    for metric in METRICS:
        yield _row(0, "real", metric=metric, value=real[metric])


def _measured(generation: Generation) -> Iterator[dict[str, Any]]:
    for whose, table in (("loop", generation.measures), ("control", generation.control)):
        for metric in METRICS:
            estimate = estimates.of_few(table[metric])
            yield _row(generation.number, whose, metric=metric, **estimate._asdict())


def _images(generation: Generation) -> Iterator[dict[str, Any]]:
    for whose, pictured in zip(("loop", "control"), generation.pictured, strict=True):
        for number, image in enumerate(pictured[0, :SHOWN]):
            pixels = {f"pixel_{k:02d}": round(float(value), 2) for k, value in enumerate(image.ravel())}
            yield _row(generation.number, whose, image=number, **pixels)


def draw(rows: Rows) -> Figure:
    """Images of the loop's and the control's generations above, four metrics below."""
    last = max(rows.column("generation"))
    pictured = [g for g in PICTURED if g <= last]
    kinds = [whose for whose in ("loop", "control") if rows.where(whose=whose)]
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 3.6))
        above, below = figure.subfigures(2, 1, height_ratios=[1, 1])
        strips = above.subplots(len(pictured), len(kinds), squeeze=False)
        for column, whose in enumerate(kinds):
            strips[0, column].set_title(TITLES[whose])
            for line, generation in enumerate(pictured):
                _strip(strips[line, column], rows.where(whose=whose, generation=generation, metric=None))
                if column == 0:
                    strips[line, 0].set_ylabel(f"{generation}", rotation=0, ha="right", va="center")
        above.supylabel("generation", fontsize="medium")
        panels = below.subplots(1, len(METRICS))
        for letter, axes, (metric, label) in zip("abcd", panels, METRICS.items(), strict=True):
            _panel(axes, rows.where(metric=metric), label)
            style.panel_letter(axes, letter)
            axes.set_xlabel("generation $g$")
        handles, names = panels[0].get_legend_handles_labels()
        below.legend(handles, names, loc="outside upper center", ncols=3)
    return figure


def _strip(axes: Axes, rows: Rows) -> None:
    keys = [key for key in rows.records[0] if key.startswith("pixel_")]
    side = round(len(keys) ** 0.5)
    images = np.array([[row[key] for key in keys] for row in rows.records], float).reshape(-1, side, side)
    mosaic = np.full((side, len(images) * (side + 1) - 1), np.nan)
    for number, image in enumerate(images):
        mosaic[:, number * (side + 1) :][:, :side] = image
    axes.imshow(mosaic, vmin=0, vmax=WHITE)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _panel(axes: Axes, rows: Rows, label: str) -> None:
    axes.set_title(label)
    looks = {"loop": (style.VERMILLION, "s", "the loop"), "control": (style.BLUE, "o", "control")}
    for whose, (colour, marker, name) in looks.items():
        points = rows.where(whose=whose)
        if points:
            columns = (points.column(key) for key in ("generation", "value", "low", "high"))
            style.real_generator(axes, *columns, colour, fmt=marker, label=name)
    for reference in rows.where(whose="real").column("value"):
        axes.axhline(reference, color=style.BLACK, linestyle=":", linewidth=0.8, label="real digits")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({g for g in rows.column("generation") if g > 0}))
