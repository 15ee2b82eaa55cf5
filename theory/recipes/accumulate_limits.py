"""Limits of loops whose data accumulate, as infinite products: finite ones first, then their limit.

Under `accumulate` with constant n and maximum likelihood E sigma_t^2 = s_0 prod_{k<=t} (1 - 1/(n k^2))
(A1), so that by Euler's product

    E sigma_inf^2 = s_0 sin(x)/x,   x = pi / sqrt(n),     E sigma_inf^4 = s_0^2 / prod_i Gamma(1 - r_i),

r_i the roots of x^4 - (4x - 3)/n^2 (A2). In general, with the roots of numerator and denominator, sums equal,

    prod_{k>=1} prod_i (k - a_i)/(k - b_i) = prod_i Gamma(1 - b_i)/Gamma(1 - a_i).

A web (N_0 points, then r real and g synthetic a generation) forgets its start iff r > 0; without real inflow
it is an accumulation whose first batch differs. Own derivations; A2's first limit is Kazdan et al.'s (2024,
arXiv:2410.16713), n E m_inf^2 / s_0 -> pi^2/6 Gerstgrasser et al.'s (2024, arXiv:2404.01413) and Dey and
Donoho's (2024, arXiv:2410.22812).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from theory.counts import is_constant
from theory.loop import Loop, MaximumLikelihood
from theory.policy import Accumulate, AccumulateSubsample, Web
from theory.provenance import Fit
from theory.replace.fits import is_synthetic, sampling_factor
from theory.result import Statistic

NOT_KNOWN = math.nan


def infinite_product(numerator: Sequence[complex], denominator: Sequence[complex]) -> float:
    """prod_{k>=1} of monic polynomials in k given by their roots; the sums of the roots agree."""
    import mpmath

    tops = [1 - mpmath.mpmathify(root) for root in denominator]
    return float(mpmath.re(mpmath.gammaprod(tops, [1 - mpmath.mpmathify(root) for root in numerator])))


def survival(n: int) -> float:
    """A2: E sigma_inf^2 / s_0 of `accumulate`, maximum likelihood: sin(x)/x, x = pi / sqrt(n)."""
    x = math.pi / math.sqrt(n)
    return math.sin(x) / x


def survival_squared(n: int) -> float:
    """A2: E sigma_inf^4 / s_0^2 of `accumulate`, maximum likelihood."""
    return infinite_product(np.roots([1, 0, 0, -4 / n**2, 3 / n**2]), [0] * 4)


def unbiased_survival(n: int) -> float:
    """A3: E sigma_inf^2 / s_0 with divisor nt - 1: Gamma(2 - 1/n) / (Gamma(2 - r+) Gamma(2 - r-))."""
    root = math.sqrt(1 + 4 * n)
    high, low = ((1 + sign * root) / (2 * n) for sign in (1, -1))
    return math.gamma(2 - 1 / n) / (math.gamma(2 - high) * math.gamma(2 - low))


def subsampled_survival(n: int) -> float:
    """A5: the limit of the pool's variance over s_0(1 - 1/n), by its cubic one-step ratio."""
    bottom = n * np.polymul([n, -1], [1, 2, 1])
    return infinite_product(np.roots(np.polysub(bottom, [2 * n - 1, -n])), np.roots(bottom))


def web_survival(start: int, synthetic: int) -> float:
    """prod_{k>=1} (1 - g / (N_0 + g k)^2): a web without real inflow."""
    centre, root = start / synthetic, 1 / math.sqrt(synthetic)
    return infinite_product([-centre - root, -centre + root], [-centre, -centre])


def limit(loop: Loop) -> tuple[Fit, ...] | None:
    """E m, E m^2 and E sigma^2 as t -> inf, nan where not known; None where nothing accumulates."""
    data: Any = loop.data
    if loop.selection is not None:
        return None
    if isinstance(data, Accumulate | AccumulateSubsample):
        return (_accumulated(loop, data),)
    if isinstance(data, Web):
        return (_web(loop, data),)
    return None


def _first(loop: Loop) -> tuple[float, float, float]:
    """The variance that the first fit's points have, the mean error and what is conserved from there."""
    source, first = loop.source, loop.first_model
    if not source.is_scalar:
        return 1.0, 0.0, 1.0
    offset = first.mean - source.mean
    factor = float(sampling_factor(loop.sampler)) if is_synthetic(loop, 1) else 1.0
    return factor * first.variance, offset, first.variance + offset**2


