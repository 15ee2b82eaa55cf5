"""Stated formulas against the recursion that the recipe gives: equal in rationals, on the claims' cases."""

import math
from fractions import Fraction

import numpy as np
import pytest

from theory.claim import Experiment
from theory.claims import policy_loops as loops
from theory.claims.accumulate import ACCUMULATED
from theory.claims.ecosystem import ECOSYSTEM
from theory.claims.mixed import MIXED
from theory.loop import Gaussian, Loop, MaximumLikelihood, Sampler, Unbiased
from theory.policy import Fresh, Memory, Peers, Web, Window
from theory.predict import central_moments, predict
from theory.provenance import rational, second_moments
from theory.provenance.of_loop import provenance, recipe_of, settings_of
from theory.recipe import recipe
from theory.recipes import accumulate_statements as grown
from theory.recipes import mixed_statements as mixed
from theory.recipes.affine_step import affine_step
from theory.recipes.optimal_weight import settled
from theory.recipes.reading import at_rest

CLAIMS = MIXED + ACCUMULATED + ECOSYSTEM


def conserved(formula):
    """A statement about E m^2 as one about E s, by law P0."""
    return lambda loop, t: mixed.source(loop) - formula(loop, t)


def second(formula, place):
    return lambda loop, t: formula(loop, t)[place]


def _fixed_error(loop, t):
    return mixed.source(loop) - mixed.fixed(loop, t)


STATED = {
    ("X1", "mean_error_squared"): second(mixed.fresh, 0),
    ("X1", "variance"): second(mixed.fresh, 1),
    ("X2", "mean_error_squared"): mixed.stratified,
    ("X2", "variance"): conserved(mixed.stratified),
    ("X3", "mean_error_squared"): mixed.iid,
    ("X3", "variance"): conserved(mixed.iid),
    ("X4", "mean_error_squared"): second(mixed.unbiased, 0),
    ("X4", "variance"): second(mixed.unbiased, 1),
    ("X5", "variance"): second(mixed.fresh, 1),
    ("X7", "variance"): mixed.fixed,
    ("X7", "mean_error_squared"): _fixed_error,
    ("X8", "mean_error_squared"): mixed.weighted,
    ("X8", "variance"): lambda loop, t: mixed.source(loop),
    ("X8b", "mean_error_squared"): mixed.weighted,
    ("X9", "mean_error_squared"): mixed.together,
    ("X9", "variance"): conserved(mixed.together),
    ("X10", "mean_error"): mixed.offset,
    ("A1", "variance"): grown.accumulated,
    ("A1", "mean_error_squared"): conserved(grown.accumulated),
    ("A3", "variance"): grown.accumulated_unbiased,
    ("A3", "mean_error_squared"): grown.accumulated_unbiased_error,
    ("A4", "variance"): grown.accumulated,
    ("A5", "variance"): grown.subsampled,
    ("A5", "mean_error_squared"): conserved(grown.subsampled),
    ("E1", "mean_error_squared"): second(grown.symmetric_peers, 0),
    ("E1", "variance"): second(grown.symmetric_peers, 1),
    ("W1", "mean_error_squared"): grown.web,
    ("W1", "variance"): conserved(grown.web),
    ("W2", "variance"): grown.contaminated,
    ("W2", "mean_error_squared"): conserved(grown.contaminated),
    ("H3", "mean_error_squared"): grown.healed,
    ("H3", "variance"): conserved(grown.healed),
    ("H2", "mean_error_squared"): grown.healed_by_one_set,
    ("H2", "variance"): conserved(grown.healed_by_one_set),
    ("H0", "mean_error_squared"): grown.healed,
    ("H0", "variance"): conserved(grown.healed),
}
"""Exact statements at every generation, by entry and observable."""

PLAIN_ONLY = {"X7", "X3"}
"""Stated for maximum likelihood and lambda = 1; further cases test the recursion."""

PLACE = {"mean_error": 0, "mean_error_squared": 1, "variance": 2}


