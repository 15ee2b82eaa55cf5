"""Loops around a sampler, the rotation leak, errors of the score, forecasts: derived a second time."""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate
from scipy.special import polygamma, psi, roots_genlaguerre
from scipy.stats import chi2, norm

from theory.diffusion import early_stop as early
from theory.diffusion import score_error as error
from theory.diffusion.affine import Normal
from theory.diffusion.forecast import (
    Estimate,
    constant_forecast,
    expected_discrepancy,
    inverse_effective_size,
    log_bias,
    log_drift,
    log_noise,
    mean_discrepancy,
    network_bias,
    shaped_forecast,
    useful_horizon,
)
from theory.diffusion.leak import derivatives, leak, one_generation, own_axis
from theory.diffusion.loop import (
    curvature,
    exponent,
    half_life,
    laws,
    log_spread,
    mean_error_squared,
    skeleton,
)
from theory.diffusion.sampler_map import ddim
from theory.diffusion.schedule import cosine, linear

QUADRATURE = 1e-9
"""The probability that a grid may lose (`theory.diffusion.loop.MASS_ERROR`)."""


def to(s):
    return ddim(cosine(10), s)


def averages(n, nodes=60):
    """Nodes and weights of chi2_{n-1} / n."""
    x, weights = roots_genlaguerre(nodes, (n - 1) / 2 - 1)
    return 2 * x / n, weights / weights.sum()


@pytest.mark.parametrize("n", [12, 20, 200])
@pytest.mark.parametrize("s", [0.3, 2.0])
def test_three_generations_are_nested_integrals(n, s):
    """Gauss-Laguerre in every chi-square by itself, instead of a grid in the logarithm."""
    factor, weights = averages(n)
    first = s * factor
    second = to(first)[:, None] * factor
    third = to(second)[..., None] * factor
    found = laws(to, s, n, 3)
    for law, values, shape in ((found[0], first, 1), (found[1], second, 2), (found[2], third, 3)):
        weight = np.array(1.0)
        for _ in range(shape):
            weight = weight[..., None] * weights
        for power in (1, 2):
            expected = (weight * values**power).sum()
            assert law.weights @ np.exp(power * law.nodes) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("n", [3, 10, 500])
def test_a_constant_bias_gives_products_of_chi_squares(n):
    bias, s, generations = 0.9, 2.0, 6
    found = laws(lambda v: bias * v, s, n, generations)
    for g, law in enumerate(found, 1):
        variance = s * bias ** (g - 1) * ((n - 1) / n) ** g
        assert law.variance[0] == pytest.approx(variance, rel=QUADRATURE * 10)
        logs = law.log_variance
        assert logs[0] == pytest.approx(
            np.log(s) + (g - 1) * np.log(bias) + g * (psi((n - 1) / 2) - np.log(n / 2)), rel=QUADRATURE * 10
        )
        assert logs[1] == pytest.approx(g * polygamma(1, (n - 1) / 2), rel=QUADRATURE * 10)
        assert logs[2] == pytest.approx(g * polygamma(2, (n - 1) / 2), rel=QUADRATURE * 100)
        fourth = g * polygamma(3, (n - 1) / 2) + 3 * logs[1] ** 2
        assert logs[3] == pytest.approx(fourth, rel=QUADRATURE * 100)


def test_squared_means_add_up_what_was_drawn():
    """E m^2 grows by E g(S) / n, the variance of a mean of n samples."""
    n, s = 20, 1.0
    found = laws(to, s, n, 4)
    drawn = [s, *(law.weights @ to(np.exp(law.nodes)) for law in found[:-1])]
    np.testing.assert_allclose(mean_error_squared(found, n), np.cumsum(drawn) / n, rtol=1e-8)


def test_a_law_beyond_the_grid_is_refused():
    with pytest.raises(ArithmeticError, match="more scales"):
        laws(lambda s: s**3, 1.0, 2, 6)


