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

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from paper_figs import generated, style
from paper_figs.rows import Rows
from paper_figs.stages import Progress
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace
from theory.selection import TopFraction

PLAIN = Loop(
    Images("mnist_14x14.npz"),
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
    return generated.collected(
        loops, METRICS, seeds, seed, generations=generations, folder=folder, data_folder=data_folder,
        told=generated.first_images, progress=progress,
    )  # fmt: skip


def draw(rows: Rows) -> Figure:
    """Images of both loops above, six metrics below."""
    generations = sorted({g for g in rows.column("generation") if g > 0})
    columns = {name: found for name in LOOKS if (found := rows.where(loop=name))}
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.6))
        above, below = figure.subfigures(2, 1, height_ratios=[0.9, 2])
        generated.strips(above, columns, generations)
        panels = below.subplots(2, 3).ravel()
        for letter, axes, (metric, label) in zip("abcdef", panels, METRICS.items(), strict=True):
            generated.panel(axes, rows.where(metric=metric), LOOKS, "real digits")
            axes.set_title(label)
            axes.set_xticks(generations)
            axes.set_xlabel("generation $g$")
            style.panel_letter(axes, letter)
        handles, labels = panels[0].get_legend_handles_labels()
        below.legend(handles, labels, loc="outside lower center", ncols=3)
        side = generated.size(rows)
        figure.suptitle(f"MNIST at {side} x {side}; {generated.described(rows)}", fontsize="small")
    return figure
