"""Exact moments of a recipe's first model, in rationals, as tests want them."""

from fractions import Fraction

from theory.estimator import Weighted
from theory.loop import MaximumLikelihood, Unbiased
from theory.meal import Recipe
from theory.provenance import rational, second_moments
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step

S0 = Fraction(169, 100)
ML, UNBIASED, WEIGHTED = MaximumLikelihood(), Unbiased(), Weighted()


def fits(policy, generations, *, started=False, variance=S0, **settings):
    made = policy if isinstance(policy, Recipe) else recipe(policy, started=started)
    found = second_moments(made, generations, variance=variance, number=rational, **settings)
    return [peers[0] for peers in found]


def stationary(policy, variance=S0, **settings):
    made = policy if isinstance(policy, Recipe) else recipe(policy)
    return affine_step(made, variance=variance, number=rational, **settings).stationary()[0]
