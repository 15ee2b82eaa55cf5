"""Selected loops: derived against stated, printed values, quadrature, limits, literal loops at finite n."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from literal_selection import SelectedLoop
from scipy import integrate, special, stats

from jaxsim.agreement import Sample, Theory, agree, alarm_threshold, replicates_needed
from jaxsim.tail import replicates_for_normal_tail
from theory.claims.selection import GAUSSIAN_SELECTION
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.observable import LINE
from theory.observable import SPACE as IN_SPACE
from theory.policy import Accumulate, Fixed, Fresh, Peers
from theory.provenance import rational
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step
from theory.selected.accumulate import accumulated_variance, exponent
from theory.selected.fit import plain_fit, selected_fit
from theory.selected.gaussian import (
    band_variance,
    constants,
    frozen_mean,
    linear_tilt_replace,
    population,
    population_step,
    preference_decay,
    quadratic_tilt_replace,
    score_replace,
    score_replace_limit,
    small_preference,
    verified,
    verified_mean,
    verified_variance,
)
from theory.selected.law import selected_moments, top
from theory.selected.mixture import (
    breakdown,
    corrected_share,
    detected_share,
    effective_mean_square,
    error_after,
    mixture_step,
    quadratic_tilt_stationary,
    score_growth,
    score_stationary,
    settle,
    tilt_stationary,
    tilt_threshold,
)
from theory.selected.recipe import corrected, detected
from theory.selected.replace import (
    expectations,
    score_mean,
    score_variance,
    tilted_mean,
    tilted_moments,
    tilted_precision,
    typical_mean_square,
)
from theory.selected.space import expectations as space_expectations
from theory.selected.statistics import statistic
from theory.selection import BestOf, BradleyTerry, Correction, Detector, Tilt, TopFraction, Verifier

ROUNDING = 1e-12
MLE, UNBIASED = MaximumLikelihood(), Unbiased()
UNIT = Gaussian(0.0, 1.0)
a, beta, s, s0, h, v = sp.symbols("a beta s s_0 h v", positive=True)
b = 1 - a


def upper(q, **parts):
    return TopFraction(q, "linear", applies_to_source=True, **parts)


# Population maps of the replace loop: C1, C3, C4, C5, C12, V1


def test_score_recursion_proved():
    """C1: the stated solution obeys m' = m + h sqrt(s), s' = v s, and its limit is the total gain."""
    t, m0 = sp.Symbol("t", positive=True), sp.Symbol("m_0")
    mean, variance = score_replace(h, v, m0, s, t)
    after, later = score_replace(h, v, m0, s, t + 1)
    assert sp.simplify(sp.expand_power_base(after - mean - h * sp.sqrt(variance), force=True)) == 0
    assert sp.simplify(later - v * variance) == 0
    assert mean.subs(t, 0) == m0
    gap = score_replace_limit(h, v, m0, s) - mean
    assert sp.simplify(gap - h * sp.sqrt(s) * v ** (t / 2) / (1 - sp.sqrt(v))) == 0


def test_tilts_proved():
    """C4, C5: completing the square in log p + beta r, and the iterated map."""
    x, c, m = sp.symbols("x c m", real=True)
    t = sp.Symbol("t", positive=True)
    log_p = -((x - m) ** 2) / (2 * s)
    for reward, mean, variance in [
        (beta * x, m + beta * s, s),
        (-beta * (x - c) ** 2 / 2, c + (m - c) / (1 + beta * s), 1 / (1 / s + beta)),
    ]:
        rest = sp.expand(log_p + reward + (x - mean) ** 2 / (2 * variance))
        assert sp.simplify(sp.diff(rest, x)) == 0
    mean, variance = quadratic_tilt_replace(beta, c, m, s, t)
    after, later = quadratic_tilt_replace(beta, c, m, s, t + 1)
    assert sp.simplify(1 / later - 1 / variance - beta) == 0
    assert sp.simplify((after - c) - (mean - c) * later / variance) == 0
    assert sp.simplify(linear_tilt_replace(beta, m, s, t + 1)[0] - linear_tilt_replace(beta, m, s, t)[0]) == (
        beta * s
    )


def test_tilt_maps_iterated():
    for rule, stated in [
        (Tilt("linear", 0.7), linear_tilt_replace(0.7, 0.5, 1.3, 6)),
        (Tilt("quadratic", 0.7, centre=-1.0), quadratic_tilt_replace(0.7, -1.0, 0.5, 1.3, 6)),
    ]:
        assert population(rule, 0.5, 1.3, 6)[-1] == pytest.approx(stated, rel=ROUNDING)


def test_printed_gains():
    assert score_replace_limit(*top(0.8), 0.0, 1.0) == pytest.approx(1.480016, abs=1e-6)
    assert population(upper(0.8), 0.0, 1.0, 200)[-1][0] == pytest.approx(1.480016, abs=1e-6)
    found = population(BestOf(3), 1.0, 4.0, 5)[-1]
    assert found == pytest.approx(score_replace(*constants(BestOf(3)), 1.0, 4.0, 5), rel=ROUNDING)
    down = population_step(BestOf(3, direction=-1.0), 0.0, 1.0)
    assert down[0] == pytest.approx(-population_step(BestOf(3), 0.0, 1.0)[0], rel=ROUNDING)


def test_preference_proved_to_second_order():
    """C12: K weights of the softmax expanded, in the invariants of the normal sample, for K = 2 to 5."""
    for K in range(2, 6):
        z = sp.symbols(f"z1:{K + 1}")
        mean = sum(z) / K
        square = (z[0] - mean) ** 2 - sum((x - mean) ** 2 for x in z) / K
        weight = sp.Poly(sp.expand(1 + beta * (z[0] - mean) + beta**2 * square / 2), *z)
        softmax = sp.series(K / sum(sp.exp(beta * (x - z[0])) for x in z), beta, 0, 3).removeO()
        assert sp.expand(softmax - weight.as_expr()) == 0
        first, second = (_normal_mean(weight * sp.Poly(z[0] ** k, *z)) for k in (1, 2))
        assert sp.simplify(first - beta * sp.Rational(K - 1, K)) == 0
        assert sp.simplify(second - 1 - beta**2 * sp.Rational((K - 1) * (K - 2), K**2)) == 0


def _normal_mean(polynomial):
    total = 0
    for powers, coefficient in polynomial.terms():
        if all(p % 2 == 0 for p in powers):
            total += coefficient * sp.prod([sp.factorial2(p - 1) if p else 1 for p in powers])
    return total


@pytest.mark.parametrize("K", [2, 3, 5])
def test_weak_preferences(K):
    """Errors of the shift fall as b^3, of the variance as b^4; then s_t follows K^2 / ((K - 1) beta^2 t)."""
    errors = []
    for strength in (0.2, 0.1, 0.05):
        found = population_step(BradleyTerry(K, strength), 0.0, 1.0)
        errors.append(np.abs(np.subtract(found, small_preference(K, strength, 1.0))))
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert ratios[-1] == pytest.approx([8, 16], rel=0.05)
    gaps = []
    for rounds in (100, 400):
        variance = population(BradleyTerry(K, 1.0), 0.0, 1.0, rounds)[-1][1]
        gaps.append(abs(rounds * variance / preference_decay(K, 1.0) - 1))
    assert gaps[1] < gaps[0] / 2


def test_verifier_with_a_known_variance():
    """V1: one round, and the linear rate v(r / sigma) towards the verifier's belief."""
    assert band_variance(1.2) == pytest.approx(0.394635, abs=1e-6)
    assert verified(0.3, 1.0, 0.0, 1.2)[0] == pytest.approx(0.117699, abs=1e-6)
    ends = [(0.4 - 1.2 - 0.3) / 2, (0.4 + 1.2 - 0.3) / 2]
    law = stats.truncnorm(*ends, loc=0.3, scale=2)
    assert verified(0.3, 4.0, 0.4, 1.2) == pytest.approx((law.mean(), law.var()), rel=1e-10)
    errors = [verified_mean(0.3, 1.0, 0.7, 1.2, g) - 0.7 for g in (10, 11)]
    assert errors[1] / errors[0] == pytest.approx(band_variance(1.2), rel=1e-6)


