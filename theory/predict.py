"""Closed forms as a labelled data set: the theory's answer to a loop, numbers in and numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import xarray as xr

from theory import observable as vocabulary
from theory.expression import Expression
from theory.fits import divides_by_n, models, require_replace, sizes
from theory.generations import increasing
from theory.limits import limits, threshold
from theory.line import statistics
from theory.loop import Loop, Replace, require_numbers
from theory.result import Statistic

STATISTICS = ("mean", "variance")


def available(loop: Loop) -> tuple[str, ...]:
    """The names of everything measured on this loop, first passages included."""
    models(loop)
    return vocabulary.available(loop) + vocabulary.PASSAGES


def predict(
    loop: Loop, generations: float | Iterable[float], observables: Sequence[str] | None = None
) -> xr.Dataset:
    """Mean and variance of every observable after `generations` fits, each with its status and claim.

    Args:
        loop: numbers throughout.
        generations: one or several, at least 1; may hold inf, for the limits.
        observables: a list of names; all that exist for this loop if None.

    Returns:
        One variable per observable, dims ("statistic", "generation", trailing axes); nan where not known.
        Where the mean variance grows without bound, the attribute "threshold" says from which lambda on.

    Raises:
        LoopError: on a generation below 1, an observable that does not exist here, a list of sizes too short.
    """
    wanted = increasing(generations, limit=True)
    _check(loop)
    loop = _settled(loop)
    names = vocabulary.chosen(observables, available(loop))
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
    wanted = increasing(generations)
    _check(loop)
    vocabulary.chosen([observable], available(loop))
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
