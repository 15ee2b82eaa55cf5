"""What is known of a loop with a selection: which rules, policies and dimensions have a closed form.

    rule                          replace                               other policies
    best fraction, best of K,     exact at finite n: moments of the     n = inf under `fresh`, else none
      linear score                mean, the variance and its root;      E sigma^2 under `accumulate`
                                  in d dimensions E mu, E Sigma
    the same, typicality          the same                              exact second moments, any recipe
    linear tilt                   exact at finite n                     n = inf under `fresh`, else none
    quadratic tilt,               n = inf                               n = inf under `fresh`, else none
      Bradley-Terry, verifier
    detector, correction          exact second moments, any recipe (whose points a detector can tell apart)

`n = inf` is the status `asymptotic`: the value at n = inf, whose error at a fixed generation is of order
1/n. In d dimensions all but typicality, detector, correction and linear scores under `replace` have none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace as with_

import numpy as np

from theory.counts import is_constant
from theory.loop import Loop, Replace
from theory.observable import AXES
from theory.policy import Accumulate, Fresh
from theory.result import Statistic, unknown
from theory.selected import space as selected_space
from theory.selected.accumulate import accumulated_variance
from theory.selected.mixture import mixture_step
from theory.selected.replace import (
    Expectations,
    check_plain,
    expectations,
    is_selected,
    models_of,
    tilted_moments,
)
from theory.selected.second_moments import NO_MOMENT, second_moments
from theory.selection import (
    LINEAR,
    QUADRATIC,
    TYPICALITY,
    BestOf,
    BradleyTerry,
    Correction,
    Detector,
    Rule,
    Tilt,
    TopFraction,
    Verifier,
    check_dimension,
)

CLAIMS_OF: dict[type, tuple[str, str]] = {
    TopFraction: ("gaussian.C2", "gaussian.C14"),
    BestOf: ("gaussian.C3", "gaussian.C14"),
    BradleyTerry: ("gaussian.C12", "gaussian.C12"),
    Verifier: ("gaussian.V1", "gaussian.V1"),
    Detector: ("gaussian.C10", "gaussian.C10"),
    Correction: ("gaussian.C11", "gaussian.C11"),
}
"""The claims about a rule, and about one that acts on the model's shape or mean beside real data."""

NOT_CLOSED = "no map of finitely many moments describes this rule under this policy at finite n"


def claim_of(rule: Rule, loop: Loop) -> str:
    """The id of the entry behind a prediction."""
    replacing = isinstance(loop.data, Replace)
    if isinstance(rule, Tilt):
        linear = rule.reward == LINEAR
        return "gaussian." + (("C8" if linear else "C5") if replacing else ("C6" if linear else "C7"))
    beside_real = isinstance(loop.data, Fresh) and getattr(rule, "score", None) != TYPICALITY
    return CLAIMS_OF[type(rule)][1 if beside_real else 0]


def statistic(rule: Rule, loop: Loop, observable: str, generations: Sequence[int]) -> Statistic:
    """Mean and variance of an observable of `loop` under a selection, or one sentence why there are none.

    Args:
        rule: the selection.
        loop: everything else; its sampler unbiased.
        observable: a name of `theory.observable`.
        generations: finite, at least 1.

    Raises:
        LoopError: if the rule does not fit the source or the policy, or the sampler is biased as well.
    """
    source, _ = models_of(loop)
    check_dimension(rule, source)
    check_plain(loop)
    last = max(generations)
    shape = (len(generations),)
    if not source.is_scalar:
        shape += (source.dimension,) * len(AXES.get(observable, ()))
    found = _found(rule, loop, observable, last)
    if isinstance(found, str):
        return unknown(shape, "none", None, found)
    status, means, variances = found
    pick = np.array(generations)
    reason = "the value at n = inf; the error is of order 1/n" if status == "asymptotic" else None
    mean = np.array(means)[pick]
    variance = np.full_like(mean, np.nan) if variances is None else np.array(variances)[pick]
    return Statistic(mean, variance, status, claim_of(rule, loop), reason)


def _found(rule: Rule, loop: Loop, observable: str, last: int) -> tuple | str:
    """Status, means and variances of generations 0, ..., `last`; or a reason."""
    line = models_of(loop)[0].is_scalar
    typical = getattr(rule, "score", None) == TYPICALITY
    replacing = isinstance(loop.data, Replace)
    if isinstance(rule, Detector | Correction):
        return second_moments(rule, loop, observable, last)
    if line and replacing and isinstance(rule, TopFraction | BestOf):
        return _from_expectations(expectations(rule, loop, last), loop, observable)
    if line and replacing and isinstance(rule, Tilt) and rule.reward == LINEAR:
        return _tilted(rule, loop, observable, last)
    if replacing and isinstance(rule, TopFraction | BestOf) and not typical:
        return _in_space(rule, loop, observable, last)
    if typical and isinstance(rule, TopFraction | BestOf):
        return second_moments(rule, loop, observable, last)
    if not line:
        return "under this rule no moment in several dimensions has a closed form at finite n"
    if isinstance(loop.data, Replace | Fresh):
        return _population(rule, loop, observable, last)
    if isinstance(loop.data, Accumulate) and isinstance(rule, TopFraction | BestOf):
        return _accumulated(rule, loop, observable, last)
    return NOT_CLOSED


