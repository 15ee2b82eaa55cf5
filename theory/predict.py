"""Closed forms as a labelled data set: the theory's answer to a loop, numbers in and numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise

import numpy as np
import xarray as xr

from theory import observable as vocabulary
from theory.expression import Expression
from theory.fits import divides_by_n, models, require_replace, sizes
from theory.limits import limits, threshold
from theory.line import statistics
from theory.loop import Loop, LoopError, Replace, require_numbers, sample_sizes
from theory.result import Statistic

STATISTICS = ("mean", "variance")


class NoClosedFormError(ValueError):
    """An observable asked for by name that has no finite closed form."""

    def __init__(self, observable: str, reason: str):
        super().__init__(observable, reason)
        self.observable, self.reason = observable, reason

    def __str__(self) -> str:
        return f"{self.observable} has no closed form: {self.reason}"


def available(loop: Loop, last: float = 1) -> tuple[str, ...]:
    """The names of everything measured on this loop, first passages included."""
    if models(loop)[0].is_scalar:
        return vocabulary.LINE + vocabulary.PASSAGES
    degenerate = min(_sizes(loop, last)) <= models(loop)[0].dimension
    absent = "log_det" if degenerate else "log_pseudo_det"
    return tuple(name for name in vocabulary.SPACE if name != absent) + vocabulary.PASSAGES


def predict(
    loop: Loop, generations: float | Iterable[float], observables: Sequence[str] | None = None
) -> xr.Dataset:
    """Mean and variance of every observable after `generations` fits, each with its status and claim.

    Args:
        loop: numbers throughout.
        generations: one or several, at least 1; may hold inf, for the limits.
        observables: names; all that exist for this loop if None.

    Returns:
        One variable per observable, dims ("statistic", "generation", trailing axes); nan where not known.
        Where the mean variance grows without bound, the attribute "threshold" says from which lambda on.

    Raises:
        LoopError: on a generation below 1, an observable that does not exist here, a list of sizes too short.
    """
    wanted = _generations(generations)
    _check(loop)
    loop = _settled(loop)
    names = available(loop, max((g for g in wanted if g < math.inf), default=1))
    if observables is not None:
        names = tuple(dict.fromkeys(_known(loop, name, names) for name in observables))
    measured = [name for name in names if name not in vocabulary.PASSAGES]
    statistic = _statistics(loop, measured, wanted)
    dataset = xr.Dataset(coords={"statistic": list(STATISTICS), "generation": np.array(wanted, dtype=float)})
    axes = {} if models(loop)[0].is_scalar else vocabulary.AXES
    for name in names:
        if name in vocabulary.PASSAGES:
            dims, result = ("statistic",), _passage(loop, name)
        else:
            dims, result = ("statistic", "generation", *axes.get(name, ())), statistic[name]
        attributes = {
            key: getattr(result, key)
            for key in ("status", "claim", "reason", "almost_surely")
            if getattr(result, key) is not None
        }
        dataset[name] = (dims, np.stack([result.mean, result.variance]), attributes)
    growing = threshold(loop)
    return dataset.assign_attrs(threshold=growing) if growing else dataset


def central_moments(loop: Loop, observable: str, generations: Iterable[float]) -> np.ndarray:
    """Mean, variance, third and fourth central moments of one observable along the first axis.

    nan where theory does not know them, inf where they are infinite; then generation, then trailing axes.
    """
    wanted = [int(g) for g in _generations(generations)]
    _check(loop)
    _known(loop, observable, available(loop, wanted[-1]))
    return _statistics(loop, [observable], wanted, highest=4)[observable].central_moments()


def _statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of each observable at the generations wanted, the limit at inf included."""
    if not models(loop)[0].is_scalar:
        from theory.wishart import predict_observable

        return {name: predict_observable(loop, name, wanted, highest) for name in names}
    finite = [int(g) for g in wanted if g < math.inf]
    parts = [statistics(loop, names, finite, highest)] if finite else []
    if len(finite) < len(wanted):
        parts.append(limits(loop, names))
    return {name: reduce(_joined, (part[name] for part in parts)) for name in names}


def _joined(early: Statistic, final: Statistic) -> Statistic:
    """The statistic over the finite generations and then the limit; the less certain status is kept."""
    order = ("exact", "recursion", "asymptotic", "bound", "infinite", "none")
    weaker = max(early, final, key=lambda part: order.index(part.status))
    if early.status != final.status == "none":
        weaker = replace(early, reason=final.reason)
    return Statistic(
        mean=np.concatenate([early.mean, final.mean]),
        variance=np.concatenate([early.variance, final.variance]),
        status=weaker.status,
        claim=early.claim,
        reason=weaker.reason,
        almost_surely=final.almost_surely,
    )


def _passage(loop: Loop, name: str) -> Statistic:
    from theory.first_passage import mean_half_life

    return mean_half_life(loop)


def _generations(generations: float | Iterable[float]) -> list[float]:
    wanted = list(generations) if isinstance(generations, Iterable) else [generations]
    if not wanted:
        raise LoopError("generation", [], "at least one is needed")
    for g in wanted:
        if not g >= 1 or (g < math.inf and g != int(g)):
            raise LoopError("generation", g, "a whole number of at least 1 is needed, or inf")
    if any(later <= earlier for earlier, later in pairwise(wanted)):
        raise LoopError("generation", wanted, "they must increase")
    return [float(g) if math.isinf(g) else int(g) for g in wanted]


def _check(loop: Loop) -> None:
    models(loop)
    require_replace(loop)
    divides_by_n(loop)
    require_numbers(loop)


def _settled(loop: Loop) -> Loop:
    """The loop, an expression without t replaced by its value."""
    n = sizes(loop)
    if not isinstance(n, Expression) or n.fold(True, lambda _: False, lambda _, *parts: any(parts)):
        return loop
    return loop.with_(data=Replace(n.at(1)))


def _known(loop: Loop, name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise LoopError("observable", name, f"not measured on this loop; there are: {', '.join(names)}")
    return name


def _sizes(loop: Loop, last: float) -> Sequence[int]:
    n = sizes(loop)
    return (n,) if isinstance(n, int) else sample_sizes(n, int(last))
