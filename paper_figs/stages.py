"""One progress line over several simulations of equal length."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


def stage(progress: Progress | None, index: int, stages: int) -> Progress | None:
    """The callback for simulation `index` of `stages`, counted from 0: it tells `progress` about them all."""
    if progress is None:
        return None
    return lambda done, total: progress(index * total + done, stages * total)
