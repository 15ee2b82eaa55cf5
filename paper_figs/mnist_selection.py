"""MNIST digits fed back to a diffusion model, and what keeping only the most recognisable ones does.

A model sampled ancestrally (with the posterior variance of DDPM) is trained anew in every generation on what
the one before drew; in the second loop only the half of its images is kept that a classifier is surest of.
Above, images of one run, and of the control at the end: the same training, each generation on as many real
digits, all kept. Below, means over the replicates with 95% intervals (Student's t), quality in (a) and (b),
diversity in (c) to (e), the control's as a band, dotted what real digits have. What the control lacks to the
dotted line is training's and the sampler's doing, the same in every generation: a confidence of 0.65 in the
place of 0.93, a recall of 0.6 in the place of 0.96.

What the first loop lacks to the control is the loop's doing: in four generations confidence falls from 0.65
to 0.43, coverage from 0.59 to 0.16, recall from 0.60 to 0.06, the entropy of classes from 2.29 to 1.97, while
the control stays. Digits dissolve. Where the surest half is kept they do not: confidence goes from
0.85 to 0.92, that of real digits, precision from 0.94 to 0.99, above them, since samples crowd where digits
are dense. Recall (0.56 to 0.10), coverage (0.69 to 0.38) and the entropy of classes (2.28 to 1.94) fall all
the same. The control of this loop is its generation 1: trained on real digits, and chosen from.

The question is that of figure 3 (a) and (b) of Xing et al. (2025), *On the caveats of AI autophagy*. That a
loop left to itself loses quality and diversity, and that with selection diversity falls while the quality of
what remains does not, is confirmed. That selection itself costs diversity is not seen here: coverage falls
less than without, recall and entropy cannot be told apart. The likely reason, which was not tested, is that
so small a network makes many images that are no digits, and selection keeps them out. The set-up is theirs at
a size for a processor: digits of 14 x 14 pixels in the place of 28 x 28, a perceptron in the place of a
U-Net, 2,000 images a generation in the place of 60,000, 4,000 steps of training; their sampler is DDPM, ours
the same ancestral one with 30 steps of another schedule. The full size lies ready in `paper_figs/loops`.
Samples are measured after selection, as the next generation sees them, 1,000 beside 1,000 test images, in the
features of a classifier of the small digits.

`autophagy figures mnist_selection --collect` runs the loops again, with `AUTOPHAGY_DATA` saying where MNIST
lies: eight minutes of processor time.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from paper_figs import image_panels, style
from paper_figs.generated import Experiment
from paper_figs.rows import Rows
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace
from theory.selection import TopFraction

PLAIN = Loop(
    Images("mnist_14x14.npz"),
    Replace(2000),
    generator=Diffusion("mlp", "edm", 30, "ddim", 1.0, width=256, depth=2),
    training=Training("adam", 4e-3, 4000, 64, 0.999, clip=1.0),
)
LOOPS = {
    "all kept": PLAIN,
    "surest half kept": PLAIN.with_(selection=TopFraction(0.5, "typicality", threshold="pool")),
}

GENERATIONS = 4

METRICS = {
    "confidence": "classifier's confidence",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
    "class_entropy": "entropy of classes",
    "frechet": "Fréchet distance",
}
LOOKS = {"all kept": (style.VERMILLION, "s"), "surest half kept": (style.BLUE, "o")}


EXPERIMENT = Experiment(LOOPS, METRICS, GENERATIONS, controlled=["all kept"])
collect = EXPERIMENT.collect


def draw(rows: Rows) -> Figure:
    """Images of both loops above, six metrics below."""
    generations = sorted({g for g in rows.column("generation") if g > 0})
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.9))
        above, below = figure.subfigures(2, 1, height_ratios=[1.1, 2])
        image_panels.strips(above, image_panels.columns(rows, LOOKS), generations)
        image_panels.panels(below, rows, METRICS, LOOKS, "real digits", lines=2)
        image_panels.head(figure, rows, "MNIST")
    return figure
