"""What theory says of a loop of Gaussian mixtures.

With unbiased sampling and maximum likelihood the mixture as a whole obeys the law of a single Gaussian under
any recipe (G1, `theory.mixture.total_variance`), hard labels and soft EM alike. Under replacement, hard
labels are solved component by component by the chain of their counts (G2, G3, `theory.mixture.counts`),
biased sampling and the unbiased fit included. In several dimensions variances are traces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from theory.estimator import EM, MaximumLikelihood, Unbiased
from theory.loop import Loop, LoopError, UnavailableError
from theory.mixture.counts import LARGEST_CHAIN, Counted, absent, counted
from theory.mixture.parts import parts
from theory.mixture.total_variance import second_moments, share_moments
from theory.observable import shape
from theory.provenance.of_loop import recipe_of
from theory.recipes.limits import limits_of
from theory.replace.fits import is_synthetic
from theory.replacement import Replace, sample_sizes
from theory.result import Statistic, central, unknown

LARGEST_WORK = 2e10
"""Entries of the count chain that are worth multiplying."""
MOST_SUBSETS = 5000
"""Sets of components whose joint extinction is worth computing."""

SPLIT = "the split into within and between is known for hard labels under replace, covariances not tied"
MATCHED = "a nonlinear function of the matched Gaussian's variance has no closed form; simulate it"
SELECTED = "a selected mixture has closed forms for one step of an infinite sample only (Q2); simulate it"


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Mean and, where known, central moments of each observable at the generations wanted.

    Args:
        loop: of a `Mixture`, with numbers.
        names: of `theory.observable.MIXTURE`.
        wanted: increasing, the last one perhaps inf.
        highest: order of the central moments that are worth computing.

    Raises:
        LoopError: if a list of sample sizes is too short.
    """
    del highest
    finite = [int(g) for g in wanted if g < math.inf]
    found: dict[str, Statistic] = {}
    cache: dict[str, Any] = {}
    for name in names:
        pieces = [_at(loop, name, finite, cache)] if finite else []
        if len(finite) < len(wanted):
            pieces.append(_limit(loop, name))
        found[name] = reduce(_joined, pieces)
    return found


def _joined(early: Statistic, final: Statistic) -> Statistic:
    known = early if early.status != "none" else final
    reasons = [part.reason for part in (early, final) if part.reason is not None]
    return Statistic(
        mean=np.concatenate([early.mean, final.mean]),
        variance=np.concatenate([early.variance, final.variance]),
        status=known.status,
        claim=known.claim,
        reason=reasons[0] if reasons else None,
        almost_surely=final.almost_surely,
    )


def _at(loop: Loop, name: str, generations: list[int], cache: dict[str, Any]) -> Statistic:
    size = (len(generations), *shape(loop, name))
    if loop.selection is not None:
        return unknown(size, "none", None, SELECTED)
    if name in ("std", "w2_squared", "kl_to_source_gaussian"):
        return unknown(size, "none", None, MATCHED)
    if name == "weights":
        return _weights(loop, generations)
    if name == "components_alive":
        return _alive(loop, generations)
    if name in ("within", "between"):
        reason = _uncounted(loop, generations[-1])
        if reason is not None:
            return unknown(size, "none", None, reason)
        values = [getattr(_chain(loop, generations[-1], cache)[g - 1], name).sum() for g in generations]
        return _means(np.array(values), "recursion", _entry(loop, counted=True))
    return _whole(loop, name, generations, cache)


def _means(mean: np.ndarray, status: Any, claim: str, variance: np.ndarray | None = None) -> Statistic:
    return Statistic(mean, np.full_like(mean, np.nan) if variance is None else variance, status, claim)


