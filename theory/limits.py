"""What becomes of every observable on the line as the generations go on, at constant n.

The expectations are sums of (polynomial in t) x rate^t, so their limits are read off the largest rate; the
almost sure limits follow from the random walk of log sigma^2, whose drift log(lambda) + E log(chi2_nu / c)
decides between collapse and explosion (Lyapunov exponent; R5, S1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from theory.closure import applied, closed, powers, rows
from theory.evolution import fit, is_synthetic, needed_digits, start
from theory.line import (
    FORMS,
    NOT_POLYNOMIAL,
    central,
    claim,
    expectation,
    in_units,
    is_polynomial,
    why_infinite,
)
from theory.loop import Loop, LoopError
from theory.precision import context, digits
from theory.result import Statistic, unknown
from theory.solution import ExponentialPolynomial, solve

GUARD = 15  # of the digits carried, those by which equal numbers may differ after rounding

COLLAPSED = {
    "variance": 0.0,
    "std": 0.0,
    "log_variance": -np.inf,
    "variance_squared": 0.0,
    "mean_variance_product": 0.0,
    "kl_to_source": np.inf,
    "kl_from_source": np.inf,
}
"""Almost sure limits when log sigma^2 drifts down; the mean then converges to a random point (R8)."""
EXPLODED = {
    "variance": np.inf,
    "std": np.inf,
    "log_variance": np.inf,
    "variance_squared": np.inf,
    "kl_to_source": np.inf,
    "kl_from_source": np.inf,
    "w2_squared": np.inf,
}
"""Almost sure limits when log sigma^2 drifts up; the mean then has none."""


def limits(loop: Loop, observables: Sequence[str]) -> dict[str, Statistic]:
    """The limit of each statistic as t -> inf.

    Raises:
        LoopError: if the sample sizes are a list, which has an end.
    """
    n = loop.data.n
    if isinstance(n, tuple):
        raise LoopError("data.n", list(n), "a list of sample sizes ends, so there is no limit at t = inf")
    if not isinstance(n, int):
        return {name: _scheduled(loop, name) for name in observables}
    with context(needed_digits(loop, 1) + GUARD):
        sure = _almost_sure(loop)
        return {name: _limit(loop, name, sure.get(name)) for name in observables}


def _limit(loop: Loop, name: str, sure: float | None) -> Statistic:
    if loop.sampler.truncate is not None and not is_polynomial(name):
        nothing = unknown((1,), "none", None, NOT_POLYNOMIAL)
        return nothing if sure is None else replace(nothing, almost_surely=np.array([sure]))
    moments = [_dominant(terms) for terms in _central_terms(loop, name)]
    mean, variance = in_units(loop, name, moments) + [np.inf] * (2 - len(moments))
    status, reason = ("exact", None) if moments else ("infinite", why_infinite(loop, 1))
    return Statistic(
        mean=np.array([mean]),
        variance=np.array([variance]),
        status=status,
        claim=claim(loop, name),
        reason=reason,
        almost_surely=None if sure is None or sure == mean else np.array([sure]),
    )


def _central_terms(loop: Loop, name: str) -> list[ExponentialPolynomial]:
    """Mean and variance of an observable as functions of t, as far as they are finite."""
    raw = powers(FORMS[name].polynomial, 2)
    later = fit(loop, loop.data.n, True)
    family = [x for x in closed(x for polynomial in raw for x in polynomial) if later.is_finite(x)]
    values = start(loop, family)
    if not is_synthetic(loop, 1):
        values = applied(rows(family, fit(loop, loop.data.n, False)), values)
    solution = solve(rows(family, later), values, _same)
    return central([expectation(p, solution) for p in raw if p.keys() <= solution.keys()])


def _same(x: Decimal, y: Decimal) -> bool:
    return abs(x - y) <= abs(x).scaleb(GUARD - digits())


def _dominant(function: ExponentialPolynomial) -> Decimal:
    """The limit of sum p(t) rate^t: equal rates are put together, and what cancels is dropped."""
    merged: list[tuple[Decimal, list[Decimal]]] = []
    for rate, p in sorted(function.terms.items(), reverse=True):
        if not merged or not _same(merged[-1][0], rate):
            merged.append((rate, [Decimal(0)] * 16))
        for e, x in enumerate(p):
            merged[-1][1][e] += x
    largest = max((abs(x) for p in function.terms.values() for x in p), default=Decimal(0))
    for rate, p in merged:
        for e in range(len(p) - 1, -1, -1):
            if abs(p[e]) > largest.scaleb(GUARD - digits()):
                if _same(rate, Decimal(1)) and e == 0:
                    return p[0]
                return (
                    Decimal("Infinity").copy_sign(p[e])
                    if rate >= 1 or _same(rate, Decimal(1))
                    else Decimal(0)
                )
    return Decimal(0)


def _almost_sure(loop: Loop) -> dict[str, float]:
    """Almost sure limits that are constants.

    A truncated normal has a variance below 1: by Jensen's inequality its drift is negative for both divisors.
    """
    if loop.sampler.truncate is not None:
        return COLLAPSED
    drift = fit(loop, loop.data.n, True).moment(0, 0, 1)
    return COLLAPSED if drift < 0 else EXPLODED


def _scheduled(loop: Loop, name: str) -> Statistic:
    from theory.schedules import limit

    value = limit(loop, name)
    if value is None:
        reason = "the limit for these growing samples has no closed form here"
        return unknown((1,), "none", None, reason)
    return Statistic(np.array([float(value)]), np.array([np.nan]), "exact", "gaussian.R13")
