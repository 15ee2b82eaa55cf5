"""Higher moments of recipes: two routes for one draw, known closed forms, the graph, the replace loop."""

import math
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest

from theory.claims import policy_loops as loops
from theory.estimator import Weighted
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.policy import Accumulate, Fixed, Fresh, Heal, Memory, Peers, Web, Window, WrittenRecipe
from theory.predict import central_moments, predict
from theory.provenance import Provenance, rational
from theory.recipe import recipe
from theory.recipes.accumulate_statements import accumulated_square
from theory.recipes.closure import Closure, NotClosedError
from theory.recipes.fit_moments import (
    about_mean,
    about_zero,
    of_normal,
    of_points,
    places,
    rescaled,
    together,
)
from theory.recipes.reading import statistics as reading
from theory.replace.statistics import statistics

ML, UNBIASED, WEIGHTED = MaximumLikelihood(), Unbiased(), Weighted()


def normal(bias=Fraction(1)):
    return lambda order: Fraction(prod(range(1, order, 2))) * bias ** (order // 2)


def closure(policy, weight=4, bias=Fraction(4, 5), estimator=ML, normal_draws=True):
    made = recipe(policy)
    return Closure(made, weight, None, normal(bias), normal(), normal_draws, estimator, rational)


POLICIES = [
    (Replace(5), UNBIASED),
    (Fresh(3, 5), ML),
    (Fresh(3, 5), UNBIASED),
    (Fresh(3, 5, "iid"), ML),
    (Fresh(3, 5, weight=Fraction(1, 4)), ML),
    (Fresh(3, 5, weight=Fraction(1, 4)), WEIGHTED),
    (Fixed(3, 4), UNBIASED),
    (Memory(2, 3, 2), ML),
    (Accumulate(4), UNBIASED),
    (Accumulate([5, 1, 2, 7]), ML),
    (Web(4, 2, 3), ML),
    (Peers(2, 3, 2), ML),
    (Peers(counts=[[3, 1], [2, 2]], real=2, targets=[-1, 1]), UNBIASED),
    (Heal(Replace(4), 2, 5, Fraction(1, 3)), ML),
    (Heal(Replace(4), 2, 5, Fraction(1, 3), True), ML),
]


@pytest.mark.parametrize(("policy", "estimator"), POLICIES)
def test_second_moments_are_those_of_the_graph(policy, estimator):
    """The polynomial closure against the inner products, in rationals."""
    followed = closure(policy, estimator=estimator)
    graph = Provenance(recipe(policy), bias=Fraction(4, 5), estimator=estimator, number=rational)
    for _ in range(4):
        followed.advance()
        for peer, fit in enumerate(graph.advance()):
            found = [followed.moment(i, j, peer) for i, j in ((1, 0), (2, 0), (0, 1))]
            assert found == list(fit)


@pytest.mark.parametrize(("policy", "estimator"), POLICIES)
def test_normal_draws_by_the_law_of_one_point(policy, estimator):
    """Independent mean and chi-square against the n-th power of one point's generating function."""
    cochran, points = (closure(policy, 4, estimator=estimator, normal_draws=flag) for flag in (True, False))
    for _ in range(3):
        assert cochran.advance() == points.advance()


def test_a_sum_of_points_by_enumeration():
    """Three points that are -1, 0 or 2: every sample listed."""
    law = {-1: Fraction(1, 4), 0: Fraction(1, 4), 2: Fraction(1, 2)}
    moments = [{(): sum(p * Fraction(x) ** k for x, p in law.items())} for k in range(9)]
    found = about_zero(of_points(Fraction(3), moments, 8))
    for a, b in places(8):
        listed = Fraction(0)
        for sample in product(law, repeat=3):
            mean, square = Fraction(sum(sample), 3), Fraction(sum(x * x for x in sample), 3)
            listed += prod(law[x] for x in sample) * mean**a * square**b
        assert found[a, b].get((), 0) == listed


def test_tables_compose():
    """Two groups of normal points pooled are one group."""
    one = {(): Fraction(1)}

    def pooled(n):
        return about_zero(of_normal(Fraction(n), {(): Fraction(2)}, one, 8))

    both = together(*(rescaled(pooled(n), Fraction(n, 7), Fraction(n, 7)) for n in (3, 4)))
    assert both == pooled(7)
    assert about_mean(about_zero(pooled(5))) == pooled(5)


@pytest.mark.parametrize("estimator", [ML, UNBIASED])
@pytest.mark.parametrize("sampler", [Sampler(), Sampler(bias=0.8), Sampler(truncate=1.2)])
def test_the_replace_loop_is_a_recipe_too(estimator, sampler):
    """All central moments against `theory.replace.statistics`."""
    loop = Loop(Gaussian(1.0, 3.0), Replace(6), estimator, sampler, start=Gaussian(1.5, 2.0))
    names = ["mean_error", "mean_error_squared", "variance", "variance_squared", "mean_variance_product"]
    known = statistics(loop, names, [1, 2, 4], 4)
    found = reading(loop, names, [1, 2, 4], 4)
    for name in names:
        one, other = known[name].central_moments(), found[name].central_moments()
        seen = np.isfinite(other)
        assert seen[:2].all()
        assert other[seen] == pytest.approx(one[seen], rel=1e-11)


@pytest.mark.parametrize("t", [1, 2, 6, 12])
def test_the_square_of_an_accumulated_variance(t):
    """A1."""
    followed = closure(Accumulate(4), bias=Fraction(1))
    for _ in range(t):
        followed.advance()
    assert followed.moment(0, 2) == accumulated_square(Loop(Gaussian(0.0, 1.0), Accumulate(4)), t)


def test_a_weighted_variance_from_two_chi_squares():
    """X8 with one generation: moments of w S_r + (1 - w) S_s to the fourth."""
    w, n, s = Fraction(1, 3), 4, 6
    followed = closure(Fresh(n, s, weight=w), 8, Fraction(1), WEIGHTED)
    followed.advance()

    def moment(points, k):
        return prod(Fraction(points - 1 + 2 * i, points - 1) for i in range(k))

    for k in range(1, 5):
        exact = sum(
            math.comb(k, i) * w**i * (1 - w) ** (k - i) * moment(n, i) * moment(s, k - i)
            for i in range(k + 1)
        )
        assert followed.moment(0, k) == exact


def test_at_rest_is_where_the_generations_go():
    for loop in (loops.FRESH, loops.FIXED_BIASED, loops.WEIGHTED_FRESH, loops.PEERS_MIXED, loops.MEMORY):
        late, rest = (predict(loop, g, ["mean_error_squared", "variance"]) for g in (400, math.inf))
        for name in ("mean_error_squared", "variance"):
            assert rest[name].values == pytest.approx(late[name].values, rel=1e-9)


def test_moments_that_grow_are_infinite_at_rest():
    """Second moments rest, fourth ones do not: the variance of the variance is infinite."""
    loop = Loop(Gaussian(0.0, 1.0), Fresh(1, 8), UNBIASED, Sampler(bias=1.05))
    found = predict(loop, (5, math.inf), ["variance"])["variance"]
    assert np.isfinite(found.values[0]).all()
    assert np.isfinite(found.values[1, 0])
    assert found.values[1, 1] == np.inf


@pytest.mark.parametrize(
    "policy",
    [Window(5, 3), Web(6, 1, 2, n=4), WrittenRecipe([[{"real": 4}], [{"batch": -1}, {"model": -1, "n": 2}]])],
)
def test_what_is_eaten_again_is_refused_with_a_sentence(policy):
    with pytest.raises(NotClosedError, match="no finite list of moments"):
        closure(policy, bias=Fraction(1)).advance()
    found = predict(Loop(Gaussian(0.0, 1.0), policy), 3)
    assert found["mean_error_fourth"].attrs["status"] == "none"
    assert "simulate" in found["mean_error_fourth"].attrs["reason"]
    assert found["variance"].attrs["status"] == "exact"


def test_roots_beside_real_data_are_refused_with_a_sentence():
    found = predict(loops.FRESH, 3)
    for name in ("std", "log_variance", "w2_squared", "kl_to_source", "kl_from_source"):
        assert found[name].attrs["status"] == "none"
        assert "simulate" in found[name].attrs["reason"]


def test_fourth_moments_that_theory_hands_to_the_planner():
    moments = central_moments(loops.FRESH, "mean_error_squared", (1, 3))
    assert np.isfinite(moments).all()
    chi = moments[:, 0] / float(moments[0, 0]) ** np.arange(1, 5)
    assert chi == pytest.approx([1, 2, 8, 60], rel=1e-12)  # the first fit's mean is normal
