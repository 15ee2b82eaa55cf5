"""The claimed second moments as consequences of the engine: equality in rationals, and in symbols.

Each formula is written here as stated, in the generations of the interface; the engine never sees it.
"""

from fractions import Fraction

import pytest
import sympy as sp
from exact_fits import ML, S0, UNBIASED, WEIGHTED, fits, stationary

from theory.loop import Replace
from theory.meal import Meal, Real, Recipe, Sample, Stored
from theory.policy import (
    Fixed,
    Fresh,
    Memory,
)
from theory.provenance import Provenance, rational
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step
from theory.recipes.optimal_weight import weights_in_time

MIXES = [(3, 5), (2, 6), (1, 9), (5, 5), (7, 2)]


# One source of real points beside samples of the last model


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("estimator", [ML, UNBIASED])
@pytest.mark.parametrize("bias", [Fraction(1), Fraction(4, 5), Fraction(6, 5)])
def test_replacement(n, estimator, bias):
    """R1, R6, S1; these bias every draw, the loop all but the first."""
    rho = bias * Fraction(n - 1, n if estimator == ML else n - 1)
    biased = fits(Replace(n), 6, started=True, start=(0, S0), bias=bias, estimator=estimator)
    for t, fit in enumerate(biased, 1):
        assert fit.variance == S0 * rho**t
        assert fit.mean_square == bias * S0 / n * sum(rho**j for j in range(t))
    plain = fits(Replace(n), 6, bias=bias, estimator=estimator)
    for t, fit in enumerate(plain, 1):
        assert fit.variance == S0 * rho**t / bias
    assert fits(Replace(n), 6, bias=bias, source_bias=bias, estimator=estimator) == biased


@pytest.mark.parametrize(("r", "s"), MIXES)
@pytest.mark.parametrize("composition", ["stratified", "iid"])
@pytest.mark.parametrize("estimator", [ML, UNBIASED])
@pytest.mark.parametrize("bias", [Fraction(1), Fraction(7, 10), Fraction(11, 10)])
@pytest.mark.parametrize("start", [(Fraction(0), S0), (Fraction(3, 2), Fraction(3, 10))])
def test_fresh_points_pooled_with_synthetic_ones(r, s, composition, estimator, bias, start):
    """X1."""
    n, c = r + s, r + s - (estimator == UNBIASED)
    a, b = Fraction(r, n), Fraction(s, n)
    m, v = start[0] ** 2, start[1]
    policy = Fresh(r, s, composition)
    for fit in fits(policy, 6, started=True, start=start, bias=bias, estimator=estimator):
        if composition == "stratified":
            m, v = (
                b**2 * (m + bias * v / s) + a**2 * S0 / r,
                ((n - 1) * (a * S0 + b * bias * v) + n * a * b * m) / c,
            )
        else:
            total = a * S0 + b * bias * v + a * b * m
            m, v = b**2 * m + total / n, Fraction(n - 1, c) * total
        assert (fit.mean_square, fit.variance) == (m, v)


@pytest.mark.parametrize(("r", "s"), MIXES)
def test_fresh_points_from_the_truth_and_at_rest(r, s):
    """X2, X3."""
    n, b = r + s, Fraction(s, r + s)
    kappa = b**2 - b / n
    for t, fit in enumerate(fits(Fresh(r, s), 7), 1):
        assert fit.mean_square == S0 * (1 - kappa**t) / (n * (1 - kappa))
    start = (Fraction(3, 2), Fraction(3, 10))
    for t, fit in enumerate(fits(Fresh(r, s), 7, started=True, start=start), 1):
        assert fit.mean_square + fit.variance == S0 + b**t * (start[1] + start[0] ** 2 - S0)
    rest = S0 / (r * (1 + b) + b)
    assert stationary(Fresh(r, s)) == (0, rest, S0 - rest)
    iid = S0 / (n * (1 - b**2) + b**2)
    assert stationary(Fresh(r, s, "iid")) == (0, iid, S0 - iid)


def test_fresh_points_in_symbols():
    """X2, X3, X4 and X5 for all counts at once."""
    r, s = sp.symbols("r s", positive=True)
    lam, z = sp.Symbol("lambda", positive=True), sp.Symbol("z")
    n, b = r + s, s / (r + s)

    def rest(composition="stratified", **settings):
        step = affine_step(recipe(Fresh(r, s, composition)), number=sp.sympify, **settings)
        return step.stationary()[0]

    assert sp.simplify(rest().mean_square - 1 / (r * (1 + b) + b)) == 0
    assert sp.simplify(rest("iid").mean_square - 1 / (n * (1 - b**2) + b**2)) == 0
    unbiased = rest(estimator=UNBIASED)
    assert sp.simplify(unbiased.mean_square - 1 / (n * (1 - b**2 * n / (n - 1)))) == 0
    assert sp.simplify(unbiased.variance - 1 - b / ((n - 1) * (1 - b**2) - b**2)) == 0
    for estimator, c in ((ML, n), (UNBIASED, n - 1)):
        step = affine_step(recipe(Fresh(r, s)), number=sp.sympify, bias=lam, estimator=estimator)
        (threshold,) = sp.solve(step.polynomial(z).subs(z, 1), lam)
        assert sp.simplify(threshold - c * (1 + b) / (b * (1 + b) * (n - 1) + b**2)) == 0