def test_verifier_with_a_refitted_variance():
    """At its centre s_t ~ r^2 / (2 log t): the ratio to its expansion tends to 1."""
    path = np.array(population(Verifier(0.0, 1.2), 0.0, 1.0, 4000))
    ratios = [path[t, 1] / verified_variance(1.2, t) - 1 for t in (40, 400, 4000)]
    assert 0 < ratios[2] < ratios[1] < ratios[0] < 0.1


def test_a_refitted_mean_stops_short():
    """Off the centre the mean freezes: what is predicted of its end no longer changes, and is not theta_c."""
    path = population(Verifier(0.5, 1.2), 2.0, 1.0, 4000)
    ends = [frozen_mean(*path[t], 0.5, 1.2) for t in (40, 400, 4000)]
    assert abs(ends[2] - ends[1]) < abs(ends[1] - ends[0]) / 4
    assert ends[2] - 0.5 > 0.2
    assert path[4000][0] - ends[2] < path[400][0] - ends[2] < path[40][0] - ends[2]


# Real data beside: C6, C7, C9, C10, C11, C14


def test_tilt_with_real_data_proved():
    """C6: the stated fixed point, where it exists, and the determinant that decides its stability."""
    m_new = lambda m, x: b * (m + beta * x)  # noqa: E731
    s_new = lambda m, x: a * s0 + b * x + a * b * (m + beta * x) ** 2  # noqa: E731
    m = sp.Symbol("m")
    at_rest = {m: b * beta * s / a}
    residual = sp.simplify((s_new(m, s) - s).subs(at_rest) * a)
    assert sp.expand(residual - (b * beta**2 * s**2 - a**2 * s + a**2 * s0)) == 0
    stated = a**2 * (1 - sp.sqrt(1 - 4 * b * beta**2 * s0 / a**2)) / (2 * b * beta**2)
    assert sp.simplify((b * beta**2 * s**2 - a**2 * s + a**2 * s0).subs(s, stated)) == 0
    for numbers in ({a: 0.5, beta: 0.3, s0: 1.0}, {a: 0.3, beta: 0.1, s0: 2.0}):
        ours = tilt_stationary(numbers[beta], numbers[a], numbers[s0])
        assert ours[1] == pytest.approx(float(stated.subs(numbers)), rel=1e-10)
    jacobian = sp.Matrix([m_new(m, s), s_new(m, s)]).jacobian([m, s]).subs(at_rest)
    assert sp.simplify(jacobian.det() - b**2) == 0
    assert sp.simplify(1 - jacobian.trace() + jacobian.det() - (a**2 - 2 * b * beta**2 * s)) == 0


