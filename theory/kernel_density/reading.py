"""What theory says of a loop of kernel densities on the line.

Model g is the empirical law of its points, blurred by N(0, h^2); `variance` is that of the points, with the
divisor N. Second moments are known under every recipe (`theory.kernel_density.moments`), the mean integrated
squared error under replacement (`theory.kernel_density.error`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from theory.estimator import RuleOfThumb
from theory.kernel_density.error import least_cross_entropy, mean_squared_error
from theory.kernel_density.moments import KernelProvenance
from theory.loop import Gaussian, Loop
from theory.mixture.parts import Parts, parts
from theory.observable import shape
from theory.provenance.of_loop import recipe_of
from theory.replacement import Replace, sample_sizes
from theory.result import Statistic, unknown
from theory.source import Mixture

LINE_ONLY = "kernel densities are read on the line"


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Mean and, where known, variance of each observable at the generations wanted.

    Args:
        loop: with a `KernelDensity` estimator, and numbers.
        names: of `theory.observable.KERNEL`.
        wanted: increasing, the last one perhaps inf.
        highest: not used: no third moments are known.

    Raises:
        LoopError: if a list of sample sizes is too short.
    """
    del highest
    if not loop.source.is_scalar:
        return {name: _nothing(loop, name, wanted, LINE_ONLY) for name in names}
    if loop.selection is not None:
        return {name: _nothing(loop, name, wanted, "a selection has no closed form here") for name in names}
    finite = [int(g) for g in wanted if g < math.inf]
    moments = _moments(loop, finite[-1]) if finite else None
    return {name: _statistic(loop, name, wanted, finite, moments) for name in names}


def _nothing(loop: Loop, name: str, wanted: Sequence[float], reason: str) -> Statistic:
    return unknown((len(wanted), *shape(loop, name)), "none", None, reason)


def _statistic(
    loop: Loop, name: str, wanted: Sequence[float], finite: list[int], moments: np.ndarray | None
) -> Statistic:
    if name == "nll":
        return _nothing(loop, name, wanted, _why_no_likelihood(loop, finite))
    if name == "mise":
        return _mise(loop, wanted, finite)
    mean = np.full(len(wanted), np.nan)
    spread = np.full(len(wanted), np.nan)
    if moments is not None:
        error, square, variance = moments[np.array(finite) - 1].T
        mean[: len(finite)] = {"mean_error": error, "mean_error_squared": square, "variance": variance}[name]
        if name == "mean_error":
            spread[: len(finite)] = square - error**2
    if len(finite) == len(wanted):
        return Statistic(mean, spread, "exact", _claim(loop))
    limit = _limit(loop, name)
    if limit is None:
        reason = "the limit at t = inf is known under replace at constant n"
        status: Any = "exact" if finite else "none"
        return Statistic(mean, spread, status, _claim(loop), reason)
    mean[-1], reason = limit
    status = "infinite" if math.isinf(mean[-1]) else "exact"
    return Statistic(mean, spread, status, _claim(loop), reason)


def _claim(loop: Loop) -> str:
    if isinstance(loop.estimator.bandwidth, RuleOfThumb):
        return "mixture.K3"
    return {"accumulate": "mixture.K4", "fresh": "mixture.K5"}.get(loop.data.policy, "mixture.K1")


def components(model: Gaussian | Mixture) -> Parts:
    """A source on the line as a mixture, a Gaussian being one of a single component."""
    if isinstance(model, Mixture):
        return parts(model)
    return Parts(np.ones(1), np.full((1, 1), float(model.mean)), np.full((1, 1, 1), float(model.variance)))


def _moments(loop: Loop, last: int) -> np.ndarray:
    """E of the mean's error, of its square and of the points' variance, [generation, 3]."""
    source, first = components(loop.source), components(loop.first_model)
    start = (float((first.mean - source.mean)[0]), float(first.covariance[0, 0]))
    engine = KernelProvenance(
        recipe_of(loop),
        variance=float(source.covariance[0, 0]),
        start=None if loop.start is None else start,
        bias=loop.sampler.bias,
        source_bias=loop.sampler.bias if loop.sampler.applies_to_source else 1,
        **bandwidth(loop),
    )
    return np.array([engine.advance()[0] for _ in range(last)], float)


def bandwidth(loop: Loop) -> dict[str, float]:
    """The settings of `KernelProvenance` that say which bandwidth: its width, or the rule's factor."""
    rule = loop.estimator.bandwidth
    return {"factor": float(rule.factor)} if isinstance(rule, RuleOfThumb) else {"width": float(rule)}


def _limit(loop: Loop, name: str) -> tuple[float, str | None] | None:
    """The limit under replacement at constant n, and why it is infinite; None where it is not known."""
    if not isinstance(loop.data, Replace) or not isinstance(loop.data.n, int):
        return None
    n, rule = loop.data.n, bandwidth(loop)
    error = float((components(loop.first_model).mean - components(loop.source).mean)[0])
    if name == "mean_error":
        return error, None
    shrinking = loop.sampler.bias * (1 - 1 / n)
    if "factor" in rule:
        rate = shrinking * (1 + rule["factor"] ** 2 * n**-0.4)
        if name == "variance" and abs(rate - 1) > 1e-12:
            return (0.0, None) if rate < 1 else (math.inf, "the kernel widens faster than a fit narrows")
        return None
    if name == "variance":
        return shrinking * rule["width"] ** 2 / (1 - shrinking) if shrinking < 1 else math.inf, None
    return math.inf, "the mean of the points walks at random for ever"


def _mise(loop: Loop, wanted: Sequence[float], finite: list[int]) -> Statistic:
    rule = bandwidth(loop)
    known = isinstance(loop.data, Replace) and "width" in rule and loop.sampler.bias == 1
    if not known or not finite:
        reason = "the integrated error is known under replace, for a fixed bandwidth and unbiased samples"
        return _nothing(loop, "mise", wanted, reason)
    sizes = sample_sizes(loop.data.n, finite[-1])
    source, first = components(loop.source), components(loop.first_model)
    values = [mean_squared_error(source, first, sizes[:g], rule["width"]) for g in finite]
    missing = len(wanted) - len(finite)
    mean = np.array(values + [np.nan] * missing)
    reason = "no limit at t = inf is known for it" if missing else None
    return Statistic(mean, np.full_like(mean, np.nan), "exact", "mixture.K2", reason)


def _why_no_likelihood(loop: Loop, finite: list[int]) -> str:
    rule = bandwidth(loop)
    reason = "the negative log-likelihood of real data has no closed form"
    if not isinstance(loop.data, Replace) or "width" not in rule or loop.sampler.bias != 1 or not finite:
        return reason
    source, first = components(loop.source), components(loop.first_model)
    least = least_cross_entropy(source, first, finite[-1], rule["width"])
    return f"{reason}; by Jensen's inequality it is at least {least:.6g} at t = {finite[-1]} (K2)"
