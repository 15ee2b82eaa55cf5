"""How good a forecast of log variances is: coverage, width and proper scores.

A forecast that covers may only be wide. Two scores reward narrowness as well and are least, on average, for
the true law (Gneiting and Raftery 2007, doi:10.1198/016214506000001437): the interval score of a central
interval [l, u] of level 1 - alpha (section 6.2), and the continuous ranked probability score (section 4.2),

    u - l + (2 / alpha) (max(l - x, 0) + max(x - u, 0)),        E|X - x| - E|X - X'| / 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

LEVEL = 0.9
"""Of the intervals."""

Draws = Float[np.ndarray, "draw replicate generation direction"]
Truth = Float[np.ndarray, "replicate generation direction"]


def interval(paths: Draws) -> tuple[Truth, Truth]:
    """The central interval of probability `LEVEL`."""
    low, high = np.quantile(paths, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high


def interval_score(low: Truth, high: Truth, truth: Truth) -> Truth:
    """Of every interval; the unit is that of what is forecast."""
    beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return high - low + 2 / (1 - LEVEL) * beyond


def ranked_score(paths: Draws, truth: Truth) -> Truth:
    """The continuous ranked probability score of the empirical law of the draws.

    E|X - X'| of m draws in increasing order is (2 / m^2) sum_i (2 i - m - 1) x_(i).
    """
    count = len(paths)
    ranks = (2 * np.arange(1, count + 1) - count - 1).reshape(-1, 1, 1, 1)
    between = 2 * (ranks * np.sort(paths, axis=0)).sum(axis=0) / count**2
    return np.abs(paths - truth).mean(axis=0) - between / 2


def scored(paths: Draws, truth: Truth) -> dict[str, Any]:
    """Everything about one forecast, and by generation; without later generations nothing but None.

    Returns:
        `coverage`, `width`, `interval_score`, `ranked_score` (means), `error` (root mean square of the
        median's), each a number; under `by_generation` each a list.
    """
    names = ("coverage", "width", "interval_score", "ranked_score", "error")
    if not truth.size:
        return dict.fromkeys(names) | {"by_generation": {name: [] for name in names}}
    low, high = interval(paths)
    each = {
        "coverage": ((low <= truth) & (truth <= high)).astype(float),
        "width": high - low,
        "interval_score": interval_score(low, high, truth),
        "ranked_score": ranked_score(paths, truth),
        "error": (truth - np.median(paths, axis=0)) ** 2,
    }
    by_generation = {name: values.mean(axis=(0, 2)) for name, values in each.items()}
    overall = {name: float(values.mean()) for name, values in by_generation.items()}
    by_generation["error"], overall["error"] = np.sqrt(by_generation["error"]), overall["error"] ** 0.5
    return overall | {"by_generation": {name: values.tolist() for name, values in by_generation.items()}}