def test_tilt_threshold():
    """It converges just below and runs away just above: a saddle-node."""
    threshold = tilt_threshold(0.5)
    assert threshold == pytest.approx(0.353553, abs=1e-6)
    m, s_star = tilt_stationary(0.3, 0.5, 1.0)
    assert (m, s_star) == pytest.approx((0.392375, 1.307916), abs=1e-6)
    assert settle(Tilt("linear", 0.3), 0.5, 1.0, 300)[-1] == pytest.approx((m, s_star), rel=1e-10)
    near = tilt_stationary(0.9999 * threshold, 0.5, 1.0)[1]
    assert near == pytest.approx(1.972, abs=5e-4)
    assert settle(Tilt("linear", 0.9999 * threshold), 0.5, 1.0, 3000)[-1, 1] == pytest.approx(near, rel=1e-6)
    state, rounds = (0.0, 1.0), 0
    while state[1] < 1e3:  # the ghost of the saddle-node holds it for pi / sqrt(1 - ...) rounds or so
        state, rounds = mixture_step(Tilt("linear", 1.002 * threshold), 0.5, *state, 1.0), rounds + 1
        assert rounds < 2000
    with pytest.raises(ArithmeticError):
        tilt_stationary(1.002 * threshold, 0.5, 1.0)


def test_quadratic_tilt_with_real_data():
    """C7."""
    root = quadratic_tilt_stationary(beta, a, s0)
    assert sp.simplify(beta * root**2 + root * (1 - a * beta * s0 - b) - a * s0) == 0
    value = quadratic_tilt_stationary(2.0, 0.3, 1.0)
    assert value == pytest.approx(0.469493, abs=1e-6)
    path = settle(Tilt("quadratic", 2.0, centre=0.0), 0.3, 1.0, 200)
    assert path[-1] == pytest.approx((0, value), abs=ROUNDING)


