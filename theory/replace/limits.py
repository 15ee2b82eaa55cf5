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

from theory.loop import Loop, LoopError
from theory.replace.closure import applied, closed, powers, rows
from theory.replace.evolution import needed_digits, start
from theory.replace.fits import Fit, constant_size, fit, is_synthetic, sizes
from theory.replace.precision import GUARD, context, gaussian_step, lost, step
from theory.replace.solution import ExponentialPolynomial, solve
from theory.replace.statistics import (
    FORMS,
    NOT_POLYNOMIAL,
    claim,
    expectation,
    in_units,
    is_polynomial,
    why_infinite,
)
from theory.result import TOO_LARGE, Statistic, central, unknown

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
    n = sizes(loop)
    if isinstance(n, tuple):
        raise LoopError("data.n", list(n), "a list of sample sizes ends, so there is no limit at t = inf")
    if not isinstance(n, int):
        return {name: _scheduled(loop, name) for name in observables}
    with context(needed_digits(loop, 1) + GUARD):
        sure = _almost_sure(loop)
        return {name: _limit(loop, name, sure.get(name)) for name in observables}


def threshold(loop: Loop) -> str | None:
    """Where E[sigma^2] grows without bound: the lambda from which it does, and that of almost sure collapse.

    In d dimensions the same holds of the largest direction, whose Lyapunov exponent has the same drift.
    """
    n = constant_size(loop)
    if n is None or loop.sampler.truncate is not None:
        return None
    later = fit(loop, 2, n)
    with context(30):
        bound, collapse = thresholds(later)
        if later.factor <= bound:
            return None
        return (
            f"lambda is {later.factor:g}: the mean variance stays bounded only for lambda <="
            f" {float(bound):.6g}; the variance vanishes almost surely for lambda < {float(collapse):.6g}"
        )


def thresholds(fit: Fit) -> tuple[Decimal, Decimal]:
    """The largest lambda with E sigma^2 bounded, c/nu, and the least without almost sure collapse."""
    plain = gaussian_step(fit.n, fit.divisor, 1.0)
    return 1 / plain.moment(0, 2, 0), (-plain.moment(0, 0, 1)).exp()


def _limit(loop: Loop, name: str, sure: float | None) -> Statistic:
    if loop.sampler.truncate is not None and not is_polynomial(name):
        nothing = unknown((1,), "none", None, NOT_POLYNOMIAL)
        return nothing if sure is None else replace(nothing, almost_surely=np.array([sure]))
    moments = [_dominant(terms) for terms in _central_terms(loop, name)]
    mean, variance = in_units(loop, name, moments) + [np.inf] * (2 - len(moments))
    status, reason = ("exact", None) if moments else ("infinite", why_infinite(loop, 1))
    if moments and moments[0].is_finite() and np.isinf(mean):
        status, reason = "infinite", TOO_LARGE
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
    n = constant_size(loop)
    later = step(fit(loop, 2, n))
    family = [x for x in closed(x for polynomial in raw for x in polynomial) if later.is_finite(x)]
    values = start(loop, family)
    if not is_synthetic(loop, 1):
        values = applied(rows(family, step(fit(loop, 1, n))), values)
    solution = solve(rows(family, later), values, _same)
    return central([expectation(p, solution) for p in raw if p.keys() <= solution.keys()])


def _same(x: Decimal, y: Decimal) -> bool:
    return abs(x - y) <= lost(x)


def _dominant(function: ExponentialPolynomial) -> Decimal:
    """The limit of sum p(t) rate^t: that of the largest rate's highest power which does not cancel."""
    largest = max((abs(x) for p in function.terms.values() for x in p), default=Decimal(0))
    for rate, p in _merged(function).terms.items():
        for power, x in reversed(list(enumerate(p))):
            if abs(x) > lost(largest):
                return _limit_of_term(x, power, rate)
    return Decimal(0)


def _limit_of_term(x: Decimal, power: int, rate: Decimal) -> Decimal:
    """The limit of x t^power rate^t, x not 0."""
    if _same(rate, Decimal(1)):
        return x if power == 0 else Decimal("Infinity").copy_sign(x)
    return Decimal("Infinity").copy_sign(x) if rate > 1 else Decimal(0)


def _merged(function: ExponentialPolynomial) -> ExponentialPolynomial:
    """The function with equal rates put together, the largest first."""
    total, last = ExponentialPolynomial({}), Decimal("NaN")
    for rate, p in sorted(function.terms.items(), reverse=True):
        if last.is_nan() or not _same(last, rate):
            last = rate
        total = total + ExponentialPolynomial({last: p})
    return total


def _almost_sure(loop: Loop) -> dict[str, float]:
    """Almost sure limits that are constants.

    A truncated normal has a variance below 1: by Jensen's inequality its drift is negative for both divisors.
    """
    if loop.sampler.truncate is not None:
        return COLLAPSED
    drift = step(fit(loop, 2, constant_size(loop))).moment(0, 0, 1)
    return COLLAPSED if drift < 0 else EXPLODED


def _scheduled(loop: Loop, name: str) -> Statistic:
    from theory.replace.schedules import limit

    value = limit(loop, name)
    if value is None:
        reason = "the limit for these growing samples has no closed form here"
        return unknown((1,), "none", None, reason)
    return Statistic(np.array([float(value)]), np.array([np.nan]), "exact", "gaussian.R13")
