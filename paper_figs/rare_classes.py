"""Rare things go first: how a class of small mass disappears from a self-consuming loop.

The dog breeds of Wenger (2024), doi:10.1038/d41586-024-02355-z, as six categories with 55% to 2% of the mass,
refitted by counting. Lines are exact (a binary Wright-Fisher chain for every category); points are simulated.

Beside them what the literature offers for the same probability: (1 - p)^n, the chance that a class of mass p
is missing from one sample, which is the first generation's and stays where the truth does not; and
exp(-np/t), the bound on extinction by generation t of Suresh, Thangaraj and Khandavally (2025),
arXiv:2412.17646, which is true, with half the exponent of the exact law exp(-n p a_t), t a_t -> 2: times to
extinction are twice as long as it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from paper_figs import style
from paper_figs.estimates import COVERAGE
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress, stage
from theory.discrete_source import Categorical
from theory.loop import Loop, Replace

BREEDS = (0.55, 0.2, 0.12, 0.08, 0.03, 0.02)
SHOWN = {0.02: style.BLUE, 0.08: style.GREEN, 0.2: style.PURPLE}
"""Masses shown, and their colours."""

GENERATIONS = {100: 500, 1000: 1000}
"""Generations shown for each number of points n."""

KNOTS = 60
POINTS = 9
FOLKLORE, BOUND = "one-sample", "published-bound"
LITERATURE = {FOLKLORE: (":", r"$(1-p)^n$, one sample"), BOUND: ("--", r"$e^{-np/t}$, published bound")}


def loop(n: int) -> Loop:
    """The loop with n points a generation."""
    return Loop(Categorical(BREEDS), Replace(n))


def collect(
    seeds: int = 10_000,
    seed: int = 0,
    *,
    generations: dict[int, int] = GENERATIONS,
    progress: Progress | None = None,
) -> Rows:
    """Simulate `seeds` runs for each n, and evaluate the exact and the published probabilities."""
    parts = []
    for index, (n, last) in enumerate(generations.items()):
        told = stage(progress, index, len(generations))
        parts += [_exact(n, last), _simulated(n, last, seeds, seed, told)]
    loops = {f"n = {n}": loop(n) for n in generations}
    return Rows(provenance(loops, seed, seeds), merged(parts))


def _row(n: int, share: float, kind: str, generation: int, value: float, **values: Any) -> dict[str, Any]:
    key = {"n": n, "share": share, "kind": kind, "generation": generation, "value": value}
    return key | {"low": None, "high": None, "seeds": None} | values


def spaced(last: int, count: int) -> list[int]:
    """About `count` generations from 1 to `last`, evenly spaced in their logarithm."""
    return np.unique(np.round(np.geomspace(1, last, count)).astype(int)).tolist()


def _exact(n: int, last: int) -> Iterator[dict[str, Any]]:
    from theory.predict import predict

    knots = spaced(last, KNOTS)
    gone = predict(loop(n), knots, ["extinct"])["extinct"].sel(statistic="mean")
    for share in SHOWN:
        column = gone.sel(category=BREEDS.index(share) + 1)
        for generation in knots:
            exact = float(column.sel(generation=generation))
            yield _row(n, share, "exact", generation, exact)
            yield _row(n, share, FOLKLORE, generation, (1 - share) ** n)
            yield _row(n, share, BOUND, generation, math.exp(-n * share / generation))


def _simulated(
    n: int, last: int, seeds: int, seed: int, progress: Progress | None
) -> Iterator[dict[str, Any]]:
    from jaxsim.simulate import simulate

    wanted = spaced(last, POINTS)
    runs = simulate(loop(n), wanted, seeds, seed=seed, observables=["extinct"], progress=progress)
    mean = runs["extinct"].sel(statistic="mean")
    for share in SHOWN:
        for generation in wanted:
            value = float(mean.sel(category=BREEDS.index(share) + 1, generation=generation))
            low, high = interval(round(value * seeds), seeds)
            yield _row(n, share, "monte-carlo", generation, value, low=low, high=high, seeds=seeds)


def interval(hits: int, count: int) -> tuple[float, float]:
    """Clopper and Pearson's 95% interval of a probability."""
    tail = (1 - COVERAGE) / 2
    low = float(stats.beta.ppf(tail, hits, count - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, count - hits)) if hits < count else 1.0
    return low, high


def draw(rows: Rows) -> Figure:
    """A panel for each n: the probability that a class is gone, against the generation."""
    sizes = sorted(set(rows.column("n")))
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 2.9))
        panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
        for axes, n, letter in zip(panels, sizes, "abcdefgh", strict=False):
            _panel(axes, rows.where(n=n))
            axes.set_title(f"$n = {style.thousands(n)}$")
            style.panel_letter(axes, letter)
        panels[0].set_ylabel("probability that the class is gone")
        handles, names = panels[0].get_legend_handles_labels()
        order = sorted(range(len(names)), key=lambda k: not names[k].startswith("exact"))
        figure.legend(
            [handles[k] for k in order], [names[k] for k in order], loc="outside upper center", ncols=3
        )
    return figure


def _panel(axes: Axes, rows: Rows) -> None:
    seeds = f"{rows.provenance['seeds']:,}"
    for share, colour in SHOWN.items():
        own = rows.where(share=share)
        first = share == min(SHOWN)
        style.theory(axes, *_curve(own.where(kind="exact")), colour, label=f"exact, p = {share:.0%}")
        for kind, (dashes, label) in LITERATURE.items():
            curve = _curve(own.where(kind=kind))
            axes.plot(*curve, color=colour, linestyle=dashes, linewidth=0.8, label=label if first else None)
        points = own.where(kind="monte-carlo")
        style.monte_carlo(
            axes, *_curve(points), points.column("low"), points.column("high"), colour,
            markersize=3, label=f"{seeds} runs" if first else None,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("generation")


def _curve(rows: Rows) -> tuple[list[float], list[float]]:
    return rows.column("generation"), rows.column("value")
