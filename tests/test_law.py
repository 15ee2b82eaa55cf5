"""The laws of variance and mean, each computed in ways that share no arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, special, stats
from variance_law_twice import cdf_by_convolution, cdf_by_meijer

from theory import law
from theory.law import limit_tail
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.replace.median import asymptotic_median
from theory.replace.walk import NoLawError, walk

SOURCE = Gaussian(0.0, 1.0)
ESTIMATORS = (MaximumLikelihood(), Unbiased())
P = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
ROUNDING = 1e-12
PROMISED = 1e-9  # what the two ways must agree to


def loop(n, estimator=ESTIMATORS[0], **parts):
    return Loop(SOURCE, Replace(n), estimator, **parts)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n", [2, 3, 6, 10, 100])
def test_one_fit_is_a_chi_square(n, estimator):
    divisor = n if isinstance(estimator, MaximumLikelihood) else n - 1
    x = np.array([0.01, 0.3, 0.9, 1.0, 1.1, 3.0])
    found = law.cdf(loop(n, estimator), "variance", 1, x)
    assert np.abs(found - stats.chi2.cdf(divisor * x, n - 1)).max() < ROUNDING
    assert np.abs(law.cdf(loop(n, estimator), "std", 1, np.sqrt(x)) - found).max() < ROUNDING
    assert np.abs(law.cdf(loop(n, estimator), "log_variance", 1, np.log(x)) - found).max() < ROUNDING


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("t", [1, 2, 3, 6])
def test_gil_pelaez_is_meijer(n, t, estimator):
    subject = loop(n, estimator, sampler=Sampler(bias=0.9))
    x = law.quantile(subject, "variance", t, P)
    found = np.array([cdf_by_meijer(walk(subject, t), q) for q in x])
    assert np.abs(found - P).max() < PROMISED
    wrong = np.array([cdf_by_meijer(walk(loop(n + 1, estimator), t), q) for q in x])
    assert np.abs(wrong - P).max() > 1000 * PROMISED


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("n", "t"),
    [
        (2, 7), (2, 50), (3, 20), (5, 1000), (5, 100_000), (100, 200), (10_000, 1000),
        ("4*t**2", 60), ("t + 1", 90),
    ],
)  # fmt: skip
def test_gil_pelaez_is_a_convolution(n, t, estimator):
    subject = loop(n, estimator, sampler=Sampler(temperature=1.1, applies_to_source=True))
    x = law.quantile(subject, "log_variance", t, P)
    assert np.abs(cdf_by_convolution(walk(subject, t), x) - P).max() < PROMISED
    wrong = walk(subject.with_(sampler=Sampler(temperature=1.1)), t)
    assert np.abs(cdf_by_convolution(wrong, x) - P).max() > 1000 * PROMISED


@pytest.mark.parametrize("observable", law.OBSERVABLES)
def test_quantiles_invert_the_distribution_function(observable):
    start = Gaussian(-1.0, 4.0)
    for n in (3, 10_000, "t**2 + 1"):
        for t in (1, 30):
            subject = loop(n, start=start, sampler=Sampler(bias=0.9))
            x = law.quantile(subject, observable, t, P)
            assert np.all(np.diff(x) > 0)
            assert np.abs(law.cdf(subject, observable, t, x) - P).max() < ROUNDING
    x = law.quantile(loop(5), observable, [1, 7], P)
    assert x.shape == (2, 5)
    assert x[1, 0] == pytest.approx(law.quantile(loop(5), observable, 7, 0.05), rel=ROUNDING, abs=ROUNDING)
    assert isinstance(law.quantile(loop(5), observable, 7, 0.05), float)
    assert isinstance(law.cdf(loop(5), observable, 7, 0.05), float)
    assert law.cdf(loop(5), observable, 3, [-1e300, 1e300]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("n", "estimator", "t", "exact", "expansion"),
    [(6, ESTIMATORS[0], 10, -3.874980, -3.874274), (20, ESTIMATORS[1], 30, -1.588151, -1.588137)],
)
def test_median(n, estimator, t, exact, expansion):
    found = law.quantile(loop(n, estimator), "log_variance", t, 0.5)
    assert found == pytest.approx(exact, abs=1e-6)
    assert _cornish_fisher(n, estimator, t) == pytest.approx(expansion, abs=1e-6)
    assert asymptotic_median(loop(n, estimator), t) == pytest.approx(_cornish_fisher(n, estimator, t))
    errors = [
        law.quantile(loop(n, estimator), "log_variance", k * t, 0.5)
        - asymptotic_median(loop(n, estimator), k * t)
        for k in (1, 2, 4, 8)
    ]
    ratios = np.array(errors[:-1]) / errors[1:]
    assert np.all(np.abs(np.diff(ratios)) < np.abs(ratios[:-1] - 2))  # the error is of order 1/t
    assert abs(ratios[-1] - 2) < abs(ratios[0] - 2)


def _cornish_fisher(n, estimator, t):
    a, c = (n - 1) / 2, n if isinstance(estimator, MaximumLikelihood) else n - 1
    drift = special.digamma(a) + math.log(2 / c)
    return t * drift - special.polygamma(2, a) / (6 * special.polygamma(1, a))


def test_mean_after_one_fit_is_normal():
    subject = loop(10, start=Gaussian(2.0, 4.0), sampler=Sampler(bias=0.5))
    found = law.quantile(subject, "mean_error", 1, P)
    assert np.abs(found - stats.norm.ppf(P, 2.0, math.sqrt(0.5 * 4 / 10))).max() < ROUNDING


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_mean_after_two_fits_is_normal_plus_variance_gamma(n, estimator):
    """The closed characteristic function exp(-u^2/2n) (1 + lambda u^2 / (n c))^{-nu/2}."""
    divisor = n if isinstance(estimator, MaximumLikelihood) else n - 1
    bias = 0.7
    for x in np.array([0.05, 0.6, 3.0]) / math.sqrt(n):

        def integrand(u, x=x):
            closed = math.exp(-u * u / (2 * n)) * (1 + bias * u * u / (n * divisor)) ** (-(n - 1) / 2)
            return math.sin(u * x) / u * closed

        integral, error = integrate.quad(integrand, 0, 9 * math.sqrt(n), epsabs=1e-13, limit=1000)
        found = law.cdf(loop(n, estimator, sampler=Sampler(bias=bias)), "mean_error", 2, x)
        assert abs(found - 0.5 - integral / math.pi) < error + ROUNDING
        wrong = law.cdf(loop(n, estimator), "mean_error", 2, x)
        assert abs(wrong - 0.5 - integral / math.pi) > 1e-7


def _moment(subject, t, power, furthest):
    """E |m|^power, from the distribution function, by Gauss-Legendre panels."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.concatenate([[0], np.geomspace(1e-3, 1, 40)]) * furthest
    half = np.diff(edges)[:, None] / 2
    x, w = (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()
    return power * w @ (x ** (power - 1) * 2 * (1 - law.cdf(subject, "mean_error", t, x)))


@pytest.mark.parametrize(("n", "t"), [(12, 3), (50, 20), (100, 40), (10_000, 1000)])
def test_moments_of_the_mean(n, t):
    """E m^2 (R6) and E m^4 (R7), maximum likelihood.

    A step's transforms of 2^12 points round by 12 units of 2^-52; the sum enters times furthest^power.
    """
    p, q = (1 - Fraction(1, n)) ** t, (1 - Fraction(1, n**2)) ** t
    second, fourth = float(1 - p), float(3 * ((2 * n - 1) - (2 * n + 1) * q + 2 * p))
    furthest = 25 * math.sqrt(second)
    rounding = 12 * (t + 20) * 2.0**-52
    assert abs(_moment(loop(n), t, 2, furthest) - second) < rounding * furthest**2
    assert abs(_moment(loop(n), t, 4, furthest) - fourth) < rounding * furthest**4


def test_schedules_and_constants_share_one_law():
    """A schedule takes its own recursion; with its sizes nearly constant it must give the constant's law."""
    fixed, near = loop(2**40), loop((2**40,) * 4 + (2**40 + 1,))
    x = np.array([0.3, 1.0, 2.5]) * math.sqrt(5 / 2**40)
    assert (
        np.abs(law.cdf(fixed, "mean_error", 5, x) - law.cdf(near, "mean_error", 5, x)).max()
        < 5 * 2.0**-40 + 1e-12
    )
    assert np.abs(law.cdf(fixed, "mean_error", 5, x) - stats.norm.cdf([0.3, 1.0, 2.5])).max() < 1e-11


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_small_monte_carlo(estimator):
    """Binomial tests at five quantiles of four laws: false alarms 1e-6 in all, errors of 0.01 missed 1e-6."""
    subject = Loop(
        Gaussian(0.5, 2.0), Replace((3, 8, 5, 4)), estimator, Sampler(bias=1.3), Gaussian(-0.5, 1.5)
    )
    count, tail = 400_000, 1e-6 / (2 * 4 * P.size * len(ESTIMATORS))
    normal, chi = np.random.default_rng(20240601), np.random.default_rng(7)
    mean, variance = np.full(count, -0.5), np.full(count, 1.5)
    for n in subject.data.n:
        divisor = n if isinstance(estimator, MaximumLikelihood) else n - 1
        mean += np.sqrt(1.3 * variance / n) * normal.standard_normal(count)
        variance *= 1.3 * chi.chisquare(n - 1, count) / divisor
    samples = (variance, np.sqrt(variance), np.log(variance), mean - 0.5)
    lower, upper = stats.binom.ppf(tail, count, P), stats.binom.isf(tail, count, P)
    for observable, values in zip(law.OBSERVABLES, samples, strict=True):
        below = (values[:, None] <= law.quantile(subject, observable, 4, P)).sum(0)
        assert np.all((lower <= below) & (below <= upper)), observable
        other = subject.with_(sampler=Sampler(bias=1.25))
        below = (values[:, None] <= law.quantile(other, observable, 4, P)).sum(0)
        assert not np.all((lower <= below) & (below <= upper)), observable
    assert np.all(stats.binom.cdf(upper, count, P + 0.01) < 1e-6)
    assert np.all(stats.binom.sf(lower - 1, count, P - 0.01) < 1e-6)


@pytest.mark.parametrize(("n", "kappa"), [(3, 2.211115), (5, 2.114691), (10, 2.053486), (50, 2.010134)])
def test_tail_index_of_the_limit(n, kappa):
    assert limit_tail(loop(n)).index == pytest.approx(2 * kappa, abs=2e-6)
    assert limit_tail(loop(n, Unbiased())).index == pytest.approx(2, abs=ROUNDING)


def test_goldie_constant():
    """x^2 P(|m| > x) tends to the constant: each doubling of x brings it at least twice as near."""
    constant = limit_tail(loop(6, Unbiased())).constant
    x = np.array([5.0, 10.0, 20.0, 40.0])
    ratio = x**2 * 2 * (1 - law.cdf(loop(6, Unbiased()), "mean_error", 1500, x)) / constant
    assert np.all(np.abs(ratio[1:] - 1) < np.abs(ratio[:-1] - 1) / 2)
    assert np.all(np.abs(1.05 * ratio[1:] - 1) > np.abs(1.05 * ratio[-2] - 1) / 2)


def test_a_mean_without_a_variance_has_quantiles():
    """Explosion: E m^2 is infinite for all purposes, the law is not."""
    subject = loop(3, Unbiased(), sampler=Sampler(bias=6.0))
    x = law.quantile(subject, "mean_error", 500, P)
    assert np.all(np.isfinite(x))
    assert x[2] == 0
    assert x[4] > 1e20


def test_deep_collapse_has_quantiles():
    subject = loop(5)
    drift = special.digamma(2) + math.log(2 / 5)
    median = law.quantile(subject, "log_variance", 100_000, 0.5)
    shift = -special.polygamma(2, 2) / (6 * special.polygamma(1, 2))
    assert abs(median - 100_000 * drift - shift) < 1e-4
    assert law.quantile(subject, "variance", 100_000, 0.5) == 0.0


@pytest.mark.parametrize(
    ("subject", "observable", "generation", "p"),
    [
        (loop(5, sampler=Sampler(truncate=1.0)), "variance", 2, 0.5),
        (loop(5, sampler=Sampler(truncate=1.0, applies_to_source=True)), "mean_error", 1, 0.5),
        (Loop(Gaussian((0.0, 0.0), 1.0), Replace(5)), "variance", 2, 0.5),
        (loop(5), "w2_squared", 2, 0.5),
    ],
)
def test_unknown_laws_are_refused(subject, observable, generation, p):
    with pytest.raises(NoLawError):
        law.quantile(subject, observable, generation, p)


@pytest.mark.parametrize(("generation", "p"), [(0, 0.5), (1.5, 0.5), (2, 1.5), (2, math.nan), ([], 0.5)])
def test_senseless_arguments_are_refused(generation, p):
    with pytest.raises(LoopError):
        law.quantile(loop(5), "variance", generation, p)


def test_first_real_draw_is_not_truncated():
    found = law.cdf(loop(5, sampler=Sampler(truncate=1.0)), "variance", 1, 0.8)
    assert found == pytest.approx(stats.chi2.cdf(4.0, 4), abs=ROUNDING)


def test_certain_quantiles():
    assert law.quantile(loop(5), "variance", 3, [0.0, 1.0]).tolist() == [0.0, math.inf]
    assert law.quantile(loop(5), "log_variance", 3, [0.0, 1.0]).tolist() == [-math.inf, math.inf]
    assert law.quantile(loop(5), "mean_error", 3, [0.0, 1.0]).tolist() == [-math.inf, math.inf]
