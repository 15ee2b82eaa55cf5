"""What every generation eats under every policy, and what is refused."""

import sys
import tracemalloc
from dataclasses import FrozenInstanceError
from fractions import Fraction

import pytest
import sympy as sp
from every_policy import POLICIES

from theory.loop import LoopError, Replace
from theory.meal import Meal, Mixed, Moments, Pool, Real, RealSet, Sample, Stored, shifted
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
    WrittenRecipe,
)
from theory.recipe import recipe
from theory.recipes.optimal_weight import weights_in_time


def source(n):
    """Points of model 0 where it is the source: nothing synthetic about them."""
    return Sample(n, 0, synthetic=False)


# Generation 1, and the ones after it


def test_replace():
    made = recipe(Replace([10, 20]))
    assert made.at(1) == Meal((source(10),))
    assert made.at(2) == Meal((Sample(20, 1),))


def test_accumulate_eats_the_first_batch_then_all_of_them():
    made = recipe(Accumulate("10*t"))
    assert made.at(1) == Meal((Pool(),), adds=(source(10),))
    assert made.at(4) == Meal((Pool(),), adds=(Sample(40, 3),))
    assert made.pooled
    assert made.initial == ()


def test_accumulate_subsample_eats_the_first_batch_then_subsets():
    made = recipe(AccumulateSubsample(10))
    assert made.at(1) == Meal((Pool(10),), adds=(source(10),))
    assert made.at(4) == Meal((Pool(10),), adds=(Sample(10, 3),))


def test_a_window_begins_with_width_real_batches():
    made = recipe(Window("2*t + 3", 3))
    assert made.initial == ((source(5),), (source(5),))
    assert made.at(1) == Meal((Stored((-1, 0, 1)),), adds=(source(5),))
    assert made.at(2) == Meal((Stored((0, 1, 2)),), adds=(Sample(7, 1),))
    assert (made.batches_back, made.pooled) == (2, False)


def test_memory_draws_its_full_composition_from_the_source_first():
    made = recipe(Memory(4, 2, 3))
    assert made.at(1) == Meal((Real(4), source(2), source(2), source(2)))
    assert made.at(3) == Meal((Real(4), Sample(2, 2), Sample(2, 1), source(2)))
    assert made.at(9) == Meal((Real(4), Sample(2, 8), Sample(2, 7), Sample(2, 6)))
    assert (made.models_back, made.settled) == (3, 4)


def test_fresh_draws_its_full_composition_from_the_source_first():
    made = recipe(Fresh(4, 2))
    assert made.at(1) == Meal((Real(4), source(2)))
    assert made.at(2) == Meal((Real(4), Sample(2, 1)))
    assert recipe(Fresh(4, 0)).at(2) == Meal((Real(4),))
    assert recipe(Fresh(0, 4)).at(2) == recipe(Replace(4)).at(2)
    assert recipe(Fresh([3, 2], [0, 1])).at(2) == Meal((Real(2), Sample(1, 1)))


def test_fresh_of_iid_composition():
    made = recipe(Fresh(4, 2, "iid"))
    assert made.at(1) == Meal((Mixed(6, Fraction(2, 3), 0, synthetic=False),))
    assert made.at(5) == Meal((Mixed(6, Fraction(2, 3), 4),))


def test_fresh_with_a_weight():
    made = recipe(Fresh(4, 2, weight=0.3))
    assert made.at(1) == Meal((Real(4), source(2)), (Fraction(3, 10), Fraction(7, 10)))
    assert made.at(2) == Meal((Real(4), Sample(2, 1)), (Fraction(3, 10), Fraction(7, 10)))
    by_generation = recipe(Fresh(4, 2, weight=[1, 0.5]))
    assert by_generation.at(1) == Meal((Real(4),), (1,))
    assert by_generation.at(2).weights == (Fraction(1, 2), Fraction(1, 2))


