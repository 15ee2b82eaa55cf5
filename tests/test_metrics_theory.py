"""What metrics are worth on known laws, derived a second time: integrals, enumerations, other expansions."""

from fractions import Fraction
from itertools import combinations, pairwise, product
from math import factorial, prod

import mpmath
import numpy as np
import pytest
from scipy import integrate
from scipy.special import ndtr
from scipy.stats import beta, chi2, norm

from theory.loop import Gaussian, Loop, Replace
from theory.metrics import distances as metrics
from theory.metrics import neighbours as metrics_neighbours
from theory.metrics import vendi as metrics_vendi
from theory.predict import central_moments

GENERATIONS = (1, 2, 7)


@pytest.mark.parametrize("n", [2, 20, 10**6])
def test_shrinkage_of_the_standard_deviation(n):
    exact = mpmath.sqrt(mpmath.mpf(2) / n) * mpmath.gammaprod([mpmath.mpf(n) / 2], [(mpmath.mpf(n) - 1) / 2])
    # two logarithms of gamma, each rounded at its own size
    rounding = 4 * np.finfo(float).eps * n * max(np.log(n), 1)
    assert metrics.shrinkage(n) == pytest.approx(float(exact), rel=rounding)


def test_distance_in_the_loop_is_the_loops_own():
    one = Loop(Gaussian(0.0, 2.0), Replace(20))
    expected = central_moments(one, "w2_squared", GENERATIONS)[0]
    np.testing.assert_allclose(metrics.frechet_in_loop([2.0], 20, GENERATIONS), expected, rtol=1e-10)
    several = metrics.frechet_in_loop([2.0, 0.5, 0.5], 20, GENERATIONS)
    np.testing.assert_allclose(several, expected * 3 / 2, rtol=1e-10)


def bures(a, b):
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(values)) @ vectors.T
    return np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvalsh(root @ b @ root)).sum()


@pytest.mark.parametrize("variances", [(1.0,) * 4, (4.0, 1.0, 0.1)])
def test_bias_of_the_distance_by_differences(variances):
    """The trace for the mean, and half the second derivative along E Delta_ij^2 = s_i s_j (1 + [i=j]) / n."""
    s, h = np.array(variances), 1e-3
    total = s.sum()
    for i in range(len(s)):
        for j in range(i, len(s)):
            move = np.zeros((len(s), len(s)))
            move[i, j] = move[j, i] = h * np.sqrt(s[i] * s[j])
            centre = np.diag(s)
            second = (bures(centre, centre + move) + bures(centre, centre - move)) / h**2
            total += second / 2 * (2 if i == j else 1)
    # differences err by h^2, rounding by epsilon / h^2
    assert metrics.frechet_of_sample(s, 50) == pytest.approx(total / 50, rel=10 * h**2)


def test_bias_of_the_distance_on_the_line():
    """E (s - s_n)^2 + 1/n exactly, whose first order it is: the error falls with n."""

    def exact(n):
        unbiased = metrics.shrinkage(n) * np.sqrt(n / (n - 1))
        return 1 / n + 2 * (1 - unbiased)

    errors = [metrics.frechet_of_sample([1.0], n) / exact(n) - 1 for n in (100, 400)]
    assert np.round(np.log(errors[0] / errors[1]) / np.log(4)) == 1
    assert abs(errors[0]) < 1 / 100


def test_pooled_moments_are_those_of_the_models():
    loop = Loop(Gaussian(0.0, 1.5), Replace(20))
    for g in GENERATIONS:
        parts = [
            central_moments(loop, name, (g,))[0][0]
            for name in ("mean_error_fourth", "mean_variance_product", "variance_squared")
        ]
        square, fourth = metrics.pooled_moments(1.5, 20, g)
        assert fourth == pytest.approx(parts[0] + 6 * parts[1] + 3 * parts[2], rel=1e-10)
        means = [central_moments(loop, name, (g,))[0][0] for name in ("mean_error_squared", "variance")]
        assert square == pytest.approx(sum(means), rel=1e-10)


def in_ball(dimension, radius, variance, shift):
    """The share of N(shift, variance I) within `radius` of 0, by integrating over the axis of the shift."""
    scale = np.sqrt(variance)
    if dimension == 1:
        return ndtr((radius - shift) / scale) - ndtr((-radius - shift) / scale)

    def integrand(x):
        return norm.pdf(x, shift, scale) * chi2.cdf((radius**2 - x**2) / variance, dimension - 1)

    return integrate.quad(integrand, -radius, radius, epsabs=1e-12)[0]


@pytest.mark.parametrize("dimension", [1, 2, 5])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_shares_of_balls(dimension, shift):
    radius = np.sqrt(chi2.ppf(0.9, dimension) * 1.3)
    expected = in_ball(dimension, radius, 0.6, shift)
    assert metrics.inside(dimension, 0.9, 1.3, 0.6, shift) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("size", "share"), [(5, 0.6), (100, 0.9), (100, 0.07), (3000, 0.5)])
