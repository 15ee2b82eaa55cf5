"""Loops around generators of images, as rows: their metrics, and a few of the images themselves.

Generation 0 is real images. A row holds either a metric or an image.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from paper_figs import estimates, style
from paper_figs.reduced import REDUCED, reduce
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress
from theory.loop import Loop

if TYPE_CHECKING:
    from models.generation import Generation
    from models.loop import Run

SHOWN = 10
"""Images of a generation that are drawn."""

WHITE = 255
BETWEEN = 2
"""Pixels of paper between two images of a strip."""

Told = Callable[["Run", "Generation"], Iterable[dict[str, Any]]]
"""What is said of a generation besides its metrics: values of rows. `first_images`, for one."""


def collected(
    loops: Mapping[str, Loop],
    metrics: Collection[str],
    seeds: int,
    seed: int,
    *,
    generations: int,
    folder: str | Path | None,
    data_folder: str | None,
    told: Told,
    real: Callable[[Run], Mapping[str, float]] | None = None,
    keep_samples: bool = False,
    progress: Progress | None = None,
) -> Rows:
    """Run loops without a control of their own: means over the replicates with their intervals, and images.

    Args:
        loops: by name, around a generator of images.
        metrics: those of a generation that are kept.
        seeds: replicates, trained at once.
        seed: the master seed.
        generations: how many.
        folder: where the runs are kept, one folder each, and go on after a kill; None: nowhere.
        data_folder: where data sets lie; None: as the environment says.
        told: what else is said of a generation.
        real: what else than `metrics` is said of real images.
        keep_samples: whether a run keeps all samples that are measured.
        progress: told `(done, total)`.
    """
    from models.loop import Run

    parts: list[Iterable[Mapping[str, Any]]] = []
    with tempfile.TemporaryDirectory() as passing:
        base = Path(passing if folder is None else folder).resolve()
        base.mkdir(parents=True, exist_ok=True)
        for archive in {loop.source.dataset for loop in loops.values()} & set(REDUCED):
            reduce(archive, base, data_folder)
        with contextlib.chdir(base):  # the names of archives are relative
            for index, (name, loop) in enumerate(loops.items()):
                run = Run(
                    loop, seeds, seed, base / f"run_{index}", data_folder=data_folder,
                    control=False, keep_samples=keep_samples,
                )  # fmt: skip
                run.check(generations)
                known = run.judge.of_real()
                known = {metric: known[metric] for metric in metrics} | dict(real(run) if real else {})
                parts.append([_measured(name, 0, metric, np.array([v])) for metric, v in known.items()])
                for generation in run.generations(generations):
                    number, found = generation.number, generation.measures
                    parts.append([_measured(name, number, metric, found[metric]) for metric in metrics])
                    parts.append([_row(name, number, **said) for said in told(run, generation)])
                    if progress is not None:
                        progress(index * generations + number, len(loops) * generations)
    return Rows(provenance(loops, seed, seeds), merged(parts))


def _row(name: str, generation: int, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"generation": generation, "loop": name}
    return row | dict.fromkeys(("metric", "value", "low", "high", "image", "pixels")) | values


def _measured(name: str, generation: int, metric: str, found: np.ndarray) -> dict[str, Any]:
    return _row(name, generation, metric=metric, **estimates.of_few(found)._asdict())


def first_images(run: Run, generation: Generation) -> Iterator[dict[str, Any]]:
    """The first images of the first replicate."""
    for number, image in enumerate(generation.pictured[0][0, :SHOWN]):
        yield {"image": number, "pixels": packed(image)}


def packed(image: np.ndarray) -> str:
    """A square image as one word, two hexadecimal digits a pixel and colour: x and levels from 0 to 255."""
    return "x" + np.clip(np.round(image), 0, WHITE).astype(np.uint8).tobytes().hex()


def unpacked(word: str) -> Shaped[np.ndarray, "side side *colour"]:
    """The square image of a word that `packed` made: no square number is three times another."""
    levels = np.frombuffer(bytes.fromhex(word.removeprefix("x")), np.uint8)
    side = round(len(levels) ** 0.5)
    if side**2 == len(levels):
        return levels.reshape(side, side)
    side = round((len(levels) / 3) ** 0.5)
    return levels.reshape(side, side, 3)


def size(rows: Rows) -> int:
    """The side of the images."""
    return len(unpacked(next(word for word in rows.column("pixels") if word)))


def described(rows: Rows) -> str:
    """The network, its training and the replicates, from the rows themselves."""
    loop = next(iter(rows.provenance["loops"].values()))
    generator, training, n = loop["generator"], loop["training"], loop["data"]["n"]
    network = {"mlp": "perceptron", "unet": "U-Net"}[generator["network"]]
    steps = f"{training['steps']:,} steps of {training['batch']} images"
    return (
        f"{network} of width {generator['width']}, {steps}, {n:,} images a generation, "
        f"{rows.provenance['seeds']} replicates"
    )


def strips(figure: SubFigure, columns: Mapping[str, Rows], generations: Sequence[int]) -> None:
    """Images: a column a loop, a line a generation."""
    places = figure.subplots(len(generations), len(columns), squeeze=False)
    for across, (title, rows) in enumerate(columns.items()):
        places[0, across].set_title(title)
        for down, generation in enumerate(generations):
            axes = places[down, across]
            words = rows.where(generation=generation, metric=None).column("pixels")
            axes.imshow(mosaic([unpacked(word) for word in words]), vmin=0, vmax=WHITE)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if across == 0:
                axes.set_ylabel(f"{generation}", rotation=0, ha="right", va="center")
    figure.supylabel("generation", fontsize="medium")


def mosaic(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images side by side, with paper between them."""
    grey = images[0].ndim == 2
    edge = [(0, 0), (0, BETWEEN)] + [(0, 0)] * (not grey)
    apart = [np.pad(image.astype(float), edge, constant_values=np.nan if grey else WHITE) for image in images]
    return np.hstack(apart)[:, :-BETWEEN] / (1 if grey else WHITE)


def panel(axes: Axes, rows: Rows, looks: Mapping[str, tuple[str, str]], real: str) -> None:
    """One metric of every loop: open markers with their bars, and dotted what real images have.

    Args:
        axes: where to draw.
        rows: of the metric.
        looks: colour and marker of every loop.
        real: what the dotted line is called.
    """
    names = [name for name in looks if rows.where(loop=name)]
    known: dict[float, str] = {}
    for index, name in enumerate(names):
        points, (colour, marker) = rows.where(loop=name), looks[name]
        known |= dict.fromkeys(points.where(generation=0).column("value"), colour)
        made = Rows(rows.provenance, tuple(row for row in points.records if row["generation"] > 0))
        x = [g + 0.08 * (index - (len(names) - 1) / 2) for g in made.column("generation")]
        columns = (made.column(key) for key in ("value", "low", "high"))
        style.real_generator(axes, x, *columns, colour, fmt=marker, label=name)
    for value, colour in known.items():
        colour = style.BLACK if len(known) == 1 else colour
        label = real if value == min(known) else None
        axes.axhline(value, color=colour, linestyle=":", linewidth=0.8, label=label)