def test_slopes_of_the_map():
    s = np.array([0.05, 1.0, 3.0])
    x = sp.symbols("x")
    log_map = sp.Integer(0)
    for t in range(3):
        turn = [sp.atan(sp.tan(sp.pi * k / 6) / sp.exp(x / 2)) if k < 3 else sp.pi / 2 for k in (t + 1, t)]
        log_map += 2 * sp.log(sp.cos(turn[0] - turn[1]))
    for order, found in ((1, exponent), (2, curvature)):
        exact = sp.lambdify(x, sp.diff(x + log_map, x, order))(np.log(s))
        # of sixth order with h = 0.01 over functions whose sixth derivatives are of order one
        np.testing.assert_allclose(found(lambda v: ddim(cosine(3), v), s), exact, atol=1e-10)


def test_the_spread_of_the_logarithm_to_first_order():
    """Its relative error falls with n."""
    errors = []
    for n in (200, 800):
        law = laws(to, 0.3, n, 4)[-1]
        path = skeleton(to, 0.3 * (1 - 1 / n), n, 4)
        errors.append(log_spread(to, path, n, 2 / (n - 1))[-1] / law.log_variance[1] - 1)
    assert np.round(np.log(errors[0] / errors[1]) / np.log(4)) == 1
    slope = np.log(skeleton(lambda s: ddim(cosine(400), s), 1.0, 2000, 2)[1])
    assert half_life(400, 2000, 1.0) == pytest.approx(-np.log(2) / slope, rel=1e-3)


@pytest.mark.parametrize("variances", [(4.0, 1.0, 0.2), (1.0, 1.0, 2.0)])
def test_the_leak_of_wishart_moments(variances):
    """E S^2 and E S^-1 of Wishart matrices are known; the expansion differs by order n^-2."""
    s, d = np.array(variances), 3
    errors = {"square": [], "inverse": []}
    for n in (100, 200):
        nu = n - 1
        square = (nu * (nu + 1) * s**2 + nu * s * s.sum()) / n**2
        errors["square"].append(one_generation(lambda v: v**2, s, n) - square)
        errors["inverse"].append(one_generation(lambda v: 1 / v, s, n) - n / (nu - d - 1) / s)
    for first, second in errors.values():
        np.testing.assert_array_equal(np.round(2 * np.log2(first / second)), 4)


def test_the_leak_on_one_axis_is_the_integral():
    """Without other axes, and to order n^-2."""

    def map_(s):
        return ddim(linear(20), s)

    for s in (0.02, 0.2, 4.0):
        errors = []
        for n in (100, 200):
            law = laws(map_, s, n, 1)[0]
            errors.append(own_axis(map_, [s], n)[0] - law.weights @ map_(np.exp(law.nodes)))
            assert leak(map_, [s], n) == 0
        assert np.round(2 * np.log2(errors[0] / errors[1])) == 4


def test_derivatives_of_a_sampler():
    first, second = derivatives(np.exp, np.array([0.5, 2.0]))
    np.testing.assert_allclose(first, np.exp([0.5, 2.0]), rtol=1e-12)
    np.testing.assert_allclose(second, np.exp([0.5, 2.0]), rtol=1e-10)


def test_errors_of_the_score_solve_their_moment_equations():
    e, d, span, t = sp.symbols("e d B t", positive=True)
    mean, variance = sp.Function("m"), sp.Function("v")
    shift = sp.dsolve(mean(t).diff(t) + mean(t) / 2 - e, mean(t), ics={mean(0): 0}).rhs
    spread = sp.dsolve(variance(t).diff(t) + (1 + 2 * d) * variance(t) - 1, ics={variance(0): 1}).rhs
    at = {e: sp.Rational(1, 10), d: sp.Rational(1, 20)}
    for length in (0.5, 10.0):
        law = error.constant_error(0.1, length)
        assert law.mean == pytest.approx(float(shift.subs(at).subs(t, length)), rel=1e-13)
        assert error.relative_error(0.05, length).variance == pytest.approx(
            float(spread.subs(at).subs(t, length)), rel=1e-13
        )
    assert span.is_positive
    assert error.relative_error(-0.5, 3.0).variance == pytest.approx(4.0)