def test_scores_with_real_data_proved():
    """C14: the fixed point, and that it exists iff it attracts."""
    m, width = sp.Symbol("m"), sp.Symbol("sigma", positive=True)
    m_new = b * (m + h * width)
    s_new = a * s0 + b * v * width**2 + a * b * (m + h * width) ** 2
    stated = a * s0 / (1 - b * v - b * h**2 / a)
    at_rest = {m: b * h * width / a}
    assert sp.simplify((m_new - m).subs(at_rest)) == 0
    balance = sp.expand((s_new - width**2).subs(at_rest))
    assert sp.simplify(balance.subs(width**2, stated)) == 0
    jacobian = sp.Matrix([m_new, sp.sqrt(s_new)]).jacobian([m, width]).subs(at_rest)
    jacobian = jacobian.subs(s0, sp.solve(balance, s0)[0]).applyfunc(sp.simplify)
    expected = sp.Matrix([[b, b * h], [b * h, b * v + b * h**2]])
    assert (jacobian - expected).applyfunc(sp.simplify) == sp.zeros(2, 2)
    exists = a * (1 - b * v - b * h**2 / a)
    assert sp.expand(1 - expected.trace() + expected.det() - exists) == 0


def test_printed_mixtures():
    assert score_stationary(*top(0.9), 0.5, 1.0)[1] == pytest.approx(0.825167, abs=1e-6)
    assert score_stationary(*top(0.5), 0.5, 1.0) == pytest.approx((1.323608, 2.751938), abs=1e-6)
    assert settle(TopFraction(0.5, "linear"), 0.5, 1.0, 2000)[-1] == pytest.approx(
        score_stationary(*top(0.5), 0.5, 1.0), rel=1e-9
    )
    assert score_growth(*top(0.2), 0.3) == pytest.approx(4.73, abs=5e-3)
    with pytest.raises(ArithmeticError):
        score_stationary(*top(0.2), 0.3, 1.0)
    assert settle(TopFraction(0.2, "linear"), 0.3, 1.0, 60)[-1, 1] > 1e6


def test_labels():
    """C9, C10, C11."""
    assert error_after(0.35, 0.9, 0.25) == pytest.approx(0.130112, abs=1e-6)
    p, phi, psi = sp.symbols("p phi psi", positive=True)
    after = error_after(p, phi, psi)
    assert sp.simplify(after / (1 - after) - psi / phi * p / (1 - p)) == 0
    assert sp.simplify(error_after(breakdown(phi, psi), phi, psi) - sp.Rational(1, 2)) == 0
    assert detected_share(0.2, 0.9, 0.3) == pytest.approx(0.428571, abs=1e-6)
    assert effective_mean_square(1 - 3 / 7, 8, 1.0) == pytest.approx(0.175, rel=ROUNDING)
    made = detected(recipe(Fresh(2, 8, "iid")), Detector(0.9, 0.3))
    (fit,) = affine_step(made, number=rational).stationary()
    assert fit.mean_square == effective_mean_square(Fraction(4, 7), 10, Fraction(1))
    made = corrected(recipe(Fresh(2, 8, "iid")), Correction(1.0))
    (fit,) = affine_step(made, number=rational).stationary()
    share = corrected_share(Fraction(4, 5), 1)
    assert fit.mean_square == effective_mean_square(share, 10, Fraction(1))


