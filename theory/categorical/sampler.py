"""What a sampler or a selection makes of a categorical loop that theory can still read.

Top-k that acts on the first draw as well cuts the support once: what follows is the plain loop of the shares
kept. With two categories every rule is a map of one share. Anything else is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from theory.categorical import sharpening
from theory.categorical.laws import Response
from theory.discrete_source import Categorical
from theory.estimator import MaximumLikelihood
from theory.loop import Loop, Sampler
from theory.policy import Accumulate, Fresh, Replace, Web
from theory.selection import BestOf, BradleyTerry


class Sampled(NamedTuple):
    """A loop without its sampler and selection, and what they do to the share of the first of two categories.

    Attributes:
        loop: with neither; its start is what the first draw is made of.
        response: the map; None where there is none any more.
        biased_from: the first generation whose synthetic points it acts on.
        cut: whether the first draw has lost categories already.
    """

    loop: Loop
    response: Response | None = None
    biased_from: int = 2
    cut: bool = False


def sampled(loop: Loop) -> Sampled | str:
    """The loop as it can be read; else a sentence saying why it cannot."""
    sampler, rule = _needed(loop), loop.selection
    plain = loop.with_(sampler=Sampler(), selection=None)
    if sampler is None and rule is None:
        return Sampled(plain)
    if sampler is not None and rule is not None:
        return "a sampler's bias and a selection together have no closed form"
    part = sampler or rule
    early = part.applies_to_source or loop.start is not None
    if sampler is not None and sampler.top_k is not None and sampler.top_k > 1:
        return _cut(plain, sampler.top_k, early)
    if loop.source.categories != 2 or 0 in loop.source.shares:
        return "with more than two categories this sampler or selection has no closed form"
    if not isinstance(loop.estimator, MaximumLikelihood) or not _draws(loop, part):
        return (
            "for two categories this sampler or selection is solved under replace, accumulate, fresh and web"
        )
    response = _of_selection(rule) if sampler is None else _of_sampler(sampler)
    return Sampled(plain, response, 1 if early else 2)


def _needed(loop: Loop) -> Sampler | None:
    """The sampler, unless it changes nothing."""
    sampler = loop.sampler
    idle = (
        not sampler.given
        or sampler.temperature == 1
        or sampler.nucleus == 1
        or (sampler.top_k is not None and sampler.top_k >= loop.source.categories)
    )
    return None if idle else sampler


def _cut(loop: Loop, kept: int, early: bool) -> Sampled | str:
    if not early:
        return "top-k that spares the first real points cuts at random ranks; applies_to_source is solved"
    if not isinstance(loop.data, Replace | Accumulate) or not isinstance(loop.estimator, MaximumLikelihood):
        return "top-k is solved where no real points come in later: under replace and accumulate"
    shares = sharpening.top_shares(loop.first_model.shares, kept)
    lost = np.count_nonzero(shares) < np.count_nonzero(loop.first_model.shares)
    return Sampled(loop.with_(start=Categorical(tuple(float(share) for share in shares))), cut=bool(lost))


def _draws(loop: Loop, part: Any) -> bool:
    """Whether all that the part acts on is drawn as the steps say."""
    if part.applies_to_source:
        return isinstance(loop.data, Replace | Accumulate)
    plain = isinstance(loop.data, Fresh) and loop.data.weight is None
    whole = isinstance(loop.data, Web) and loop.data.n is None
    return plain or whole or isinstance(loop.data, Replace | Accumulate)


def _of_sampler(sampler: Sampler) -> Response:
    if sampler.temperature is not None:
        return partial(sharpening.tempered, temperature=sampler.temperature)
    if sampler.nucleus is not None and sampler.nucleus > 0.5:
        return partial(sharpening.nucleus, kept=sampler.nucleus)
    return sharpening.likelier


def _of_selection(rule: Any) -> Response:
    first, second = rule.direction
    gap = first - second
    if gap == 0:
        return lambda x: x
    if isinstance(rule, BestOf):
        return _towards(partial(sharpening.best_of, candidates=rule.candidates), gap)
    assert isinstance(rule, BradleyTerry)
    return partial(sharpening.curated, candidates=rule.candidates, gap=rule.strength * gap)


def _towards(better: Callable[[np.ndarray], np.ndarray], gap: float) -> Response:
    """The map of the first category's share, from that of the better one's."""
    return better if gap > 0 else lambda x: 1 - better(1 - x)
