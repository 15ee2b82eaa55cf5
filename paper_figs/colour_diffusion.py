"""Flowers and birds in colour, fed back to an unguided diffusion model, beside a control on real images.

Above, images of one run, and of the control at the end: the same training, each generation on as many real
images. Below, means over the replicates with 95% intervals (Student's t), the control's as bands, dotted
what real images have. What the control lacks to the dotted lines is training's doing: it keeps 0.7 of the
real variance, has a recall of 0.65 and 0.6 in the place of 0.8 and 0.7, and a Fréchet distance of 3 where
real images have 1.

What the loops lack to their controls is the loop's doing. From generation 1, which is as the control, the
Fréchet distance rises fourfold in five generations, from 2.8 to 10.8 (flowers) and 12.5 (birds); the variance
falls to 0.34 and 0.27 of the real one, recall to 0.07 and 0.17, coverage by a quarter and a third. Precision
rises, since samples crowd where images are dense. To look at, flowers become one blurred flower of the middle
and birds a grey-green with a spot.

That colour images degrade and the Fréchet distance rises is what Martinez et al. (2023), arXiv:2306.06130,
found: confirmed, beside a control. The set-up is theirs (DDIM with 20 steps, cosine schedule, AdamW, averaged
weights) at a size for a processor: 16 x 16 pixels in the place of 32 x 32, a perceptron in the place of a
U-Net, 2,000 images a generation. Network, width and steps were chosen by what generation 1 looked like
alone. The full size lies ready in `paper_figs/loops`.

The archives have no classes: a classifier of 102 or 200 kinds with some 50 images of each would be poor. The
Fréchet distance, precision, recall, coverage and variance are therefore taken in the first 64 principal axes
of the real pixels.

`autophagy figures colour_diffusion --collect` runs the loops again, with `AUTOPHAGY_DATA` saying where
flowers102 and cub200 lie: eleven minutes of processor time.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from paper_figs import image_panels, style
from paper_figs.generated import Experiment
from paper_figs.rows import Rows
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace


def loop(archive: str) -> Loop:
    """The loop around one data set."""
    return Loop(
        Images(archive),
        Replace(2000),
        generator=Diffusion("mlp", "cosine", 20, "ddim", width=512, depth=1),
        training=Training("adamw", 3e-3, 1000, 64, 0.999, clip=1.0),
    )


LOOPS = {"flowers": loop("flowers102_16x16.npz"), "birds": loop("cub200_16x16.npz")}

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


EXPERIMENT = Experiment(LOOPS, METRICS, GENERATIONS, controlled=LOOPS)
collect = EXPERIMENT.collect


def draw(rows: Rows) -> Figure:
    """Images of both loops above, the metrics below."""
    generations = sorted({g for g in rows.column("generation") if g > 0})
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.3))
        above, below = figure.subfigures(2, 1, height_ratios=[1.5, 1])
        image_panels.strips(above, image_panels.columns(rows, LOOKS), generations)
        panels = image_panels.panels(below, rows, METRICS, LOOKS, "real images")
        for metric, axes in panels.items():
            axes.set_ylim(bottom=0, top=1.05 if metric in SHARES else None)
        image_panels.head(figure, rows, "Flowers and birds")
    return figure
