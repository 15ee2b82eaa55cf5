"""Closed forms as a labelled data set: the theory's answer to a loop, numbers in and numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import xarray as xr

from theory import observable as vocabulary
from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity
from theory.expression import Expression
from theory.generations import increasing
from theory.linear import Linear
from theory.loop import Gaussian, Images, Loop, Replace, require_numbers
from theory.replace import limits as replaced
from theory.replace.fits import divides_by_n, models
from theory.replace.statistics import statistics
from theory.result import Statistic, joined, unknown
from theory.source import Mixture

STATISTICS = ("mean", "variance")


def available(loop: Loop) -> tuple[str, ...]:
    """The names of everything measured on this loop, first passages included."""
    if isinstance(loop.source, Images):
        models(loop)
    return vocabulary.available(loop) + vocabulary.passages(loop)


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
        Where the mean variance grows without bound, the attribute "threshold" says from where on.

    Raises:
        LoopError: on a generation below 1, an observable that does not exist here, a list of sizes too short.
    """
    wanted = increasing(generations, limit=True)
    loop = _settled(loop, wanted)
    names = vocabulary.chosen(observables, available(loop))
    measured = [name for name in names if name not in vocabulary.PASSAGES]
    statistic = _statistics(loop, measured, wanted)
    dataset = xr.Dataset(coords={"statistic": list(STATISTICS), "generation": np.array(wanted, dtype=float)})
    for name in names:
        if name in vocabulary.PASSAGES:
            dims, result = ("statistic",), reading(loop).passage(loop, name)
        else:
            dims, result = ("statistic", "generation", *vocabulary.axes(loop, name)), statistic[name]
        attributes = {
            key: getattr(result, key)
            for key in ("status", "claim", "reason", "almost_surely")
            if getattr(result, key) is not None
        }
        dataset[name] = (dims, np.stack([result.mean, result.variance]), attributes)
    dataset = vocabulary.numbered(dataset)
    growing = reading(loop).threshold(loop)
    return dataset.assign_attrs(threshold=growing) if growing else dataset


def threshold(loop: Loop, generations: float | Iterable[float]) -> str | None:
    """Where the mean variance grows without bound: a sentence that says from where on; else None."""
    return reading(loop).threshold(_settled(loop, increasing(generations, limit=True)))


def central_moments(loop: Loop, observable: str, generations: Iterable[float]) -> np.ndarray:
    """Mean, variance, third and fourth central moments of one observable along the first axis.

    nan where theory does not know them, inf where they are infinite; then generation, then trailing axes.
    """
    wanted = increasing(generations)
    loop = _settled(loop, wanted)
    vocabulary.chosen([observable], available(loop))
    return _statistics(loop, [observable], wanted, highest=4)[observable].central_moments()


class Reading(NamedTuple):
    """What theory says of a kind of loop; each takes a loop of that kind, settled.

    Attributes:
        statistics: (loop, names, wanted, highest) -> the statistics of each observable at the generations
            wanted, which may end in inf; central moments up to the order `highest`, 2 or 4.
        passage: (loop, name) -> the statistic of a first passage.
        threshold: (loop) -> a sentence, where the loop grows without bound, that says from where on.
    """

    statistics: Callable[[Loop, Sequence[str], Sequence[float], int], dict[str, Statistic]]
    passage: Callable[[Loop, str], Statistic]
    threshold: Callable[[Loop], str | None]


def reading(loop: Loop) -> Reading:
    """The reading of this kind of loop.

    Raises:
        LoopError: for images, which are replaced by the Gaussian of their moments first.
    """
    match loop.source:
        case Categorical() | Poisson():
            from theory.categorical import reading as module
        case Markov():
            from theory.text import reading as module
        case Linear():
            from theory.regression import reading as module
        case Gaussian() | Mixture() if isinstance(loop.estimator, KernelDensity):
            from theory.kernel_density import reading as module
        case Mixture():
            from theory.mixture import reading as module
        case Gaussian() if isinstance(loop.data, Replace) and loop.selection is None:
            return Reading(_plain_gaussian, lambda loop, name: _half_life(loop), replaced.threshold)
        case Gaussian():
            from theory.recipes import reading as module
        case _:
            models(loop)
    return Reading(
        module.statistics,
        getattr(module, "passage", _no_passage),
        getattr(module, "threshold", _no_threshold),
    )


def _no_passage(loop: Loop, name: str) -> Statistic:
    return unknown((), "none", None, f"no law of {name} is known for this loop; simulate it")


def _no_threshold(loop: Loop) -> None:
    del loop


def _statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of each observable at the generations wanted, the limit at inf included."""
    return reading(loop).statistics(loop, names, wanted, highest) if names else {}


def _plain_gaussian(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int
) -> dict[str, Statistic]:
    """The reading of a Gaussian loop under replacement."""
    divides_by_n(loop)
    if not models(loop)[0].is_scalar:
        from theory.wishart.statistics import predict_observable

        return {name: predict_observable(loop, name, wanted, highest) for name in names}
    finite = [int(g) for g in wanted if g < math.inf]
    parts = [statistics(loop, names, finite, highest)] if finite else []
    if len(finite) < len(wanted):
        parts.append(replaced.limits(loop, names))
    return {name: reduce(joined, (part[name] for part in parts)) for name in names}


def _half_life(loop: Loop) -> Statistic:
    from theory.replace.first_passage import mean_half_life

    return mean_half_life(loop)


def _settled(loop: Loop, wanted: Sequence[float]) -> Loop:
    """The loop, an optimal weight replaced by its number and an expression without t by its value."""
    from theory.recipes.optimal_weight import settled

    require_numbers(loop)
    loop = settled(loop, int(max((g for g in wanted if g < math.inf), default=1)))
    if not isinstance(loop.data, Replace):
        return loop
    n = loop.data.n
    if not isinstance(n, Expression) or n.fold(True, lambda _: False, lambda _, *parts: any(parts)):
        return loop
    return loop.with_(data=Replace(n.at(1)))