def stated_cases():
    for claim in CLAIMS:
        key = claim.id.removeprefix("gaussian."), claim.observable
        if key not in STATED or claim.check != "moments":
            continue
        for case in claim.cases:
            plain = case.loop.estimator == MaximumLikelihood() and case.loop.sampler == Sampler()
            if case.loop.sampler.truncate is None and (plain or key[0] not in PLAIN_ONLY):
                yield pytest.param(key, case, id=f"{key[0]}-{key[1]}-{case.loop.data.policy}")


@pytest.mark.parametrize(("key", "case"), list(stated_cases()))
def test_a_statement_is_what_the_recipe_gives(key, case):
    loop = settled(case.loop, max(case.generations))
    state = provenance(loop, rational)
    first = loop.data.generations if loop.data.policy == "heal" else 1
    for t in range(1, max(case.generations) + 1):
        fit = state.advance()[0]
        if t >= first:
            assert STATED[key](loop, t) == fit[PLACE[key[1]]]


def test_healing_keeps_the_total_on_its_way_to_the_source():
    """H1, of which the claims know the sum of both moments only; a weight that is off by a tenth is seen."""
    loop, weight = loops.HEALED_FROM_AFAR, Fraction(3, 10)
    state = provenance(loop, rational)
    for j in range(1, 6):
        _, square, variance = state.advance()[0][:3]
        assert square + variance == grown.healed_total(loop, weight, j)
        assert square + variance != grown.healed_total(loop, weight * Fraction(11, 10), j)


def test_every_stated_entry_is_a_claim():
    claimed = {(claim.id.removeprefix("gaussian."), claim.observable) for claim in CLAIMS}
    assert claimed >= STATED.keys()


@pytest.mark.parametrize(
    ("loop", "formula"),
    [
        (loops.FRESH, mixed.stratified),
        (loops.FRESH_IID, mixed.iid),
        (loops.FRESH_UNBIASED, second(mixed.unbiased, 0)),
        (loops.FIXED, _fixed_error),
        (loops.WEIGHTED_FRESH, mixed.weighted),
        (loops.WEIGHTED_TOGETHER, mixed.together),
        (loops.MEMORY, lambda loop, t: mixed.at_rest(loop)),
        (loops.MEMORY_LONG, lambda loop, t: mixed.at_rest(loop)),
        (loops.PEERS_REAL, lambda loop, t: mixed.at_rest(loop)),
    ],
)
def test_a_stationary_statement_is_the_fixed_point(loop, formula):
    """P1 among them."""
    step = affine_step(recipe_of(loop), number=rational, **settings_of(loop))
    assert step.stationary()[0].mean_square == formula(loop, math.inf)
    assert step.growth() < 1


@pytest.mark.parametrize(("r", "s"), [(2, 8), (5, 20), (1, 3), (12, 4)])
@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
def test_the_threshold_is_an_eigenvalue_one(r, s, estimator):
    """X5, exactly: det(1 - A) = 0 at lambda*."""
    import sympy as sp

    loop = Loop(Gaussian(0.0, 1.0), Fresh(r, s), estimator)
    bias = mixed.threshold(loop)
    step = affine_step(recipe(Fresh(r, s)), number=rational, bias=bias, estimator=estimator)
    z = sp.Symbol("z")
    assert step.polynomial(z).subs(z, 1) == 0
    below = loop.with_(sampler=Sampler(bias=float(bias) * 0.999))
    above = loop.with_(sampler=Sampler(bias=float(bias) * 1.001))
    assert "threshold" not in predict(below, 5, ["variance"]).attrs
    assert f"lambda <= {float(bias):.6g}" in predict(above, 5, ["variance"]).attrs["threshold"]


def test_a_loop_above_the_threshold_is_infinite_in_the_limit():
    found = predict(loops.FRESH_UNSTABLE, (3, math.inf))["variance"]
    assert found.attrs["status"] == "infinite"
    assert "lambda" in found.attrs["reason"]
    assert np.isfinite(found.values[0, 0])
    assert found.values[0, 1] == np.inf


