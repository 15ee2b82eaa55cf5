"""The claimed second moments of growing pools, of several models and of healing, from the engine.

Equality in rationals, and in symbols, as in `test_second_moments`.
"""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
import sympy as sp
from exact_fits import ML, S0, UNBIASED, fits, stationary

from theory.loop import Gaussian, Loop, Replace, Sampler
from theory.meal import Meal, Mixed, Recipe
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fresh,
    Heal,
    Peers,
    Web,
    Window,
    WrittenRecipe,
)
from theory.predict import predict
from theory.provenance import Provenance, rational, second_moments
from theory.provenance.alike import engine, merged
from theory.provenance.of_loop import settings_of
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step
from theory.recipes.higher_moments import recipe_for
from theory.selection import Correction

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


@pytest.mark.parametrize("models", [2, 3, 4])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"estimator": UNBIASED},
        {"sampler": Sampler(bias=0.75), "start": Gaussian(2, 3)},
        {"selection": Correction(0.5)},
        {"data": lambda peers: Heal(peers, 3, 4, 0.25), "start": Gaussian(2, 3)},
    ],
)
def test_models_of_one_law_are_one_model_and_the_mean_of_all(models, change):
    """What two variables say of exchangeable models is what following each of them says, in rationals."""
    loop = Loop(Gaussian(0, 2), Peers(models, 3, 2)).with_(**change | {"data": Peers(models, 3, 2)})
    if "data" in change:
        loop = loop.with_(data=change["data"](loop.data))
    settings, made = settings_of(loop), recipe_for(loop)
    each = Provenance(made, number=rational, **settings)
    one = engine(merged(made, loop), number=rational, **settings)
    for _ in range(6):
        fits = each.advance()
        assert one.advance() == fits[:1] == fits[-1:]
        assert one.between() == each.between()
    together = affine_step(merged(made, loop), **settings)
    apart = affine_step(made, **settings)
    rounding = len(apart.labels) ** 2 * np.finfo(float).eps ** 0.5  # of an eigenvalue that is not simple
    assert together.growth() == pytest.approx(apart.growth(), abs=rounding)
    assert together.at(9)[0] == pytest.approx(apart.at(9)[0], rel=1e-12)


def test_a_hundred_models_take_no_longer_than_two():
    """The threshold, the limits and the spread between a hundred models, from four coordinates."""
    loop = Loop(Gaussian(0, 1), Peers(100, 3, 20), sampler=Sampler(bias=0.9))
    found = predict(loop, (1, 50, float("inf")), ["variance", "between_models"])
    # all points of generation 1 are real: one model's mean has variance 1 / 320, independent of the others'
    assert found["between_models"].values[0, 0] == pytest.approx(1 / 320, rel=1e-12)
    assert found["variance"].values[0, 0] == pytest.approx(1 - 1 / 320, rel=1e-12)
    assert len(affine_step(merged(recipe_for(loop), loop), **settings_of(loop)).labels) == 4


# Healing


@pytest.mark.parametrize("estimator", [ML, UNBIASED])
def test_healing_from_scratch(estimator):
    """H0: no memory of what was before."""
    n, c = 6, 6 if estimator == ML else 5
    for before in (Replace(3), Accumulate(2)):
        healed = fits(Heal(before, 4, n, 1), 7, estimator=estimator)[4:]
        assert [fit[1:] for fit in healed] == [(S0 / n, S0 * Fraction(n - 1, c))] * 3


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
