"""Roots of increasing functions, many at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def increasing_root(
    function: Callable[[NDArray], tuple[NDArray, NDArray]],
    target: NDArray,
    lower: NDArray,
    upper: NDArray,
    guess: NDArray,
) -> NDArray:
    """The x in [lower, upper] where an increasing function reaches `target`.

    Newton's method, bisecting where it leaves the bracket.

    Args:
        function: value and derivative.
        target: the values to be reached.
        lower: where the function is at most `target`.
        upper: where it is at least `target`.
        guess: where to begin.
    """
    width = upper - lower
    x = np.clip(guess, lower, upper)
    for _ in range(200):
        value, slope = function(x)
        lower, upper = np.where(value <= target, x, lower), np.where(value >= target, x, upper)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = x - (value - target) / slope
        inside = (step >= lower) & (step <= upper)
        x, before = np.where(inside, step, (lower + upper) / 2), x
        if np.all(np.abs(x - before) <= 1e-15 * width + 4e-16 * np.abs(x)):
            break
    return x
