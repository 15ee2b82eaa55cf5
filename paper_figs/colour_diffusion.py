"""Flowers and birds in colour, fed back to an unguided diffusion model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from paper_figs import generated, style
from paper_figs.rows import Rows
from paper_figs.stages import Progress
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace


def loop(archive: str) -> Loop:
    """The loop around one data set."""
    return Loop(
        Images(archive),
        Replace(1000),
        generator=Diffusion("mlp", "cosine", 20, "ddim", width=256, depth=2),
        training=Training("adamw", 4e-3, 1500, 64, 0.999, clip=1.0),
    )


LOOPS = {"flowers": loop("flowers102_8x8.npz"), "birds": loop("cub200_8x8.npz")}

GENERATIONS = 5

METRICS = {
    "frechet": "Fréchet distance",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
    "variance": "variance",
}

LOOKS = {"flowers": (style.PURPLE, "o"), "birds": (style.GREEN, "s")}


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
        loops: by name, around an unconditional generator of images.
        generations: how many.
        folder: where the runs are kept, one folder each, and go on after a kill; None: nowhere.
        data_folder: where data sets lie; None: as the environment says.
        progress: told `(done, total)`.
    """
    return generated.collected(
        loops, METRICS, seeds, seed, generations=generations, folder=folder, data_folder=data_folder,
        told=generated.first_images, progress=progress,
    )  # fmt: skip


def draw(rows: Rows) -> Figure:
    """Images of both loops above, the metrics below."""
    generations = sorted({g for g in rows.column("generation") if g > 0})
    columns = {name: found for name in LOOKS if (found := rows.where(loop=name))}
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 3.9))
        above, below = figure.subfigures(2, 1, height_ratios=[1.3, 1])
        generated.strips(above, columns, generations)
        panels = below.subplots(1, len(METRICS))
        for letter, axes, (metric, label) in zip("abcde", panels, METRICS.items(), strict=True):
            generated.panel(axes, rows.where(metric=metric), LOOKS, "real images")
            axes.set_title(label)
            axes.set_ylim(bottom=0)
            axes.set_xticks(generations)
            axes.set_xlabel("generation $g$")
            style.panel_letter(axes, letter)
        handles, labels = panels[0].get_legend_handles_labels()
        below.legend(handles, labels, loc="outside lower center", ncols=3)
        side = generated.size(rows)
        figure.suptitle(f"{side} x {side}; {generated.described(rows)}", fontsize="small")
    return figure
