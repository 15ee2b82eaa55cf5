"""A progress line on standard error, silent where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

SECONDS_BETWEEN = 0.2


def progress(label: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that redraws one line, and clears it when all is done."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    began = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total:
            sys.stderr.write("\r\x1b[K")
        elif now - last >= SECONDS_BETWEEN:
            last = now
            left = (now - began) / max(done, 1) * (total - done)
            sys.stderr.write(f"\r\x1b[K{label}: {done}/{total}, about {left:.0f} s left")
        sys.stderr.flush()

    return show
