"""The loop's vocabulary: every value checked once, every refusal a sentence."""

import numpy as np
import pytest
import sympy as sp

from theory.estimator import Weighted
from theory.expression import Expression, ExpressionError
from theory.loop import (
    Gaussian,
    Images,
    Loop,
    LoopError,
    MaximumLikelihood,
    Replace,
    Sampler,
    Unbiased,
    require_numbers,
    sample_sizes,
)
from theory.policy import Accumulate, Fresh


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("100", [100, 100, 100]),
        ("10*t", [10, 20, 30]),
        ("4 * t**2", [4, 16, 36]),
        ("3*2**(t-1)", [3, 6, 12]),
        ("floor(10*sqrt(t))", [10, 14, 17]),
        ("ceil(20 * log(t + 1))", [14, 22, 28]),
        ("0.1*t*100", [10, 20, 30]),
        ("-(-5) + t/1", [6, 7, 8]),
        ("20 * 4**0.5", [40, 40, 40]),
    ],
)
def test_expressions_have_exact_values(text, sizes):
    assert list(sample_sizes(Replace(text).n, 3)) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "t.real", "lambda: 1", "t if t else t", "[t]", "x", "1j", "1e5", "0x10", "1_000",
        "t t", "((", "", " ", "sqrt", "sqrt()", "sqrt(t, t)", "t**", "9**9**9**9", "1/(t-1)", "sqrt(-t)",
        "log(0)", "t" * 201, "10*t/3", "t", "1 - t", "\n5", "5#", "(" * 99 + "t" + ")" * 99, "2**99",
        "(-8)**(1/3)", "5;5", "t or 5", "floor(t=3)",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused_not_evaluated(text):
    with pytest.raises(LoopError) as refusal:
        sample_sizes(Replace(text).n, 5)
    assert "\n" not in refusal.value.reason


def test_expression_errors_are_raised_at_construction():
    with pytest.raises(ExpressionError):
        Expression("import os")


@pytest.mark.parametrize("n", [1, 0, -5, 2.5, True, None, [], [10, 1], [10, "x"], 2**60, float("nan")])
def test_sample_sizes_below_two_or_not_whole_are_refused(n):
    with pytest.raises(LoopError):
        Replace(n)


def test_a_list_must_reach_the_generation_asked_for():
    assert sample_sizes((10, 20, 30), 2) == (10, 20)
    with pytest.raises(LoopError, match="ends before generation 4"):
        sample_sizes((10, 20, 30), 4)


@pytest.mark.parametrize(
    ("mean", "variance", "reason"),
    [
        (0, 0, "greater than 0"),
        (0, -1, "greater than 0"),
        (0, float("inf"), "finite"),
        (float("nan"), 1, "finite"),
        ("0", 1, "number"),
        (True, 1, "number"),
        ([0, 0], [1, 2, 3], "2 coordinates"),
        ([0, 0], [1, 0], "greater than 0"),
        ([0, 0], [[1, 2], [3, 1]], "not symmetric"),
        ([0, 0], [[1, 2], [2, 1]], "positive definite"),
        ([0, 0], [[1, 0]], "2 coordinates"),
        (0, [[1, 0]], "square"),
        ([0, 0], [[1, 0], [0]], "differ in length"),
        ([[0, 0]], 1, "shape"),
        ([], 1, "shape"),
        (10**400, 1, "too large"),
    ],
)
def test_distributions_that_are_none_are_refused(mean, variance, reason):
    with pytest.raises(LoopError, match=reason):
        Gaussian(mean, variance)


def test_gaussians_know_their_shape():
    assert Gaussian(0, 1).is_scalar
    assert (Gaussian([0, 0], 1).dimension, Gaussian([0, 0], 1).is_scalar) == (2, False)
    assert Gaussian(0, [1, 2, 3]).dimension == 3
    assert Gaussian(np.zeros(2), np.eye(2)) == Gaussian([0, 0], [[1, 0], [0, 1]])
    n = sp.Symbol("n")
    assert Loop(Gaussian(sp.Symbol("mu"), sp.Symbol("s")), Replace(n)).data.n == n


