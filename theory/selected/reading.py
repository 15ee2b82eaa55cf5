"""What is known of a Gaussian loop under a selection, at finite generations and at rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from theory.counts import is_constant
from theory.loop import Loop, LoopError
from theory.observable import shape
from theory.policy import Fresh
from theory.result import SIMULATE, TOO_LARGE, Statistic, joined, unknown
from theory.selected.gaussian import constants
from theory.selected.law import sign
from theory.selected.mixture import (
    quadratic_tilt_stationary,
    score_growth,
    score_stationary,
    tilt_stationary,
    tilt_threshold,
)
from theory.selected.statistics import claim_of, statistic
from theory.selection import LINEAR, TYPICALITY, BestOf, Tilt, TopFraction

AT_INFINITY = "the value at n = inf; the error is of order 1/n"


def statistics(loop: Loop, names: Sequence[str], wanted: Sequence[float]) -> dict[str, Statistic]:
    """Statistics of each observable; what has no closed form says why."""
    finite = [int(g) for g in wanted if g < math.inf]
    found = {}
    for name in names:
        parts = [_finite(loop, name, finite)] if finite else []
        if len(finite) < len(wanted):
            parts.append(_limit(loop, name))
        found[name] = reduce(joined, parts)
    return found


def _finite(loop: Loop, name: str, generations: list[int]) -> Statistic:
    rule: Any = loop.selection
    empty = (len(generations), *shape(loop, name))
    try:
        found = statistic(rule, loop.with_(selection=None), name, generations)
    except LoopError as error:
        return unknown(empty, "none", None, f"{error.reason}{SIMULATE}")
    except OverflowError:
        if len(generations) > 1:
            return reduce(joined, (_finite(loop, name, [g]) for g in generations))
        beyond = unknown(empty, "infinite", None, threshold(loop) or TOO_LARGE)
        return replace(beyond, mean=np.full(empty, np.inf))
    if found.mean.shape != empty:
        reason = "under a selection closed forms are for models of one law" + SIMULATE
        return unknown(empty, "none", None, reason)
    if found.status == "none":
        return replace(found, reason=f"{found.reason}{SIMULATE}")
    return found


def _limit(loop: Loop, name: str) -> Statistic:
    """At rest: the stationary model at n = inf, where one is known."""
    empty = (1, *shape(loop, name))
    runaway = threshold(loop)
    if runaway is not None:
        return Statistic(np.full(empty, np.inf), np.full(empty, np.nan), "infinite", None, runaway)
    model = _stationary(loop)
    values = {} if model is None else of_model(*model, loop.source.variance)
    if name not in values:
        reason = "the limit at t = inf under this selection has no closed form here; give a generation"
        return unknown(empty, "none", None, reason)
    mean = np.array([values[name]])
    claim = claim_of(loop.selection, loop.with_(selection=None))
    return Statistic(mean, np.full(1, np.nan), "asymptotic", claim, AT_INFINITY)


def _stationary(loop: Loop) -> tuple[float, float] | None:
    """Mean error and variance of the model at rest beside real data, n = inf (C6, C7, C14)."""
    rule: Any = loop.selection
    share, s0 = _real_share(loop), getattr(loop.source, "variance", None)
    if share is None or getattr(rule, "applies_to_source", False):
        return None
    if isinstance(rule, TopFraction | BestOf) and rule.score != TYPICALITY:
        return score_stationary(*constants(rule), share, s0)
    if isinstance(rule, Tilt) and rule.reward == LINEAR:
        m, s = tilt_stationary(rule.strength, share, s0)
        return sign(rule) * m, s
    if isinstance(rule, Tilt) and rule.centre == loop.source.mean:
        return 0.0, quadratic_tilt_stationary(rule.strength, share, s0)
    return None


def _real_share(loop: Loop) -> float | None:
    """The share of fresh real points where it is constant and neither 0 nor 1."""
    data: Any = loop.data
    if not isinstance(data, Fresh) or data.weight is not None or not loop.source.is_scalar:
        return None
    if not (is_constant(data.real) and is_constant(data.synthetic) and data.real and data.synthetic):
        return None
    return data.real / (data.real + data.synthetic)


def of_model(m: float, s: float, s0: float) -> dict[str, float]:
    """The observables of a model with mean error m and variance s."""
    return {
        "mean_error": m,
        "mean_error_squared": m**2,
        "mean_error_fourth": m**4,
        "variance": s,
        "std": math.sqrt(s),
        "log_variance": math.log(s),
        "variance_squared": s**2,
        "mean_variance_product": m**2 * s,
        "w2_squared": m**2 + (math.sqrt(s) - math.sqrt(s0)) ** 2,
        "kl_to_source": ((m**2 + s) / s0 - 1 - math.log(s / s0)) / 2,
        "kl_from_source": ((m**2 + s0) / s - 1 + math.log(s / s0)) / 2,
    }


def threshold(loop: Loop) -> str | None:
    """Where a reward runs away from real data, or a score from its anchor (C6, C14); at n = inf."""
    rule: Any = loop.selection
    share = _real_share(loop)
    if share is None:
        return None
    if isinstance(rule, Tilt) and rule.reward == LINEAR:
        largest = tilt_threshold(share) / math.sqrt(loop.source.variance)
        if rule.strength > largest:
            return (
                f"the reward runs away: strength is {rule.strength:g}, a stationary model exists only up to"
                f" {largest:.6g} (n = inf)"
            )
    if isinstance(rule, TopFraction | BestOf) and rule.score != TYPICALITY:
        h, v = constants(rule)
        growth = score_growth(h, v, share)
        if growth >= 1:
            return (
                f"the selected loop diverges: b (v + h^2 / a) is {growth:.6g}, a stationary model exists only"
                " below 1 (n = inf)"
            )
    return None
