"""A selection's rule made ready for the device: what is compiled, and its numbers in the source's units."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from jaxsim import chi_square
from jaxsim.schedule import gaussians, unit_length
from jaxsim.selected.points import Numbers, Rule
from theory.loop import Loop, LoopError
from theory.selection import (
    POOL,
    QUADRATIC,
    TYPICALITY,
    BestOf,
    BradleyTerry,
    Correction,
    Detector,
    Tilt,
    TopFraction,
    Verifier,
    check_dimension,
)


def rule_of(loop: Loop) -> Rule | None:
    """The rule that acts on values; None where there is none, or one about where points are from.

    Raises:
        LoopError: for what no engine can do.
    """
    rule: Any = getattr(loop, "selection", None)
    if rule is None:
        return None
    source, _ = gaussians(loop)
    check_dimension(rule, source)
    if isinstance(rule, Detector | Correction):
        return None
    if loop.sampler.truncate is not None:
        raise LoopError("selection.rule", rule.rule, "it is simulated on samples that are not truncated")
    if isinstance(rule, Verifier) and not source.is_scalar:
        raise LoopError("selection.rule", rule.rule, "it is simulated for sources on the line")
    pool = isinstance(rule, TopFraction) and rule.threshold == POOL
    return Rule(
        name="pool" if pool else rule.rule,
        typical=getattr(rule, "score", None) == TYPICALITY,
        quadratic=isinstance(rule, Tilt) and rule.reward == QUADRATIC,
        candidates=rule.candidates if isinstance(rule, BestOf | BradleyTerry) else 0,
        real=rule.applies_to_source,
    )


def drawn(fraction: float, kept: int) -> int:
    """ceil(n / q), q as the decimal it is written with."""
    return math.ceil(kept / Fraction(repr(fraction)))


def numbers_of(loop: Loop, mixed: int, dtype: Any) -> Numbers:
    """The numbers of a loop's rule; `mixed` is the largest draw of random composition."""
    rule: Any = loop.selection
    source: Any = gaussians(loop)[0]
    length, d = unit_length(source), source.dimension
    strength = float(getattr(rule, "strength", 0.0)) * length
    if isinstance(rule, Tilt) and rule.reward == QUADRATIC:
        strength *= length
    direction = np.asarray(getattr(rule, "direction", None) or np.ones(d).tolist(), float)
    if source.is_scalar:
        direction = np.sign(direction).reshape(-1)[0]
    else:
        direction = direction / np.linalg.norm(direction)
    centre = getattr(rule, "centre", None)
    chi = chi_square.fit(np.array([d]))
    fraction = float(getattr(rule, "fraction", 1.0))
    values = {
        "fraction": fraction,
        "direction": direction,
        "strength": strength,
        "centre": 0 * direction if centre is None else (np.asarray(centre, float) - source.mean) / length,
        "radius": float(getattr(rule, "radius", 0.0)) / length,
        "row": chi.rows[0],
        "log_scale": chi.centre[0] + np.log(d),
    }
    table = np.array([drawn(fraction, kept) for kept in range(mixed + 1)], np.int32)
    return Numbers(**{name: np.asarray(value, dtype) for name, value in values.items()}, drawn=table)
