"""Published bounds beside the exact probability, the diffusion limit, and the claims made about laws."""

import math

import numpy as np
import pytest
from scipy import special

from theory import law
from theory.bounds import BOUNDS, alpha, exact, moment_bound
from theory.claims.law import GAUSSIAN_LAW
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.observable import LINE, PASSAGES
from theory.replace.brownian_limit import limiting_log_variance, limiting_moment
from theory.replace.walk import NoLawError

ROUNDING = 1e-12


def loop(n, estimator=None, **parts):
    return Loop(Gaussian(0.0, 1.0), Replace(n), estimator or Unbiased(), **parts)


@pytest.mark.parametrize(
    ("k", "probability", "values"),
    [(50, 0.375538, (2.7747, 2.5006, 1.3998, 0.9474)), (100, 0.081562, (0.7699, 0.6253, 0.3910, 0.3739))],
)
def test_the_table_at_ten_points(k, probability, values):
    assert exact(loop(10), k, 0.1) == pytest.approx(probability, abs=1e-6)
    for bound, value in zip(BOUNDS, values, strict=True):
        assert bound.value(loop(10), k, 0.1) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("n", [2, 3, 10, 100])
@pytest.mark.parametrize("k", [1, 5, 50, 400])
@pytest.mark.parametrize("threshold", [1e-3, 0.1, 0.5, 1.0, 2.0])
def test_order_of_the_bounds(n, k, threshold):
    suresh, markov, seven, chernoff = (bound.value(loop(n), k, threshold) for bound in BOUNDS)
    assert exact(loop(n), k, threshold) <= chernoff + ROUNDING
    assert chernoff <= min(1.0, seven, markov) * (1 + 1e-9)
    assert markov < suresh


def test_a_false_bound_is_seen():
    """What would be wrong: the exponent k/(4n - 1) multiplied by eight."""
    false = 1 / 0.1 * math.exp(-8 * 100 / (4 * 10 - 1))
    assert exact(loop(10), 100, 0.1) > false


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_alpha_is_the_exact_factor(n):
    """By E sigma_1 = int P(sigma_1 > x) dx, and below e^{-1/(4n-1)}."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    top = 12 / math.sqrt(n) + 1
    x, w = top / 2 * (1 + nodes), top / 2 * weights
    integral = w @ (1 - law.cdf(loop(n), "std", 1, x))
    assert alpha(n) == pytest.approx(integral, rel=1e-10)
    assert alpha(n) < math.exp(-1 / (4 * n - 1))
    assert moment_bound(loop(n), 7, 0.3, 1.0) == pytest.approx(alpha(n) ** 7 / 0.3, rel=ROUNDING)


def test_bounds_keep_to_their_setting():
    suresh, *general = BOUNDS
    for subject in (loop(5, MaximumLikelihood()), loop("t + 2"), loop(5, sampler=Sampler(bias=1.2))):
        with pytest.raises(NoLawError):
            suresh.value(subject, 3, 0.5)
        for bound in general:
            assert exact(subject, 3, 0.5) <= bound.value(subject, 3, 0.5)


@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_diffusion_limit_has_an_error_of_order_one_over_n(estimator, power):
    """Twice the samples halve the error: its ratio tends to 2, each departure half of the one before."""
    tau = 0.5
    sizes = 200 * 2 ** np.arange(5)
    moments = np.array([moment_bound(loop(int(n), estimator), int(n * tau), 1.0, power) for n in sizes])
    errors = moments - limiting_moment(loop(5, estimator), power, tau)
    if power == 2.0 and isinstance(estimator, Unbiased):
        assert np.abs(errors).max() < ROUNDING  # E sigma^2 does not change
        return
    departures = np.abs(errors[:-1] / errors[1:] - 2)
    assert np.all(departures[1:] < 0.6 * departures[:-1])
    assert departures[-1] < 0.01


@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
def test_diffusion_limit_of_the_law(estimator):
    mean, variance = limiting_log_variance(loop(5, estimator), 0.5)
    x = np.array([-2.0, -1.0, 0.0])
    normal = special.ndtr((x - mean) / math.sqrt(variance))
    errors = [
        np.abs(law.cdf(loop(n, estimator), "log_variance", n // 2, x) - normal).max()
        for n in (200, 800, 3200)
    ]
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3


@pytest.mark.parametrize("claim", GAUSSIAN_LAW, ids=lambda claim: f"{claim.id}-{claim.observable}")
def test_claims_are_about_what_exists(claim):
    assert claim.observable in (PASSAGES if claim.check == "passage" else LINE)
    assert claim.cases
    assert any(case.quick for case in claim.cases)
    if claim.check == "law":
        for case in claim.cases:
            quantiles = law.quantile(case.loop, claim.observable, case.generations, [0.05, 0.5, 0.95])
            assert np.all(np.diff(quantiles) > 0)


def test_claims_are_one_for_each_entry_and_observable():
    names = [(claim.id, claim.observable) for claim in GAUSSIAN_LAW]
    assert len(set(names)) == len(names)