def test_the_weight_that_is_optimal_in_time_begins_with_the_real_points_alone():
    made = recipe(Fresh(4, 4, weight=weights_in_time(1, 100)))
    assert made.at(1) == Meal((Real(4),), (1,))
    assert made.at(2) == Meal((Real(4), Sample(4, 1)), (Fraction(2, 3), Fraction(1, 3)))
    assert made.at(3).weights[0] == Fraction(5, 8)
    assert float(made.at(100).weights[0]) == pytest.approx((5**0.5 - 1) / 2, rel=1e-15)
    k = sp.Symbol("k", positive=True)
    unequal = recipe(Fresh(k, 1, weight=weights_in_time(k, 2))).at(2).weights[0]
    assert sp.simplify(unequal - (1 + k) / (2 + k)) == 0


def test_fixed_begins_with_the_real_set_alone():
    made = recipe(Fixed(4, 2))
    assert made.at(1) == Meal((RealSet("real"),))
    assert made.at(2) == Meal((RealSet("real"), Sample(2, 1)))
    assert made.sets == {"real": 4}


def test_the_web_begins_with_its_start():
    made = recipe(Web(9, 1, 3))
    assert made.at(1) == Meal((Pool(),), adds=(Real(9),))
    assert made.at(2) == Meal((Pool(),), adds=(Real(1), Sample(3, 1)))
    sampled = recipe(Web(9, 0, 3, n="5*t"))
    assert sampled.at(1) == Meal((Pool(5),), adds=(Real(9),))
    assert sampled.at(2) == Meal((Pool(10),), adds=(Sample(3, 1),))


def test_peers_draw_their_full_composition_from_the_source_first():
    made = recipe(Peers(2, 3, [4, 0]))
    assert made.at(1, 0) == Meal((Real(4), source(3), Sample(3, 0, 1, synthetic=False)))
    assert made.at(2, 1) == Meal((Sample(3, 1, 0), Sample(3, 1, 1)))
    own = recipe(Peers(counts=[[1, 0], [3, 4]], real=5, targets=[0, 1]))
    assert own.at(2, 0) == Meal((Real(5, 0), Sample(1, 1, 0)))
    assert own.at(2, 1) == Meal((Real(5, 1), Sample(3, 1, 0), Sample(4, 1, 1)))


def test_healing_takes_the_moments_of_the_current_model():
    made = recipe(Heal(Replace(5), 2, 6, 0.25))
    assert made.at(2) == recipe(Replace(5)).at(2)
    assert made.at(3) == Meal((Real(6), Moments(2)), (Fraction(1, 4), Fraction(3, 4)))
    assert recipe(Heal(Replace(5), 2, 6, 1)).at(3) == Meal((Real(6),), (1,))
    same = recipe(Heal(Replace(5), 2, 6, 0.25, same_real=True))
    assert same.at(9).eats == (RealSet("healing"), Moments(8))
    assert same.sets == {"healing": 6}
    peers = recipe(Heal(Peers(2, 3, 1, targets=[0, 1]), 2, 6, 0.5))
    assert peers.at(3, 1).eats == (Real(6, 1), Moments(2, 1))


def test_a_written_recipe():
    anchor = {"set": "anchor"}
    made = recipe(
        WrittenRecipe(
            [
                [{"real": 9}, anchor],
                [{"model": -2, "n": 8}, anchor, {"batch": [-1], "n": 3}],
                [{"model": -2, "n": 8, "peer": 2}, {"batch": [-1, -2]}],
            ],
            {"anchor": 4},
        )
    )
    assert made.peers == 2
    assert made.at(1, 1) == Meal((Stored((1,), part=0, peer=1), RealSet("anchor")), adds=(Real(9),))
    second = made.at(2)
    assert second.adds == (source(8),)
    assert second.eats == (Stored((2,), part=0), RealSet("anchor"), Stored((1,), 3))
    assert made.at(7).adds == (Sample(8, 5, 1),)
    assert made.at(7).eats == (Stored((7,), part=0), Stored((6, 5)))
    assert (made.models_back, made.batches_back, made.settled) == (2, 2, 3)


def test_a_written_recipe_without_stored_batches_keeps_nothing():
    made = recipe(WrittenRecipe([[{"real": 2, "weight": 0.1}, {"moments": -1, "weight": 0.9}]]))
    assert made.at(3) == Meal((Real(2), Moments(2)), (Fraction(1, 10), Fraction(9, 10)))


# What holds of all of them


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_start_nothing_in_generation_one_is_synthetic(policy):
    made = recipe(policy)
    for peer in range(made.peers):
        meal = made.at(1, peer)
        draws = [*meal.eats, *meal.adds, *(draw for batch in made.initial for draw in batch)]
        assert not any(getattr(draw, "synthetic", False) for draw in draws)


