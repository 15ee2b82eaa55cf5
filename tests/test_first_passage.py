"""Moments of the first passage of the variance, by ways that share nothing with the quadrature."""

import math

import numpy as np
import pytest
import second_derivations as second
from scipy import special, stats

from theory import law
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.replace.first_passage import asymptotic_mean, first_passage, mean_half_life

SOURCE = Gaussian(0.0, 1.3)
ESTIMATORS = {"mle": MaximumLikelihood(), "unbiased": Unbiased()}


def loop(n, estimator, **parts):
    return Loop(SOURCE, Replace(n), ESTIMATORS[estimator], **parts)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_spitzer(n, estimator):
    """At h = 1, E T = exp(sum_k P(S_k > 0)/k) (Spitzer, 1956), with the probabilities of R3.

    What is left out of the sum is less than that of the geometric series of Chernoff's bound rho^k.
    """
    subject = loop(n, estimator)
    k = np.arange(1, 800 if n < 10 else 1600)
    above = 1 - law.cdf(subject, "log_variance", k, math.log(SOURCE.variance))
    found = float(first_passage(subject, 1.0).mean)
    divisor = n if estimator == "mle" else n - 1
    s = np.linspace(0.01, 1.5, 100)
    log_rho = np.min(
        s * math.log(2 / divisor) + special.gammaln((n - 1) / 2 + s) - special.gammaln((n - 1) / 2)
    )
    left_out = math.exp(log_rho * k.size) / -math.expm1(log_rho)
    assert left_out < 1e-11
    expected = math.exp(np.sum(above / k))
    # A probability is right to 1e-13; the sum of 1/k multiplies that by log(1600) < 8.
    assert abs(found / expected - 1) < left_out + 1e-12


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n", [5, 12])
def test_survival_probabilities(n, estimator):
    """E T^k = sum_t P(T > t) ((t + 1)^k - t^k), the survival by propagating the density, step after step."""
    bias, h, start = 0.9, 0.4, 1.7
    subject = loop(n, estimator, start=Gaussian(0.0, start), sampler=Sampler(bias=bias))
    divisor = n if estimator == "mle" else n - 1
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(0, 40, 161)
    y = (edges[:-1, None] + (1 + nodes) / 8).ravel()
    w = np.tile(weights / 8, 160)

    def density(x):
        x = np.exp(x) * divisor / bias
        return x * stats.chi2.pdf(x, n - 1)

    kernel = density(y[:, None] - y) * w
    alive = density(y - math.log(start / (h * SOURCE.variance)))
    moments, t = np.ones(4), 1
    while (survival := float(w @ alive)) > 1e-16:
        moments += survival * ((t + 1.0) ** np.arange(1, 5) - float(t) ** np.arange(1, 5))
        alive, t = kernel @ alive, t + 1
    m1, m2, m3, m4 = moments
    found = first_passage(subject, h).central_moments()
    central = m1, m2 - m1**2, m3 - 3 * m1 * m2 + 2 * m1**3, m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    assert np.abs(found / central - 1).max() < 1e-9  # what is left out: 1e-16 t^4, t < 1000 steps
    other = first_passage(subject.with_(sampler=Sampler(bias=0.9 + 1e-6)), h).central_moments()
    assert np.abs(other / central - 1).min() > 1e-7


@pytest.mark.parametrize(("name", "estimator"), [("maximum-likelihood", "mle"), ("unbiased", "unbiased")])
@pytest.mark.parametrize("n", [5, 10, 30])
def test_half_lives(n, name, estimator):
    """Against a second derivation by another quadrature, which claims 1e-11."""
    found = mean_half_life(loop(n, estimator))
    mean, variance = second.halving_time(n, estimator=name, bias=1.0, first_biased=False, fraction=0.5)
    assert found.mean == pytest.approx(mean, rel=1e-10)
    assert found.variance == pytest.approx(variance, rel=1e-10)
    other, _ = second.halving_time(n + 1, estimator=name, bias=1.0, first_biased=False, fraction=0.5)
    assert found.mean != pytest.approx(other, rel=1e-10)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_expansion_improves_with_n(estimator):
    """The error falls like 1/sqrt(n): four times the samples halve it, ever more exactly."""
    errors = np.array(
        [
            float(mean_half_life(loop(n, estimator)).mean) - asymptotic_mean(loop(n, estimator), 0.5)
            for n in (10**4, 4 * 10**4, 16 * 10**4, 64 * 10**4)
        ]
    )
    departures = np.abs(errors[:-1] / errors[1:] - 2)
    assert np.all(np.diff(departures) < 0)
    assert departures[-1] < 0.1


def test_the_typical_run_halves_before_the_mean_does():
    assert mean_half_life(loop(10, "mle")).mean < math.log(2) / -math.log(1 - 1 / 10)


def test_wald():
    """From far above the threshold E T grows by 1/drift for each unit of the log-variance."""
    subject = loop(20, "mle")
    drift = math.log(20 / 2) - special.digamma(19 / 2)
    step = float(first_passage(subject, 1e-30).mean - first_passage(subject, 1e-29).mean)
    assert step == pytest.approx(math.log(10) / drift, rel=1e-11)


def test_a_start_below_the_threshold_still_takes_one_fit():
    tiny = loop(10, "mle", start=Gaussian(0.0, 1e-12))
    assert mean_half_life(tiny).mean == pytest.approx(1, abs=1e-12)
    assert abs(mean_half_life(tiny).variance) < 1e-12


def test_monte_carlo():
    """The mean of 40,000 runs within the 1e-6 quantile of its law; one with n - 1 points is not."""
    generator, count = np.random.default_rng(11), 40_000
    y, time = np.full(count, math.log(2.0)), np.zeros(count)
    alive = np.ones(count, bool)
    while alive.any():
        y[alive] += np.log(generator.chisquare(5, alive.sum()) / 6)
        time[alive] += 1
        alive &= y > 0
    threshold = stats.norm.isf(0.5e-6)

    def z(n):
        predicted = mean_half_life(loop(n, "mle"))
        return (time.mean() - predicted.mean) / math.sqrt(predicted.variance / count)

    assert abs(z(6)) < threshold
    assert abs(z(5)) > threshold


@pytest.mark.parametrize("n", [10**3, 10**6, 10**9])
def test_large_samples(n):
    """The quadrature holds for any n; beyond 1,000 the expansion is within 0.001."""
    subject = loop(n, "unbiased")
    found = mean_half_life(subject)
    assert abs(found.mean - asymptotic_mean(subject, 0.5)) < 1e-3 + 1e-11 * found.mean


@pytest.mark.parametrize(
    ("subject", "status"),
    [
        (loop(5, "unbiased", sampler=Sampler(bias=1.32)), "infinite"),
        (loop(5, "unbiased", sampler=Sampler(bias=1.30)), "recursion"),
        (loop((5, 6), "mle"), "none"),
        (loop("t + 5", "mle"), "none"),
        (loop(5, "mle", sampler=Sampler(truncate=2.0)), "none"),
        (Loop(Gaussian((0.0, 0.0), 1.0), Replace(5)), "none"),
    ],
)
def test_status(subject, status):
    found = mean_half_life(subject)
    assert found.status == status
    assert (found.reason is None) == (status == "recursion")
    assert np.isinf(found.mean) == (status == "infinite")


def test_a_threshold_is_positive():
    with pytest.raises(LoopError):
        first_passage(loop(5, "mle"), 0.0)
