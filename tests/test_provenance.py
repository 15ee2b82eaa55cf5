"""The engine of second moments: printed numbers, its own consistency, its reach."""

from fractions import Fraction

import pytest
from exact_fits import ML, S0, UNBIASED, WEIGHTED, fits, stationary
from scipy.stats import norm

from theory.loop import Gaussian, Loop, LoopError, Replace, Sampler, UnavailableError
from theory.meal import Meal, Real, Recipe, Stored
from theory.policy import (
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
from theory.provenance import Provenance, rational, second_moments
from theory.provenance.of_loop import provenance, recipe_of, settings_of
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step
from theory.recipes.optimal_weight import weights_in_time


def at(policy, generation, **settings):
    return fits(policy, generation, variance=1, **settings)[-1]


@pytest.mark.parametrize(
    ("found", "printed"),
    [
        (lambda: at(Fresh(3, 5), 6).mean_square * S0, 0.306987),
        (lambda: stationary(Fresh(1, 9), 1).mean_square, 0.357143),
        (lambda: at(Fresh(3, 17), 4).mean_square, 0.122842),
        (lambda: stationary(Fresh(4, 6), 1, estimator=UNBIASED, bias=Fraction(7, 10)).mean_square, 0.111111),
        (lambda: stationary(Fresh(4, 6), 1, estimator=UNBIASED, bias=Fraction(7, 10)).variance, 0.740741),
        (
            lambda: stationary(Fresh(1000, 9000), 1, bias=Fraction(4, 5), estimator=UNBIASED).variance,
            0.357203,
        ),
        (lambda: stationary(Fixed(4, 4), 1).mean_square, 0.307692),
        (lambda: stationary(Fixed(3, 12), 1).mean_square, 0.419355),
        (lambda: stationary(Fixed(5, 10), 1, estimator=UNBIASED, bias=Fraction(4, 5)).mean_square, 0.240506),
        (lambda: stationary(Fixed(5, 10), 1, estimator=UNBIASED, bias=Fraction(4, 5)).variance, 0.632911),
        (lambda: stationary(Fresh(3, 4, weight=0.3), 1).mean_square, 0.241107),
        (lambda: stationary(Fresh(2, 10, weight=0.6), 1).mean_square, 0.228972),
        (lambda: stationary(Memory(1, 4, 2), 1).mean_square, 0.286624),
        (lambda: at(Fresh(4, 4, weight=weights_in_time(1, 4)), 4, estimator=WEIGHTED).mean_square, 0.154762),
        (
            lambda: at(Fresh(4, 8, weight=weights_in_time(0.5, 5)), 5, estimator=WEIGHTED).mean_square,
            0.125367,
        ),
        (lambda: at(Accumulate(2), 10).variance, 0.375657),
        (lambda: at(Accumulate(3), 10, estimator=UNBIASED).variance, 0.806134),
        (lambda: at(Accumulate(3), 10, estimator=UNBIASED).mean_square, 0.502791),
        (lambda: at(Accumulate((5, 2, 7, 3, 10)), 5).variance, 0.722216),
        (lambda: at(AccumulateSubsample(4), 6).mean_square, 0.498325),
        (lambda: at(AccumulateSubsample(6), 10).mean_square, 0.375126),
        (lambda: at(Peers(2, 3), 8).mean_square, 0.517773),
        (lambda: at(Peers(2, 3), 8).variance, 0.482227),
        (lambda: at(Peers(3, 2), 10).mean_square, 0.465401),
        (lambda: stationary(Peers(4, 2, 2), 1).mean_square, 0.129482),
        (lambda: at(Web(5, 1, 3), 13).mean_square, 0.128366),
        (lambda: at(Web(4, 2, 2), 16).mean_square, 0.055593),
        (lambda: at(Heal(Replace(6), 10, 6, 0.25), 15).mean_square, 0.069687),
    ],
)
def test_printed_numbers(found, printed):
    assert round(float(found()), 6) == printed


# The engine itself


def test_overlapping_subsets_meet_in_the_same_points():
    """Two fits to independent halves of one real batch of 2: E mu_a mu_b = s0^2 / 2, by enumeration."""

    def meal(t, _):
        return Meal((Stored((1,), n=1),), adds=(Real(2),) if t == 1 else ())

    engine = Provenance(Recipe(meal, batches_back=9), variance=S0, number=rational, remember=True)
    engine.advance()
    engine.advance()
    assert engine.product((1, 0), (2, 0)) == S0 / 2
    assert engine.fit(2) == (0, S0, 0)


def test_powers_of_the_map_are_the_engine():
    policies = (Fresh(2, 6), Fixed(3, 4), Memory(1, 2, 3), Window(3, 4), Peers(2, 3, (1, 2)))
    for policy in policies:
        step = affine_step(recipe(policy), bias=0.9)
        walked = second_moments(recipe(policy), step.generation + 7, bias=0.9)
        for fit, power in zip(walked[-1], step.at(step.generation + 7), strict=True):
            assert power == pytest.approx(fit, rel=1e-12, abs=1e-12)


def test_floats_are_the_rationals():
    for policy in (AccumulateSubsample(4), Web(6, 1, 4, n=5), Heal(Window(3, 2), 5, 4, 0.25)):
        exact = fits(policy, 20)
        for fit, (rounded,) in zip(exact, second_moments(recipe(policy), 20, variance=1.69), strict=True):
            assert rounded == pytest.approx([float(x) for x in fit], rel=1e-12, abs=1e-12)


def test_only_what_is_read_is_kept():
    engine = Provenance(recipe(Accumulate(3)))
    for _ in range(50):
        engine.advance()
    assert len(list(engine.products)) <= 4


def test_three_hundred_generations_with_all_cross_moments():
    engine = Provenance(recipe(Accumulate(5)), remember=True)
    for _ in range(300):
        engine.advance()
    assert engine.product((100, 0), (300, 0)) == pytest.approx(engine.fit(100).mean_square, rel=1e-12)


@pytest.mark.parametrize("policy", [Accumulate(3), Web(3, 1, 1), Replace("10*t"), Replace([3, 4])])
def test_what_keeps_changing_has_no_one_map(policy):
    with pytest.raises(LoopError, match="from generation to generation"):
        affine_step(recipe(policy))


def test_without_a_fixed_point_there_is_no_stationary_value():
    with pytest.raises(ArithmeticError, match="eigenvalue 1"):
        affine_step(recipe(Replace(5)), number=rational).stationary()


@pytest.mark.parametrize("estimator", [UNBIASED, WEIGHTED])
def test_estimators_say_what_they_need(estimator):
    with pytest.raises(LoopError, match="2 points of every kind"):
        fits(Fresh(1, 5, weight=0.5), 1, estimator=estimator)


def test_the_weighted_scheme_needs_a_weight():
    with pytest.raises(LoopError, match="needs a weight"):
        fits(Fresh(3, 5), 1, estimator=WEIGHTED)


# Loops


def test_a_loop_gives_the_engine_its_parts():
    source, start = Gaussian(1, 2), Gaussian(2.5, 0.3)
    loop = Loop(source, Fresh(2, 9), UNBIASED, Sampler(bias=1.1), start)  # ty: ignore[invalid-argument-type]
    engine = provenance(loop)
    assert engine.advance() != engine.advance()
    expected = second_moments(
        recipe(Fresh(2, 9), started=True), 2, variance=2, start=(1.5, 0.3), bias=1.1, estimator=UNBIASED
    )
    assert engine.fit(2) == expected[-1][0]
    (power,) = affine_step(recipe_of(loop), **settings_of(loop)).at(9)
    assert power == pytest.approx(second_moments(recipe_of(loop), 9, **settings_of(loop))[-1][0], rel=1e-12)


@pytest.mark.parametrize("cut", [0.5, 2.0, 30.0])
def test_truncation_is_a_factor_on_the_variance(cut):
    """S2, in the loop's convention: the first draw is real, unless the sampler applies to the source."""
    factor = 1 - 2 * cut * norm.pdf(cut) / (2 * norm.cdf(cut) - 1)
    for everywhere in (False, True):
        sampler = Sampler(truncate=cut, applies_to_source=everywhere)
        engine = provenance(Loop(Gaussian(0, 1), Replace(10), ML, sampler))
        for t in range(1, 4):
            (fit,) = engine.advance()
            assert fit.variance == pytest.approx(0.9**t * factor ** (t - 1 + everywhere), rel=1e-12)


def test_targets_are_counted_from_the_mean_of_the_source():
    peers = Peers(counts=[[3, 1], [2, 2]], real=2, targets=[4, 6])
    (first, second) = provenance(Loop(Gaussian(5, 1), peers)).advance()  # ty: ignore[invalid-argument-type]
    assert first.mean == pytest.approx((5 * -1 + 1 * 1) / 6)
    assert second.mean == pytest.approx((2 * -1 + 4 * 1) / 6)
    with pytest.raises(LoopError, match="begins as its own target"):
        recipe_of(Loop(Gaussian(5, 1), peers, start=Gaussian(0, 1)))  # ty: ignore[invalid-argument-type]


def test_several_dimensions_are_refused():
    with pytest.raises(UnavailableError, match="on the line"):
        provenance(Loop(Gaussian([0, 0], 1), Replace(5)))