@pytest.mark.parametrize("policy", POLICIES)
def test_with_a_start_every_sample_is_synthetic(policy):
    made = recipe(policy, started=True)
    for t in (1, 2, 5):
        meal = made.at(t)
        draws = [*meal.eats, *meal.adds, *(draw for batch in made.initial for draw in batch)]
        assert all(draw.synthetic for draw in draws if isinstance(draw, Sample | Mixed))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_settled_recipe_repeats_itself(policy):
    made = recipe(policy)
    lags = range(made.settled, made.settled + 4)

    def kinds(t):
        meal = shifted(made.at(t, made.peers - 1), -t)
        return [
            (type(p), getattr(p, "model", None), getattr(p, "batches", None)) for p in meal.eats + meal.adds
        ]

    assert all(kinds(t) == kinds(made.settled) for t in lags)
    if made.constant:
        assert len({shifted(made.at(t), -t) for t in lags}) == 1
    if made.settled > 1:
        assert shifted(made.at(made.settled - 1), 1) != made.at(made.settled)


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_is_read_that_is_older_than_promised(policy):
    made = recipe(policy)
    for t in range(1, 9):
        for peer in range(made.peers):
            for portion in (meal := made.at(t, peer)).eats + meal.adds:
                if isinstance(portion, Sample | Mixed | Moments):
                    assert max(t - made.models_back, 0) <= portion.model < t
                if isinstance(portion, Stored):
                    assert all(t - made.batches_back <= batch <= t for batch in portion.batches)
                    assert all(batch > -len(made.initial) for batch in portion.batches)
                assert made.pooled or not isinstance(portion, Pool)


@pytest.mark.parametrize("policy", [Accumulate(5), Web(5, 1, 2)])
def test_a_hundred_thousand_generations_cost_nothing(policy):
    tracemalloc.start()
    made = recipe(policy)
    assert sys.getsizeof(made.at(100_000).eats) < 200
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_fits_are_numbered_from_one():
    with pytest.raises(LoopError):
        recipe(Replace(5)).at(0)


def test_policies_are_frozen_and_hashable():
    assert len({*POLICIES, *POLICIES}) == len(POLICIES)
    with pytest.raises(FrozenInstanceError):
        Fresh(2, 3).real = 5