def test_correction_contracts_at_infinity():
    """C11 by the moments of the mixture itself: m and s - s_0 + m^2 shrink by b' a generation."""
    gamma, m, x = sp.symbols("gamma m x", positive=True)
    share = corrected_share(b, gamma)
    raw = share * (x + m**2) + (1 - share) * s0
    assert sp.simplify(raw - s0 - share * (x + m**2 - s0)) == 0


# Finite n: constants of one fit


@pytest.mark.parametrize("q", [0.3, 0.8])
def test_two_points(q):
    """n = 2: SS = (x - y)^2 / 2, so E sqrt(SS) and E log SS are double integrals."""
    cut = stats.norm.ppf(1 - q)
    fit = selected_fit(TopFraction(q, "linear"), 2, 1)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    total = 0.0
    for lower in range(12):  # z = cut + x, gap g > 0 between the two, panels of x
        x = lower / 1.5 + (1 + nodes) / 3
        g = [k / 1.5 + (1 + nodes) / 3 for k in range(12)]
        for gaps in g:
            joint = (
                2
                * np.outer(weights / 3 * stats.norm.pdf(cut + x), weights / 3)
                * stats.norm.pdf(cut + x[:, None] + gaps)
            )
            total += (joint * gaps / math.sqrt(2)).sum() / q**2
    assert fit.root == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("n", [2, 3, 400])
def test_nothing_selected_is_a_chi_square(n):
    """To the rounding of the logarithm of M, n times over."""
    for rule in (TopFraction(1.0, "linear"), BestOf(1), BestOf(1, "typicality")):
        found = np.array(selected_fit(rule, n, n - 1))
        assert np.abs(found - plain_fit(n, n - 1)).max() < 1e-11 + 1e-13 * n


def test_a_pool_that_keeps_all_is_a_chi_square():
    rule = TopFraction(1.0, "linear", threshold="pool")
    assert selected_fit(rule, 5, 5) == plain_fit(5, 5)


def test_a_pool_keeps_the_largest_order_statistics():
    """E e of the best 3 of 5 is the mean of the three largest expected order statistics."""
    fit = selected_fit(TopFraction(0.6, "linear", threshold="pool"), 3, 3)
    assert fit.shift == pytest.approx(sum(order_mean(5, k) for k in (3, 4, 5)) / 3, rel=1e-10)


def order_mean(m, k):
    """E z_(k:m), by quadrature of its density."""

    def integrand(z):
        ways = m * special.comb(m - 1, k - 1)
        return z * ways * stats.norm.cdf(z) ** (k - 1) * stats.norm.sf(z) ** (m - k) * stats.norm.pdf(z)

    return integrate.quad(integrand, -9, 9, epsabs=1e-13)[0]


def test_large_samples_reach_the_population():
    """E sqrt(f), E log f and E m of the loop tend to n = inf with error 1/n."""
    rule = upper(0.5)
    limit = score_replace(*top(0.5), 0.0, 1.0, 4)
    errors = []
    for n in (200, 400, 800):
        state = expectations(rule, Loop(UNIT, Replace(n)), 4)[4]
        errors.append(
            [state.mean - limit[0], state.variance - limit[1], state.log_variance - math.log(limit[1])]
        )
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert ratios == pytest.approx(np.full((2, 3), 2.0), rel=0.02)


# Finite n: loops


def test_c2_stated_is_derived():
    rule, loop = upper(0.6), Loop(UNIT, Replace(8))
    state = expectations(rule, loop, 4)[4]
    h_, v_ = top(0.6)
    assert state.variance == pytest.approx(0.018635, abs=1e-6)
    assert state.variance == pytest.approx(score_variance(v_, 8, 8, 1.0, 4), rel=ROUNDING)
    g = selected_fit(rule, 8, 8).root
    assert state.mean == pytest.approx(score_mean(h_, g, 0.0, 1.0, 4), rel=ROUNDING)
    # 1.363974 has a simulated g; the exact one is within that error of it.
    assert state.mean == pytest.approx(1.363974, abs=1e-4)


