"""MNIST digits fed back to a diffusion model, and what keeping only the most recognisable ones does.

A model sampled ancestrally (with the posterior variance of DDPM) is trained anew in every generation on what
the one before drew; in the second loop only the half of its images is kept that a classifier is surest of.
Above, images of one run; below, means over the replicates with 95% intervals (Student's t), quality in (a)
and (b), diversity in (c) to (e). Generation 1 of the first loop is trained on real digits: what it lacks to
the dotted line, real digits, is training's doing, and the training is the same in every generation.

Where all are kept, digits dissolve: confidence falls from generation to generation. Where the surest half is
kept it stays, precision does not fall, and recall, coverage and the entropy of classes fall all the same;
the latter two less than where all are kept. Precision above that of real digits says that samples crowd
where digits are dense. The network is undertrained: its generation 1 has a coverage of 0.40, not 0.92.

The set-up is that of figure 3 (a) and (b) of Xing et al. (2025), *On the caveats of AI autophagy*, at a size
that a busy processor can do: digits of 14 x 14 pixels in the place of 28 x 28, a perceptron in the place of a
U-Net, 2,000 images a generation in the place of 60,000, and few steps of training. (Through a perceptron
narrower than an image has pixels the noise does not pass that it should remove.) The full size lies ready in
`paper_figs/loops`. Samples are measured after selection, as the next generation sees them, 1,000 beside 1,000
test images, in the features of a classifier of the small digits.

`autophagy figures mnist_selection --collect` runs the loops again, with `AUTOPHAGY_DATA` saying where MNIST
lies: six minutes of processor time.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from paper_figs import estimates, style
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace
from theory.selection import TopFraction

if TYPE_CHECKING:
    from models.generation import Generation

SMALL = "mnist_14x14.npz"
"""MNIST, every image reduced to 14 x 14 by the means of squares of four pixels."""

PLAIN = Loop(
    Images(SMALL),
    Replace(2000),
    generator=Diffusion("mlp", "edm", 30, "ddim", 1.0, width=256, depth=2),
    training=Training("adam", 2e-3, 5000, 64, 0.999, clip=1.0),
)
LOOPS = {
    "all kept": PLAIN,
    "surest half kept": PLAIN.with_(selection=TopFraction(0.5, "typicality", threshold="pool")),
}

GENERATIONS = 3

METRICS = {
    "confidence": "classifier's confidence",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
    "class_entropy": "entropy of classes",
    "frechet": "Fréchet distance",
}
LOOKS = {"all kept": (style.VERMILLION, "s"), "surest half kept": (style.BLUE, "o")}

SHOWN = 10
"""Images of a generation that are drawn."""

WHITE = 255


def collect(
    seeds: int = 4,
    seed: int = 0,
    *,
    loops: Mapping[str, Loop] = LOOPS,
    generations: int = GENERATIONS,
    folder: str | Path | None = None,
    data_folder: str | None = None,
    progress: Progress | None = None,
) -> Rows:
    """Run the loops.

    Args:
        seeds: replicates, trained at once.
        seed: the master seed.
        loops: by name, around a generator of images of digits, without a control of their own.
        generations: how many.
        folder: where the runs are kept, one folder each, and go on after a kill; None: nowhere.
        data_folder: where data sets lie; None: as the environment says.
        progress: told `(done, total)`.
    """
    from models.loop import Run

    parts: list[list[dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as passing, contextlib.ExitStack() as passing_through:
        base = Path(passing if folder is None else folder).resolve()
        if any(loop.source.dataset == SMALL for loop in loops.values()):
            reduce_mnist(base / SMALL, data_folder)
            passing_through.enter_context(contextlib.chdir(base))  # the name is relative, and in the seeds
        for index, (name, loop) in enumerate(loops.items()):
            run = Run(loop, seeds, seed, base / f"run_{index}", control=False)
            run.check(generations)
            if index == 0:
                real = run.judge.of_real()
                parts.append([_row(None, 0, metric=metric, value=real[metric]) for metric in METRICS])
            for generation in run.generations(generations):
                parts.append([*_measured(name, generation), *_images(name, generation)])
                if progress is not None:
                    progress(index * generations + generation.number, len(loops) * generations)
    return Rows(provenance(loops, seed, seeds), merged(parts))


def reduce_mnist(path: Path, data_folder: str | None = None) -> None:
    """Write MNIST at half its side, unless it is there: bytes `x`, classes `y`, which to train on."""
    from models.datasets import data_set

    if path.exists():
        return
    full = data_set("mnist", data_folder)
    count, side = full.values.shape[:2]
    blocks = full.values.reshape(count, side // 2, 2, side // 2, 2)
    small = np.round(blocks.mean(axis=(2, 4))).astype(np.uint8)
    training = np.zeros(count, bool)
    training[full.training] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    with style.replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, x=small, y=full.labels, train=training)


def _row(name: str | None, generation: int, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"generation": generation, "loop": name}
    return row | dict.fromkeys(("metric", "value", "low", "high", "image", "pixels")) | values


def _measured(name: str, generation: Generation) -> Iterator[dict[str, Any]]:
    for metric in METRICS:
        found = estimates.of_few(generation.measures[metric])
        yield _row(name, generation.number, metric=metric, **found._asdict())


def _images(name: str, generation: Generation) -> Iterator[dict[str, Any]]:
    for number, image in enumerate(generation.pictured[0][0, :SHOWN]):
        yield _row(name, generation.number, image=number, pixels=packed(image))


def packed(image: np.ndarray) -> str:
    """A square image as one word, two hexadecimal digits a pixel: x and the grey levels from 0 to 255."""
    return "x" + np.clip(np.round(image), 0, WHITE).astype(np.uint8).tobytes().hex()


def unpacked(word: str) -> np.ndarray:
    """The square image of a word that `packed` made."""
    levels = np.frombuffer(bytes.fromhex(word.removeprefix("x")), np.uint8)
    side = round(len(levels) ** 0.5)
    return levels.reshape(side, side)


def draw(rows: Rows) -> Figure:
    """Images of both loops above, six metrics below."""
    generations = sorted({g for g in rows.column("generation") if g > 0})
    names = [name for name in LOOKS if rows.where(loop=name)]
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.6))
        above, below = figure.subfigures(2, 1, height_ratios=[0.9, 2])
        _strips(above, rows, names, generations)
        panels = below.subplots(2, 3).ravel()
        for letter, axes, (metric, label) in zip("abcdef", panels, METRICS.items(), strict=True):
            _panel(axes, rows.where(metric=metric), names)
            axes.set_title(label)
            axes.set_xticks(generations)
            axes.set_xlabel("generation $g$")
            style.panel_letter(axes, letter)
        handles, labels = panels[0].get_legend_handles_labels()
        below.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle(_told(rows), fontsize="small")
    return figure


def _told(rows: Rows) -> str:
    """What was run, from the rows themselves."""
    loop = next(iter(rows.provenance["loops"].values()))
    generator, training, n = loop["generator"], loop["training"], loop["data"]["n"]
    network = {"mlp": "perceptron", "unet": "U-Net"}[generator["network"]]
    side = len(unpacked(next(word for word in rows.column("pixels") if word)))
    return (
        f"MNIST at {side} x {side}; {network} of width {generator['width']}, {training['steps']:,} steps of "
        f"{training['batch']} images, {n:,} images a generation, {rows.provenance['seeds']} replicates"
    )


def _strips(figure: SubFigure, rows: Rows, names: list[str], generations: list[int]) -> None:
    strips = figure.subplots(len(generations), len(names), squeeze=False)
    for column, name in enumerate(names):
        strips[0, column].set_title(name)
        for line, generation in enumerate(generations):
            axes = strips[line, column]
            words = rows.where(loop=name, generation=generation, metric=None).column("pixels")
            images = [np.pad(unpacked(word).astype(float), ((0, 0), (0, 2)), constant_values=np.nan)
                      for word in words]  # fmt: skip
            axes.imshow(np.hstack(images)[:, :-2], vmin=0, vmax=WHITE)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if column == 0:
                axes.set_ylabel(f"{generation}", rotation=0, ha="right", va="center")
    figure.supylabel("generation", fontsize="medium")


def _panel(axes: Axes, rows: Rows, names: list[str]) -> None:
    for index, name in enumerate(names):
        points, (colour, marker) = rows.where(loop=name), LOOKS[name]
        x = [g + 0.08 * (index - (len(names) - 1) / 2) for g in points.column("generation")]
        columns = (points.column(key) for key in ("value", "low", "high"))
        style.real_generator(axes, x, *columns, colour, fmt=marker, label=name)
    for value in rows.where(loop=None).column("value"):
        axes.axhline(value, color=style.BLACK, linestyle=":", linewidth=0.8, label="real digits")
