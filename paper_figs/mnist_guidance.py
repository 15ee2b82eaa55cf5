"""MNIST digits fed back to a class-conditional diffusion model, with and without guidance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from paper_figs import estimates, generated, style
from paper_figs.rows import Rows
from paper_figs.stages import Progress
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace, Sampler

if TYPE_CHECKING:
    from models.generation import Generation
    from models.loop import Run

WEIGHTS = (0.0, 0.01, 1.0)
"""Of guidance; 0 is the conditional model by itself."""


def loop(weight: float) -> Loop:
    """The loop with one weight of guidance."""
    return Loop(
        Images("mnist_14x14.npz"),
        Replace(1000),
        sampler=Sampler(guidance=weight),
        generator=Diffusion("mlp", "edm", 20, "ddim", 1.0, width=256, depth=2),
        training=Training("adam", 4e-3, 1500, 64, 0.999, clip=1.0, context_dropout=0.1),
    )


LOOPS = {f"guidance {weight:g}": loop(weight) for weight in WEIGHTS}

GENERATIONS = 9

WITHIN = "within_class"
METRICS = {
    "confidence": "classifier's confidence",
    "classifier_accuracy": "recognised as asked for",
    "precision": "precision",
    "recall": "recall",
    WITHIN: "variance within classes",
    "frechet": "Fréchet distance",
}
"""All but the variance within classes are the judge's."""

LOOKS = dict(zip(LOOPS, ((style.VERMILLION, "s"), (style.ORANGE, "^"), (style.BLUE, "o")), strict=True))
SHOWN = 10
"""Images of a generation that are drawn: one of each class where there are ten."""


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
        loops: by name, around a conditional generator of images of digits.
        generations: how many.
        folder: where the runs are kept, one folder each, and go on after a kill; None: nowhere.
        data_folder: where data sets lie; None: as the environment says.
        progress: told `(done, total)`.
    """
    return generated.collected(
        loops, [metric for metric in METRICS if metric != WITHIN], seeds, seed, generations=generations,
        folder=folder, data_folder=data_folder, told=_told, real=_real, keep_samples=True, progress=progress,
    )  # fmt: skip


def _real(run: Run) -> dict[str, float]:
    return {WITHIN: within_classes(*run.real.held_out)}


def _told(run: Run, generation: Generation) -> Iterator[dict[str, Any]]:
    """The variance within classes, relative to that of held-out digits, and the first image of each class."""
    with np.load(run.folder / f"generation_{generation.number:04d}.npz") as kept:
        values, labels = kept["samples"], kept["samples_labels"]
    found = np.array([within_classes(*sample) for sample in zip(values, labels, strict=True)])
    yield {"metric": WITHIN, **estimates.of_few(found)._asdict()}
    classes, first = np.unique(labels[0], return_index=True)
    for asked, index in zip(classes[:SHOWN], first[:SHOWN], strict=True):
        yield {"image": int(asked), "pixels": generated.packed(values[0, index])}


def within_classes(
    values: Float[np.ndarray, "image side side *colour"], labels: Int[np.ndarray, " image"]
) -> float:
    """The unbiased pooled variance within classes, summed over pixels.

    With m_k the mean of class k among N images of K classes: sum_i |x_i - m_(k of i)|^2 / (N - K).
    """
    flat = values.reshape(len(values), -1).astype(float)
    _, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    totals = np.zeros((len(counts), flat.shape[1]))
    np.add.at(totals, number, flat)
    apart = flat - (totals / counts[:, None])[number]
    return float((apart**2).sum() / (len(flat) - len(counts)))


def draw(rows: Rows) -> Figure:
    """Images of the loops above, six metrics below."""
    generations = sorted({g for g in rows.column("generation") if g > 0})
    columns = {name: found for name in LOOKS if (found := rows.where(loop=name))}
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 5.6))
        above, below = figure.subfigures(2, 1, height_ratios=[1.2, 2])
        generated.strips(above, columns, generations)
        panels = below.subplots(2, 3).ravel()
        for letter, axes, (metric, label) in zip("abcdef", panels, METRICS.items(), strict=True):
            generated.panel(axes, rows.where(metric=metric), LOOKS, "real digits")
            axes.set_title(label)
            axes.set_xticks(generations)
            axes.set_xlabel("generation $g$")
            style.panel_letter(axes, letter)
        handles, labels = panels[0].get_legend_handles_labels()
        below.legend(handles, labels, loc="outside lower center", ncols=4)
        side = generated.size(rows)
        figure.suptitle(f"MNIST at {side} x {side}; {generated.described(rows)}", fontsize="small")
    return figure
