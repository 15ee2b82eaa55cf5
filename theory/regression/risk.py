"""The risk of linear regression trained on its own labels: E |w_t - w*|^2, exact for finite n, d and t.

Fresh covariates: the recursion (R, c) of `theory.regression.step`, or least squares on real and synthetic
points side by side (`theory.regression.pooled`). The same covariates: `theory.regression.same_covariates`.
Expectations over designs are rational for least squares and by quadrature over the exact spectrum for ridge.

What does not depend on laws: labels need a variance only, not normal noise (but log noise variances, and the
variance of the risk, are for normal noise). With covariates N(0, C) least squares at n >= d is equivariant:
everything here holds for the excess prediction risk E e'C e, and with fresh covariates and replace or mixed
labels |e|^2 has tr(C^{-1}) in the place of d in eta. Minimum norm and ridge need C = I.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, isfinite, isnan, log, nan

import numpy as np

from theory.claim import Status
from theory.counts import points
from theory.linear import LeastSquares
from theory.loop import Loop, Replace
from theory.policy import Accumulate, Fresh
from theory.regression.chain import label_bias, models
from theory.regression.limits import limit
from theory.regression.risk_variance import variances
from theory.result import Statistic, unknown

INFINITE = "E tr (X'X)^{-1} is finite iff the points of a fit differ from d by more than 1"

Model = tuple[float, float]  # R and v of one generation


def risk(loop: Loop, generations: Iterable[float]) -> Statistic:
    """Mean of the risk at each generation (at least 1, increasing), and its variance where it is known."""
    wanted = list(generations)
    missing = refusal(loop)
    if missing:
        return unknown((len(wanted),), "none", None, missing)
    means = [model[0] for model in _at(loop, wanted)]
    early = [mean for t, mean in zip(wanted, means, strict=True) if t < inf]
    infinite = not all(map(isfinite, early))
    unsolved = any(map(isnan, means))
    reason = INFINITE if infinite else "the limit has no closed form" if unsolved else None
    return Statistic(
        mean=np.array(means),
        variance=np.array(variances(loop, wanted)),
        status="infinite" if infinite else "none" if unsolved else _status(loop),
        claim=claim_of(loop),
        reason=reason,
    )


def noise_variance(loop: Loop, generations: Iterable[float]) -> Statistic:
    """Mean of the noise variance of the model."""
    wanted = list(generations)
    missing = refusal(loop)
    if missing:
        return unknown((len(wanted),), "none", None, missing)
    means = np.array([model[1] for model in _at(loop, wanted)])
    known = loop.estimator.noise == "known"
    return Statistic(
        mean=means,
        variance=np.full(len(wanted), 0.0 if known else nan),
        status="exact",
        claim=None if known else "gaussian.L4",
    )


def log_noise_variance(loop: Loop, generations: Iterable[int]) -> Statistic:
    """Mean and variance of the logarithm of the model's noise variance, normal labels.

    Under replace v_t = v_{t-1} chi2_{n-d} / c: the walk of `theory.gaussian` with n - d degrees of freedom.
    """
    from scipy.special import polygamma

    wanted = list(generations)
    data, d, name = loop.data, loop.source.dimension, loop.estimator.noise
    if not isinstance(data, Replace) or name == "known":
        reason = "known under replace only, with a noise variance that is fitted"
        return unknown((len(wanted),), "none", None, reason)
    missing = refusal(loop)
    if missing:
        return unknown((len(wanted),), "none", None, missing)
    mean, variance, found = log(loop.first_model.noise), 0.0, []
    for t in range(1, max(wanted) + 1):
        n = points("data.n", data.n, t)
        divisor = n if name == "maximum-likelihood" else n - d
        mean += float(polygamma(0, (n - d) / 2)) + log(2 * label_bias(loop, t) / divisor)
        variance += float(polygamma(1, (n - d) / 2))
        found.append((mean, variance))
    kept = np.array([found[t - 1] for t in wanted])
    return Statistic(kept[:, 0], kept[:, 1], "exact", "gaussian.L4")


def refusal(loop: Loop) -> str | None:
    """Why this loop's risk has no closed form; None if it has."""
    source, data, estimator = loop.source, loop.data, loop.estimator
    d = source.dimension
    first = points("data.n", data.n if hasattr(data, "n") else data.real, 1)
    if isinstance(data, Accumulate) and source.covariates == "fresh":
        if not isinstance(estimator, LeastSquares):
            return "ridge on a pool of fresh covariates: no closed form; the same covariates have one"
        if first < d:
            return f"the first batch has {first} points: it must determine all {d} weights"
    if isinstance(data, Fresh) and data.weight is None:
        if not isinstance(estimator, LeastSquares):
            return "ridge on real and synthetic points side by side: no closed form; mixed labels have one"
        if first + points("data.synthetic", data.synthetic, 1) < d:
            return "minimum norm on real and synthetic points side by side: no closed form"
    fitted_noise = isinstance(estimator, LeastSquares) and estimator.noise != "known"
    if fitted_noise and isinstance(data, Fresh) and source.covariates == "same" and loop.first_model.shift:
        return "a shifted start and a fitted noise variance are correlated: no closed form"
    if fitted_noise and _fewest(loop) <= d:
        return f"a noise variance is fitted to more than d = {d} points only"
    return None


def _fewest(loop: Loop) -> int:
    data = loop.data
    if isinstance(data, Fresh):
        real = points("data.real", data.real, 1)
        return real if data.weight is not None else real + points("data.synthetic", data.synthetic, 1)
    if isinstance(data, Replace) and isinstance(data.n, tuple):
        return min(data.n)
    return points("data.n", data.n, 1)


def claim_of(loop: Loop) -> str:
    """The id of the claim this loop's risk comes under."""
    source, data, estimator = loop.source, loop.data, loop.estimator
    fresh = source.covariates == "fresh"
    if estimator.final is not None:
        return "gaussian.L9"
    if not isinstance(estimator, LeastSquares):
        return "gaussian.L8"
    if isinstance(data, Fresh) and data.weight is None:
        return "gaussian.L10"
    if _fewest(loop) < source.dimension:
        return "gaussian.L6"
    if estimator.noise != "known" and not isinstance(data, Fresh):
        return "gaussian.L4"
    if isinstance(data, Accumulate):
        return "gaussian.L3" if fresh else "gaussian.L2"
    if isinstance(data, Fresh):
        return "gaussian.L5"
    return "gaussian.L1"


def _status(loop: Loop) -> Status:
    """Ridge integrates over a spectrum; least squares is rational."""
    plain = isinstance(loop.estimator, LeastSquares) and loop.estimator.final is None
    return "exact" if plain else "recursion"


def _at(loop: Loop, wanted: Sequence[float]) -> list[Model]:
    """R and v at the generations wanted, inf among them."""
    found: dict[float, Model] = {}
    last = int(max((t for t in wanted if t < inf), default=0))
    for t, state in zip(range(1, last + 1), models(loop), strict=False):
        found[t] = state.risk, state.noise
    if inf in wanted:
        found[inf] = limit(loop)
    return [found[t] for t in wanted]
