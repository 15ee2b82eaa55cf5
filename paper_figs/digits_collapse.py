"""Handwritten digits fed back to themselves: size, volume and shape of the covariance over 200 generations.

The source is the Gaussian with the digits' mean and covariance (`models.datasets`); every generation is
fitted by maximum likelihood to n points of the one before, with n = 100, and with n = 1,797, as many as there
are digits. Trace, log-determinant, tr Sigma^2 and (tr Sigma)^2 are compared with their exact expectations.

Under repeated fitting these quantities become products of many random factors: their expectations are carried
by ever rarer runs, until no affordable number of runs contains one. A mean is therefore drawn only up to the
last generation at which Cochran's rule trusts its interval (`estimates.mean_is_testable`); the rows tell the
rest. The median, which any number of runs determines, is drawn throughout, and shows how far a typical run
lies below the expectation.

No closed form of the expected effective rank (tr Sigma)^2 / tr Sigma^2 is known. Monte Carlo shows it beside
the ratio of the two exact expectations, which is another quantity: the mean of the effective rank over runs
weighted by tr Sigma^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from models.datasets import resolve, subspace
from paper_figs import estimates, style
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress, stage
from theory.loop import Images, Loop, MaximumLikelihood, Replace

SIZES = (100, 1797)
LAST = 200
POINTS = (1, 2, 5, 10, 20, 50, 100, 200)
"""Generations at which runs are measured; exact curves have every generation in between."""

EXPECTATIONS = ("trace", "log_det", "trace_of_square", "square_of_trace")
MEASURED = (*EXPECTATIONS, "effective_rank")
LIGHT_TAILED = ("log_det", "effective_rank")
"""A sum of logarithms and a bounded quantity: their mean is never in doubt, and no median is drawn."""

LABELS = {
    "trace": r"$\mathrm{tr}\,\Sigma_g$  (grey levels$^2$)",
    "log_det": r"$\log\det\Sigma_0 - \log\det\Sigma_g$",
    "trace_of_square": r"$\mathrm{tr}\,\Sigma_g^2$  (grey levels$^4$)",
    "square_of_trace": r"$(\mathrm{tr}\,\Sigma_g)^2$  (grey levels$^4$)",
    "effective_rank": r"effective rank $(\mathrm{tr}\,\Sigma_g)^2/\mathrm{tr}\,\Sigma_g^2$",
}
COLOURS = {100: (style.VERMILLION, style.ORANGE), 1797: (style.BLUE, style.SKY)}
"""For each n the colour of expectations and means, and that of medians."""

OTHER = (style.GREEN, style.GREEN)
RATIO = (0, (4, 1.5))
MEDIAN: dict[str, Any] = {"fmt": "v", "markersize": 3.5}
DODGE = 1.1
"""Medians stand this much to the right, so that their bars do not cover those of the means."""


def loop(n: int) -> Loop:
    """The loop with n points a generation."""
    return Loop(Images("digits"), Replace(n), MaximumLikelihood())


def collect(
    seeds: int = 400,
    seed: int = 0,
    *,
    sizes: tuple[int, ...] = SIZES,
    points: tuple[int, ...] = POINTS,
    progress: Progress | None = None,
) -> Rows:
    """Simulate `seeds` runs for each n, and evaluate the expectations."""
    parts = []
    for index, n in enumerate(sizes):
        told = stage(progress, index, len(sizes))
        parts += [_exact(n, points[-1]), _simulated(n, points, seeds, seed, told)]
    loops = {f"n = {n}": loop(n) for n in sizes}
    return Rows(provenance(loops, seed, seeds), merged(parts))


def _row(
    n: int, observable: str, kind: str, statistic: str, generation: int, **values: Any
) -> dict[str, Any]:
    blank = ("value", "low", "high", "seeds", "skewness", "skewness_is", "testable")
    key = {"n": n, "observable": observable, "kind": kind, "statistic": statistic, "generation": generation}
    return key | dict.fromkeys(blank) | values


def _exact(n: int, last: int) -> Iterator[dict[str, Any]]:
    from theory.predict import predict
    from theory.wishart.statistics import ratio_of_expectations

    generations = range(1, last + 1)
    expected = predict(resolve(loop(n)), generations, EXPECTATIONS)
    for observable in EXPECTATIONS:
        means = expected[observable].sel(statistic="mean").to_numpy()
        for generation, value in zip(generations, means, strict=True):
            yield _row(n, observable, "exact", "expectation", generation, value=float(value))
    ratios = np.asarray(ratio_of_expectations(resolve(loop(n)), generations))
    for generation, value in zip(generations, ratios, strict=True):
        yield _row(n, "effective_rank", "exact", "ratio of expectations", generation, value=float(value))


def _simulated(
    n: int, points: tuple[int, ...], seeds: int, seed: int, progress: Progress | None
) -> Iterator[dict[str, Any]]:
    from jaxsim.simulate import simulate

    gaussian = resolve(loop(n))
    runs = simulate(
        gaussian, points, seeds, seed=seed, observables=MEASURED, keep="replicates", progress=progress
    )
    log_det = float(np.log(subspace("digits").variances).sum())
    yield _row(n, "log_det", "exact", "source", 0, value=log_det)
    for observable in MEASURED:
        testable = True
        for generation in points:
            found = runs[observable].sel(generation=generation).to_numpy()
            skewness, known = estimates.skewness(gaussian, observable, generation, found)
            testable = testable and estimates.mean_is_testable(skewness, seeds)
            trust = {"skewness": skewness, "skewness_is": known, "testable": "yes" if testable else "no"}
            mean = estimates.mean(found)._asdict()
            yield _row(n, observable, "monte-carlo", "mean", generation, seeds=seeds, **mean, **trust)
            if observable not in LIGHT_TAILED:
                median = estimates.quantile(found, 0.5)._asdict()
                yield _row(n, observable, "monte-carlo", "median", generation, seeds=seeds, **median)


def draw(rows: Rows) -> Figure:
    """One panel for each observable, both n in each."""
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.2))
        panels = figure.subplots(2, 3).ravel()
        for letter, axes, observable in zip("abcde", panels, MEASURED, strict=False):
            for n in sorted(set(rows.column("n"))):
                _curves(axes, rows.where(observable=observable, n=n), COLOURS.get(n, OTHER))
            axes.set(xscale="log", xlabel="generation $g$", ylabel=LABELS[observable])
            if observable == "effective_rank":
                axes.set_ylim(bottom=0)
            else:
                axes.set_yscale("log")
            style.panel_letter(axes, letter)
        _legend(panels[-1], rows)
    return figure


def _curves(axes: Axes, rows: Rows, colours: tuple[str, str]) -> None:
    colour, tint = colours
    source = rows.where(statistic="source").column("value")

    def shown(points: Rows, key: str) -> list[float]:
        return [source[0] - value if source else value for value in points.column(key)]

    ratio, expectation = rows.where(statistic="ratio of expectations"), rows.where(statistic="expectation")
    for line, dashes in ((expectation, "-"), (ratio, RATIO)):
        if line:
            style.theory(axes, line.column("generation"), shown(line, "value"), colour, linestyle=dashes)
    means, medians = rows.where(statistic="mean", testable="yes"), rows.where(statistic="median")
    for points, look in ((medians, {"colour": tint} | MEDIAN), (means, {"colour": colour})):
        x = [g * DODGE if points is medians else g for g in points.column("generation")]
        ends = shown(points, "low"), shown(points, "high")
        low, high = reversed(ends) if source else ends
        style.monte_carlo(axes, x, shown(points, "value"), low, high, **look)


def _legend(axes: Axes, rows: Rows) -> None:
    """The key, in a panel of its own: colours say n, lines and markers say what is shown."""
    axes.set_axis_off()
    seeds = f"{rows.provenance['seeds']:,} runs"
    colours = [
        Patch(color=COLOURS.get(n, OTHER)[0], label=f"$n = {style.thousands(n)}$")
        for n in sorted(set(rows.column("n")))
    ]
    black: dict[str, Any] = {"color": style.BLACK}
    shapes = [
        Line2D([], [], **black, label="exact expectation"),
        Line2D([], [], **black, linestyle=RATIO, label="ratio of the exact\nexpectations, in (e)"),
        Line2D([], [], **black, marker="o", linestyle="", label=f"mean of {seeds},\nwhile testable"),
        Line2D(
            [],
            [],
            color=style.GREY,
            marker=MEDIAN["fmt"],
            linestyle="",
            label=f"median of {seeds}\n(paler, beside it)",
        ),
    ]
    axes.legend(handles=[*colours, *shapes], loc="center", labelspacing=0.8)
