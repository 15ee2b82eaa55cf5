"""The reading of categorical and Poisson loops: what theory says of each observable, and how it knows.

Heterozygosity obeys the identities of a variance, squared error those of a squared mean error, whatever a
model is trained on: their means follow for every recipe from `theory.provenance`, and their higher moments,
where one state is enough, from the closure. Single categories are binary chains. With two categories
everything is a function of one count, and any sampler can be read. Claims are those of
`theory.claims.categorical`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from theory.categorical import counts, laws, pair, poisson
from theory.categorical.counts import Answer, Counted
from theory.categorical.course import Course, course
from theory.categorical.dispersion import FUNCTIONS, central_moments
from theory.categorical.limits import dispersion_limit
from theory.categorical.passage import passage_of
from theory.categorical.sampler import Sampled, sampled
from theory.discrete_source import Poisson
from theory.estimator import MaximumLikelihood, Smoothed
from theory.loop import Loop
from theory.observable import model_axis, shape
from theory.policy import Accumulate, AccumulateSubsample, Fixed, Fresh, Replace, Web
from theory.provenance import second_moments
from theory.recipe import recipe
from theory.result import ORDER, SIMULATE, Statistic, unknown


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of each observable of a loop with a categorical or a Poisson source.

    Args:
        loop: numbers throughout.
        names: of `theory.observable.CATEGORIES`.
        wanted: generations, increasing; the last may be inf.
        highest: 2 or 4 central moments.
    """
    if isinstance(loop.source, Poisson):
        return poisson.statistics(loop, names, wanted, highest)
    return {name: _statistic(loop, name, wanted, highest) for name in names}


def passage(loop: Loop, name: str) -> Statistic:
    """The statistic of `collapse_time` or `first_loss_time`."""
    if isinstance(loop.source, Poisson):
        return poisson.passage(loop, name)
    seen = sampled(loop)
    if isinstance(seen, str):
        return unknown((), "none", None, seen + SIMULATE)
    return passage_of(seen, name)


def _statistic(loop: Loop, name: str, wanted: Sequence[float], highest: int) -> Statistic:
    axes = shape(loop, name)
    finite = [int(g) for g in wanted if g < math.inf]
    seen = sampled(loop)
    parts = [_answer(seen, name, finite, highest)] if finite else []
    if len(finite) < len(wanted):
        parts.append(_limit(seen, name, highest))
    shaped = np.full((4, len(wanted), *axes), np.nan)
    place = 0
    for part, width in zip(parts, [len(finite)] * bool(finite) + [1], strict=False):
        if part.status not in ("none", "infinite") or np.isinf(part.moments).any():
            shaped[: len(part.moments), place : place + width] = part.moments
        place += width
    weakest = max(parts, key=lambda part: ORDER.index(part.status))
    reason = weakest.reason and weakest.reason + (SIMULATE if weakest.status == "none" else "")
    claim = claim_of(loop, name) if parts[0].status not in ("none", "infinite") else None
    third, fourth = shaped[2:] if highest > 2 else (None, None)
    return Statistic(shaped[0], shaped[1], weakest.status, claim, reason, None, third, fourth)


def _answer(seen: Sampled | str, name: str, finite: Sequence[int], highest: int) -> Answer:
    """Central moments at finite generations."""
    if isinstance(seen, str):
        return _nothing(seen)
    loop, made = seen.loop, course(seen.loop)
    if seen.response is not None:
        return _of_pair(seen, made, name, finite, highest)
    if name in FUNCTIONS:
        return _dispersion(loop, made, name, finite, highest)
    if isinstance(made, str):
        return _nothing(made)
    counted = Counted(loop.data, made, laws.categories_of(made))
    if name in ("extinct", "support"):
        return getattr(counts, name)(counted, finite, highest)
    if made.anchor is None and pair.two(counted.categories) and not laws.too_large(made, 1, max(finite)):
        return Answer(pair.central_moments(made, name, finite, highest), "recursion")
    return getattr(counts, name)(counted, finite)


def _nothing(reason: str | None) -> Answer:
    return Answer(np.full((1, 1), np.nan), "none", reason)


def _of_pair(seen: Sampled, made: Course | str, name: str, finite: Sequence[int], highest: int) -> Answer:
    if isinstance(made, str):
        return _nothing(made)
    reason = laws.too_large(made, 1, max(finite))
    if reason is not None:
        return _nothing(reason)
    if name == "extinct":
        gone = pair.extinct(made, finite, seen.response, seen.biased_from)
        return Answer(counts.indicator_moments(gone)[:highest], "recursion")
    found = pair.central_moments(made, name, finite, highest, seen.response, seen.biased_from)
    return Answer(found, "recursion")


