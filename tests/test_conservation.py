"""Law P0: maximum-likelihood fits of unselected, unbiased samples conserve E sigma^2 + E (mu - mu0)^2.

It must hold for every model of every recipe, exactly in rationals and to rounding in floats; the unbiased and
the weighted estimators must break it; and loops that draw every point must agree with the moments behind it.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from literal_recipe import LiteralLoop
from random_recipes import random_recipe

from jaxsim.agreement import Sample, Theory, agree, alarm_threshold, replicates_needed
from jaxsim.tail import replicates_for_normal_tail
from theory.estimator import Weighted
from theory.loop import Replace, Unbiased
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
from theory.recipe import recipe
from theory.recipes.optimal_weight import weights_in_time

VARIANCE = Fraction(7, 4)


def recipes(generations, least=1):
    @st.composite
    def build(draw):
        return random_recipe(lambda low, high: draw(st.integers(low, high)), generations, least=least)

    return build()


def totals(made, generations, **kinds):
    fits = second_moments(made, generations, variance=VARIANCE, **kinds)
    return [fit.mean_square + fit.variance for peers in fits for fit in peers]


@given(recipes(5))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_every_random_recipe_conserves_the_second_moment(made):
    assert all(total == VARIANCE for total in totals(made, 5, number=rational))
    assert all(abs(total / float(VARIANCE) - 1) < 1e-12 for total in totals(made, 5))


@given(recipes(4, least=2))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_unbiased_divisor_raises_it_in_every_random_recipe(made):
    assert all(total > VARIANCE for total in totals(made, 4, number=rational, estimator=Unbiased()))


counts = st.integers(2, 9)
contaminated = st.one_of(
    st.builds(Replace, counts),
    st.builds(Replace, st.lists(counts, min_size=9, max_size=9)),
    st.builds(Accumulate, counts),
    st.builds(AccumulateSubsample, counts),
    st.builds(AccumulateSubsample, st.lists(counts, min_size=9, max_size=9)),
    st.builds(Window, counts, st.integers(1, 4)),
    st.builds(Memory, counts, counts, st.integers(1, 3)),
    st.builds(Fresh, counts, counts, st.sampled_from(["stratified", "iid"])),
    st.builds(Fresh, counts, counts, weight=st.fractions(Fraction(1, 9), 1, max_denominator=9)),
    st.builds(
        lambda real, synthetic: Fresh(real, synthetic, weight=weights_in_time(Fraction(real, synthetic), 12)),
        counts,
        counts,
    ),
    st.builds(Fixed, counts, counts),
    st.builds(Web, st.integers(6, 9), counts, counts, st.sampled_from([None, 5])),
    st.builds(Peers, st.integers(1, 3), counts, counts),
)
policies = st.one_of(
    contaminated,
    st.builds(
        Heal,
        contaminated,
        st.integers(1, 4),
        counts,
        st.fractions(Fraction(1, 9), 1, max_denominator=9),
        st.booleans(),
    ),
)


@given(policies)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_named_policy_conserves_it_and_the_unbiased_divisor_does_not(policy):
    made = recipe(policy)
    assert all(total == VARIANCE for total in totals(made, 7, number=rational))
    assert all(total > VARIANCE for total in totals(made, 7, number=rational, estimator=Unbiased()))


@given(counts, counts, st.fractions(Fraction(1, 9), 1, max_denominator=9))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_weighted_scheme_breaks_it(real, synthetic, weight):
    made = recipe(Fresh(real, synthetic, weight=weight))
    assert all(total > VARIANCE for total in totals(made, 6, number=rational, estimator=Weighted()))


@pytest.mark.parametrize("bias", [Fraction(9, 10), Fraction(11, 10)])
@pytest.mark.parametrize("policy", [Replace(5), Fresh(3, 4), Accumulate(3), Web(4, 2, 3)])
def test_a_sampling_bias_breaks_it(policy, bias):
    *_, last = totals(recipe(policy), 4, number=rational, bias=bias)
    assert last != VARIANCE
    assert (last > VARIANCE) == (bias > 1)


GENERATIONS = 3
RESOLUTION = 0.05  # in standard deviations of one replicate
RANDOM_RECIPES = 30
FAST = 6
PER_RECIPE = GENERATIONS * 2 * 3  # generations, peers, (mu^2, sigma^2, mu times the last mu)
COMPARISONS = RANDOM_RECIPES * PER_RECIPE


def observed(made, replicates, key, **kinds):
    loop = LiteralLoop(made, replicates, np.random.default_rng(key), variance=float(VARIANCE), **kinds)
    means, variances = loop.run(GENERATIONS)
    flat = lambda values: values.reshape(-1, values.shape[-1])  # noqa: E731
    parts = [flat(means**2), flat(variances), flat(means * means[-1, 0])]
    return Sample.of(np.concatenate(parts).T)


def predicted(made, **kinds):
    engine = Provenance(made, variance=float(VARIANCE), remember=True, **kinds)
    fits = [fit for _ in range(GENERATIONS) for fit in engine.advance()]
    models = [(t, k) for t in range(1, GENERATIONS + 1) for k in range(made.peers)]
    products = [engine.product(model, (GENERATIONS, 0)) for model in models]
    return np.array([*(f.mean_square for f in fits), *(f.variance for f in fits), *products])


def replicates_planned(pilot):
    """What the error rates ask for, and what the tails that a pilot saw ask for, with a margin of two."""
    skewness = pilot.third / pilot.variance**1.5
    excess = pilot.fourth / pilot.variance**2 - 3
    threshold = alarm_threshold(COMPARISONS)
    tail = replicates_for_normal_tail(skewness, excess, threshold, studentised=True).max()
    power = replicates_needed(RESOLUTION, 1.0, COMPARISONS)
    return int(max(power, 2 * tail))


def check_against_literal(which, **kinds):
    rng = np.random.default_rng(which)
    made = random_recipe(lambda low, high: int(rng.integers(low, high + 1)), GENERATIONS, least=3)
    numbers = {"number": float, "bias": kinds.get("bias", 1.0)}
    theory = predicted(made, **numbers)
    pilot = observed(made, 20_000, (which, 1), **kinds)
    sample = observed(made, replicates_planned(pilot), (which, 2), **kinds)
    verdict = agree(sample, Theory(theory), comparisons=COMPARISONS)
    assert verdict.mean.holds
    planted = theory + RESOLUTION * np.sqrt(sample.variance)
    seen = agree(sample, Theory(planted), comparisons=COMPARISONS)
    assert (seen.mean.verdict == "disagrees").all()
    wrong = predicted(made, **numbers, estimator=Unbiased())
    assert agree(sample, Theory(wrong), comparisons=COMPARISONS).disagrees


@pytest.mark.parametrize("which", range(FAST))
def test_literal_loops_agree(which):
    check_against_literal(which, bias=1.0 if which % 2 else 0.8)


@pytest.mark.slow
@pytest.mark.parametrize("which", range(FAST, RANDOM_RECIPES))
def test_more_literal_loops_agree(which):
    check_against_literal(which, bias=1.0 if which % 2 else 0.8)