def test_typical_points_are_a_bias():
    for rule in (TopFraction(0.6, "typicality", applies_to_source=True), BestOf(3, "typicality")):
        loop = Loop(UNIT, Replace(7), start=UNIT)
        v_ = constants(rule)[1]
        for g in (1, 4):
            stated = typical_mean_square(v_, 7, 7, 1.0, g)
            assert expectations(rule, loop, g)[g].mean_square == pytest.approx(stated, rel=1e-10)
        bare = Loop(UNIT, Fixed(3, 4), sampler=Sampler())
        found = statistic(rule, bare, "variance", [5])
        assert found.status == "exact"


def test_c8_stated_is_derived():
    rule = Tilt("linear", 0.7, applies_to_source=True)
    moments = tilted_moments(rule, Loop(UNIT, Replace(6)), 5)[5]
    assert moments[1, 0] == pytest.approx(2.512114, abs=1e-6)
    assert moments[0, 1] == pytest.approx(0.401878, abs=1e-6)
    assert moments[1, 0] == pytest.approx(tilted_mean(0.7, 6, 6, 0.0, 1.0, 5), rel=ROUNDING)
    unbiased = tilted_moments(rule, Loop(UNIT, Replace(6), UNBIASED), 5)[5]
    assert unbiased[1, 0] == pytest.approx(tilted_mean(0.7, 6, 5, 0.0, 1.0, 5), rel=ROUNDING)
    assert tilted_mean(0.7, 6, 5, 0.0, 1.0, 5) == pytest.approx(3.5)
    plain = statistic(Tilt("linear", 0.0), Loop(UNIT, Replace(6)), "mean_error_fourth", [4]).mean
    assert plain == pytest.approx(3 * (11 - 13 * (35 / 36) ** 4 + 2 * (5 / 6) ** 4), rel=ROUNDING)  # R7


def test_quadratic_tilt_precision():
    """E[1/s_t] of the perpetuity 1/s' = (c/chi2)(1/s + beta), by its recursion."""
    value, ratio = 1 / 1.3, 9 / 6
    for _ in range(4):
        value = ratio * (value + 0.4)
    assert tilted_precision(0.4, 9, 9, 1.3, 4) == pytest.approx(value, rel=ROUNDING)


def test_accumulated_reaches_its_power():
    for rule in (TopFraction(0.2, "linear"), BestOf(2), TopFraction(0.8, "linear")):
        path = accumulated_variance(rule, Loop(UNIT, Accumulate(10**6)), 3200)
        slope = math.log(path[3200] / path[1600]) / math.log(2)
        before = math.log(path[1600] / path[800]) / math.log(2)
        assert abs(slope - exponent(rule)) < 0.6 * abs(before - exponent(rule)) + 1e-6
        assert slope == pytest.approx(exponent(rule), abs=2e-3)
    assert exponent(TopFraction(0.5, "linear")) == pytest.approx(0, abs=ROUNDING)
    assert exponent(BestOf(2)) == pytest.approx(0, abs=ROUNDING)
    plain = accumulated_variance(TopFraction(1.0, "linear"), Loop(UNIT, Accumulate(4)), 6)[6]
    assert plain == pytest.approx(math.prod(1 - 1 / (4 * k * k) for k in range(1, 7)), rel=1e-11)  # A1


def planned(comparisons, resolution):
    """Replicates for these rates, and for tails up to skewness 4 and excess 30, with unknown spread.

    A squared mean error has 2.8 and 12 if it is normal; mixed over variances, more.
    """
    threshold = alarm_threshold(comparisons)
    tail = replicates_for_normal_tail(4.0, 30.0, threshold, studentised=True)
    return int(max(replicates_needed(resolution, 1.0, comparisons), tail))


