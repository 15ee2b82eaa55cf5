"""The catalogue's second moments as consequences of the engine: equality in rationals, and in symbols.

Each formula is written here as stated, in the generations of the interface; the engine never sees it.
"""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
import sympy as sp

from theory.affine_step import affine_step
from theory.loop import MaximumLikelihood, Replace, Unbiased
from theory.meal import Meal, Mixed, Real, Recipe, Sample, Stored
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
from theory.provenance import Provenance, rational, second_moments
from theory.recipe import recipe
from theory.weighted import Weighted

S0 = Fraction(169, 100)
ML, UNBIASED, WEIGHTED = MaximumLikelihood(), Unbiased(), Weighted()
MIXES = [(3, 5), (2, 6), (1, 9), (5, 5), (7, 2)]


def fits(policy, generations, *, started=False, variance=S0, **settings):
    made = policy if isinstance(policy, Recipe) else recipe(policy, started=started)
    found = second_moments(made, generations, variance=variance, number=rational, **settings)
    return [peers[0] for peers in found]


def stationary(policy, variance=S0, **settings):
    made = policy if isinstance(policy, Recipe) else recipe(policy)
    return affine_step(made, variance=variance, number=rational, **settings).stationary()[0]


def pairs(found):
    return [(fit.mean_square, fit.variance) for fit in found]


# One source of real points beside samples of the last model


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("estimator", [ML, UNBIASED])
@pytest.mark.parametrize("bias", [Fraction(1), Fraction(4, 5), Fraction(6, 5)])
def test_replacement(n, estimator, bias):
    """R1, R6, S1; the catalogue biases every draw, the loop all but the first."""
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
    policy = Fresh(n, n, weight="optimal-in-time")
    for t, fit in enumerate(fits(policy, 9, estimator=WEIGHTED), 1):
        assert fit.mean_square == Fraction(fibonacci[2 * t - 1], fibonacci[2 * t]) * S0 / n
        assert fit.variance == S0


@pytest.mark.parametrize(("r", "per", "models"), [(3, 3, 1), (3, 3, 2), (1, 2, 2), (2, 4, 4)])
def test_memory_of_several_models(r, per, models):
    """X13, by the gain formula P1; and the checked numbers of the catalogue."""
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


# Pools that grow


def test_accumulation():
    """A1 (mean part), A3."""
    for n in (2, 3, 5):
        for t, fit in enumerate(fits(Accumulate(n), 8), 1):
            assert fit.variance == S0 * prod(1 - Fraction(1, n * k**2) for k in range(1, t + 1))
            assert fit.mean_square == S0 - fit.variance
        unbiased = fits(Accumulate(n), 8, estimator=UNBIASED)
        for t, fit in enumerate(unbiased, 1):
            assert fit.variance == S0 * prod(1 - Fraction(1, k * (n * k - 1)) for k in range(2, t + 1))
            before = [S0] + [f.variance for f in unbiased]
            assert fit.mean_square == sum(before[k - 1] / (n * k**2) for k in range(1, t + 1))


def test_accumulation_in_symbols():
    n = sp.Symbol("n", positive=True)
    for t, (fit,) in enumerate(second_moments(recipe(Accumulate(n)), 5, number=sp.sympify), 1):
        assert sp.simplify(fit.variance - sp.prod([1 - 1 / (n * k**2) for k in range(1, t + 1)])) == 0


@pytest.mark.parametrize("sizes", [(5, 2, 7, 3, 10), (6, *[1] * 12), (2, 4, 8, 16)])
def test_accumulation_of_any_batches(sizes):
    """A4, and its bound: the mean's error with a known variance never exceeds twice that of one batch."""
    totals = [sum(sizes[: t + 1]) for t in range(len(sizes))]
    shares = [Fraction(n, total**2) for n, total in zip(sizes, totals, strict=True)]
    for t, fit in enumerate(fits(Accumulate(sizes), len(sizes)), 1):
        assert fit.variance == S0 * prod(1 - share for share in shares[:t])
    assert sum(shares) <= Fraction(2, sizes[0])


@pytest.mark.parametrize("n", [2, 4, 7])
def test_accumulation_with_subsets(n):
    """A5."""
    pool = S0 * (1 - Fraction(1, n))
    for t, fit in enumerate(fits(AccumulateSubsample(n), 10), 1):
        assert fit.variance == pool * Fraction(t * (n - 1), n * t - 1)
        assert fit.mean_square == S0 - fit.variance
        pool *= 1 - Fraction(2 * n * t - n - t, n * (n * t - 1) * (t + 1) ** 2)


def test_accumulation_with_subsets_in_symbols():
    n = sp.Symbol("n", positive=True)
    pool = 1 - 1 / n
    for t, (fit,) in enumerate(second_moments(recipe(AccumulateSubsample(n)), 4, number=sp.sympify), 1):
        assert sp.simplify(fit.variance - pool * t * (n - 1) / (n * t - 1)) == 0
        pool *= 1 - (2 * n * t - n - t) / (n * (n * t - 1) * (t + 1) ** 2)


