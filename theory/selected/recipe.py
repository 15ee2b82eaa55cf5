"""Detectors and corrections as recipes: they ask where a point is from, never what it is.

So what they do to a recipe is a recipe, and what is known of recipes holds, exactly and at finite n: second
moments, both engines. The count of a portion is that of the points kept.
* A correction makes every synthetic point real with probability gamma / (1 + gamma).
* A detector before a fit to real and synthetic points keeps its N points real with probability a' = a tau /
  (a tau + b f) each, a the real share before filtering (C10): the composition is then iid, whatever it was.
  Points of one kind alone keep their law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from theory.counts import Count
from theory.loop import LoopError, Number, is_symbolic
from theory.meal import Draw, Meal, Mixed, Portion, Real, Recipe, Sample
from theory.selected.mixture import detected_share
from theory.selection import Correction, Detector
from theory.written_recipe import exact


def corrected(recipe: Recipe, rule: Correction) -> Recipe:
    """`recipe` with every synthetic point replaced by a real one with probability gamma / (1 + gamma).

    Raises:
        LoopError: if the models have different targets, so that no one source is meant.
    """
    if recipe.targets is not None:
        raise LoopError("selection.rule", rule.rule, "models with different targets have no source in common")
    gamma = exact(rule.gamma)
    share = gamma / (1 + gamma)

    def mixed(portion: Portion) -> Portion:
        if isinstance(portion, Sample) and portion.synthetic and share != 0:
            return Mixed(portion.n, share, portion.model, portion.peer)
        if isinstance(portion, Mixed) and portion.synthetic:
            return replace(portion, real_share=portion.real_share + (1 - portion.real_share) * share)
        return portion

    return _mapped(recipe, lambda draws: tuple(map(mixed, draws)))


def detected(recipe: Recipe, rule: Detector) -> Recipe:
    """`recipe` with every pair of real points and samples filtered by a detector.

    Raises:
        LoopError: if nothing would be kept, if points are weighted, or if samples of several models or a
            fixed real set are filtered together: what is kept is then no mixture of two kinds.
    """
    rates = exact(rule.true_positive), exact(rule.false_positive)

    def filtered(draws: tuple) -> tuple:
        real = [x for x in draws if isinstance(x, Real)]
        samples = [x for x in draws if isinstance(x, Sample)]
        both = [x for x in draws if isinstance(x, Mixed)]
        if len(both) == len(draws) == 1 and both[0].synthetic:
            return (replace(both[0], real_share=detected_share(both[0].real_share, *rates)),)
        if len(real) == len(samples) == 1 and len(draws) == 2:
            return (_merged(real[0], samples[0], rates),)
        if len(draws) == 1:
            _check_kept(draws[0], rule)
        if len(draws) > 1:
            raise LoopError(
                "selection.rule", rule.rule, "it is known for real points and samples of one model"
            )
        return draws

    def meals(meal: Meal) -> None:
        if meal.weights is not None and len(meal.weights) > 1:
            raise LoopError("data.weight", None, "behind a detector no weight can tell real from synthetic")

    return _mapped(recipe, filtered, meals)


def _check_kept(draw: Portion, rule: Detector) -> None:
    """Refuse points of one kind that are never kept."""
    if isinstance(draw, Sample) and draw.synthetic and rule.false_positive == 0:
        raise LoopError("selection.false_positive", 0.0, "a fit to synthetic points alone would keep none")
    if (
        isinstance(draw, Real) or (isinstance(draw, Sample) and not draw.synthetic)
    ) and not rule.true_positive:
        raise LoopError("selection.true_positive", 0.0, "a fit to real points alone would keep none")


def _merged(real: Real, sample: Sample, rates: tuple) -> Draw:
    total = real.n + sample.n
    if not sample.synthetic:
        return Mixed(total, _share(real.n, total), sample.model, sample.peer, real.target, synthetic=False)
    share = detected_share(_share(real.n, total), *rates)
    return Mixed(total, share, sample.model, sample.peer, real.target)


def _share(part: Count, total: Count) -> Number:
    """The share of `part`: a Fraction of counts, or symbolic."""
    return part / total if is_symbolic(total) else Fraction(part, total)


def _mapped(
    recipe: Recipe, change: Callable[[tuple], tuple], check: Callable[[Meal], None] | None = None
) -> Recipe:
    """`recipe` with what every meal draws changed; stored points were changed when they were drawn."""

    def meal(t: int, peer: int) -> Meal:
        found = recipe.at(t, peer)
        if check is not None:
            check(found)
        return replace(found, eats=change(found.eats), adds=change(found.adds))

    return replace(recipe, meal=meal, initial=tuple(map(change, recipe.initial)))