def _whole(loop: Loop, name: str, generations: list[int], cache: dict[str, Any]) -> Statistic:
    """The mixture's mean error, its square, and the total variance."""
    reason = _unlike_a_gaussian(loop)
    if reason is None:
        moments = _total(loop, generations[-1], cache)[np.array(generations) - 1]
        error, square, variance = np.moveaxis(moments, 1, 0)
        status, claim = "exact", _entry(loop)
    else:
        uncounted = _uncounted(loop, generations[-1])
        if uncounted is not None:
            size = (len(generations), *shape(loop, name))
            return unknown(size, "none", None, f"{reason}; and {uncounted}")
        chain = [_chain(loop, generations[-1], cache)[g - 1] for g in generations]
        square = np.array([step.mean_square for step in chain])
        variance = np.array([step.within + step.between for step in chain])
        error = np.broadcast_to(parts(loop.first_model).mean - parts(loop.source).mean, square.shape)
        status, claim = "recursion", _entry(loop, counted=True)
    if name == "variance":
        return _means(variance.sum(-1), status, claim)
    if name == "mean_error_squared":
        return _means(square.sum(-1), status, claim)
    spread = square - error**2
    drop = (lambda y: y[..., 0]) if loop.source.is_scalar else (lambda y: y)
    return _means(drop(error), status, claim, drop(spread))


def _entry(loop: Loop, counted: bool = False) -> str:
    """The claim that says it."""
    if counted:
        return "mixture.G3b" if isinstance(loop.estimator, Unbiased) else "mixture.G3a"
    if _is_em(loop):
        return "mixture.G1b"
    return {"fresh": "mixture.G1c", "accumulate": "mixture.G1d"}.get(loop.data.policy, "mixture.G1a")


def _unlike_a_gaussian(loop: Loop) -> str | None:
    """Why the mixture's total variance does not obey the law of a single Gaussian; None if it does."""
    if loop.sampler.bias != 1:
        return "the total variance is that of a Gaussian for unbiased samples only"
    if isinstance(loop.estimator, Unbiased):
        return "the total variance is that of a Gaussian for maximum likelihood only"
    return None


def _total(loop: Loop, last: int, cache: dict[str, Any]) -> np.ndarray:
    if "total" not in cache:
        cache["total"] = second_moments(recipe_of(loop), last, *_beginning(loop))
    return cache["total"]


def _beginning(loop: Loop) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """The source's variances, and the start's error and variances, coordinate by coordinate."""
    source, first = parts(loop.source), parts(loop.first_model)
    start = (first.mean - source.mean, np.diag(first.covariance))
    return np.diag(source.covariance), None if loop.start is None else start


def _uncounted(loop: Loop, last: int) -> str | None:
    """Why the count chain does not serve; None if it does."""
    if not isinstance(loop.data, Replace) or _is_em(loop) or loop.estimator.covariance == "tied":
        return SPLIT
    return _too_long(sample_sizes(loop.data.n, last), loop.source.components * (loop.source.dimension + 1))


def _too_long(sizes: Sequence[int], columns: int) -> str | None:
    if max(sizes) > LARGEST_CHAIN:
        return f"the chain of a component's counts is built for n up to {LARGEST_CHAIN}"
    if columns * sum(float(n) ** 2 for n in sizes) > LARGEST_WORK:
        return "the chain of a component's counts is too long at this generation and n"
    return None


def _is_em(loop: Loop) -> bool:
    return isinstance(loop.estimator, MaximumLikelihood) and loop.estimator.fit == EM


def _chain(loop: Loop, last: int, cache: dict[str, Any]) -> list[Counted]:
    if "chain" not in cache:
        first = [loop.sampler.bias if is_synthetic(loop, 1) else 1.0]
        walk = counted(
            parts(loop.first_model),
            sample_sizes(loop.data.n, last),
            first + [loop.sampler.bias] * (last - 1),
            unbiased=isinstance(loop.estimator, Unbiased),
            spherical=loop.estimator.covariance == "spherical",
            origin=parts(loop.source).mean,
        )
        cache["chain"] = list(walk)
    return cache["chain"]


