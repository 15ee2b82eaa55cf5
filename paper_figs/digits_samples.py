"""Handwritten digits fed back to themselves, as pictures: what later and later models draw.

The loops of `digits_collapse`, one run each: two runs with n = 100 points a generation, so that it is seen
that every run ends on an image of its own, and one with n = 1,797, the number of digits. Generation 0 is the
source, a Gaussian with the digits' mean and covariance. All images share one grey scale, 0 to 16; what a
Gaussian puts outside is drawn black or white.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.datasets import resolve, subspace
from paper_figs import style
from paper_figs.digits_collapse import loop
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress, stage

RUNS = ((100, 0), (100, 1), (1797, 0))
"""The points a generation and the replicate of each strip."""

GENERATIONS = (1, 5, 20, 100, 200)
ACROSS = 3
"""Images across and down in one square: nine are drawn of each model."""

WHITE = 16
"""The largest grey level of the digits."""


def collect(
    seeds: int = 2,
    seed: int = 0,
    *,
    strips: tuple[tuple[int, int], ...] = RUNS,
    generations: tuple[int, ...] = GENERATIONS,
    progress: Progress | None = None,
) -> Rows:
    """Follow the runs and draw nine images from each model.

    Args:
        seeds: how many replicates are run for each n; they are those of `digits_collapse`.
        seed: of the runs; the images drawn from a model have a stream of their own, made of this seed, n, the
            replicate and the generation.
        strips: pairs of n and replicate.
        generations: which models are drawn from, besides the source.
        progress: told `(done, total)`.
    """
    sizes = sorted({n for n, _ in strips})
    parts = []
    for index, n in enumerate(sizes):
        replicates = [run for size, run in strips if size == n]
        parts.append(_images(n, replicates, generations, seeds, seed, stage(progress, index, len(sizes))))
    return Rows(provenance({f"n = {n}": loop(n) for n in sizes}, seed, seeds), merged(parts))


def _images(
    n: int,
    replicates: list[int],
    generations: tuple[int, ...],
    seeds: int,
    seed: int,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    from jaxsim.simulate import simulate

    space = subspace("digits")
    runs = simulate(
        resolve(loop(n)),
        generations,
        seeds,
        seed=seed,
        observables=("mean_error", "covariance"),
        keep="replicates",
        progress=progress,
    )
    for replicate in replicates:
        models = {0: (np.zeros(space.rank), np.diag(space.variances))}
        for generation in generations:
            model = runs.sel(generation=generation).isel(replicate=replicate)
            models[generation] = (model["mean_error"].to_numpy(), model["covariance"].to_numpy())
        for generation, (mean, covariance) in models.items():
            rng = np.random.default_rng([seed, n, replicate, generation])
            images = space.to_images(sample(rng, mean, covariance, ACROSS**2))
            for number, image in enumerate(images):
                pixels = {f"pixel_{k:02d}": round(float(value), 2) for k, value in enumerate(image.ravel())}
                yield {"n": n, "replicate": replicate, "generation": generation, "image": number} | pixels


def sample(
    rng: np.random.Generator,
    mean: Float[np.ndarray, " rank"],
    covariance: Float[np.ndarray, "rank rank"],
    count: int,
) -> Float[np.ndarray, "count rank"]:
    """Draws from a normal whose covariance may have collapsed below rounding in some directions."""
    variances, axes = np.linalg.eigh(covariance)
    return mean + rng.standard_normal((count, len(mean))) * np.sqrt(np.maximum(variances, 0)) @ axes.T


def draw(rows: Rows) -> Figure:
    """One strip for each run, one square of nine images for each generation."""
    strips = sorted({(row["n"], row["replicate"]) for row in rows.records})
    generations = sorted(set(rows.column("generation")))
    with style.styled():
        side = style.PAGE / (len(generations) + 0.35)
        figure = Figure(figsize=(style.PAGE, side * len(strips) + 0.25))
        squares = figure.subplots(len(strips), len(generations), squeeze=False)
        for line, (n, replicate) in zip(squares, strips, strict=True):
            for axes, generation in zip(line, generations, strict=True):
                _square(axes, rows.where(n=n, replicate=replicate, generation=generation))
            several = sum(size == n for size, _ in strips) > 1
            line[0].set_ylabel(f"$n = {style.thousands(n)}$" + (f", run {replicate + 1}" if several else ""))
        for axes, generation in zip(squares[0], generations, strict=True):
            axes.set_title("source" if generation == 0 else f"generation {generation}")
    return figure


def _square(axes: Axes, rows: Rows) -> None:
    keys = [key for key in rows.records[0] if key.startswith("pixel_")]
    side = round(len(keys) ** 0.5)
    images = np.array([[row[key] for key in keys] for row in rows.records]).reshape(-1, side, side)
    across = round(len(images) ** 0.5)
    mosaic = np.full((across * (side + 1) - 1, across * (side + 1) - 1), np.nan)
    for number, image in enumerate(images):
        down, right = divmod(number, across)
        corner = (slice(down * (side + 1), None), slice(right * (side + 1), None))
        mosaic[corner][:side, :side] = image
    axes.imshow(mosaic, vmin=0, vmax=WHITE)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