LOOPS = [
    (upper(0.6), Replace(8), MLE, 3),
    (TopFraction(0.3, "linear", direction=-1.0), Replace(10), UNBIASED, 3),
    (TopFraction(0.5, "linear", threshold="pool"), Replace(6), MLE, 3),
    (TopFraction(0.7, "typicality", threshold="pool"), Replace(7), MLE, 3),
    (BestOf(3), Replace(5), MLE, 3),
    (BestOf(4, "typicality"), Replace(9), MLE, 3),
    (Tilt("linear", 0.4), Replace(20), MLE, 2),
    (TopFraction(0.3, "linear"), Accumulate(6), MLE, 4),
    (TopFraction(0.6, "typicality"), Fresh(3, 6), MLE, 4),
    (TopFraction(0.6, "typicality", threshold="pool"), Fixed(4, 6), MLE, 4),
    (Detector(0.9, 0.3), Fresh(2, 6, "iid"), MLE, 3),
    (Correction(0.5), Replace(12), MLE, 4),
    (Correction(1.0), Fixed(6, 12), UNBIASED, 3),
    (TopFraction(0.5, "typicality"), Peers(2, 4, 2), MLE, 3),
]
MEASURED = {
    "mean_error": lambda m, x: m,
    "mean_error_squared": lambda m, x: m**2,
    "variance": lambda m, x: x,
    "std": lambda m, x: np.sqrt(x),
    "log_variance": lambda m, x: np.log(x),
    "w2_squared": lambda m, x: m**2 + (np.sqrt(x) - 1) ** 2,
    "kl_to_source": lambda m, x: (m**2 + x - 1 - np.log(x)) / 2,
}


@pytest.mark.parametrize(
    ("rule", "data", "estimator", "last"), LOOPS, ids=lambda x: getattr(x, "rule", getattr(x, "policy", ""))
)
def test_literal_loops(rule, data, estimator, last):
    """Every observable with an exact form, in one family; an eighth of a spread would be seen."""
    loop = Loop(UNIT, data, estimator)
    predicted = {name: statistic(rule, loop, name, [last]) for name in MEASURED}
    known = {name: x for name, x in predicted.items() if x.status in ("exact", "recursion")}
    assert known
    resolution = 1 / 8
    count = planned(len(known), resolution)
    divisor = "n" if estimator == MLE else "n - 1"
    literal = SelectedLoop(rule, recipe(data), count, np.random.default_rng(21), divisor=divisor)
    mean, variance = literal.run(last)[:, -1, 0]
    for name, found in known.items():
        sample = Sample.of(MEASURED[name](mean, variance))
        theory = Theory(found.mean[0], found.variance[0])
        spread = math.sqrt(sample.variance)
        assert agree(sample, theory, comparisons=len(known)).mean.holds, name
        wrong = theory._replace(mean=theory.mean + resolution * spread)
        assert agree(sample, wrong, comparisons=len(known)).mean.disagrees, name


def test_linear_score_in_space():
    """E mu and E Sigma of a literal loop in two dimensions; the direction is none of the axes."""
    source = Gaussian((0.0, 1.0), ((2.0, 0.5), (0.5, 1.0)))
    rule = TopFraction(0.5, "linear", direction=(1.0, -1.0), threshold="pool")
    n, last = 10, 3
    expected = space_expectations(rule, Loop(source, Replace(n), UNBIASED), last)
    count = planned(10, 1 / 8)
    rng = np.random.default_rng(22)
    mean, matrix = np.tile([0.0, 1.0], (count, 1)), np.tile(np.array(source.variance), (count, 1, 1))
    for g in range(1, last + 1):
        drawn = n if g == 1 else 2 * n
        z = rng.standard_normal((count, drawn, 2))
        x = mean[:, None] + np.einsum("rij,rnj->rni", np.linalg.cholesky(matrix), z)
        best = np.argsort(x[..., 1] - x[..., 0], axis=1)[:, :n, None]
        x = np.take_along_axis(x, best, 1)
        mean = x.mean(1)
        gap = x - mean[:, None]
        matrix = np.einsum("rni,rnj->rij", gap, gap) / (n - 1)
    error = mean - [0.0, 1.0]
    values = np.column_stack([error, matrix[:, [0, 0, 1], [0, 1, 1]]])
    stated = np.r_[expected.mean_error, expected.covariance[[0, 0, 1], [0, 1, 1]]]
    sample = Sample.of(values)
    assert agree(sample, Theory(stated)).mean.holds
    assert agree(sample, Theory(stated + np.sqrt(sample.variance) / 8)).mean.disagrees
    unrotated = expected.covariance[1, 1] * np.array(source.variance)  # forgets that only u is selected
    assert agree(sample, Theory(np.r_[expected.mean_error, unrotated[[0, 0, 1], [0, 1, 1]]])).mean.disagrees


