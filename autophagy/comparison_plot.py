"""The picture of a comparison: theory as lines, Monte Carlo as points with 95% intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autophagy.compare import Compared, Comparison

COLUMNS = 3
SHOWN = 40
"""Points drawn in a panel at most: more would hide the line."""


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
    rows = -(-len(drawn) // COLUMNS)
    with styled():
        figure = Figure(figsize=(PAGE, 1.7 * max(rows, 1)), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel, (name, compared) in zip(axes, drawn.items(), strict=False):
            _panel(panel, np.asarray(comparison.generations), name, compared)
        for panel in axes[len(drawn) :]:
            panel.set_axis_off()
        figure.supxlabel("generation")
        figure.suptitle(f"lines: theory; points: {comparison.seeds} seeds, 95% intervals")
        write(path, lambda draft: figure.savefig(draft, format=Path(path).suffix[1:]))


def _panel(axes: Axes, generations: np.ndarray, name: str, compared: Compared) -> None:
    from paper_figs.style import BLUE, ORANGE, monte_carlo, theory

    judged, sample = compared.agreement.mean, compared.sample
    first = (Ellipsis, *(0,) * (judged.sample.ndim - 1))
    predicted, mean = judged.theory[first], judged.sample[first]
    if np.ndim(mean) == 0:  # a first passage
        generations, predicted, mean = np.zeros(1), np.reshape(predicted, 1), np.reshape(mean, 1)
        axes.set_xticks([])
    error = 1.96 * np.sqrt(np.asarray(sample.variance) / np.asarray(sample.count))
    error = np.reshape(error[first], mean.shape)
    seen = np.unique(np.linspace(0, len(generations) - 1, SHOWN).round().astype(int))
    seen = seen[np.isfinite(mean[seen]) & np.isfinite(error[seen])]
    shown = np.isfinite(predicted)
    if shown.sum() == 1:
        axes.axhline(predicted[shown][0], color=BLUE)
    elif shown.any():
        theory(axes, generations[shown], predicted[shown], BLUE)
    m, e = mean[seen], error[seen]
    monte_carlo(axes, generations[seen], m, m - e, m + e, ORANGE, markersize=2.5)
    axes.set_title(name.replace("_", " "))
