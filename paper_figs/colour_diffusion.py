"""Flowers and birds in colour, fed back to an unguided diffusion model.

Above, images of one run; below, means over the replicates with 95% intervals (Student's t), dotted what real
images have. Images fade towards a blurred flower of the middle, or a grey-green with a spot: the Fréchet
distance rises fourfold in five generations, the variance falls to less than half of generation 1, recall to
nearly nothing. Precision rises to one, since samples crowd where images are dense; coverage hardly falls,
since a few samples in the middle lie in the wide balls of most images. Generation 1, trained on real images,
has about two thirds of their variance: that is training's doing.

That colour images degrade and the Fréchet distance rises is what Martinez et al. (2023), arXiv:2306.06130,
found. The set-up is theirs (DDIM with 20 steps, cosine schedule, AdamW, averaged weights) at a size for a
processor: 8 x 8 pixels in the place of 32 x 32, a perceptron in the place of a U-Net, 1,000 images a
generation. A U-Net of width 16 and depth 1 took 0.10 seconds of processor time for a step of 32 images of
16 x 16 and 0.14 for one of 16 images of 32 x 32: 1,500 steps for every one of 40 networks are two hours,
without the sampling. The full size lies ready in `paper_figs/loops`.

The archives have no classes: a classifier of 102 or 200 kinds with some 50 images of each would be poor. The
Fréchet distance, precision, recall, coverage and variance are therefore taken in the first 64 principal axes
of the real pixels.

`autophagy figures colour_diffusion --collect` runs the loops again, with `AUTOPHAGY_DATA` saying where
flowers102 and cub200 lie: three minutes of processor time.
"""

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

SHARES = ("precision", "recall", "coverage")

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
            axes.set_ylim(bottom=0, top=1.05 if metric in SHARES else None)
            axes.set_xticks(generations)
            axes.set_xlabel("generation $g$")
            style.panel_letter(axes, letter)
        handles, labels = panels[0].get_legend_handles_labels()
        below.legend(handles, labels, loc="outside lower center", ncols=3)
        side = generated.size(rows)
        figure.suptitle(f"{side} x {side}; {generated.described(rows)}", fontsize="small")
    return figure