@pytest.mark.parametrize("t", [1, 2, 6])
def test_a_heterogeneous_ecosystem(t):
    """E2, and numbers worked out beside it."""
    for loop in (loops.PEERS_MIXED, loops.PEERS_EVEN, loops.PEERS_REAL):
        stated = grown.ecosystem(loop, t)
        state = provenance(loop, rational)
        fits = [state.advance() for _ in range(t)][-1]
        assert [list(column) for column in zip(*fits, strict=True)] == list(stated)


def test_models_are_kept_apart_by_sampling_noise():
    """E1: the gap is the last generation's variance over n; and the two-term recursion of E s."""
    loop = loops.PEERS
    n, k = 16, 2
    found = predict(loop, range(1, 8))
    gap, spread = found["between_models"].values[0], found["variance"].values[0]
    assert gap[1:] == pytest.approx(spread[:-1] / n, rel=1e-13)
    assert gap == pytest.approx([float(grown.symmetric_peers(loop, t)[2]) for t in range(1, 8)], rel=1e-13)
    assert spread[2:] == pytest.approx((1 - 1 / n) * spread[1:-1] + (1 - 1 / k) / n * spread[:-2], rel=1e-13)


def test_healing_from_a_model_that_is_far_off():
    """H1, from a start; the total overshoots."""
    loop = loops.HEALED_FROM_AFAR
    u, n, s0 = Fraction(7, 10), 6, 1
    m, v = Fraction(5, 2), Fraction(1, 2)
    state = provenance(loop, rational)
    for j in range(1, 6):
        (fit,) = state.advance()
        floor = Fraction(3, 10) / Fraction(17, 10) * Fraction(s0, n)
        assert fit.mean_square == u ** (2 * j) * m**2 + floor * (1 - u ** (2 * j))
        assert fit.variance + fit.mean_square == s0 + u**j * (v + m**2 - s0)


def test_the_spread_under_weighted_averages():
    """X8: the variance of sigma^2 at every generation and at rest."""
    loop = loops.WEIGHTED_FRESH
    moments = central_moments(loop, "variance", (1, 2, 20))
    for t, value in zip((1, 2, 20), moments[1], strict=True):
        assert value == pytest.approx(float(mixed.weighted_spread(loop, t)), rel=1e-12)
    rest = predict(loop, math.inf, ["variance"])["variance"].values[1, 0]
    assert rest == pytest.approx(float(mixed.weighted_spread(loop, math.inf)), rel=1e-12)


@pytest.mark.parametrize(("width", "n"), [(2, 200), (4, 300)])
def test_a_window_collapses_slower_by_its_square(width, n):
    """A7: the rate tends to 4 / ((W + 1)^2 n) with an error of relative order 1/n."""

    def error(n):
        growth = affine_step(recipe(Window(n, width)), bias=1.0)
        values = np.sort(np.abs(np.linalg.eigvals(np.array(growth.matrix))))
        rate = -np.log(max(x for x in values if x < 1 - 1e-9))
        return abs(rate * (width + 1) ** 2 * n / 4 - 1)

    assert round(2 * math.log(error(n) / error(4 * n)) / math.log(4)) == 2


@pytest.mark.parametrize(("real", "synthetic", "exponent"), [(1, 9, 0.2), (1, 3, 0.5), (3, 1, 1.0)])
def test_a_web_forgets_like_a_power_of_the_real_share(real, synthetic, exponent):
    """W1: p_t ~ t^{-min(1, 2 rho)}; the next power, |1 - 2 rho| lower, bounds what is left of the slope."""
    fits = second_moments(recipe(Web(5, real, synthetic)), 10_000)
    early, late = (fits[t - 1][0].mean_square for t in (1_000, 10_000))
    slope = -math.log10(late / early)
    rest = 1_000.0 ** -abs(1 - 2 * real / (real + synthetic))
    assert abs(slope - exponent) < rest


