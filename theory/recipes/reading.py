"""What is known of Gaussian loops under any data policy and any selection: a reading for `theory.predict`.

Second moments of the mean and the mean of the variance are exact for every recipe (`theory.provenance`); in d
dimensions, without a start of its own and without targets, they are those of a source of variance 1 times
Sigma_0. What is polynomial in the mean and the variance has all its moments where a finite recursion holds
them (`theory.recipes.higher_moments`); roots and logarithms are closed where data accumulate
(`theory.recipes.accumulate_roots`). Under a selection `theory.selected.reading` says what is closed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.estimator import Weighted
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Unbiased
from theory.observable import model_axis, shape
from theory.policy import OPTIMAL, Fresh
from theory.provenance import Fit
from theory.provenance.alike import engine, merged
from theory.provenance.of_loop import settings_of
from theory.recipes.affine_step import affine_step
from theory.recipes.closure import NotClosedError
from theory.recipes.entries import entry
from theory.recipes.higher_moments import RAW, HigherMoments, recipe_for
from theory.recipes.limits import critical_bias, limits_of
from theory.recipes.optimal_weight import settled, weights_in_time
from theory.replace.fits import sampling_factor
from theory.result import SIMULATE, TOO_LARGE, Statistic, joined, unknown
from theory.selection import Correction, Detector

NO_ROOT = (
    "beside real or stored data only moments polynomial in the mean and the variance follow a finite"
    " recursion, not roots, logarithms or inverses" + SIMULATE
)
NO_SHAPE = "under this policy only E mu, E |mu - mu_0|^2 and E Sigma are closed in d dimensions" + SIMULATE
MOVED_IN_SPACE = (
    "in d dimensions second moments are known where all models begin at the one source" + SIMULATE
)
NO_LIMIT = "the limit at t = inf has no closed form here; give a generation"

SECOND = ("mean_error", "mean_error_squared", "variance")


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of each observable of a loop with a Gaussian source, under any policy and selection.

    Args:
        loop: numbers throughout.
        names: of `theory.observable`.
        wanted: generations, increasing; the last may be inf.
        highest: central moments up to this order, 2 or 4.

    Raises:
        LoopError: if a list of counts ends too early.
    """
    if loop.selection is not None and not isinstance(loop.selection, Detector | Correction):
        from theory.selected.reading import statistics as selected

        return selected(loop, names, wanted)
    if not isinstance(loop.estimator, MaximumLikelihood | Unbiased | Weighted):
        reason = f"no moments are known for the estimator {loop.estimator.name}" + SIMULATE
        return {name: missing(loop, name, wanted, reason) for name in names}
    refused = _refused(loop)
    if refused is not None:
        return {name: missing(loop, name, wanted, refused + SIMULATE) for name in names}
    if not loop.source.is_scalar:
        from theory.recipes.in_space import statistics as in_space

        return in_space(loop, names, wanted)
    return _on_the_line(loop, names, wanted, highest)


def _refused(loop: Loop) -> str | None:
    """Why a detector or a correction has no recipe here; None if it has, or there is none."""
    if loop.selection is None:
        return None
    try:
        made = recipe_for(loop if loop.source.is_scalar else loop.with_(source=Gaussian(0.0, 1.0)))
        for peer in range(made.peers if model_axis(loop) is not None else 1):
            made.at(1, peer)
            made.at(2, peer)
    except LoopError as error:
        return error.reason
    return None


def missing(loop: Loop, name: str, wanted: Sequence[float], reason: str) -> Statistic:
    """A statistic of the right shape without numbers."""
    return unknown((len(wanted), *shape(loop, name)), "none", None, reason)


def second_moments(loop: Loop, wanted: Sequence[float]) -> NDArray[np.float64]:
    """E mu (from the source's), E mu^2, E sigma^2 along the first axis, then generations, then models.

    On the line. nan where a limit is not known.
    """
    finite = [int(g) for g in wanted if g < math.inf]
    made, settings = merged(recipe_for(loop), loop), settings_of(loop)
    walked = _walked(made, settings, finite)
    if math.inf in wanted:
        walked[math.inf] = _limits(loop, made.peers)
    found = np.moveaxis(np.array([walked[g] for g in wanted], float), -1, 0)
    return found if model_axis(loop) is not None else found[..., :1]


def _walked(made: Any, settings: dict[str, Any], wanted: list[int]) -> dict[float, tuple[Fit, ...]]:
    """One generation after another; by matrix powers where the map has come to stay the same."""
    found: dict[float, tuple[Fit, ...]] = {}
    state = engine(made, **settings)
    steady = made.settled + max(made.models_back, made.batches_back)
    powers = made.constant and not made.pooled and max(wanted, default=0) > steady + len(wanted)
    for t in range(1, (steady if powers else max(wanted, default=0)) + 1):
        fits = state.advance()
        if t in wanted:
            found[t] = fits
    if powers:
        step = affine_step(made, **settings)
        found |= {t: step.at(t) for t in wanted if t > steady}
    return found


def _limits(loop: Loop, peers: int) -> tuple[Fit, ...]:
    """The limits of second moments; nan where they are not known.

    Raises:
        LoopError: if a list of counts ends.
    """
    from theory.recipes.accumulate_limits import limit

    _refuse_lists(loop)
    found = limit(loop)
    if found is not None:
        return found
    resting = at_rest(loop)
    made = merged(recipe_for(resting), resting)
    if not made.constant or made.pooled:
        return (Fit(math.nan, math.nan, math.nan),) * peers
    return limits_of(made, settings_of(resting))