def test_a_window():
    """A7: its checked values, and its ends: replacement, and accumulation while it fills."""
    last = fits(Window(4, 3), 12, variance=1)[-1]
    assert (round(float(last.mean_square), 6), round(float(last.variance), 6)) == (0.551856, 0.448144)
    assert fits(Window(5, 1), 6) == fits(Replace(5), 6)
    assert fits(Window(4, 3), 1)[0].mean_square == S0 / 12


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_the_decay_under_a_window(width):
    """A7: the rate is 4 / ((W + 1)^2 n) to first order; E mu^2 never forgets, whence an eigenvalue 1."""

    def rate(n):
        step = affine_step(recipe(Window(n, width)))
        *_, slowest = sorted(x for x in np.abs(np.linalg.eigvals(np.array(step.matrix))) if 1 - x > 1e-9)
        return -np.log(slowest)

    errors = [rate(n) * n * (width + 1) ** 2 / 4 - 1 for n in (100, 200, 400, 800)]
    scaled = [error * n for error, n in zip(errors, (100, 200, 400, 800), strict=True)]
    steps = np.abs(np.diff(scaled))
    assert (np.diff(np.abs(errors)) < 0).all()
    assert (np.diff(steps) < 0).all()  # error times n settles: the error is of order 1 / n
    if width == 2:
        assert round(rate(200), 7) == 0.0022259


@pytest.mark.parametrize(("start", "real", "synthetic"), [(5, 1, 3), (4, 2, 2), (3, 4, 0), (3, 0, 2)])
def test_the_web(start, real, synthetic):
    """W1, its t = g - 1."""
    size, p = start, S0 / start
    found = fits(Web(start, real, synthetic), 13)
    for fit in found:
        assert (fit.mean_square, fit.variance) == (p, S0 - p)
        size += real + synthetic
        p = (1 - Fraction(real, size)) ** 2 * p + (real * S0 + synthetic * (S0 - p)) / size**2
    if (start, real, synthetic) == (5, 1, 3):
        assert round(float(found[12].mean_square / S0), 6) == 0.128366


def test_training_samples_of_the_web():
    """W4's checked values: its t is the generation."""
    fit = fits(Web(6, 1, 4, n=5), 8, variance=1)[-1]
    assert (round(float(fit.mean_square), 6), round(float(fit.variance), 6)) == (0.308063, 0.691937)


def test_growing_contamination():
    """W2."""
    n, v = 6, S0

    def share(t):
        return Fraction(1) / (1 + Fraction(t, 2))

    made = Recipe(lambda t, _: Meal((Mixed(n, share(t), t - 1, synthetic=t > 1),)), constant=False)
    for t, fit in enumerate(fits(made, 15), 1):
        b = 1 - share(t)
        v = (1 - Fraction(1, n)) * ((1 - b**2) * S0 + b**2 * v)
        assert fit.variance == v
    assert round(float(v / S0), 6) == 0.551458
    counts = Fresh([6, 5, 4, 3, 2, 1], [0, 1, 2, 3, 4, 5], "iid")
    v = S0
    for t, fit in enumerate(fits(counts, 6), 1):
        b = Fraction(t - 1, 6)
        v = (1 - Fraction(1, n)) * ((1 - b**2) * S0 + b**2 * v)
        assert fit.variance == v


# Several models


@pytest.mark.parametrize(("models", "per"), [(2, 3), (3, 2), (4, 1)])
def test_models_that_feed_one_another(models, per):
    """E1, its recursion and its two-term consequence."""
    n, k = models * per, models
    engine = Provenance(recipe(Peers(k, per)), variance=S0, number=rational, remember=True)
    d, c, s = Fraction(0), Fraction(0), [S0]
    for t in range(1, 11):
        fit = engine.advance()[0]
        common = (d + (k - 1) * c) / k
        d, c = common + s[-1] / n, common
        s.append(S0 - d)
        assert (fit.mean_square, fit.variance) == (d, s[-1])
        assert engine.product((t, 0), (t, k - 1)) == c
        if t > 1:
            assert s[t] == (1 - Fraction(1, n)) * s[t - 1] + (1 - Fraction(1, k)) / n * s[t - 2]