def test_shares_of_balls_between_samples(size, share):
    """The order statistic's law, integrated directly: mean and variance."""
    k = -int(-Fraction(share).limit_denominator(1000) * size // 1)

    def average(of):
        law = beta(k, size + 1 - k)
        ends = law.ppf([1e-13, 0.25, 0.75, 1 - 1e-13])
        return sum(
            integrate.quad(lambda u: law.pdf(u) * of(metrics.inside(3, u, 1.0, 0.6, 0.7)), a, b)[0]
            for a, b in pairwise(ends)
        )

    mean = average(lambda p: p)
    variance = average(lambda p: (p - mean) ** 2) + average(lambda p: p * (1 - p)) / 40
    found = metrics.inside_sampled(3, share, 1.0, 0.6, (size, 40), 0.7)
    np.testing.assert_allclose(found, [mean, variance], rtol=1e-8)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 4), (7, 2), (90, 11), (5, 99995)])
def test_beta_nodes_average_polynomials_exactly(a, b):
    x, weights = metrics.beta_nodes(a, b, 12)
    for power in (0, 1, 5, 20):
        exact = float(prod((Fraction(a + i, a + b + i) for i in range(power)), start=Fraction(1)))
        assert weights @ x**power == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize(("real", "fake", "k"), [(5, 3, 1), (5, 4, 2), (7, 3, 3)])
def test_coverage_of_equals_is_a_count_of_arrangements(real, fake, k):
    """The others, by distance from a real point, are exchangeable; it is missed if the first k are real."""
    places = range(real - 1 + fake)
    orders = list(combinations(places, fake))
    missed = sum(all(place >= k for place in fakes) for fakes in orders)
    found = metrics_neighbours.coverage_of_equals(real, fake, k)
    assert found == pytest.approx(float(1 - Fraction(missed, len(orders))), rel=1e-13)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_coverage_and_density_of_equals_are_that_case(dimension):
    sizes, k = (30, 20), 4
    known = (dimension, 1.7, 1.7, sizes, k)
    assert metrics_neighbours.coverage(*known) == pytest.approx(
        metrics_neighbours.coverage_of_equals(*sizes, k), rel=1e-9
    )
    assert metrics_neighbours.density(*known) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("fake", [0.3, 2.5])
def test_coverage_and_density_of_two_real_points(fake):
    """One neighbour, at x': the double integral over both real points."""

    nodes, weights = np.polynomial.legendre.leggauss(300)
    x, radius = 9 * nodes[:, None], 9 * (1 + nodes)  # |y - x| from 0 to 18, on either side
    scale = np.sqrt(fake)
    share = ndtr((x + radius) / scale) - ndtr((x - radius) / scale)
    mass = 81 * weights[:, None] * weights * norm.pdf(x) * (norm.pdf(x + radius) + norm.pdf(x - radius))

    def average(of):
        return (mass * of(share)).sum()

    # balls that hold nearly all reals are as likely as others here, where the quadrature is at its worst
    known, rounding = (1, 1.0, fake, (2, 6), 1), 1e-5
    coverage = 1 - average(lambda g: (1 - g) ** 6)
    assert metrics_neighbours.coverage(*known) == pytest.approx(coverage, rel=rounding)
    assert metrics_neighbours.density(*known) == pytest.approx(2 * average(lambda g: g), rel=rounding)


@pytest.mark.parametrize(("dimension", "fake"), [(1, 0.5), (1, 2.0), (3, 0.6)])
def test_coverage_and_density_tend_to_their_limits(dimension, fake):
    limit = metrics_neighbours.coverage_limit(dimension, 1.0, fake, 1.0, 3)
    gaps = [
        (
            metrics_neighbours.coverage(dimension, 1.0, fake, (n, n), 3) - limit,
            metrics_neighbours.density(dimension, 1.0, fake, (n, n), 3) - 1,
        )
        for n in (200, 2000, 20000)
    ]
    assert (np.abs(np.diff(np.abs(gaps), axis=0)) > 0).all()
    assert (np.diff(np.abs(gaps), axis=0) < 0).all()


def test_the_limit_of_coverage_by_direct_integration():
    for ratio, k, fake in ((1.0, 5, 0.5), (2.0, 3, 2.0)):
        quotient = lambda x: norm.pdf(x, scale=np.sqrt(fake)) / norm.pdf(x)  # noqa: B023, E731
        missed = integrate.quad(lambda x: norm.pdf(x) * (1 + ratio * quotient(x)) ** -k, -12, 12)[0]  # noqa: B023
        assert metrics_neighbours.coverage_limit(1, 1.0, fake, ratio, k) == pytest.approx(
            1 - missed, rel=1e-9
        )


def uncovered_gaps(gaps, left, k):
    """Whether a point with `left` reals to its left is missed, from the definition, in one order of gaps."""
    ends = np.cumsum(gaps)
    place = ends[left]
    others = np.delete(ends, left)
    distances = np.abs(others[:, None] - others)
    radius = np.sort(distances, axis=1)[:, k]
    return not (np.abs(others - place) < radius).any()


