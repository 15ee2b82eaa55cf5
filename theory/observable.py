"""The names of what is measured on a model; both theory and simulator use exactly these words.

Errors and divergences compare the model of generation g with the source. In one dimension every
observable is a number; for vectors some have a trailing axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from theory.loop import Gaussian, Loop, LoopError, Replace, UnavailableError, is_symbolic, sample_sizes

LINE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "std",
    "log_variance",
    "variance_squared",
    "mean_variance_product",
    "w2_squared",
    "kl_to_source",
    "kl_from_source",
)
"""Observables of a Gaussian on the line."""

SPACE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "covariance",
    "log_det",
    "log_pseudo_det",
    "trace",
    "trace_of_square",
    "square_of_trace",
    "effective_rank",
    "eigenvalues",
    "lyapunov",
    "w2_squared",
    "kl_to_source",
    "kl_from_source",
)
"""Observables of a Gaussian in d dimensions: `log_pseudo_det` stands for `log_det` where some n <= d."""

AXES = {
    "mean_error": ("component",),
    "variance": ("component",),
    "covariance": ("component", "other_component"),
    "eigenvalues": ("order",),
    "lyapunov": ("order",),
}
"""Trailing axes in d dimensions, each of length d; everything else is a number."""

PASSAGES = ("half_life",)
"""First passages: generations at which something first happens; they do not depend on a generation."""


def available(loop: Loop) -> tuple[str, ...]:
    """What exists for every model of a loop, whatever the generation; first passages are extra.

    In d dimensions `log_pseudo_det` stands for `log_det` where some fit of the whole schedule takes n <= d
    points; a schedule written as an expression is judged by its first fit.

    Raises:
        UnavailableError: if the source is not a Gaussian.
    """
    if not isinstance(loop.source, Gaussian):
        raise UnavailableError("source.family", loop.source.family, "its observables are not available yet")
    if loop.source.is_scalar:
        return LINE
    absent = "log_det" if _is_singular(loop.data, loop.source.dimension) else "log_pseudo_det"
    return tuple(name for name in SPACE if name != absent)


def _is_singular(data: object, dimension: int) -> bool:
    if not isinstance(data, Replace):
        return False
    sizes = data.n if isinstance(data.n, tuple) else sample_sizes(data.n, 1)
    return any(size <= dimension for size in sizes if not is_symbolic(size))


def chosen(observables: Iterable[str] | None, there: Sequence[str]) -> tuple[str, ...]:
    """The observables asked for, each once: all that are `there` if None.

    Raises:
        LoopError: if one is not there, or a name stands where a list of names is meant.
    """
    if observables is None:
        return tuple(there)
    if isinstance(observables, str):
        raise LoopError("observable", observables, f"a list of names is needed: [{observables!r}]")
    if isinstance(observables, bytes | Mapping) or not isinstance(observables, Iterable):
        raise LoopError("observable", observables, "a list of names is needed")
    names: list[Any] = list(observables)
    for name in names:
        if not isinstance(name, str) or name not in there:
            raise LoopError("observable", name, f"not measured on this loop; there are: {', '.join(there)}")
    return tuple(dict.fromkeys(names))
