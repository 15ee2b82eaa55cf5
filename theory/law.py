"""Exact laws on the line: distribution functions and quantiles of the replace loop's observables.

The variance's is that of R3 (`theory.replace.variance_law`), and with it those of its root and its logarithm;
the mean's is the scale mixture of R8 (`theory.replace.mean_law`), whose limit has the tail `limit_tail`.
Probabilities are right to about 1e-12, absolutely, for up to some thousand fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.generations import whole
from theory.loop import Loop, LoopError
from theory.replace.mean_law import mean_laws
from theory.replace.perpetuity import Tail, limit_tail
from theory.replace.variance_law import LogVarianceLaw
from theory.replace.walk import NoLawError, walk

__all__ = ["OBSERVABLES", "NoLawError", "Tail", "cdf", "limit_tail", "quantile"]

OBSERVABLES = ("variance", "std", "log_variance", "mean_error")
"""What has a known law."""

_POWER = {"variance": 1.0, "std": 0.5}


def cdf(loop: Loop, observable: str, generation: ArrayLike, x: ArrayLike) -> Any:
    """P(observable <= x) at `generation`.

    Args:
        loop: on the line, its draws not truncated.
        observable: one of `OBSERVABLES`.
        generation: an integer of at least 1, or several.
        x: a value, or several.

    Returns:
        A float, or an array with the axes of `generation` followed by those of `x`.

    Raises:
        NoLawError: if the law is not known, with the key that is in the way.
    """
    x = np.asarray(x, float)
    if observable in _POWER:
        with np.errstate(divide="ignore"):
            x = np.log(np.maximum(x, 0)) / _POWER[observable]
    return _each(loop, observable, generation, x, "cdf")


def quantile(loop: Loop, observable: str, generation: ArrayLike, p: ArrayLike) -> Any:
    """The x with P(observable <= x) = p at `generation`; arguments and result as in `cdf`.

    Raises:
        NoLawError: if the law is not known, with the key that is in the way.
        LoopError: if p is not a probability.
    """
    p = np.asarray(p, float)
    if not np.all((p >= 0) & (p <= 1)):
        raise LoopError("quantile", p.tolist(), "a probability between 0 and 1 is needed")
    value = _each(loop, observable, generation, p, "quantile")
    if observable in _POWER:
        value = np.exp(_POWER[observable] * value)
    return value if np.ndim(value) else float(value)


def _each(loop: Loop, observable: str, generation: ArrayLike, argument: NDArray, method: str) -> Any:
    if observable not in OBSERVABLES:
        raise NoLawError("observable", observable, f"its law is not known; known: {', '.join(OBSERVABLES)}")
    shape, wanted = _wanted(generation)
    longest = walk(loop, max(wanted))
    if observable == "mean_error":
        laws = mean_laws(longest, wanted)
    else:
        laws = {g: LogVarianceLaw(longest.until(g)) for g in set(wanted)}
    values = np.stack([getattr(laws[g], method)(argument) for g in wanted])
    values = values.reshape(shape + argument.shape)
    return values if values.ndim else float(values)


def _wanted(generation: ArrayLike) -> tuple[tuple[int, ...], list[int]]:
    """The axes of the generations, and each of them in order."""
    generations = np.array(generation, object)
    if generations.size == 0:
        raise LoopError("generation", [], "at least one is needed")
    return generations.shape, [int(whole(g)) for g in generations.ravel()]