def test_a_web_at_the_transition_has_a_logarithm():
    """W1 at rho = 1/2: t p_t grows like log t, up to O(log t / t)."""
    fits = second_moments(recipe(Web(4, 3, 3)), 10_000)
    at = [t * fits[t - 1][0].mean_square for t in (100, 1_000, 10_000)]
    assert at[2] - at[1] == pytest.approx(at[1] - at[0], rel=math.log(100) / 100)
    assert at[2] > at[1] > at[0] > 0


@pytest.mark.parametrize("models", [1, 2, 10, 50])
def test_what_a_long_memory_is_worth(models):
    """X13: n_e/n_r -> (K + b)/(K (1 - b) + b), MAD's figure 30 with n_r = 10^3 and n_s = 10^4."""
    b = Fraction(10, 11)
    gain = mixed.gain(b, models)
    real, total = 1000, 11_000
    worth = (total + b * gain) / gain / real
    limit = (models + b) / (models * (1 - b) + b)
    assert float(worth) == pytest.approx(float(limit), rel=1 / real)
    if models in (1, 2):
        loop = Loop(Gaussian(0.0, 1.0), Memory(real, 10_000 // models, models))
        step = affine_step(recipe_of(loop), **settings_of(loop)).stationary()[0].mean_square
        assert step == pytest.approx(1 / (real * float(worth)), rel=1e-9)


def test_dimensions_do_not_mix():
    """X12."""
    found = predict(loops.FRESH_PLANE, (1, 4))
    line = predict(loops.FRESH_PLANE.with_(source=Gaussian(0.0, 1.0)), (1, 4))
    truth = np.array([[2.0, 0.5], [0.5, 1.0]])
    assert found["covariance"].values[0] == pytest.approx(line["variance"].values[0][:, None, None] * truth)
    assert found["mean_error_squared"].values[0] == pytest.approx(3 * line["mean_error_squared"].values[0])


def test_weights_optimal_in_time_come_to_the_stationary_optimum():
    resting = at_rest(settled(loops.WEIGHTED_IN_TIME, 7))
    assert resting.data.weight == pytest.approx((5**0.5 - 1) / 2)
    rest = predict(loops.WEIGHTED_IN_TIME, math.inf, ["mean_error_squared"])["mean_error_squared"].values[
        0, 0
    ]
    assert rest == pytest.approx(resting.data.weight / 5, rel=1e-12)


def test_a_bound_holds_over_schedules():
    """A4: n_1 E m^2 / s_0 <= 2 for every schedule; one point at a time comes near it."""
    from theory.policy import Accumulate

    rng = np.random.default_rng(0)
    for _ in range(30):
        sizes = [int(rng.integers(2, 40)), *(int(n) for n in rng.integers(1, 30, 20))]
        fits = second_moments(recipe(Accumulate(sizes)), len(sizes), number=rational)
        assert all(fit.mean_square * sizes[0] < 2 for (fit,) in fits)
    trickle = second_moments(recipe(Accumulate([1000] + [1] * 9_000)), 9_000)[-1][0].mean_square
    assert math.pi**2 / 6 < 1000 * trickle < 2


def test_experiments_say_what_they_expect():
    """C9 and W5 by enumeration of what happens to one point, and by the variance of a mean."""
    for claim in ECOSYSTEM:
        for case in claim.cases:
            if isinstance(case.loop, Experiment) and case.loop.name == "kept_label":
                p, phi, psi = (case.loop.get(key) for key in ("error", "keep_correct", "keep_wrong"))
                odds = p / (1 - p) * psi / phi
                assert claim.expected(case)[0] == pytest.approx(odds / (1 + odds))


def test_peers_far_from_symmetric_are_followed():
    loop = Loop(Gaussian(0.0, 1.0), Peers(counts=[[2, 0], [1, 3]], real=[1, 0]))
    assert np.isfinite(predict(loop, (1, 5))["mean_error_squared"].values).all()
