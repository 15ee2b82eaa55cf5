"""First passages of categorical loops: when one category has everything, when the first one is lost."""

from __future__ import annotations

import math

import numpy as np

from theory.categorical import chain_passage as passage
from theory.categorical.pair import passage_time
from theory.categorical.sampler import Sampled
from theory.categorical.wright_fisher import LARGEST_CHAIN
from theory.counts import is_constant, points
from theory.estimator import MaximumLikelihood
from theory.loop import Loop
from theory.policy import Accumulate, Fixed, Fresh, Replace, Web
from theory.result import Statistic, unknown

CLAIM = "mixture.C4"
HIGHEST = 4
LARGEST_PAIR = 2000
"""The largest n for which two categories under a sampler are solved."""


def passage_of(seen: Sampled, name: str) -> Statistic:
    """The mean of a first passage, with central moments where the chain gives them."""
    loop = seen.loop
    if not isinstance(loop.estimator, MaximumLikelihood):
        return _never("pseudo-counts keep every category alive")
    first, never = _first_batch(loop)
    shares = [share for share in loop.first_model.shares if share > 0]
    if name == "first_loss_time" and (first < len(shares) or seen.cut):
        return Statistic(np.array(1.0), np.array(0.0), "exact", CLAIM)
    if never:
        return _never(never)
    if not isinstance(loop.data, Replace) or not is_constant(loop.data.n):
        return unknown((), "none", None, "this passage is solved for a constant n under replace; simulate it")
    n = loop.data.n
    if seen.response is not None:
        return _of_pair(seen, n)
    return _collapse(n, shares) if name == "collapse_time" else _first_loss(n, shares)


def _first_batch(loop: Loop) -> tuple[float, str | None]:
    """Points of generation 1, and why the passage may never come after it."""
    match loop.data:
        case Replace():
            return points("n", loop.data.n, 1, 1), None
        case Accumulate():
            return points("n", loop.data.n, 1, 1), "what is in the first batch never leaves the pool"
        case Fixed():
            return loop.data.real, "what is in the real set never leaves the data"
        case Web() if loop.data.n is None:
            return loop.data.start, "what is in the pool never leaves it"
        case Fresh():
            return math.inf, None
    return math.inf, None


def _never(reason: str) -> Statistic:
    infinite = np.array(math.inf)
    return Statistic(
        infinite, infinite, "infinite", None, f"it has a positive probability never to come: {reason}"
    )


def _known(moments: list[float]) -> Statistic:
    mean, variance, third, fourth = map(np.array, moments)
    return Statistic(mean, variance, "recursion", CLAIM, None, None, third, fourth)


def _asymptotic(mean: float) -> Statistic:
    reason = f"the diffusion's mean, with a relative error of order 1/n, beyond {LARGEST_CHAIN} points"
    return Statistic(np.array(mean), np.array(np.nan), "asymptotic", CLAIM, reason)


def _collapse(n: int, shares: list[float]) -> Statistic:
    if n > LARGEST_CHAIN:
        return _asymptotic(passage.diffusion_collapse_time(n, shares))
    return _known(passage.collapse_time(n, shares, HIGHEST))


def _first_loss(n: int, shares: list[float]) -> Statistic:
    try:
        if n > LARGEST_CHAIN:
            return _asymptotic(passage.diffusion_first_loss_time(n, shares))
        return _known(passage.first_loss_time(n, shares, HIGHEST))
    except ValueError as error:
        return unknown(
            (), "none", None, f"{error}, and inclusion and exclusion runs over all of them; simulate it"
        )


def _of_pair(seen: Sampled, n: int) -> Statistic:
    if n > LARGEST_PAIR:
        return unknown((), "none", None, f"under this sampler it is solved for at most {LARGEST_PAIR} points")
    share = np.array([seen.loop.first_model.shares[0]])
    first = seen.response(share) if seen.biased_from == 1 else share
    found = passage_time(n, float(first[0]), seen.response, HIGHEST)
    return _known(found)