@pytest.mark.parametrize(("real", "k"), [(3, 1), (4, 1), (5, 2)])
def test_precision_of_uniforms_by_permuting_gaps(real, k):
    """Exchangeable gaps: over all orders of any gaps the frequency is exact where one gap decides, k = 1.

    Elsewhere it is averaged over exponential gaps too, of which there are enough for six standard errors.
    """
    generator = np.random.default_rng(3)
    found = []
    draws = 40 if k == 1 else 400
    for _ in range(draws):
        gaps = generator.exponential(size=real + 1)
        orders = [generator.permutation(gaps) for _ in range(60)]
        found.append(np.mean([uncovered_gaps(o, left, k) for o in orders for left in range(real + 1)]))
    expected = 1 - metrics_neighbours.precision_of_uniforms(real, k)
    assert abs(np.mean(found) - expected) < 6 * np.std(found) / np.sqrt(draws)
    assert abs(np.mean(found) - metrics_neighbours.precision_limit(k)) > 6 * np.std(found) / np.sqrt(draws)


def test_precision_needs_points():
    with pytest.raises(ValueError, match="real is"):
        metrics_neighbours.precision_of_uniforms(4, 2)
    limits = [metrics_neighbours.precision_of_uniforms(10**7, k) for k in (1, 2, 3)]
    np.testing.assert_allclose(limits, [metrics_neighbours.precision_limit(k) for k in (1, 2, 3)], atol=1e-6)


@pytest.mark.parametrize("order", [0.5, 1, 1.5, 2, 4, np.inf])
def test_vendi_of_a_normal_is_the_spectrum_of_its_kernel(order):
    """Nystrom's method on the trapezoidal rule, which is exact to rounding here."""
    s, scale = 0.8, 0.9
    x = np.linspace(-9 * np.sqrt(s), 9 * np.sqrt(s), 300)
    weights = norm.pdf(x, scale=np.sqrt(s)) * (x[1] - x[0])
    kernel = np.exp(-((x[:, None] - x) ** 2) / (2 * scale**2)) * np.sqrt(weights[:, None] * weights)
    shares = np.linalg.eigvalsh(kernel)
    shares = shares[shares > 1e-14]
    if order == 1:
        expected = np.exp(-(shares * np.log(shares)).sum())
    else:
        expected = 1 / shares.max() if order == np.inf else (shares**order).sum() ** (1 / (1 - order))
    # eigenvalues below the cut lose sqrt(1e-14) at order 1/2
    assert metrics_vendi.vendi(s, scale, order) == pytest.approx(expected, rel=1e-6 if order < 1 else 1e-11)
    both = metrics_vendi.vendi([s, 2.0], scale, order)
    assert both == pytest.approx(expected * metrics_vendi.vendi(2.0, scale, order), rel=1e-5)


def test_vendi_of_a_point_and_of_no_order():
    assert metrics_vendi.vendi([0.0, 0.0], 1.0) == 1
    with pytest.raises(ValueError, match="order is"):
        metrics_vendi.vendi(1.0, 1.0, 0)


def test_mean_square_similarity_is_its_integral():
    s, scale, n = 0.8, 0.9, 7
    pair = integrate.quad(lambda d: norm.pdf(d, scale=np.sqrt(2 * s)) * np.exp(-(d**2) / scale**2), -20, 20)[
        0
    ]
    expected = (n + n * (n - 1) * pair) / n**2
    assert metrics_vendi.mean_square_similarity(s, scale, n) == pytest.approx(expected, rel=1e-9)


def test_modes_in_the_loop_by_enumeration():
    """Multinomial counts of three classes, every outcome of two generations."""
    n, shares = 4, (Fraction(1, 2), Fraction(3, 10), Fraction(1, 5))
    states = [c for c in product(range(n + 1), repeat=3) if sum(c) == n]

    def chance(counts, of):
        ways = factorial(n) // prod(factorial(c) for c in counts)
        return ways * prod(p**c for p, c in zip(of, counts, strict=True))

    law, found = {tuple(shares): Fraction(1)}, []
    for _ in range(2):
        following = {}
        for weights, mass in law.items():
            for counts in states:
                to = tuple(Fraction(c, n) for c in counts)
                following[to] = following.get(to, 0) + mass * chance(counts, weights)
        law = following
        squares = float(sum(mass * sum(w**2 for w in weights) for weights, mass in law.items()))
        entropy = sum(
            float(mass) * -sum(float(w) * np.log(float(w)) for w in weights if w)
            for weights, mass in law.items()
        )
        alive = float(sum(mass * sum(w > 0 for w in weights) for weights, mass in law.items()))
        found.append([squares, entropy, alive])
    modes = metrics_vendi.modes_in_loop([float(p) for p in shares], n, [1, 2])
    np.testing.assert_allclose(modes, np.array(found).T, rtol=1e-12)
