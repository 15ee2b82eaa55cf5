"""What `derive` shows of recipes: the stated formulas, in symbols, and the numbers of `predict`."""

import math

import numpy as np
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
from theory.recipes.reading import second_moments, stability
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


NAMED = [
    Loop(UNIT, Fresh(3, 5)),
    Loop(UNIT, Fresh(0, 5)),
    Loop(UNIT, Fresh(3, 5, weight=0.25), Weighted()),
    Loop(UNIT, Fixed(3, 4), Unbiased()),
    Loop(UNIT, Memory(3, 2, 2)),
    Loop(UNIT, Window(4, 2)),
    Loop(UNIT, Peers(2, 3, 1)),
    Loop(UNIT, Accumulate(5)),
    Loop(UNIT, AccumulateSubsample(5)),
    Loop(UNIT, Web(5, 0, 3)),
    Loop(UNIT, Web(5, 0, 3), Unbiased()),
    Loop(UNIT, Web(5, 0, 3, n=4), Unbiased()),
    Loop(UNIT, Web(5, 1, 3)),
    Loop(UNIT, Web(5, 1, 3, n=4)),
]


@pytest.mark.parametrize("loop", NAMED, ids=lambda loop: f"{loop.data}-{loop.estimator.name}")
def test_what_becomes_of_second_moments_at_the_threshold(loop):
    """Walked there, what a doubling of time adds is halved if they have a bound.

    A remainder of order 1/t halves it, a logarithm leaves it as it is, linear growth doubles it: 1/sqrt(2)
    lies between. A threshold that is a root to six digits is sought anew.
    """
    derived = derive(loop)
    found = derived.threshold.subs(derived.values)
    if found.has(sp.Float):
        found = stability(loop)
    walked = second_moments(loop.with_(sampler=Sampler(bias=float(found))), (50, 100, 200))[1:, :, 0]
    first, second = np.abs(np.diff(walked)).T
    moving = first > 200 * 2**-50 * walked[:, 0]  # what 200 steps round is no growth
    assert (not (second > 2**-0.5 * first)[moving].any()) == derived.includes_threshold


@pytest.mark.parametrize("loop", [*NAMED[:7], Loop(UNIT, Heal(Replace(5), 3, 4, 0.3))], ids=str)
def test_what_is_written_is_the_numeric_map(loop):
    """Every coefficient as it is shown, at the loop's counts, against the step in fractions."""
    derived = derive(loop)
    numeric = derived._numeric()
    shown = derived.matrix.applyfunc(derived.written).subs(derived.values)
    assert list(shown) == [sp.Rational(x) for row in numeric.matrix for x in row]
    offset = derived.offset.applyfunc(derived.written).subs(derived.values)
    assert list(offset) == [sp.Rational(x) for x in numeric.offset]


@pytest.mark.parametrize(
    "loop", [Loop(UNIT, Fresh(3, 5)), Loop(UNIT, Heal(Replace(5), 3, 4, 0.3)), Loop(UNIT, Fixed(3, 4))]
)
def test_the_course_is_the_walk(loop):
    derived = derive(loop)
    times = tuple(range(derived.step.generation, derived.step.generation + 5))
    walked = second_moments(loop, times)[1:, :, 0]
    for formula, values in zip(derived.solution, walked, strict=True):
        for t, value in zip(times, values, strict=True):
            assert float(formula.subs(derived.values).subs(T, t)) == pytest.approx(value, rel=1e-12)


def test_contaminated_generations_are_shown_and_are_the_walk():
    """The displayed map takes generation 2 of the loop to generation 3; healing begins after."""
    derived = derive(Loop(UNIT, Heal(Replace(5), 3, 4, 0.3)))
    before = derived.contaminated
    labels = [str(label[0]) for label in before.step.labels]
    kept = [i for i, label in enumerate(before.step.labels) if ("one",) not in label]
    assert [labels[i] for i in kept] == ["product", "variance"]
    walked = second_moments(derived.loop, (2, 3))[1:, :, 0]
    matrix = np.array(before.matrix.extract(kept, kept).subs(before.values), float)
    offset = np.array([before.offset[i].subs(before.values) for i in kept], float)
    np.testing.assert_allclose(matrix @ walked[:, 0] + offset, walked[:, 1], rtol=1e-12)
    text = derived.text()
    assert text.index("contaminated generation") < text.index("healing generation")
    assert "not symbols: contaminated.n = 5, generations = 3" in text
    assert derive(Loop(UNIT, Heal(Memory(2, 3, 4), 3, 6, 0.5))).contaminated is None


def test_the_limit_of_the_product_is_what_its_factors_come_to():
    """prod_{k > K} (1 - 1/(n k^2)) lies between 1 - 1/(n K) and 1."""
    derived = derive(Loop(UNIT, Accumulate(5)))
    k = np.arange(1, 100_001)
    finite = float(np.prod(1 - 1 / (5 * k**2)))
    limit = float(derived.product[1].subs(N, 5))
    assert finite * (1 - 1 / (5 * k[-1])) <= limit <= finite * (1 + 1e-10)


def test_formulas_read_as_one_would_write_them():
    text = derive(Loop(UNIT, Heal(Replace(5), 3, 4, 0.3))).text()
    assert "E[m^2] = s_0*w/(n*(2 - w))" in text
    assert "(1 - w)**(2*t - 6)" in text
    assert "lambda is at most 1." in derive(Loop(UNIT, Accumulate(5))).text()
    assert "found numerically" in derive(Loop(UNIT, Memory(3, 2, 2))).text()
    assert "No formula in t is shown" in derive(Loop(UNIT, Peers(2, 3, 1))).text()
    assert "not symbols: models = 2." in derive(Loop(UNIT, Peers(2, 3, 1))).text()


def test_the_legend_names_what_occurs_and_nothing_else():
    fresh = derive(Loop(UNIT, Fresh(3, 5))).text()
    assert "n_r: " in fresh
    assert "n_s: " in fresh
    assert not any(line.startswith(("x ", "r ", "p ", "q", "M ", "n:", "N:")) for line in fresh.splitlines())
    pool = derive(Loop(UNIT, Accumulate(5))).text()
    assert all(f"\n{name}" in pool for name in ("n: ", "N: ", "p is", "q(.)", "lambda, "))


@pytest.mark.parametrize(("bias", "said"), [(1.0, "1, is: they stay"), (1.8, "1.8, is not: they grow")])
def test_the_loops_own_lambda_is_judged(bias, said):
    assert said in derive(Loop(UNIT, Accumulate(5), sampler=Sampler(bias=bias))).text()
    assert said in derive(Loop(UNIT, Fresh(3, 5), sampler=Sampler(bias=bias))).text()


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
