"""The picture of a comparison: theory as lines, Monte Carlo as points with 95% intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import theory.predict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autophagy.comparison import Compared, Comparison

COLUMNS = 3
SHOWN = 40
"""Points drawn in a panel at most, on the line and beside it: more would hide it."""


def draw_comparison(comparison: Comparison, path: str) -> None:
    """Write the picture, a panel for each observable; of a vector, its first component."""
    from matplotlib.figure import Figure

    from autophagy.files import write
    from paper_figs.style import PAGE, styled

    drawn = {
        name: part
        for name, part in comparison.observables.items()
        if np.isfinite(part.agreement.mean.sample).any()
    }
    rows = max(-(-len(drawn) // COLUMNS), 1)
    note = f"Lines: theory. Points: {comparison.seeds:,} seeds, 95% intervals; grey: not testable."
    with styled():
        figure = Figure(figsize=(PAGE, 1.7 * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel, (name, compared) in zip(axes, drawn.items(), strict=False):
            _panel(panel, comparison, name, compared)
        for panel in axes[len(drawn) :]:
            panel.set_axis_off()
        figure.supxlabel("generation")
        figure.suptitle(note, fontsize="medium")
        write(path, lambda draft: figure.savefig(draft, format=Path(path).suffix[1:]))


def _panel(axes: Axes, comparison: Comparison, name: str, compared: Compared) -> None:
    from scipy import stats

    from jaxsim.verdict import NOT_TESTABLE
    from paper_figs.estimates import COVERAGE
    from paper_figs.style import BLUE, GREY, ORANGE, monte_carlo
    from paper_figs.style import theory as line

    judged = compared.agreement.mean
    first = (Ellipsis, *(0,) * (judged.sample.ndim - 1))
    reach = stats.norm.ppf((1 + COVERAGE) / 2)
    error = reach * np.sqrt(np.asarray(compared.sample.variance) / np.asarray(compared.sample.count))
    mean, error, verdict = (np.atleast_1d(part[first]) for part in (judged.sample, error, judged.verdict))
    axes.set_title(name.replace("_", " "))
    if judged.sample.ndim == 0:  # a first passage
        steps = np.zeros(1)
        axes.set_xticks([])
        axes.axhline(float(judged.theory), color=BLUE)
    else:
        steps = np.asarray(comparison.generations)
        grid, predicted = _curve(comparison, name)
        line(axes, grid, predicted[first], BLUE)
    seen = np.unique(np.linspace(0, len(steps) - 1, SHOWN).round().astype(int))
    seen = seen[np.isfinite(mean[seen]) & np.isfinite(error[seen])]
    for colour, chosen in ((ORANGE, verdict != NOT_TESTABLE), (GREY, verdict == NOT_TESTABLE)):
        at = seen[chosen[seen]]
        if at.size:
            m, e = mean[at], error[at]
            monte_carlo(axes, steps[at], m, m - e, m + e, colour, markersize=2.5)


def _curve(comparison: Comparison, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Theory between the first generation and the last, more often than it was measured."""
    last = comparison.generations[-1]
    between = np.linspace(comparison.generations[0], last, SHOWN).round()
    grid = sorted({*map(int, between), *comparison.generations})
    predicted = theory.predict.predict(comparison.loop, grid, [name])[name].sel(statistic="mean")
    return np.asarray(grid), np.asarray(predicted.values)
