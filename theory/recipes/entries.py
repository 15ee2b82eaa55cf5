"""Under which claim a Gaussian loop's second moments come."""

from __future__ import annotations

from typing import Any

from theory.counts import is_constant
from theory.estimator import Weighted
from theory.loop import Loop, MaximumLikelihood, Replace
from theory.policy import (
    OPTIMAL_IN_TIME,
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Web,
    Window,
)
from theory.replace.fits import sampling_factor
from theory.selection import Correction, Detector

CONSERVED = "gaussian.P0"
"""The entry of recipes that no other one names."""


def entry(loop: Loop) -> str:
    """The id of the entry that states the second moments of this loop, its weight still a word if it was."""
    data = loop.data
    if isinstance(loop.selection, Detector | Correction):
        return "gaussian.C10" if isinstance(loop.selection, Detector) else "gaussian.C11"
    likelihood = isinstance(loop.estimator, MaximumLikelihood)
    match data:
        case Fresh():
            found = _fresh(loop, data, likelihood)
        case Accumulate():
            found = ("A1" if likelihood else "A3") if is_constant(data.n) else "A4"
        case AccumulateSubsample():
            found = "A5"
        case Window():
            found = "A7"
        case Memory():
            found = "X13"
        case Fixed():
            found = "X7"
        case Web():
            found = "W1" if data.n is None else "W4"
        case Peers():
            found = _peers(data)
        case Heal():
            found = _healing(data)
        case Replace():
            found = "R6"
        case _:
            return CONSERVED
    return f"gaussian.{found}"


def is_plain(loop: Loop) -> bool:
    """Whether samples are neither biased nor truncated."""
    return loop.sampler.truncate is None and sampling_factor(loop.sampler) == 1


def _fresh(loop: Loop, data: Fresh, likelihood: bool) -> str:
    if data.weight is not None:
        in_time = data.weight == OPTIMAL_IN_TIME or isinstance(data.weight, tuple)
        apart = "X8b" if in_time else "X8"
        return apart if isinstance(loop.estimator, Weighted) else "X9"
    if not (is_constant(data.real) and is_constant(data.synthetic)):
        return "W2"
    if not is_plain(loop):
        return "X1"
    if not likelihood:
        return "X4"
    return "X3" if data.composition == "iid" else "X2"


def _peers(data: Peers) -> str:
    if data.counts is not None or data.targets is not None or isinstance(data.real, tuple):
        return "E2"
    return "E3" if data.real else "E1"


def _healing(data: Heal) -> str:
    weight: Any = data.weight
    if weight == 1:
        return "H0"
    if data.same_real:
        return "H2"
    return "H3" if isinstance(data.contaminated, Replace) else "H1"
