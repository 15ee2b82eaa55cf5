"""A progress line on standard error, silent where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

SECONDS_BETWEEN = 0.2


def line() -> Callable[[str, bool], None]:
    """A callback `(text, finished)` that redraws one line now and then, and clears it when all is done."""
    if not sys.stderr.isatty():
        return lambda text, finished: None
    last = 0.0

    def draw(text: str, finished: bool) -> None:
        nonlocal last
        now = time.monotonic()
        if finished:
            sys.stderr.write("\r\x1b[K")
        elif now - last >= SECONDS_BETWEEN:
            last = now
            sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return draw


def progress(label: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that draws such a line, with the time left."""
    draw, began = line(), time.monotonic()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - began) / max(done, 1) * (total - done)
        draw(f"{label}: {done}/{total}, about {left:.0f} s left", done >= total)

    return show