def test_one_sampler_bias_at_a_time():
    assert Sampler(temperature=0.5).temperature == 0.5
    for bad in (
        {"bias": 0},
        {"bias": -1},
        {"truncate": 0},
        {"temperature": "hot"},
        {"bias": 0.9, "truncate": 2},
        {"truncate": 2, "temperature": 0.5},
        {"applies_to_source": 1},
    ):
        with pytest.raises(LoopError):
            Sampler(**bad)


def test_a_start_has_the_dimension_of_the_source():
    with pytest.raises(LoopError, match="dimension"):
        Loop(Gaussian(0, 1), Replace(10), start=Gaussian([0, 0], 1))
    with pytest.raises(LoopError, match="takes no start"):
        Loop(Images("digits"), Replace(10), start=Gaussian(0, 1))
    with pytest.raises(LoopError, match="name of a data set"):
        Images("")


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        ({"source": 1.0}, "source"),
        ({"source": Gaussian}, "source"),
        ({"source": Replace(5)}, "source"),
        ({"data": 100}, "data"),
        ({"data": "replace"}, "data"),
        ({"data": Replace}, "data"),
        ({"estimator": Unbiased}, "estimator"),
        ({"estimator": "unbiased"}, "estimator"),
        ({"estimator": Gaussian(0, 1)}, "estimator"),
        ({"sampler": 0.9}, "sampler"),
        ({"sampler": Sampler}, "sampler"),
        ({"start": 1.0}, "start"),
        ({"start": Gaussian}, "start"),
        ({"start": Images("digits")}, "start"),
    ],
)
def test_parts_are_instances_of_the_vocabulary(parts, key):
    with pytest.raises(LoopError) as refusal:
        Loop(**({"source": Gaussian(0, 1), "data": Replace(5)} | parts))
    assert refusal.value.key == key


def test_loops_of_other_policies_can_be_written():
    assert Loop(Gaussian(0, 1), Accumulate(10)).data == Accumulate(10)
    assert Loop(Gaussian(0, 1), Fresh(3, 5, weight=0.4), Weighted()).estimator == Weighted()


C = sp.Symbol("c", positive=True)


@pytest.mark.parametrize(
    ("key", "loop"),
    [
        ("source.mean", Loop(Gaussian(C, 1), Replace(5))),
        ("source.mean", Loop(Gaussian([0, C], 1), Replace(5))),
        ("source.variance", Loop(Gaussian([0, 0], [[1, 0], [0, C]]), Replace(5))),
        ("data.n", Loop(Gaussian(0, 1), Replace(C))),
        ("data.n", Loop(Gaussian(0, 1), Replace([5, C]))),
        ("data.weight", Loop(Gaussian(0, 1), Fresh(3, 5, weight=C))),
        ("sampler.bias", Loop(Gaussian(0, 1), Replace(5), sampler=Sampler(C))),
        ("sampler.truncate", Loop(Gaussian(0, 1), Replace(5), sampler=Sampler(truncate=C))),
        ("sampler.temperature", Loop(Gaussian(0, 1), Replace(5), sampler=Sampler(temperature=C))),
        ("start.variance", Loop(Gaussian(0, 1), Replace(5), start=Gaussian(0, C))),
    ],
)
def test_a_symbol_anywhere_is_named(key, loop):
    with pytest.raises(LoopError, match="numbers are needed") as refusal:
        require_numbers(loop)
    assert refusal.value.key == key


def test_numbers_are_numbers():
    require_numbers(
        Loop(Gaussian([0, 1], [1, 2]), Replace("5 * t"), MaximumLikelihood(), Sampler(truncate=2))
    )
    require_numbers(Loop(Gaussian(0, 1), Replace([5, 6]), start=Gaussian(1, 2)))