def _conserving(loop: Loop) -> bool:
    likelihood = isinstance(loop.estimator, MaximumLikelihood)
    return likelihood and loop.sampler.truncate is None and sampling_factor(loop.sampler) == 1


def _factor(loop: Loop) -> float:
    from theory.provenance.of_loop import sample_variance

    return float(sample_variance(loop.sampler))


def _accumulated(loop: Loop, data: Accumulate | AccumulateSubsample) -> Fit:
    variance, offset, total = _first(loop)
    n, factor = data.n, _factor(loop)
    if not is_constant(n):
        return Fit(offset, NOT_KNOWN, NOT_KNOWN)
    if isinstance(data, AccumulateSubsample):
        if not _conserving(loop):
            return Fit(offset, NOT_KNOWN, NOT_KNOWN)
        kept = variance * (1 - 1 / n) ** 2 * subsampled_survival(n)
        return Fit(offset, total - kept, kept)
    if factor != 1:  # E sigma_t^2 follows the power t^(lambda - 1), the mean's steps t^(lambda - 3)
        return Fit(offset, math.inf if factor >= 2 else NOT_KNOWN, 0.0 if factor < 1 else math.inf)
    if isinstance(loop.estimator, MaximumLikelihood):
        kept = variance * survival(n)
        return Fit(offset, total - kept, kept)
    return Fit(offset, NOT_KNOWN, variance * unbiased_survival(n))


def _web(loop: Loop, data: Web) -> Fit:
    variance, offset, total = _first(loop)
    source = 1.0 if not loop.source.is_scalar else loop.source.variance
    share, factor = data.real / (data.real + data.synthetic), _factor(loop)
    if loop.sampler.applies_to_source and factor != 1:
        return Fit(NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)
    if data.n is not None:
        if not (data.real and is_constant(data.n)):
            return Fit(offset, NOT_KNOWN, NOT_KNOWN)
        kept = 1 - 1 / data.n if isinstance(loop.estimator, MaximumLikelihood) else 1.0
        fed = (1 - share) * (1 / data.n + factor * kept)
        spread = share * source / (1 - fed) if fed < 1 else math.inf
        return Fit(0.0, spread / data.n, spread * kept)
    if data.real:
        fed = (1 - share) * factor
        spread = share * source / (1 - fed) if fed < 1 else math.inf
        return Fit(0.0, 0.0 if fed < 2 else math.inf, spread)
    if not _conserving(loop):
        return Fit(offset, NOT_KNOWN, NOT_KNOWN)
    kept = variance * (1 - 1 / data.start) * web_survival(data.start, data.synthetic)
    return Fit(offset, total - kept, kept)


def fourth_order(loop: Loop, known: dict[str, Statistic]) -> dict[str, Statistic]:
    """What A2 adds to the limits: E sigma_inf^4 under `accumulate`, maximum likelihood, without a bias."""
    data: Any = loop.data
    if loop.selection is not None or not (
        isinstance(data, Accumulate) and is_constant(data.n) and _conserving(loop)
    ):
        return {}
    variance, _, _ = _first(loop)
    square = variance**2 * survival_squared(data.n)
    found = {}
    if "variance" in known:
        one = known["variance"]
        found["variance"] = replace(one, variance=square - one.mean**2, claim="gaussian.A2")
    if "variance_squared" in known:
        found["variance_squared"] = Statistic(np.array([square]), np.array([np.nan]), "exact", "gaussian.A2")
    return found


def largest_bias(loop: Loop) -> float | None:
    """The largest lambda for which E sigma^2 stays bounded; None where nothing accumulates.

    E sigma_t^2 follows the power t^(lambda - 1) if all is synthetic; beside real inflow it tends to rho s_0 /
    (1 - (1 - rho) lambda), rho the real share of the inflow, iff (1 - rho) lambda < 1. Where models are
    fitted to n points of the web, 1/n + (1 - 1/n) lambda takes lambda's place (unbiased: 1/n + lambda).
    """
    data: Any = loop.data
    if loop.selection is not None:
        return None
    if isinstance(data, Accumulate | AccumulateSubsample):
        return 1.0 if is_constant(data.n) and isinstance(loop.estimator, MaximumLikelihood) else None
    if not isinstance(data, Web) or (data.n is not None and not is_constant(data.n)):
        return None
    largest = math.inf if data.synthetic == 0 else (data.real + data.synthetic) / data.synthetic
    if data.n is None:
        return largest
    kept = 1 - 1 / data.n if isinstance(loop.estimator, MaximumLikelihood) else 1.0
    return (largest - 1 / data.n) / kept
