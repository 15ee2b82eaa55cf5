"""What `derive` shows of recipes: the stated formulas, in symbols, and the numbers of `predict`."""

import math

import pytest
import sympy as sp

from theory.claims import policy_loops as loops
from theory.estimator import Weighted
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.moments import derive
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
from theory.predict import predict
from theory.recipes.symbols import LAMBDA, POOL, REAL, S0, SYNTHETIC, WEIGHT, K, N, T
from theory.selection import Correction, TopFraction

UNIT = Gaussian(1.0, 4.0)
TOTAL, B = REAL + SYNTHETIC, SYNTHETIC / (REAL + SYNTHETIC)


def same(left, right):
    return sp.simplify(left - right) == 0


def test_fresh_data_for_all_counts():
    """X2: fixed point, eigenvalues, threshold (X5) and the course from the source."""
    derived = derive(Loop(UNIT, Fresh(3, 5)))
    rest = S0 / (REAL * (1 + B) + B)
    assert same(derived.stationary[0], rest)
    assert same(derived.stationary[1], S0 - rest)
    kappa = B**2 - B / TOTAL
    assert any(same(z, kappa) for z in derived.eigenvalues)
    course = S0 * (1 - kappa**T) / (TOTAL * (1 - kappa))
    for t in (2, 3, 7):
        assert same(derived.solution[0].subs(T, t), course.subs(T, t))
    threshold = TOTAL * (1 + B) / (B * (1 + B) * (TOTAL - 1) + B**2)
    assert same(derived.threshold, threshold)


def test_a_biased_sampler_stays_a_symbol():
    derived = derive(Loop(UNIT, Fresh(3, 5), Unbiased(), Sampler(bias=0.9)))
    assert LAMBDA in derived.stationary[0].free_symbols
    numbers = {REAL: 3, SYNTHETIC: 5, LAMBDA: sp.Rational(9, 10), S0: 4}
    rest = predict(derived.loop, math.inf, ["mean_error_squared", "variance"])
    for value, name in zip(derived.stationary, ("mean_error_squared", "variance"), strict=True):
        assert float(value.subs(numbers)) == pytest.approx(rest[name].values[0, 0], rel=1e-12)


def test_weights_and_fixed_sets():
    """X8, X7."""
    w, k = WEIGHT, REAL / SYNTHETIC
    weighted = derive(Loop(UNIT, Fresh(3, 5, weight="optimal"), Weighted()))
    assert same(weighted.stationary[0], S0 * (w**2 + k * (1 - w) ** 2) / (REAL * w * (2 - w)))
    fixed = derive(Loop(UNIT, Fixed(3, 4)))
    kept = S0 * (1 - 1 / REAL)
    assert same(fixed.stationary[1], kept * TOTAL * (1 - B**2) / (TOTAL * (1 - B**2) + B))


def test_healing_is_stable_for_every_bias():
    """H1."""
    derived = derive(Loop(UNIT, Heal(Replace(5), 3, 4, 0.3)))
    w = WEIGHT
    assert derived.threshold == sp.oo
    assert same(derived.stationary[0], w / (2 - w) * S0 / N)
    numbers = {N: 4, w: sp.Rational(3, 10), S0: 4}
    found = predict(derived.loop, (4, 6, 9), ["mean_error_squared"])["mean_error_squared"].values[0]
    for t, value in zip((4, 6, 9), found, strict=True):
        assert float(derived.solution[0].subs(numbers).subs(T, t)) == pytest.approx(value, rel=1e-12)


def test_accumulation_comes_to_a_sine():
    """A1, A2: the factor is the engine's, the product finite first, the limit last."""
    derived = derive(Loop(UNIT, Accumulate(5)))
    assert same(derived.factor, 1 - 1 / (N * K**2))
    assert same(derived.product[1], sp.sqrt(N) * sp.sin(sp.pi / sp.sqrt(N)) / sp.pi)
    unbiased = derive(Loop(UNIT, Accumulate(5), Unbiased()))
    assert same(unbiased.factor, 1 - 1 / (K * (N * K - 1)))
    assert unbiased.product is None


@pytest.mark.parametrize(
    "loop",
    [
        Loop(UNIT, Fresh(3, 5)),
        Loop(UNIT, Fixed(3, 4), Unbiased()),
        Loop(UNIT, Memory(3, 2, 2)),
        Loop(UNIT, Window(4, 2)),
        Loop(UNIT, Accumulate(5)),
        Loop(UNIT, AccumulateSubsample(5)),
        Loop(UNIT, Web(5, 1, 3)),
        Loop(UNIT, Peers(2, 3, 1)),
        Loop(UNIT, Replace(5), selection=Correction(0.5)),
        Loop(Gaussian([0, 1], 1), Fresh(3, 5)),
        loops.WRITTEN,
        loops.WRITTEN_WEIGHTED,
    ],
)
def test_every_recipe_is_written_out(loop):
    derived = derive(loop)
    text, latex = derived.text(), derived.latex()
    assert "E[m^2]'" in text
    assert "bounded" in text
    assert latex.count(r"\begin{align*}") == latex.count(r"\end{align*}") >= 1
    assert not any(word in text for word in ("nan", "zoo"))


def test_eigenvalues_in_numbers_are_the_maps():
    import numpy as np

    derived = derive(Loop(UNIT, Memory(3, 2, 2)))
    assert max(abs(complex(z)) for z in derived.eigenvalues) == pytest.approx(
        derived.numbers()["spectral radius"]
    )
    assert len(derived.eigenvalues) == len(derived.step.labels)
    assert np.isfinite([complex(z) for z in derived.eigenvalues]).all()


def test_a_growing_pool_has_its_size_for_a_symbol():
    derived = derive(Loop(UNIT, AccumulateSubsample(5)))
    assert POOL in derived.matrix.free_symbols
    assert "E[s]'" in derived.text()


def test_counts_that_change_have_no_one_map():
    derived = derive(Loop(UNIT, Accumulate([5, 6, 7]), MaximumLikelihood()))
    assert "no one map" in derived.text()


def test_a_selection_by_value_is_refused_with_a_sentence():
    with pytest.raises(LoopError, match="blind to values"):
        derive(Loop(UNIT, Fresh(3, 5), selection=TopFraction(0.5, "linear")))


def test_a_written_recipe_keeps_its_numbers():
    derived = derive(
        Loop(Gaussian(0.0, 1.0), WrittenRecipe([[{"real": 4}], [{"real": 2}, {"model": -1, "n": 6}]]))
    )
    square, spread = derived.stationary
    assert square + spread == 1
    assert square == sp.Rational(1, 1) / (2 * (1 + sp.Rational(6, 8)) + sp.Rational(6, 8))