def _dispersion(loop: Loop, made: Course | str, name: str, finite: Sequence[int], highest: int) -> Answer:
    if name == "chi_squared" and _off_source(loop):
        return Answer(np.array([[math.inf]]), "infinite", "a category has no probability in the source")
    if not isinstance(made, str):
        return Answer(central_moments(made, name, finite, highest), "exact")
    if not isinstance(loop.estimator, MaximumLikelihood):
        return _nothing(made)
    return Answer(second_moment_means(loop, name, finite)[None], "recursion")


def _off_source(loop: Loop) -> bool:
    """Whether the model may hold what the source does not have."""
    shares = zip(loop.first_model.shares, loop.source.shares, strict=True)
    if any(start > 0 == source for start, source in shares):
        return True
    smoothed = loop.estimator if isinstance(loop.estimator, Smoothed) else None
    return smoothed is not None and smoothed.towards != "source" and 0 in loop.source.shares


def second_moment_means(loop: Loop, name: str, finite: Sequence[int]) -> NDArray[np.float64]:
    """E of a dispersion, for any recipe of counted points, by the identities of means and variances.

    The indicator of a category has mean p and variance p (1 - p), so E (p_t - p)^2 and E p_t (1 - p_t) are
    linear in the source's variance, and with a start in its squared offset and its own variance.
    [generation], and a model axis where the recipe reports several.
    """
    z, q = (np.array(part.shares, float) for part in (loop.source, loop.first_model))
    made = recipe(loop.data, started=loop.start is not None)
    last = max(finite)

    models = model_axis(loop)

    def unit(**settings: object) -> NDArray[np.float64]:
        fits = second_moments(made, last, **settings)
        rows = [[(fit.mean_square, fit.variance) for fit in fits[g - 1]] for g in finite]
        return np.array(rows)[:, 0] if models is None else np.array(rows)

    if loop.start is None:
        parts = [(unit(), z * (1 - z))]
    else:
        parts = [
            (unit(variance=1, start=(0, 0)), z * (1 - z)),
            (unit(variance=0, start=(1, 0)), (q - z) ** 2),
            (unit(variance=0, start=(0, 1)), q * (1 - q)),
        ]
    if name == "heterozygosity":
        return sum(rows[..., 1] * scale.sum() for rows, scale in parts)
    weight = np.where(z > 0, 1 / np.where(z > 0, z, 1.0), 0.0) if name == "chi_squared" else np.ones_like(z)
    return sum(rows[..., 0] * (weight * scale).sum() for rows, scale in parts)


def _limit(seen: Sampled | str, name: str, highest: int) -> Answer:
    """Central moments at t = inf, [moment, 1, ...]."""
    if isinstance(seen, str):
        return _nothing(seen)
    loop, made = seen.loop, course(seen.loop)
    if seen.response is not None:
        return _nothing("the limit under this sampler or selection has no closed form")
    if name in FUNCTIONS:
        if name == "chi_squared" and _off_source(loop):
            return Answer(np.array([[math.inf]]), "infinite", "a category has no probability in the source")
        if not isinstance(made, str) and made.constant_from is not None:
            return Answer(central_moments(made, name, [math.inf], highest), "exact")
        mean = dispersion_limit(loop, name)
        return _nothing(mean) if isinstance(mean, str) else Answer(np.array([[mean]]), "exact")
    if isinstance(made, str):
        return _nothing(made)
    counted = Counted(loop.data, made, laws.categories_of(made))
    if counts.constant_replace(counted) is not None:
        return Answer(counts.absorbed(counted, name, highest)[:, None], "exact")
    frozen = isinstance(loop.data, Accumulate | Fixed) or (isinstance(loop.data, Web) and loop.data.n is None)
    if frozen and name in ("extinct", "support"):
        late = math.inf if isinstance(loop.data, Web) and loop.data.real else 1
        return getattr(counts, name)(counted, [late], highest)
    late = laws.settled(made)
    if late is not None and laws.too_large(made, len(set(counted.categories)), late) is None:
        return _answer(seen, name, [late], highest)
    return _nothing(f"the limit of {name} has no closed form here")


def claim_of(loop: Loop, name: str) -> str | None:
    """The entry behind an observable of a loop."""
    if loop.sampler.given or loop.selection is not None:
        return "mixture.C9"
    if isinstance(loop.data, Accumulate | AccumulateSubsample):
        return "mixture.C10"
    if isinstance(loop.estimator, Smoothed):
        return "mixture.C7"
    if isinstance(loop.data, Fresh | Fixed | Web):
        return "mixture.C8"
    if not isinstance(loop.data, Replace):
        return None
    return {
        "extinct": "mixture.C3",
        "support": "mixture.C5",
        "entropy": "mixture.C6",
        "kl_to_source": "mixture.C6",
    }.get(name, "mixture.C1")