def _refuse_lists(loop: Loop) -> None:
    if _is_in_time(loop.data):
        return
    for key in ("n", "real", "synthetic", "weight"):
        value = getattr(loop.data, key, None)
        if isinstance(value, tuple) and loop.data.policy != "peers":
            raise LoopError(f"data.{key}", list(value), "a list ends, so there is no limit at t = inf")


def _is_in_time(data: Any) -> bool:
    """Whether the weights are those that `optimal-in-time` stands for."""
    if not isinstance(data, Fresh) or not isinstance(data.weight, tuple):
        return False
    from fractions import Fraction

    best = weights_in_time(Fraction(data.real, data.synthetic), len(data.weight))
    return data.weight == tuple(map(float, best))


def at_rest(loop: Loop) -> Loop:
    """The loop that this one becomes: weights optimal in time tend to the stationary optimum (X8, X8b)."""
    if not _is_in_time(loop.data):
        return loop
    data: Any = loop.data
    stationary = loop.with_(data=replace(data, weight=OPTIMAL), estimator=Weighted())
    return settled(stationary, 1).with_(estimator=loop.estimator)


def _on_the_line(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int
) -> dict[str, Statistic]:
    """At finite generations and in the limit, put together."""
    finite = [g for g in wanted if g < math.inf]
    parts = [_part(loop, names, finite, highest)] if finite else []
    if len(finite) < len(wanted):
        parts.append(_part(loop, names, [math.inf], highest))
    return {name: reduce(joined, (part[name] for part in parts)) for name in names}


def _part(loop: Loop, names: Sequence[str], wanted: list[float], highest: int) -> dict[str, Statistic]:
    """At finite generations only, or in the limit only."""
    known = second_moments(loop, wanted)
    polynomial = [name for name in names if name in RAW]
    higher, why = None, NO_ROOT
    if polynomial:
        try:
            higher = HigherMoments(at_rest(loop) if math.inf in wanted else loop, polynomial, wanted, highest)
        except NotClosedError as error:
            why = str(error) + SIMULATE
    result = {}
    for name in names:
        if name == "between_models":
            from theory.recipes.between_models import statistic

            result[name] = statistic(loop, wanted)
        elif name in SECOND or (name in RAW and higher is not None):
            result[name] = _polynomial(loop, name, wanted, known, higher, highest)
        elif name in RAW:
            growing = threshold(loop) if math.inf in wanted else None
            result[name] = (
                missing(loop, name, wanted, why) if growing is None else _grown(loop, name, growing)
            )
        else:
            from theory.recipes.accumulate_roots import statistic as root

            result[name] = root(loop, name, wanted, known[..., 0]) or missing(loop, name, wanted, NO_ROOT)
    if math.inf in wanted:
        from theory.recipes.accumulate_limits import fourth_order

        result |= fourth_order(loop, result)
    return result


def _grown(loop: Loop, name: str, reason: str) -> Statistic:
    infinite = np.full((1, *shape(loop, name)), np.inf)
    return Statistic(infinite, np.full_like(infinite, np.nan), "infinite", entry(loop), reason)


def _polynomial(
    loop: Loop,
    name: str,
    wanted: Sequence[float],
    known: NDArray[np.float64],
    higher: HigherMoments | None,
    highest: int,
) -> Statistic:
    """A statistic of what is polynomial in the mean and the variance."""
    peers = model_axis(loop)
    width = peers or 1
    moments = np.full((4, len(wanted), width), np.nan)
    if higher is not None:
        moments = higher.central(name, highest, width)
    if name in SECOND:
        moments[0] = known[SECOND.index(name)]
        if name == "mean_error":
            moments[1] = known[1] - known[0] ** 2
    if peers is None:
        moments = moments[..., 0]
    mean = moments[0]
    status, reason = "exact", None
    if np.isnan(mean).any():
        status, reason = "none", NO_LIMIT
    elif np.isinf(mean).any():
        status, reason = "infinite", threshold(loop) or TOO_LARGE
    return Statistic(mean, moments[1], status, entry(loop), reason, third=moments[2], fourth=moments[3])


def threshold(loop: Loop) -> str | None:
    """Where second moments grow without bound: the bias from which on they do; None for a stable loop."""
    if loop.selection is not None and not isinstance(loop.selection, Detector | Correction):
        from theory.selected.reading import threshold as selected

        return selected(loop)
    if loop.sampler.truncate is not None or not isinstance(
        loop.estimator, MaximumLikelihood | Unbiased | Weighted
    ):
        return None
    factor = float(sampling_factor(loop.sampler))
    largest = stability(loop)
    if largest is None or factor <= largest * (1 + 1e-9):
        return None
    return f"lambda is {factor:g}: second moments stay bounded only for lambda <= {largest:.6g}"


def stability(loop: Loop) -> float | None:
    """The largest lambda with bounded second moments; None where the counts keep changing."""
    from theory.recipes.accumulate_limits import largest_bias

    found = largest_bias(loop)
    if found is not None:
        return found
    resting = at_rest(loop)
    line = resting if loop.source.is_scalar else resting.with_(source=Gaussian(0.0, 1.0))
    try:
        made = merged(recipe_for(line), line)
        return critical_bias(made, settings_of(line)) if made.constant else None
    except LoopError:
        return None