@pytest.mark.parametrize(("r", "s", "estimator"), [(2, 8, ML), (2, 8, UNBIASED), (5, 20, ML)])
def test_the_threshold_is_where_growth_passes_one(r, s, estimator):
    """X5; X4's stationary values on the way."""
    n, c, b = r + s, r + s - (estimator == UNBIASED), Fraction(s, r + s)
    threshold = c * (1 + b) / (b * (1 + b) * (n - 1) + b**2)

    def growth(bias):
        return affine_step(recipe(Fresh(r, s)), bias=float(bias), estimator=estimator).growth()

    assert abs(growth(threshold) - 1) < 1e-12
    assert growth(threshold * Fraction(101, 100)) > 1 > growth(threshold * Fraction(99, 100))
    rest = stationary(Fresh(r, s), estimator=UNBIASED)
    assert rest.mean_square == S0 / (n * (1 - b**2 * n / (n - 1)))
    assert rest.variance == S0 * (1 + b / ((n - 1) * (1 - b**2) - b**2))


@pytest.mark.parametrize(("r", "s"), [(4, 4), (3, 12), (2, 1)])
def test_a_fixed_real_set(r, s):
    """X7."""
    n, b = r + s, Fraction(s, r + s)
    v = S0 * (1 - Fraction(1, r))
    rest = stationary(Fixed(r, s))
    assert rest.variance == v * n * (1 - b**2) / (n * (1 - b**2) + b)
    assert rest.mean_square == S0 / r + v * b / (n * (1 - b**2) + b)
    engine = Provenance(recipe(Fixed(r, s)), variance=S0, number=rational)
    for _ in range(3):
        (fit,) = engine.advance()
        assert engine.products[("model", engine.generation, 0), ("set", "real")] == S0 / r
    assert fit.mean_square > S0 / r


def test_a_fixed_real_set_in_symbols():
    """X7."""
    r, s = sp.symbols("r s", positive=True)
    n, b = r + s, s / (r + s)
    rest = affine_step(recipe(Fixed(r, s)), number=sp.sympify).stationary()[0]
    assert sp.simplify(rest.mean_square - 1 / r - (1 - 1 / r) * b / (n * (1 - b**2) + b)) == 0


@pytest.mark.parametrize(
    ("r", "s", "w"), [(5, 5, Fraction(3, 5)), (4, 12, Fraction(1, 3)), (6, 3, Fraction(9, 10))]
)
def test_weighted_fits(r, s, w):
    """X8 (mean part) and X9."""
    u, k = 1 - w, Fraction(r, s)
    apart = stationary(Fresh(r, s, weight=w), estimator=WEIGHTED)
    assert apart == (0, S0 / r * (w**2 + k * u**2) / (w * (2 - w)), S0)
    assert all(fit.variance == S0 for fit in fits(Fresh(r, s, weight=w), 4, estimator=WEIGHTED))
    together = stationary(Fresh(r, s, weight=w))
    rest = S0 * (u**2 / s + w**2 / r) / (1 - u**2 + u**2 / s)
    assert together == (0, rest, S0 - rest)


def test_weighted_fits_in_symbols_and_their_optimum():
    """X8, X9: w* = (sqrt(k^2 + 4k) - k) / 2 is a zero of the slope, and the minimum is w* / r."""
    r, s, w = sp.symbols("r s w", positive=True)
    made = recipe(Fresh(r, s, weight=w))
    apart = affine_step(made, number=sp.sympify, estimator=WEIGHTED).stationary()[0].mean_square
    u, k = 1 - w, r / s
    assert sp.simplify(apart - (w**2 + k * u**2) / (r * w * (2 - w))) == 0
    together = affine_step(made, number=sp.sympify).stationary()[0].mean_square
    assert sp.simplify(together - (u**2 / s + w**2 / r) / (1 - u**2 + u**2 / s)) == 0
    best = (sp.sqrt(k**2 + 4 * k) - k) / 2
    for numbers in ({r: 5, s: 5}, {r: 4, s: 12}, {r: 6, s: 3}):
        at = {w: best.subs(numbers)} | numbers
        assert sp.simplify(sp.diff(apart, w).subs(numbers).subs(at)) == 0
        assert sp.simplify((apart - w / r).subs(numbers).subs(at)) == 0


@pytest.mark.parametrize("n", [3, 4])
def test_weights_optimal_in_time(n):
    """X8b: Fibonacci's numbers, for the mean's error with an unbiased variance."""
    fibonacci = [0, 1]
    while len(fibonacci) < 20:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    policy = Fresh(n, n, weight=weights_in_time(1, 9))
    for t, fit in enumerate(fits(policy, 9, estimator=WEIGHTED), 1):
        assert fit.mean_square == Fraction(fibonacci[2 * t - 1], fibonacci[2 * t]) * S0 / n
        assert fit.variance == S0


@pytest.mark.parametrize(("r", "per", "models"), [(3, 3, 1), (3, 3, 2), (1, 2, 2), (2, 4, 4)])
def test_memory_of_several_models(r, per, models):
    """X13, by the gain formula P1; and numbers worked out beside it."""
    n, b, k = r + per * models, Fraction(per * models, r + per * models), models
    gain = (k * (1 - b) + b) / ((1 - b) * (k + b))
    rest = stationary(Memory(r, per, models))
    assert rest.mean_square == gain * S0 / (n + b * gain)
    assert rest.variance == S0 - rest.mean_square


def test_memory_that_stores_its_samples():
    """X13's last remark: stored batches used again; its two checks are 0.196581 and, drawn anew, 0.137615."""

    def meal(t, _):
        stored = Stored(tuple(range(t - 2, t + 1)))
        return Meal((Real(3), stored), adds=(Sample(2, t - 1, synthetic=t > 1),))

    initial = ((Sample(2, 0, synthetic=False),),) * 2
    again = Recipe(meal, initial=initial, batches_back=2)
    assert round(float(stationary(again, 1).mean_square), 6) == 0.196581
    assert round(float(stationary(Memory(3, 2, 3), 1).mean_square), 6) == 0.137615
