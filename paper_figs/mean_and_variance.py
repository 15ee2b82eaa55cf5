"""Mean and variance over an autophagy loop: why the single run of Xing et al.'s Figure 2 looks as it does.

Figure 2 of Xing et al. (2024), "When AI Eats Itself", arXiv:2405.09597, shows the mean and the variance
estimated generation after generation in one run started at mu = 0, sigma = 1, with 10^4 points each time.
Here are a few such runs inside the law they are drawn from: exact expectation, exact quantiles, and the
quantiles of 10,000 simulated runs, for n = 10^4 and for n = 100, where the same happens a hundred times
faster.

The variance is estimated by maximum likelihood (divisor n). The paper's text was not at hand to see which
estimator it uses; at n = 10^4 the choice hides behind the spread of the runs. With divisor n - 1 the
expectation of the variance would stay at 1, and its quantiles be (n/(n-1))^g times those drawn here.

The mean of the simulated variances is drawn only where Cochran's rule trusts its interval, the skewness being
that of the exact law: later, the expectation is carried by runs too rare to be among those simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs import estimates, style
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress, stage
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace

GENERATIONS = {100: 200, 10_000: 1000}
"""Generations shown for each number of points n."""

OBSERVABLES = ("mean_error", "variance")
PROBABILITIES = (0.05, 0.5, 0.95)
RUNS = 3
KNOTS = 50
"""Generations at which an exact curve is computed, denser towards the start, where it bends."""

POINTS = 8
"""Generations at which quantiles are compared; expectations are compared halfway between."""


BAND = "#EAF3F9"
"""The colour between the outer quantiles: a tint of theirs."""


def loop(n: int) -> Loop:
    """The loop with n points a generation."""
    return Loop(Gaussian(mean=0, variance=1), Replace(n), MaximumLikelihood())


def collect(
    seeds: int = 10_000,
    seed: int = 0,
    *,
    generations: dict[int, int] = GENERATIONS,
    progress: Progress | None = None,
) -> Rows:
    """Simulate `seeds` runs for each n, and evaluate the laws they follow."""
    parts = []
    for index, (n, last) in enumerate(generations.items()):
        told = stage(progress, index, len(generations))
        parts += [_exact(n, last), _simulated(n, last, seeds, seed, told)]
    loops = {f"n = {n}": loop(n) for n in generations}
    return Rows(provenance(loops, seed, seeds), merged(parts))


def _row(
    n: int, observable: str, kind: str, statistic: str, generation: int, **values: Any
) -> dict[str, Any]:
    empty = {"p": None, "replicate": None, "value": None, "low": None, "high": None, "seeds": None}
    key = {"n": n, "observable": observable, "kind": kind, "statistic": statistic, "generation": generation}
    return key | empty | values


def _knots(last: int) -> list[int]:
    return np.unique(np.ceil(last * np.linspace(0, 1, KNOTS + 1)[1:] ** 2).astype(int)).tolist()


def _exact(n: int, last: int) -> Iterator[dict[str, Any]]:
    from theory import law, predict

    knots = _knots(last)
    expected = predict.predict(loop(n), knots, OBSERVABLES)
    for observable, start in zip(OBSERVABLES, (0.0, 1.0), strict=True):
        yield _row(n, observable, "exact", "expectation", 0, value=start)
        for generation in knots:
            mean = float(expected[observable].sel(statistic="mean", generation=generation))
            yield _row(n, observable, "exact", "expectation", generation, value=mean)
        quantiles = law.quantile(loop(n), observable, knots, PROBABILITIES)
        for column, p in enumerate(PROBABILITIES):
            yield _row(n, observable, "exact", "quantile", 0, p=p, value=start)
            for generation, value in zip(knots, quantiles[:, column], strict=True):
                yield _row(n, observable, "exact", "quantile", generation, p=p, value=float(value))


def _simulated(
    n: int, last: int, seeds: int, seed: int, progress: Progress | None
) -> Iterator[dict[str, Any]]:
    from jaxsim.simulate import simulate

    halves = [round(last * k / (2 * POINTS)) for k in range(1, 2 * POINTS + 1)]
    path = range(max(1, last // 200), last + 1, max(1, last // 200))
    wanted = sorted({*halves, *path, 1})
    runs = simulate(
        loop(n), wanted, seeds, seed=seed, observables=OBSERVABLES, keep="replicates", progress=progress
    )
    for observable, start in zip(OBSERVABLES, (0.0, 1.0), strict=True):
        samples = runs[observable].transpose("generation", "replicate")
        for replicate in range(min(RUNS, seeds)):
            yield _row(n, observable, "run", "", 0, replicate=replicate, value=start)
            for generation in path:
                value = float(samples.sel(generation=generation)[replicate])
                yield _row(n, observable, "run", "", generation, replicate=replicate, value=value)
        for generation in halves[0::2]:
            found = samples.sel(generation=generation).to_numpy()
            skewness, _ = estimates.skewness(loop(n), observable, generation, found)
            if estimates.mean_is_testable(skewness, seeds):
                interval = estimates.mean(found)._asdict()
                yield _row(n, observable, "monte-carlo", "expectation", generation, seeds=seeds, **interval)
        for generation in halves[1::2]:
            found = samples.sel(generation=generation).to_numpy()
            for p in PROBABILITIES:
                interval = estimates.quantile(found, p)._asdict()
                yield _row(n, observable, "monte-carlo", "quantile", generation, p=p, seeds=seeds, **interval)


def draw(rows: Rows) -> Figure:
    """Two panels for each n: the mean above, the variance below (logarithmic where it falls far)."""
    sizes = sorted(set(rows.column("n")))
    labels = {"mean_error": r"estimated mean $\mu_g$", "variance": r"estimated variance $\sigma_g^2$"}
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.3))
        panels = figure.subplots(len(OBSERVABLES), len(sizes), sharex="col", squeeze=False)
        for column, n in enumerate(sizes):
            for row, observable in enumerate(OBSERVABLES):
                _panel(panels[row, column], rows.where(n=n, observable=observable))
                style.panel_letter(panels[row, column], "abcdefgh"[row * len(sizes) + column])
                panels[row, column].set_xlim(0, 1.02 * max(rows.where(n=n).column("generation")))
            size = r"10^4" if n == 10_000 else style.thousands(n)
            panels[0, column].set_title(f"$n = {size}$ points a generation")
            panels[-1, column].set_xlabel("generation $g$")
        for row, observable in enumerate(OBSERVABLES):
            panels[row, 0].set_ylabel(labels[observable])
        if 100 in sizes:
            panels[1, sizes.index(100)].set_yscale("log")
        handles, names = panels[1, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3)
    return figure


def _panel(axes: Axes, rows: Rows) -> None:
    seeds = f"{rows.provenance['seeds']:,}"
    for replicate in sorted(set(rows.where(kind="run").column("replicate"))):
        run = rows.where(kind="run", replicate=replicate)
        label = "single runs" if replicate == 0 else None
        axes.plot(*_curve(run), color=style.GREY, linewidth=0.5, label=label, zorder=1)
    exact, found = rows.where(kind="exact"), rows.where(kind="monte-carlo")
    low, high = (exact.where(p=p) for p in (min(PROBABILITIES), max(PROBABILITIES)))
    axes.fill_between(
        low.column("generation"), low.column("value"), high.column("value"), color=BAND, zorder=0
    )
    style.theory(axes, *_curve(exact.where(statistic="expectation")), style.BLACK, label="exact expectation")
    for p in PROBABILITIES:
        dashes = "--" if p == 0.5 else "-"
        label = {0.05: "exact 5% and 95% quantiles", 0.5: "exact median"}.get(p)
        style.theory(axes, *_curve(exact.where(p=p)), style.BLUE, linestyle=dashes, label=label)
    for statistic, colour, marker in (("expectation", style.BLACK, "D"), ("quantile", style.VERMILLION, "o")):
        points = found.where(statistic=statistic)
        if points:
            label = {"expectation": "mean", "quantile": "quantiles"}[statistic] + f" of {seeds} runs"
            style.monte_carlo(
                axes,
                *_curve(points),
                points.column("low"),
                points.column("high"),
                colour,
                fmt=marker,
                label=label,
            )


def _curve(rows: Rows) -> tuple[list[float], list[float]]:
    return rows.column("generation"), rows.column("value")