@pytest.mark.parametrize("law", [Normal(0.2, 1.0), Normal(0.0, 0.9), Normal(-0.3, 1.4)])
def test_divergence_is_its_integral(law):
    def integrand(x):
        log_ratio = norm.logpdf(x) - norm.logpdf(x, law.mean, np.sqrt(law.variance))
        return norm.pdf(x) * log_ratio

    assert error.divergence(law) == pytest.approx(integrate.quad(integrand, -12, 12)[0], rel=1e-8)


def test_girsanov_bounds_both_errors():
    for span in (0.1, 1.0, 10.0, 100.0):
        for size in (-0.4, -0.05, 0.05, 0.5):
            constant, relative = error.constant_error(size, span), error.relative_error(size, span)
            assert error.divergence(constant) <= error.girsanov_constant(size, span)
            assert error.divergence(relative) <= error.girsanov_relative(size, span)


def test_accumulated_total_variation_is_the_recursion():
    for real in (0.0, 0.2, 1.0):
        bound, seen = 0.0, []
        for _ in range(5):
            bound = 0.01 + (1 - real) * bound
            seen.append(bound)
        np.testing.assert_allclose(
            error.accumulated_total_variation(0.01, real, range(1, 6)), seen, rtol=1e-12
        )


@pytest.mark.parametrize("generation", [1, 2, 5, 40])
def test_hermite_modes_of_the_mixture_itself(generation):
    """The training law is a mixture of normals, noised 0, 1, ... times."""
    law, keep, real = Normal(-0.45, 0.3), 0.9, 0.25
    x, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    shares = [real * (1 - real) ** j for j in range(generation - 1)] + [(1 - real) ** (generation - 1)]
    for order in range(5):
        total = 0.0
        for j, share in enumerate(shares):
            spread = keep ** (2 * j) * law.variance + 1 - keep ** (2 * j)
            points = keep**j * law.mean + np.sqrt(spread) * x
            total += share * weights @ np.polynomial.hermite_e.hermeval(points, [0] * order + [1])
        found = early.hermite_mode(law, order) * early.kept(order, keep, real, generation)
        assert found == pytest.approx(total, rel=1e-11, abs=1e-13)
        limit = early.kept(order, keep, real, np.inf)
        assert limit == pytest.approx(real / (1 - (1 - real) * keep**order))
        assert early.generated(order, keep, real, 3) == keep**order * early.kept(order, keep, real, 3)


def simulated(n, s1, generations, runs):
    """The chain of S from a known S_1, drawn with NumPy."""
    generator = np.random.default_rng(5)
    s, path = np.full(runs, s1), [np.full(runs, s1)]
    for _ in range(generations - 1):
        s = to(s) * generator.chisquare(n - 1, runs) / n
        path.append(s)
    return np.array(path)


def test_intervals_of_the_shaped_forecast_hold_what_they_say_and_the_constant_ones_do_not():
    n, s1, runs, level = 200, 0.1, 20000, 0.9
    paths = simulated(n, s1, 6, runs)
    certain = Estimate(np.log(to(s1) / s1), np.zeros(()))
    held = {}
    for name, forecast in (
        ("shaped", shaped_forecast(to, s1, certain, n, 6)),
        ("constant", constant_forecast(s1, certain, n, 6)),
    ):
        low, high = forecast.interval(level)
        held[name] = ((paths >= low[:, None]) & (paths <= high[:, None])).mean(1)
    # ln S is normal to order n^(-1/2) only: an allowance of that order beyond the noise of the frequency
    allowed = 1 / np.sqrt(n) + 5 * np.sqrt(level * (1 - level) / runs)
    assert (np.abs(held["shaped"][1:] - level) < allowed).all()
    assert (held["constant"][3:] < level - allowed).all()
    assert held["constant"][-1] < held["constant"][-2] < held["constant"][-3]


