"""Exact second moments of any recipe under rules that are, to second order, linear; at finite n.

A detector and a correction change the recipe. Typicality is symmetric: a selected sample has the model's mean
and v times its variance, and its points are uncorrelated given the model, under a pool's threshold too. That
is all that `theory.provenance` asks of a sampler's bias. Own derivation.
"""

from __future__ import annotations

import numpy as np

from theory.loop import Loop
from theory.meal import Mixed, Recipe, Sample
from theory.provenance import Fit, Provenance
from theory.provenance.of_loop import recipe_of
from theory.selected import space as selected_space
from theory.selected.recipe import corrected, detected
from theory.selected.replace import fit_constants, models_of
from theory.selection import POOL, BestOf, Correction, Detector, TopFraction

SECOND = ("mean_error", "mean_error_squared", "variance")
SECOND_IN_SPACE = (*SECOND, "covariance", "trace")
NO_MOMENT = "only first and second moments of the mean and the variance are known under this selection"

SecondOrder = Detector | Correction | TopFraction | BestOf


def second_moments(rule: SecondOrder, loop: Loop, observable: str, last: int) -> tuple | str:
    """Status, means and no variances of generations 0, ..., `last`; or the reason why there are none."""
    source, first = models_of(loop)
    line = source.is_scalar
    if observable not in (SECOND if line else SECOND_IN_SPACE):
        return NO_MOMENT
    if not line and loop.start is not None:
        return "in several dimensions the second moments are stated for loops that begin at the source"
    made = recipe_of(loop)
    bias = 1.0
    match rule:
        case Detector():
            made = detected(made, rule)
        case Correction():
            made = corrected(made, rule)
        case TopFraction() | BestOf():
            sizes = _drawn(made, last)
            if isinstance(rule, TopFraction) and rule.threshold == POOL and len(sizes) != 1:
                return "a pool's threshold has a closed form where all samples have one size"
            bias = fit_constants(rule, next(iter(sizes), 2), source.dimension)[1]
    real = bias if getattr(rule, "applies_to_source", False) else 1.0
    state = Provenance(
        made,
        variance=source.variance if line else 1.0,
        start=None if loop.start is None else (first.mean - source.mean, first.variance),
        bias=bias,
        source_bias=real,
        estimator=loop.estimator,
    )
    fits = [state.fit(0), *(state.advance()[0] for _ in range(last))]
    return "exact", _measured(fits, loop, observable), None


def _drawn(recipe: Recipe, last: int) -> set:
    """The sizes of all samples; None stands for a random number of them."""
    meals = [recipe.at(t, peer) for t in range(1, last + 1) for peer in range(recipe.peers)]
    portions = [portion for meal in meals for portion in (*meal.eats, *meal.adds)]
    sizes = {portion.n for portion in portions if isinstance(portion, Sample)}
    return sizes | {None for portion in portions if isinstance(portion, Mixed)}


def _measured(fits: list[Fit], loop: Loop, observable: str) -> np.ndarray:
    source, _ = models_of(loop)
    mean, square, variance = np.array(fits).T
    if source.is_scalar:
        return {"mean_error": mean, "mean_error_squared": square, "variance": variance}[observable]
    truth = selected_space.covariance_of(source)
    return {
        "mean_error": np.zeros((len(fits), source.dimension)),
        "mean_error_squared": square * np.trace(truth),
        "variance": np.multiply.outer(variance, np.diag(truth)),
        "covariance": np.multiply.outer(variance, truth),
        "trace": variance * np.trace(truth),
    }[observable]