def test_models_with_targets_of_their_own():
    """E2, all of it, and the stationary means (I - W)^{-1} A theta."""
    counts, real, theta = (
        ((4, 3, 2), (1, 5, 3), (2, 2, 6)),
        (3, 3, 2),
        (Fraction(1, 2), Fraction(1), Fraction(-2)),
    )
    every = range(3)
    totals = [sum(counts[k]) + real[k] for k in every]
    w = [[Fraction(counts[k][j], totals[k]) for j in every] for k in every]
    a = [Fraction(real[k], totals[k]) for k in every]
    policy = Peers(counts=counts, real=real, targets=tuple(map(sp.Rational, theta)))
    engine = Provenance(recipe(policy), variance=S0, number=rational, remember=True)
    m = list(theta)
    c = [[theta[i] * theta[j] for j in every] for i in every]
    s = [S0] * 3
    for t in range(1, 7):
        found = engine.advance()
        pull = [a[k] * theta[k] for k in every]
        drift = [sum(w[k][j] * m[j] for j in every) for k in every]
        square = [
            [
                sum(w[i][p] * c[p][q] * w[j][q] for p in every for q in every)
                + drift[i] * pull[j]
                + pull[i] * drift[j]
                + pull[i] * pull[j]
                + (i == j) * sum(counts[i][p] * s[p] for p in every) / Fraction(totals[i]) ** 2
                + (i == j) * real[i] * S0 / totals[i] ** 2
                for j in every
            ]
            for i in every
        ]
        s = [
            sum(w[k][j] * (s[j] + c[j][j]) for j in every) + a[k] * (S0 + theta[k] ** 2) - square[k][k]
            for k in every
        ]
        m, c = [drift[k] + pull[k] for k in every], square
        for k in every:
            assert found[k] == (m[k], c[k][k], s[k])
            assert engine.product((t, k), (t, 0)) == c[k][0]
    rest = affine_step(recipe(policy), variance=S0, number=rational).stationary()
    means = (sp.eye(3) - sp.Matrix(w)).LUsolve(sp.Matrix(list(map(lambda x, y: x * y, a, theta))))
    assert [fit.mean for fit in rest] == [Fraction(int(x.p), int(x.q)) for x in means]


@pytest.mark.parametrize(("models", "real", "per"), [(1, 3, 5), (2, 2, 4), (4, 2, 2)])
def test_models_with_real_points_of_their_own(models, real, per):
    """E3."""
    n, k = real + models * per, models
    b = Fraction(models * per, n)
    gain = 1 + b**2 / (k * (1 - b**2))
    step = affine_step(recipe(Peers(k, per, real)), variance=S0, number=rational)
    rest = step.stationary()
    assert all(fit == (0, gain * S0 / (n + b * gain), S0 - gain * S0 / (n + b * gain)) for fit in rest)
    if k == 1:
        assert rest[0] == stationary(Fresh(real, per))
        return
    engine = Provenance(recipe(Peers(k, per, real)))
    for _ in range(400):
        engine.advance()
    square = gain / (n + b * gain)
    between = float(square - (1 - b * square) / n)
    assert engine.product((400, 0), (400, 1)) == pytest.approx(between, rel=1e-12)


# Healing


@pytest.mark.parametrize("estimator", [ML, UNBIASED])
def test_healing_from_scratch(estimator):
    """H0: no memory of what was before."""
    n, c = 6, 6 if estimator == ML else 5
    for before in (Replace(3), Accumulate(2)):
        healed = fits(Heal(before, 4, n, 1), 7, estimator=estimator)[4:]
        assert pairs(healed) == [(S0 / n, S0 * Fraction(n - 1, c))] * 3


@pytest.mark.parametrize(("w", "n"), [(Fraction(3, 10), 5), (Fraction(1, 10), 8)])
def test_healing_on_fresh_batches(w, n):
    """H1, H3, their g = t + j."""
    u, t = 1 - w, 4
    floor = w / (2 - w) * S0 / n
    found = fits(Heal(Replace(6), t, n, w), t + 6)
    m = S0 * (1 - (1 - Fraction(1, 6)) ** t)
    for j, fit in enumerate(found[t - 1 :]):
        assert fit.mean_square == u ** (2 * j) * m + floor * (1 - u ** (2 * j))
        assert fit.variance == S0 - fit.mean_square
    start = (Fraction(3, 2), Fraction(1, 20))
    made = WrittenRecipe([[{"real": n, "weight": w}, {"moments": -1, "weight": u}]])
    for j, fit in enumerate(fits(made, 6, started=True, start=start), 1):
        assert fit.mean_square == u ** (2 * j) * start[0] ** 2 + floor * (1 - u ** (2 * j))
        assert fit.mean_square + fit.variance == S0 + u**j * (start[1] + start[0] ** 2 - S0)


@pytest.mark.parametrize(("w", "n"), [(Fraction(1, 5), 6), (Fraction(1, 2), 2)])
def test_healing_on_one_real_set(w, n):
    """H2."""
    u, m = 1 - w, Fraction(2)
    made = WrittenRecipe([[{"set": "a", "weight": w}, {"moments": -1, "weight": u}]], {"a": n})
    for j, fit in enumerate(fits(made, 7, started=True, start=(m, Fraction(1, 9))), 1):
        assert fit.mean_square == u ** (2 * j) * m**2 + (1 - u**j) ** 2 * S0 / n
    healed = fits(Heal(Replace(4), 3, n, w, same_real=True), 9)
    before = healed[2].mean_square
    for j, fit in enumerate(healed[2:]):
        assert fit.mean_square == u ** (2 * j) * before + (1 - u**j) ** 2 * S0 / n
