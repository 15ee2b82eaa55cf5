"""Selection and mitigation: which of the points that a model generates are kept. Vocabulary only.

A rule acts on every synthetic point that is drawn, and counts (n) are those of the points kept. What a real
point goes through is the rule's `applies_to_source`. Two rules are about labels and not about values: a
`Detector` sees real and synthetic points alike, a `Correction` touches synthetic points only.

Scores. `linear` is u x, u the unit vector along `direction`; `typicality` is the model's density, so that
the most typical points are those nearest the model's mean in its own metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from theory.counts import check_count
from theory.quantity import LoopError, Number, array, flag, is_symbolic, one_of, positive, real, settle

LINEAR, TYPICALITY, QUADRATIC = "linear", "typicality", "quadratic"
POPULATION, POOL = "population", "pool"
SCORES = (LINEAR, TYPICALITY)
REWARDS = (LINEAR, QUADRATIC)


def _direction(value: object) -> Any:
    direction = array("direction", value, 1)
    entries = direction if isinstance(direction, tuple) else (direction,)
    if all(not is_symbolic(entry) and entry == 0 for entry in entries):
        raise LoopError("direction", direction, "it points nowhere")
    return direction


def _scored(rule: TopFraction | BestOf) -> None:
    """Check the score of a rule and the direction that a linear one has."""
    one_of("score", rule.score, SCORES)
    if rule.score == TYPICALITY and rule.direction is not None:
        raise LoopError("direction", rule.direction, "typicality has no direction")
    if rule.score == LINEAR:
        settle(rule, direction=_direction(1.0 if rule.direction is None else rule.direction))


@dataclass(frozen=True)
class TopFraction:
    """The best fraction of what a model generates: the rule `top-fraction`.

    Attributes:
        fraction: q, the share kept.
        score: `linear` or `typicality`.
        direction: of a linear score: a number, whose sign counts, or a vector; 1 if not given.
        threshold: `population`: points above the model's exact quantile are kept, independent of one
            another; `pool`: ceil(n / q) points are drawn and the best n of them kept.
        applies_to_source: whether real points are selected too.
    """

    fraction: Number
    score: str
    direction: Any = None
    threshold: str = POPULATION
    applies_to_source: bool = False
    rule: ClassVar[str] = "top-fraction"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"score": SCORES}

    def __post_init__(self):
        fraction = real("fraction", self.fraction)
        if not is_symbolic(fraction) and not 0 < fraction <= 1:
            raise LoopError("fraction", fraction, "a fraction greater than 0 and at most 1 is needed")
        settle(self, fraction=fraction)
        _scored(self)
        one_of("threshold", self.threshold, (POPULATION, POOL))
        flag("applies_to_source", self.applies_to_source)


@dataclass(frozen=True)
class BestOf:
    """The best of `candidates` points, for every point kept: the rule `best-of`.

    Attributes:
        candidates: K.
        score: `linear` or `typicality`.
        direction: as in `TopFraction`.
        applies_to_source: whether real points are selected too.
    """

    candidates: int
    score: str = LINEAR
    direction: Any = None
    applies_to_source: bool = False
    rule: ClassVar[str] = "best-of"

    def __post_init__(self):
        settle(self, candidates=check_count("candidates", self.candidates, 1))
        _scored(self)
        flag("applies_to_source", self.applies_to_source)


@dataclass(frozen=True)
class BradleyTerry:
    """One of `candidates` points, chosen with probability proportional to e^(strength score).

    The rule `bradley-terry`; with two candidates Bradley and Terry's model of a preference between them.

    Attributes:
        candidates: K.
        strength: beta, the slope of the reward along `direction`; not negative.
        direction: of the linear score, as in `TopFraction`.
        applies_to_source: whether real points are selected too.
    """

    candidates: int
    strength: Number
    direction: Any = 1.0
    applies_to_source: bool = False
    rule: ClassVar[str] = "bradley-terry"

    def __post_init__(self):
        settle(
            self,
            candidates=check_count("candidates", self.candidates, 1),
            strength=_not_negative("strength", self.strength),
            direction=_direction(self.direction),
        )
        flag("applies_to_source", self.applies_to_source)


def _not_negative(key: str, value: object) -> Number:
    value = real(key, value)
    if not is_symbolic(value) and value < 0:
        raise LoopError(key, value, "it is negative")
    return value


@dataclass(frozen=True)
class Tilt:
    """The model's density times e^(strength r(x)), normalised: the rule `tilt`.

    Attributes:
        reward: `linear`, r(x) = u x, or `quadratic`, r(x) = -|x - centre|^2 / 2.
        strength: beta; not negative.
        centre: of a quadratic reward: a number or a vector.
        direction: of a linear reward, as in `TopFraction`.
        applies_to_source: whether real points are selected too.
    """

    reward: str
    strength: Number
    centre: Any = None
    direction: Any = None
    applies_to_source: bool = False
    rule: ClassVar[str] = "tilt"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"reward": REWARDS}

    def __post_init__(self):
        one_of("reward", self.reward, REWARDS)
        settle(self, strength=_not_negative("strength", self.strength))
        if self.reward == LINEAR:
            if self.centre is not None:
                raise LoopError("centre", self.centre, "a linear reward has no centre")
            settle(self, direction=_direction(1.0 if self.direction is None else self.direction))
        else:
            if self.direction is not None:
                raise LoopError("direction", self.direction, "a quadratic reward has no direction")
            if self.centre is None:
                raise LoopError("centre", None, "it is missing")
            settle(self, centre=array("centre", self.centre, 1))
        flag("applies_to_source", self.applies_to_source)


@dataclass(frozen=True)
class Detector:
    """Points taken for real are kept: the rule `detector`, blind to values given where a point is from.

    Attributes:
        true_positive: the probability that a real point is kept.
        false_positive: the probability that a synthetic point is kept.
    """

    true_positive: Number
    false_positive: Number
    rule: ClassVar[str] = "detector"

    def __post_init__(self):
        for key in ("true_positive", "false_positive"):
            value = _not_negative(key, getattr(self, key))
            if not is_symbolic(value) and value > 1:
                raise LoopError(key, value, "a probability is at most 1")
            settle(self, **{key: value})
        if self.true_positive == 0 and self.false_positive == 0:
            raise LoopError("true_positive", self.true_positive, "nothing would ever be kept")


@dataclass(frozen=True)
class Verifier:
    """Points within `radius` of `centre` are kept: the rule `verifier`.

    Attributes:
        centre: theta_c, what the verifier believes in: a number or a vector.
        radius: r > 0.
        applies_to_source: whether real points are verified too.
    """

    centre: Any
    radius: Number
    applies_to_source: bool = False
    rule: ClassVar[str] = "verifier"

    def __post_init__(self):
        radius = real("radius", self.radius)
        positive("radius", radius)
        settle(self, centre=array("centre", self.centre, 1), radius=radius)
        flag("applies_to_source", self.applies_to_source)


@dataclass(frozen=True)
class Correction:
    """Every synthetic point is replaced by a real one with probability gamma / (1 + gamma): `correction`.

    Attributes:
        gamma: the strength; p becomes (p + gamma p*) / (1 + gamma), p* the source.
    """

    gamma: Number
    rule: ClassVar[str] = "correction"

    def __post_init__(self):
        settle(self, gamma=_not_negative("gamma", self.gamma))


Rule = TopFraction | BestOf | BradleyTerry | Tilt | Detector | Verifier | Correction

RULES = {part.rule: part for part in get_args(Rule)}


def check_dimension(rule: Rule, source: Any) -> None:
    """Refuse a direction or a centre that does not fit the source.

    Raises:
        LoopError: if a vector has another length than the source, or a linear score in several dimensions
            has a number for a direction.
    """
    dimension = 1 if source.is_scalar else source.dimension
    for key in ("direction", "centre"):
        value = getattr(rule, key, None)
        if value is None:
            continue
        if isinstance(value, tuple):
            if source.is_scalar:
                raise LoopError(key, value, "the source is on the line: give a number")
            if len(value) != dimension:
                raise LoopError(key, value, f"the source has {dimension} coordinates")
        elif not source.is_scalar:
            given = None if key == "direction" and value == 1.0 else value  # 1 unless told otherwise
            raise LoopError(key, given, f"the source has {dimension} coordinates: give a vector")