# What is known, and what is not


def test_everything_else_is_refused_with_a_sentence():
    rules = [
        upper(0.5), TopFraction(0.5, "typicality"), BestOf(3), BradleyTerry(2, 1.0), Tilt("linear", 0.1),
        Tilt("quadratic", 0.1, centre=0.0), Detector(0.9, 0.2), Verifier(0.0, 1.0), Correction(0.2),
    ]  # fmt: skip
    for rule in rules:
        for data in (Replace(5), Fresh(3, 4), Accumulate(4)):
            for name in LINE:
                found = statistic(rule, Loop(UNIT, data), name, [2])
                assert found.mean.shape == (1,)
                if found.status == "none":
                    assert found.reason
                    assert np.isnan(found.mean).all()
                else:
                    assert np.isfinite(found.mean).all()
                    assert found.claim
    plane = Gaussian((0.0, 0.0), 1.0)
    for name in IN_SPACE:
        assert statistic(BradleyTerry(2, 1.0, direction=(1, 0)), Loop(plane, Replace(5)), name, [2]).reason
    with pytest.raises(LoopError):
        statistic(upper(0.5), Loop(UNIT, Replace(5), sampler=Sampler(bias=0.5)), "variance", [2])
    with pytest.raises(LoopError):
        statistic(upper(0.5), Loop(plane, Replace(5)), "trace", [2])


def test_conventions_of_generation_one():
    """The source's points are selected only if it is said, or where the loop starts elsewhere."""
    loop = Loop(UNIT, Replace(5), UNBIASED)
    v_ = top(0.5)[1]
    assert statistic(TopFraction(0.5, "linear"), loop, "variance", [1, 2]).mean == pytest.approx([1, v_])
    assert statistic(upper(0.5), loop, "variance", [1, 2]).mean == pytest.approx([v_, v_**2])
    moved = Loop(UNIT, Replace(5), UNBIASED, start=Gaussian(1.0, 2.0))
    assert statistic(TopFraction(0.5, "linear"), moved, "variance", [1]).mean == pytest.approx([2 * v_])


@pytest.mark.parametrize("claim", GAUSSIAN_SELECTION, ids=lambda claim: f"{claim.id}-{claim.observable}")
def test_claims_are_about_what_is_known(claim):
    assert claim.cases
    for case in claim.cases:
        rule, loop = case.loop.selection, case.loop.with_(selection=None)
        found = statistic(rule, loop, claim.observable, case.generations)
        assert np.isfinite(found.mean).all()
        if claim.check == "limit":
            assert claim.status == "asymptotic"
        else:
            assert found.status in ("exact", "recursion")


def test_claims_are_one_for_each_entry_and_observable():
    names = [(claim.id, claim.observable) for claim in GAUSSIAN_SELECTION]
    assert len(set(names)) == len(names)


def test_mixture_step_conserves_without_selection():
    """A rule that keeps all leaves s + m^2 - s_0 to contract by b."""
    m, x = mixture_step(BestOf(1), 0.3, 0.4, 0.5, 1.0)
    assert m == pytest.approx(0.7 * 0.4, rel=ROUNDING)
    assert x + m**2 - 1 == pytest.approx(0.7 * (0.5 + 0.16 - 1), rel=ROUNDING)
    assert selected_moments(BestOf(1)).variance == pytest.approx(1, rel=ROUNDING)