# Refusals: the key, the value, the reason


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Accumulate(1), "at least 2"),
        (lambda: Accumulate([1, 5]), "at least 2"),
        (lambda: Accumulate([2, 0]), "at least 1"),
        (lambda: Accumulate(2.5), "whole number"),
        (lambda: Accumulate("t t"), "well-formed"),
        (lambda: AccumulateSubsample([2, 1]), "at least 2"),
        (lambda: Window(5, 0), "at least 1"),
        (lambda: Window(1, 1), "at least 2"),
        (lambda: Memory(0, 1, 1), "at least 2 points"),
        (lambda: Memory(-1, 2, 1), "negative"),
        (lambda: Fresh(1, 0), "at least 2 points"),
        (lambda: Fresh(-1, 5), "negative"),
        (lambda: Fresh(1.5, 5), "whole number"),
        (lambda: Fresh(True, 5), "whole number"),
        (lambda: Fresh(2, 5, "mixed"), "stratified"),
        (lambda: Fresh(2, 5, weight=0), "greater than 0"),
        (lambda: Fresh(2, 5, weight=1.1), "at most 1"),
        (lambda: Fresh(2, 5, weight="best"), "optimal"),
        (lambda: Fresh(2, 5, weight=[]), "empty"),
        (lambda: Fresh(2, 5, "iid", weight=0.5), "weighs the same"),
        (lambda: Fresh(0, 5, weight=0.5), "real and synthetic"),
        (lambda: Fresh([2, 3], 5, weight="optimal"), "constant counts"),
        (lambda: Fixed(1, 5), "at least 2 points"),
        (lambda: Web(1, 1, 1), "at least 2 points"),
        (lambda: Web(5, 0, 0), "nothing is added"),
        (lambda: Web(5, 1, 1, n=6), "web of 5 points"),
        (lambda: Peers(2), "either per_model"),
        (lambda: Peers(2, 3, counts=[[1]]), "either per_model"),
        (lambda: Peers(counts=[[1, 2], [3]]), "square"),
        (lambda: Peers(3, counts=[[1, 2], [3, 4]]), "2 rows"),
        (lambda: Peers(counts=[[1, 0], [3, 4]]), "at least 2 points"),
        (lambda: Peers(2, 3, [1]), "2 models"),
        (lambda: Peers(2, 3, targets=[1]), "2 means"),
        (lambda: Heal("replace", 3, 5, 1), "a data table"),
        (lambda: Heal(Heal(Replace(5), 2, 5, 1), 3, 5, 1), "a data table"),
        (lambda: Heal(Replace(5), 0, 5, 1), "at least 1"),
        (lambda: Heal(Replace(5), 3, 5, 0), "greater than 0"),
        (lambda: Heal(Replace(5), 3, 1, 1), "at least 2 points"),
        (lambda: Heal(Replace(5), 3, 5, 1, same_real=1), "true or false"),
        (lambda: WrittenRecipe([]), "lists of ingredients"),
        (lambda: WrittenRecipe([[]]), "empty generation"),
        (lambda: WrittenRecipe([[{"real": 1}]]), "at least 2 points"),
        (lambda: WrittenRecipe([[{"real": 0}]]), "at least 1"),
        (lambda: WrittenRecipe([[{"real": 2.5}]]), "whole number"),
        (lambda: WrittenRecipe([[{"real": 5, "set": "a"}]]), "one of"),
        (lambda: WrittenRecipe([[{"n": 5}]]), "one of"),
        (lambda: WrittenRecipe([[{"reel": 5}]]), "no such key"),
        (lambda: WrittenRecipe([[{"model": 0, "n": 5}]]), "negative whole number"),
        (lambda: WrittenRecipe([[{"model": -1}]]), "missing"),
        (lambda: WrittenRecipe([[{"real": 5, "n": 5}]]), "takes no n"),
        (lambda: WrittenRecipe([[{"set": "a"}]]), "no such set"),
        (lambda: WrittenRecipe([[{"real": 5}, {"batch": [-1]}]]), "does not exist yet"),
        (lambda: WrittenRecipe([[{"real": 5}], [{"real": 5}, {"batch": [-2]}]]), "does not exist yet"),
        (lambda: WrittenRecipe([[{"real": 5}], [{"batch": [-1]}]]), "nothing stored"),
        (lambda: WrittenRecipe([[{"real": 5}], [{"real": 5}, {"batch": -1, "n": 6}]]), "5 points stored"),
        (lambda: WrittenRecipe([[{"real": 5}], [{"real": 5}, {"batch": [-1, -1]}]]), "named twice"),
        (lambda: WrittenRecipe([[{"moments": -1}]]), "need a weight"),
        (lambda: WrittenRecipe([[{"real": 5, "weight": 0.5}, {"real": 5}]]), "every ingredient, or to none"),
        (lambda: WrittenRecipe([[{"real": 5, "weight": 0.5}, {"moments": -1, "weight": 0.4}]]), "sum to 1"),
        (lambda: WrittenRecipe([[{"real": 5, "weight": -0.5}]]), "between 0 and 1"),
        (lambda: WrittenRecipe([[{"real": 5}]], {"a": 0}), "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(make, reason):
    with pytest.raises(LoopError, match=reason) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("policy", "generation", "reason"),
    [
        (Accumulate([5, 6]), 3, "ends before generation 3"),
        (Accumulate("6 - t"), 6, "at least 1"),
        (Replace("7 - t"), 6, "at least 2"),
        (Fresh([2, 1], [3, 0]), 2, "at least 2 points"),
        (Fresh(2, 5, weight=[1.0]), 2, "ends before generation 2"),
        (Fresh(2, 5, weight="optimal"), 1, "replaced by its numbers"),
        (Fresh(2, 5, weight="optimal-in-time"), 1, "replaced by its numbers"),
        (Web(5, 1, 1, n="5*t**2"), 2, "web of 7 points"),
    ],
)
def test_what_makes_no_sense_later_is_refused_there(policy, generation, reason):
    with pytest.raises(LoopError, match=reason):
        recipe(policy).at(generation)
