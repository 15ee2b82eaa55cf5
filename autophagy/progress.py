"""Progress on standard error: a line redrawn on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

SECONDS_BETWEEN = 0.2
SECONDS_BETWEEN_LINES = 30.0  # in a log


def line() -> Callable[[str, bool], None]:
    """A callback `(text, finished)` that redraws one line now and then, and clears it when all is done."""
    if not sys.stderr.isatty():
        return _log()
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


def _log() -> Callable[[str, bool], None]:
    """A callback that writes a line now and then, the first when some time has passed."""
    last = time.monotonic()

    def write(text: str, finished: bool) -> None:
        nonlocal last
        now = time.monotonic()
        if not finished and now - last >= SECONDS_BETWEEN_LINES:
            last = now
            print(text, file=sys.stderr, flush=True)

    return write


def progress(label: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that draws such a line, with the time left."""
    draw, began = line(), time.monotonic()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - began) / max(done, 1) * (total - done)
        draw(f"{label}: {done}/{total}, about {left:.0f} s left", done >= total)

    return show