def _weights(loop: Loop, generations: list[int]) -> Statistic:
    """The shares of the labels: those of a categorical loop."""
    source, first = parts(loop.source).weights, parts(loop.first_model).weights
    size = (len(generations), len(source))
    if _is_em(loop):
        one = loop.estimator.iterations in (None, 1)
        if not one or not isinstance(loop.data, Replace) or loop.sampler.bias != 1:
            reason = "EM's weights are known in the mean, for one iteration under replace"
            return unknown(size, "none", None, reason)
        return _means(np.broadcast_to(first, size).copy(), "exact", "mixture.G1w")
    if isinstance(loop.data, Replace):
        sizes = sample_sizes(loop.data.n, generations[-1])
        columns = np.stack([share_moments(p, sizes) for p in first], axis=-1)[np.array(generations) - 1]
        mean, variance, third, fourth = np.moveaxis(columns, 1, 0)
        return Statistic(mean, variance, "exact", "mixture.G1w", third=third, fourth=fourth)
    start = None if loop.start is None else (first - source, first * (1 - first))
    found = second_moments(recipe_of(loop), generations[-1], source * (1 - source), start)
    error, square, _ = np.moveaxis(found[np.array(generations) - 1], 1, 0)
    return Statistic(source + error, square - error**2, "exact", "mixture.G1w")


def _alive(loop: Loop, generations: list[int]) -> Statistic:
    """How many components have a point: moments of a sum of indicators, by inclusion of subsets."""
    size = (len(generations),)
    components = loop.source.components
    if not isinstance(loop.data, Replace) or _is_em(loop):
        reason = "the number of components alive is known for hard labels under replace"
        return unknown(size, "none", None, reason)
    sizes = sample_sizes(loop.data.n, generations[-1])
    orders = [k for k in range(1, 5) if k <= components]
    while math.comb(components, orders[-1]) > MOST_SUBSETS and orders[-1] > 2:
        orders.pop()
    weights = parts(loop.first_model).weights
    subsets = [[sum(weights[list(s)]) for s in combinations(range(components), k)] for k in orders]
    reason = _too_long(sizes, sum(map(len, subsets)))
    if reason is not None:
        return unknown(size, "none", None, reason)
    masses = np.minimum(np.concatenate(subsets), 1.0)
    ends = np.cumsum([0, *map(len, subsets)])
    chances = list(absent(masses, sizes))
    falling = np.zeros((4, len(generations)))  # E (D)_k, D the number of dead
    for place, g in enumerate(generations):
        for k, (a, b) in enumerate(pairwise(ends)):
            falling[k, place] = math.factorial(k + 1) * chances[g - 1][a:b].sum()
    one, two, three, four = falling
    raw = [one, two + one, three + 3 * two + one, four + 6 * three + 7 * two + one]
    moments = central(raw if len(orders) == min(4, components) else raw[: len(orders)])
    moments += [np.full_like(one, np.nan)] * (4 - len(moments))
    mean, variance, third, fourth = moments
    # alive = K - dead
    return Statistic(components - mean, variance, "recursion", "mixture.G3e", third=-third, fourth=fourth)


def _limit(loop: Loop, name: str) -> Statistic:
    """At t = inf: the whole's moments, by the recipe's affine map."""
    size = (1, *shape(loop, name))
    known = name in ("mean_error", "mean_error_squared", "variance")
    if loop.selection is not None or not known or _unlike_a_gaussian(loop) is not None:
        return unknown(size, "none", None, "no limit at t = inf is known for it")
    variances, start = _beginning(loop)
    fits = []
    for place, variance in enumerate(variances):
        begin = None if start is None else (float(start[0][place]), float(start[1][place]))
        settings = {"variance": float(variance), "start": begin, "bias": 1, "source_bias": 1}
        settings["estimator"] = MaximumLikelihood()
        try:
            fits.append(limits_of(recipe_of(loop), settings)[0])
        except (LoopError, UnavailableError) as error:
            return unknown(size, "none", None, f"no limit at t = inf is known: {error.reason}")
    if name != "mean_error":
        part = "variance" if name == "variance" else "mean_square"
        return _means(np.array([sum(getattr(fit, part) for fit in fits)], float), "exact", _entry(loop))
    error = np.array([fit.mean for fit in fits], float)
    spread = np.array([fit.mean_square for fit in fits], float) - error**2
    if loop.source.is_scalar:
        return _means(error, "exact", _entry(loop), spread)
    return _means(error[None], "exact", _entry(loop), spread[None])
