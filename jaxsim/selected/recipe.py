"""Rules that ask where a point is from, as recipes: what a detector or a correction leaves of a policy.

* `correction`: every synthetic point is real instead with probability gamma / (1 + gamma). A sample becomes
  a draw of random composition; one that was so already has its real share a raised to a + (1 - a) gamma /
  (1 + gamma).
* `detector`: before a fit to real points and samples of one model, at shares a and b = 1 - a, what is kept is
  a stream of points real with probability a tau / (a tau + b f) each, and counts are of the points kept.
  Points of one kind alone keep their law, however many are turned away.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from theory.loop import Loop, LoopError
from theory.meal import Mixed, Real, Recipe, Sample
from theory.recipe import recipe
from theory.selection import Correction, Detector
from theory.written_recipe import exact


def eaten(loop: Loop) -> Recipe:
    """What every generation of a loop eats, after detectors and corrections.

    Raises:
        LoopError: for what no engine can do.
    """
    made = recipe(loop.data, started=loop.start is not None)
    match getattr(loop, "selection", None):
        case Correction() as rule:
            return _corrected(made, rule)
        case Detector() as rule:
            return _detected(made, rule)
    return made


def _corrected(made: Recipe, rule: Correction) -> Recipe:
    if made.targets is not None:
        raise LoopError(
            "selection.rule", rule.rule, "models with different targets have no one source to be drawn to"
        )
    gamma = exact(rule.gamma)
    odds = gamma / (1 + gamma)

    def corrected(portion: Any) -> Any:
        match portion:
            case Sample(n, model, peer, synthetic=True) if odds:
                return Mixed(n, odds, model, peer)
            case Mixed(synthetic=True):
                return replace(portion, real_share=portion.real_share + (1 - portion.real_share) * odds)
        return portion

    return _changed(made, lambda portions: tuple(map(corrected, portions)))


def _detected(made: Recipe, rule: Detector) -> Recipe:
    kept = exact(rule.true_positive), exact(rule.false_positive)

    def share(real: Fraction) -> Fraction:
        passing = real * kept[0], (1 - real) * kept[1]
        if sum(passing) == 0:
            raise LoopError("selection.rule", rule.rule, "a fit would keep no points")
        return passing[0] / sum(passing)

    def detected(portions: tuple) -> tuple:
        match portions:
            case (Mixed(synthetic=True) as draw,):
                return (replace(draw, real_share=share(Fraction(draw.real_share))),)
            case (Real() as real, Sample() as other) | (Sample() as other, Real() as real):
                total = real.n + other.n
                own = Fraction(real.n, total)
                own = share(own) if other.synthetic else own
                return (Mixed(total, own, other.model, other.peer, real.target, other.synthetic),)
            case (Sample(synthetic=True),):
                share(Fraction(0))
            case (Real() | Sample() | Mixed(),):
                share(Fraction(1))
            case (Real() | Sample() | Mixed(), *_) if len(portions) > 1:
                _refuse(rule)
            case (_, _, *_) if any(isinstance(p, Real | Sample | Mixed) for p in portions):
                _refuse(rule)
        return portions

    for_weights = LoopError("data.weight", None, "behind a detector no weight can tell real from synthetic")
    return _changed(made, detected, for_weights)


def _refuse(rule: Detector) -> None:
    raise LoopError(
        "selection.rule",
        rule.rule,
        "it is simulated before fits to fresh real points and one model's samples",
    )


def _changed(made: Recipe, change: Callable[[tuple], tuple], unweighted: LoopError | None = None) -> Recipe:
    """A recipe with what is drawn changed; stored points were changed when they were drawn."""

    def meal(t: int, peer: int) -> Any:
        found = made.at(t, peer)
        if unweighted is not None and found.weights is not None and len(found.weights) > 1:
            raise unweighted
        return replace(found, eats=change(found.eats), adds=change(found.adds))

    return replace(made, meal=meal, initial=tuple(map(change, made.initial)))
