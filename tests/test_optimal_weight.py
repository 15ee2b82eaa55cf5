"""Optimal weights of real data: stationary points of the second-moment engine, proved in symbols."""

from fractions import Fraction

import pytest
import sympy as sp
from exact_fits import ML, S0, UNBIASED, WEIGHTED, fits, stationary

from theory.loop import Gaussian, Loop, LoopError, Replace, Sampler, UnavailableError
from theory.policy import Fresh, Heal
from theory.provenance.of_loop import provenance
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step
from theory.recipes.optimal_weight import settled, stationary_weight, weights_in_time

W = sp.Symbol("w", positive=True)
MIXES = [(5, 5), (3, 7), (9, 2), (2, 40), (30, 2)]


def mean_error_squared(real, synthetic, estimator, weight):
    """The stationary value, from the engine, in exact arithmetic."""
    made = recipe(Fresh(real, synthetic, weight=weight))
    (fit,) = affine_step(made, estimator=estimator, number=sp.sympify).stationary()
    return sp.together(fit.mean_square)


@pytest.mark.parametrize(("real", "synthetic"), MIXES)
@pytest.mark.parametrize("estimator", [WEIGHTED, ML])
def test_the_derivative_vanishes_at_the_root_of_the_quadratic_and_only_there(real, synthetic, estimator):
    value = mean_error_squared(real, synthetic, estimator, W)
    slope = sp.Poly(sp.fraction(sp.together(sp.diff(value, W)))[0], W)
    k, c = sp.Rational(real, synthetic), 1 if estimator == WEIGHTED else 1 - sp.Rational(1, synthetic)
    quadratic = sp.Poly(c * W**2 + (k + 1 - c) * W - k, W)
    assert slope.rem(quadratic).is_zero
    assert sp.count_roots(slope, sp.Rational(1, 10**9), 1) == 1
    weight = stationary_weight(real, synthetic, estimator)
    assert 0 < weight < 1
    assert quadratic.eval(Fraction(weight)) == pytest.approx(0, abs=1e-14 * (1 + float(k)))
    exact = stationary_weight(sp.Integer(real), sp.Integer(synthetic), estimator)
    assert quadratic.eval(exact).expand() == 0
    assert value.subs(W, exact).evalf(30) < min(value.subs(W, 1), value.subs(W, exact / 2))


def test_the_weight_of_another_estimator_is_not_optimal():
    """Negative control: a weight for c = 1 is no stationary point for maximum likelihood."""
    value = mean_error_squared(5, 5, ML, W)
    wrong = stationary_weight(sp.Integer(5), sp.Integer(5), WEIGHTED)
    right = stationary_weight(sp.Integer(5), sp.Integer(5), ML)
    assert value.subs(W, right).evalf(30) < value.subs(W, wrong).evalf(30)


def test_golden_ratio_and_minimum():
    assert stationary_weight(5, 5, WEIGHTED) == pytest.approx((5**0.5 - 1) / 2, rel=1e-15)
    for real, synthetic in MIXES:
        weight = stationary_weight(real, synthetic, WEIGHTED)
        least = stationary(Fresh(real, synthetic, weight=weight), estimator=WEIGHTED).mean_square
        assert float(least) == pytest.approx(weight * float(S0) / real, rel=1e-12)


@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(1, 4), Fraction(7, 3)])
def test_weights_in_time_minimise_every_generation(ratio):
    """M_t = w_t s_0 / n_r; no weight nearby does better from generation 2 on."""
    real, synthetic = ratio.numerator * 4, ratio.denominator * 4
    weights = weights_in_time(ratio, 6)
    for t, fit in enumerate(fits(Fresh(real, synthetic, weight=weights), 6, estimator=WEIGHTED), 1):
        assert fit.mean_square == weights[t - 1] * S0 / real
        if t == 1:
            continue  # the real points alone, by convention
        for shift in (Fraction(-1, 50), Fraction(1, 50)):
            moved = (*weights[: t - 1], weights[t - 1] + shift)
            other = fits(Fresh(real, synthetic, weight=moved), t, estimator=WEIGHTED)[-1]
            assert other.mean_square > fit.mean_square


def test_weights_in_time_settle_at_the_stationary_weight():
    for real, synthetic in MIXES:
        last = weights_in_time(Fraction(real, synthetic), 400)[-1]
        assert float(last) == pytest.approx(stationary_weight(real, synthetic, WEIGHTED), rel=1e-12)
    assert len(weights_in_time(1, 1)) == 1


def test_a_loop_is_settled():
    source = Gaussian(0, 1)
    loop = Loop(source, Fresh(4, 4, weight="optimal"), WEIGHTED)
    assert settled(loop, 3).data.weight == stationary_weight(4, 4, WEIGHTED)
    in_time = Loop(source, Fresh(4, 4, weight="optimal-in-time"), WEIGHTED)
    assert settled(in_time, 3).data.weight == (1, 2 / 3, 5 / 8)
    assert settled(loop, 3) == settled(settled(loop, 3), 3)
    healed = Loop(source, Heal(in_time.data, 2, 5, 0.5), WEIGHTED)
    assert settled(healed, 2).data.contaminated == settled(in_time, 2).data
    assert settled(Loop(source, Replace(5)), 3) == Loop(source, Replace(5))
    engine = provenance(settled(in_time, 3))
    assert [engine.advance()[0].mean_square * 4 for _ in range(3)] == pytest.approx([1, 2 / 3, 5 / 8])
    with pytest.raises(LoopError, match="replaced by its numbers"):
        provenance(loop).advance()


@pytest.mark.parametrize(
    ("estimator", "sampler", "kind"),
    [
        (UNBIASED, Sampler(), LoopError),
        (WEIGHTED, Sampler(bias=0.9), UnavailableError),
        (WEIGHTED, Sampler(truncate=2.0), UnavailableError),
        (ML, Sampler(temperature=2.0), UnavailableError),
    ],
)
def test_unknown_optima_are_refused(estimator, sampler, kind):
    with pytest.raises(kind):
        settled(Loop(Gaussian(0, 1), Fresh(4, 4, weight="optimal"), estimator, sampler), 3)