def test_the_shaped_forecast_is_the_law_to_first_order():
    errors = []
    for n in (100, 400):
        certain = Estimate(np.log(to(0.3) / 0.3), np.zeros(()))
        found = shaped_forecast(to, 0.3, certain, n, 4)
        law = laws(to, float(to(np.array(0.3))), n, 3)[-1]
        mean, variance = law.log_variance[:2]
        gaps = np.log(found.median[-1]) - mean, found.log_error[-1] ** 2 - variance
        errors.append([*gaps, found.mean[-1] / law.variance[0] - 1])
    powers = np.round(np.log(np.abs(np.array(errors[0]) / errors[1])) / np.log(4))
    assert powers.tolist() == [2, 2, 2]


def test_a_forecast_feels_the_error_of_the_bias():
    """By a finite difference: the path of a bias that is one error larger."""
    n, step, start = np.inf, 1e-5, np.array([0.3, 2.0])
    value = np.log(to(start) / start)
    moved = [shaped_forecast(to, start, Estimate(value + by, 0 * value), n, 5).median for by in (step, -step)]
    slope = np.log(moved[0] / moved[1]) / (2 * step)
    found = shaped_forecast(to, start, Estimate(value, np.full(2, 0.01)), n, 5)
    np.testing.assert_allclose(found.log_error, 0.01 * slope, rtol=1e-6, atol=1e-12)
    constant = constant_forecast(start, Estimate(value, np.full(2, 0.01)), n, 5)
    np.testing.assert_allclose(constant.median, start * np.exp(value) ** np.arange(5)[:, None], rtol=1e-12)
    np.testing.assert_allclose(constant.log_error[:, 0], 0.01 * np.arange(5), rtol=1e-12)
    np.testing.assert_allclose(useful_horizon(Estimate(value, np.full(2, 0.01))), 100)
    assert log_drift(np.inf) == log_noise(np.inf) == 0


def test_estimates_from_one_generation():
    """What a converged affine model shows, drawn with NumPy: biases, discrepancy, effective sample size."""
    generator, n, count, reference, directions = np.random.default_rng(7), 100, 400, 300, 4000
    variance = 0.5
    data = np.sqrt(variance) * generator.normal(size=(n, directions))
    trained = data.var(0)
    made = data.mean(0) + np.sqrt(to(trained)) * generator.normal(size=(count, directions))
    real = np.sqrt(variance) * generator.normal(size=(reference, directions))

    bias = log_bias(trained, made.var(0, ddof=1), count)
    own = network_bias(to, trained, bias)
    score = own.value / own.error
    assert abs(score.mean()) < 6 / np.sqrt(directions)
    assert abs(score.var() - 1) < 6 * np.sqrt(2 / directions) + 2 / np.sqrt(count)

    q = mean_discrepancy(made.mean(0), real.mean(0), variance)
    typical = float(np.exp(bias.value).mean())
    expected = expected_discrepancy(n, typical * (n - 1) / n, count, reference)
    assert abs(q / expected - 1) < 6 * np.sqrt(2 / directions)
    found = inverse_effective_size(q, typical * (n - 1) / n, count, reference, directions)
    assert abs(found.value - 1 / n) < 6 * found.error
    assert found.error == pytest.approx(q * np.sqrt(2 / directions))


@pytest.mark.parametrize("n", [5, 50])
def test_the_drift_of_the_logarithm(n):
    mean = chi2.expect(lambda x: np.log(x / n), args=(n - 1,))
    assert log_drift(n) == pytest.approx(mean, rel=1e-6)
    spread = chi2.expect(lambda x: (np.log(x / n) - mean) ** 2, args=(n - 1,))
    assert log_noise(n) == pytest.approx(spread, rel=1e-6)
