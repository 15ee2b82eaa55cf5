"""The generations that a result is asked for: whole numbers of at least 1, and perhaps t = inf.

A whole float counts as its integer, because generations that have been coordinates of a data set (which may
hold inf) are floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from theory.loop import LoopError

LATEST = 2**53  # generations stay exact in a float64


def whole(generation: Any, *, limit: bool = False) -> int | float:
    """One generation, as an int; with `limit`, inf is one too.

    Raises:
        LoopError: for anything else.
    """
    value = generation.item() if getattr(generation, "ndim", None) == 0 else generation
    kind = "a whole number of at least 1 is needed" + (", or inf" if limit else "")
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        raise LoopError("generation", generation, kind)
    if value == math.inf:
        if not limit:
            raise LoopError("generation", value, "a finite generation is needed here")
        return value
    if value > LATEST:
        raise LoopError("generation", value, f"more than {LATEST} cannot be counted exactly")
    if value != int(value):
        raise LoopError("generation", value, kind)
    return int(value)


def increasing(generations: Any, *, limit: bool = False) -> tuple[int | float, ...]:
    """One generation or several, as a tuple.

    Raises:
        LoopError: if one is no generation, they do not increase, or there are none.
    """
    single = not isinstance(generations, Iterable) or isinstance(generations, str | bytes)
    if single or getattr(generations, "ndim", None) == 0:
        return (whole(generations, limit=limit),)
    found = tuple(whole(generation, limit=limit) for generation in generations)
    if not found:
        raise LoopError("generation", [], "at least one is needed")
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise LoopError("generation", list(found), "they must increase")
    return found