def _from_expectations(states: list[Expectations], loop: Loop, observable: str) -> tuple | str:
    """C2, C3: from the linear recursion of `theory.selected.replace`."""
    s0 = models_of(loop)[0].variance
    m, m2, _, std, s, s2, log = np.array(states).T
    known = {
        "mean_error": ("recursion", m, m2 - m**2),
        "mean_error_squared": ("recursion", m2, None),
        "variance": ("exact", s, s2 - s**2),
        "variance_squared": ("exact", s2, None),
        "std": ("recursion", std, s - std**2),
        "log_variance": ("recursion", log, None),
        "w2_squared": ("recursion", m2 + s - 2 * math.sqrt(s0) * std + s0, None),
        "kl_to_source": ("recursion", ((m2 + s) / s0 - 1 - log + math.log(s0)) / 2, None),
    }
    return known.get(observable, NO_MOMENT)


def _tilted(rule: Tilt, loop: Loop, observable: str, last: int) -> tuple | str:
    """C8: moments of (m, s) close; the law of s is that of the loop without a tilt."""
    states = tilted_moments(rule, loop, last)
    m1, m2, m4 = (np.array([state[i, 0] for state in states]) for i in (1, 2, 4))
    known = {
        "mean_error": m2 - m1**2,
        "mean_error_squared": m4 - m2**2,
        "mean_error_fourth": None,
        "mean_variance_product": None,
    }
    exponents = {"mean_error": (1, 0), "mean_error_squared": (2, 0), "mean_error_fourth": (4, 0)}
    if observable in known:
        key = exponents.get(observable, (2, 1))
        return "exact", np.array([state[key] for state in states]), known[observable]
    if observable == "kl_from_source":
        return "the moments of the mean over the variance are not closed under a tilt"
    from theory.replace.statistics import statistics

    plain = statistics(loop, [observable, "mean_error_squared"], range(1, last + 1))
    kept = plain[observable]
    mean, variance = (np.concatenate([[np.nan], x]) for x in (kept.mean, kept.variance))
    if observable in ("w2_squared", "kl_to_source"):
        extra = m2 - np.concatenate([[np.nan], plain["mean_error_squared"].mean])
        scale = 1 if observable == "w2_squared" else 2 * models_of(loop)[0].variance
        return "exact", mean + extra / scale, None
    return kept.status, mean, variance


def _accumulated(rule: TopFraction | BestOf, loop: Loop, observable: str, last: int) -> tuple | str:
    """E s under `accumulate`."""
    if observable != "variance":
        return "of accumulated points, under a linear score, only the mean variance is closed"
    return "exact", np.array(accumulated_variance(rule, loop, last)), None


def _in_space(rule: TopFraction | BestOf, loop: Loop, observable: str, last: int) -> tuple | str:
    """C2 in d dimensions."""
    states = [selected_space.expectations(rule, loop, g) for g in range(last + 1)]
    read = {
        "mean_error": lambda x: x.mean_error,
        "covariance": lambda x: x.covariance,
        "variance": lambda x: np.diag(x.covariance),
        "trace": lambda x: np.trace(x.covariance),
    }
    if observable not in read:
        return "in several dimensions only E mu and E Sigma have a closed form under a linear score"
    status = "recursion" if observable == "mean_error" else "exact"
    return status, np.array([read[observable](state) for state in states]), None


def _population(rule: Rule, loop: Loop, observable: str, last: int) -> tuple | str:
    """The maps at n = inf, where they are stated."""
    if isinstance(loop.data, Fresh):
        real, synthetic = loop.data.real, loop.data.synthetic
        if loop.data.weight is not None or not (is_constant(real) and is_constant(synthetic)):
            return "the maps at n = inf are stated for constant counts without a weight"
        if getattr(rule, "applies_to_source", False):
            return "the maps at n = inf are stated for real points that are kept as they come"
    values = at_infinity(rule, loop, last)
    return ("asymptotic", values[observable], None) if observable in values else NO_MOMENT


def at_infinity(rule: Rule, loop: Loop, last: int) -> dict[str, np.ndarray]:
    """Every observable of generations 0, ..., `last` of the map at n = inf, C1 to C7, C12, C14, V1."""
    source, first = models_of(loop)
    share, s0 = 0.0, source.variance
    if isinstance(loop.data, Fresh):
        share = loop.data.real / (loop.data.real + loop.data.synthetic)
    moved = about(rule, source.mean)
    found = [(first.mean - source.mean, first.variance)]
    for generation in range(1, last + 1):
        m, s = found[-1]
        if is_selected(rule, loop, generation):
            m, s = mixture_step(moved, share, m, s, s0)
        found.append((m, s))
    m, s = np.array(found).T
    return {
        "mean_error": m,
        "mean_error_squared": m**2,
        "mean_error_fourth": m**4,
        "variance": s,
        "std": np.sqrt(s),
        "log_variance": np.log(s),
        "variance_squared": s**2,
        "mean_variance_product": m**2 * s,
        "w2_squared": m**2 + (np.sqrt(s) - math.sqrt(s0)) ** 2,
        "kl_to_source": ((m**2 + s) / s0 - 1 - np.log(s / s0)) / 2,
        "kl_from_source": ((m**2 + s0) / s - 1 + np.log(s / s0)) / 2,
    }


def about(rule: Rule, mean: float) -> Rule:
    """`rule` with positions counted from the source's mean."""
    if isinstance(rule, Verifier) or (isinstance(rule, Tilt) and rule.reward == QUADRATIC):
        return with_(rule, centre=rule.centre - mean)
    return rule
