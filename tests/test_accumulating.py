"""Data that accumulate: limits against finite products, roots and logarithms against direct integration."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import special

from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.policy import Accumulate, AccumulateSubsample, Web
from theory.predict import predict
from theory.provenance import second_moments
from theory.recipe import recipe
from theory.recipes import accumulate_limits as accumulating
from theory.recipes.accumulate_roots import Factors, factors, logarithm, root
from theory.recipes.accumulate_statements import (
    accumulated,
    accumulated_square,
    accumulated_unbiased,
    subsampled,
)

UNIT = Gaussian(0.0, 1.0)
SIZES = [2, 3, 4, 10]


def order(error):
    """The power of 1/t with which an error falls between t = 200 and t = 800, to the nearest half."""
    return round(2 * math.log(error(200) / error(800)) / math.log(4)) / 2


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("finite", "limit", "policy", "power"),
    [
        (accumulated, accumulating.survival, Accumulate, 1),
        (accumulated_square, accumulating.survival_squared, Accumulate, 2),
        (accumulated_unbiased, accumulating.unbiased_survival, Accumulate, 1),
        (
            subsampled,
            lambda n: (1 - 1 / n) ** 2 * accumulating.subsampled_survival(n),
            AccumulateSubsample,
            1,
        ),
    ],
)
def test_finite_products_come_to_the_limit(n, finite, limit, policy, power):
    """A2, A3, A5, at the order that the tail of the product has."""
    loop = Loop(UNIT, policy(n))
    value = limit(n)
    assert order(lambda t: abs(float(finite(loop, t)) - value)) == power


def test_the_web_without_real_inflow():
    start, synthetic = 8, 3
    value = (1 - 1 / start) * accumulating.web_survival(start, synthetic)
    fits = second_moments(recipe(Web(start, 0, synthetic)), 800)
    assert order(lambda t: abs(fits[t - 1][0].variance - value)) == 1


def test_gamma_functions_against_mpmath():
    """A2's product by mpmath's extrapolation."""
    for n in SIZES:
        product = mpmath.nprod(lambda k, n=n: 1 - 1 / (n * mpmath.mpf(k) ** 2), [1, mpmath.inf])
        assert accumulating.survival(n) == pytest.approx(float(product), rel=1e-12)
        square = mpmath.nprod(lambda k, n=n: 1 - (4 * k - 3) / (n**2 * mpmath.mpf(k) ** 4), [1, mpmath.inf])
        assert accumulating.survival_squared(n) == pytest.approx(float(square), rel=1e-12)


def test_inflation_of_equal_batches_and_of_subsets():
    """pi^2/6 and pi^2/2 - 2, with errors of order 1/n."""

    def power(error):
        return round(2 * math.log(error(100) / error(400)) / math.log(4)) / 2

    assert power(lambda n: abs(n * (1 - accumulating.survival(n)) - math.pi**2 / 6)) == 1
    kept = lambda n: (1 - 1 / n) ** 2 * accumulating.subsampled_survival(n)  # noqa: E731
    assert power(lambda n: abs(n * (1 - kept(n)) - (math.pi**2 / 2 - 2))) == 1


@pytest.mark.parametrize(
    ("policy", "sampler", "estimator"),
    [
        (Web(5, 2, 3), Sampler(), MaximumLikelihood()),
        (Web(5, 2, 3), Sampler(bias=0.7), Unbiased()),
        (Web(10, 2, 3, n=6), Sampler(), MaximumLikelihood()),
        (Web(10, 2, 3, n=6), Sampler(bias=0.5), Unbiased()),
    ],
)
def test_where_a_web_settles(policy, sampler, estimator):
    """W1, W4 with real inflow: errors fall at least like t^{-(1 - fed)}, what the pool forgets at."""
    loop = Loop(UNIT, policy, estimator, sampler)
    rest = predict(loop, math.inf, ["variance", "mean_error_squared"])
    early, late = (predict(loop, t, ["variance", "mean_error_squared"]) for t in (200, 1_600))
    share = policy.synthetic / (policy.real + policy.synthetic)
    kept = 1 if policy.n is None else 1 / policy.n + 1
    forgotten = 1 - share * (sampler.bias if policy.n is None else sampler.bias * kept)
    for name in ("variance", "mean_error_squared"):
        before, after = (abs(float(x[name].values[0, 0] - rest[name].values[0, 0])) for x in (early, late))
        assert after < before * 8 ** (-forgotten / 2)


def test_a_bias_that_is_too_much_for_accumulated_data():
    grows = Loop(UNIT, Accumulate(5), sampler=Sampler(bias=1.2))
    found = predict(grows, (4, math.inf), ["variance"])
    assert "lambda <= 1" in found.attrs["threshold"]
    assert found["variance"].values[0, 1] == np.inf
    fades = predict(grows.with_(sampler=Sampler(bias=0.8)), math.inf, ["variance", "mean_error_squared"])
    assert fades["variance"].values[0, 0] == 0
    assert fades["mean_error_squared"].attrs["status"] == "none"


def test_a_list_has_no_limit_and_a_changing_count_none_that_is_known():
    with pytest.raises(LoopError, match="a list ends"):
        predict(Loop(UNIT, Accumulate([4, 4])), math.inf, ["variance"])
    found = predict(Loop(UNIT, Accumulate("2*t + 3")), math.inf, ["variance"])["variance"]
    assert found.attrs["status"] == "none"
    assert "no closed form" in found.attrs["reason"]


def direct(function, rest, degrees, share, factor):
    """E f(X), X = rest + factor (chi2_degrees + share z^2), by Gauss' rules over both laws."""
    x, weights = special.roots_genlaguerre(150, degrees / 2 - 1)
    z, normal = special.roots_hermitenorm(120)
    values = function(rest + factor * (2 * x[:, None] + share * z**2))
    return float(weights @ values @ normal / weights.sum() / normal.sum())


@pytest.mark.parametrize(
    ("rest", "degrees", "share", "factor"), [(4.0, 3, 0.5, 1.0), (11.0, 2, 0.75, 0.6), (30.0, 6, 0.8, 1.3)]
)
def test_root_and_logarithm_by_direct_integration(rest, degrees, share, factor):
    """A6."""
    one = Factors(*(np.array([float(x)]) for x in (rest + degrees + 1, rest, degrees, share, factor)))
    c = rest + degrees + 1
    expected = direct(lambda x: np.sqrt(x / c), rest, degrees, share, factor)
    assert root(one)[0] == pytest.approx(expected, rel=1e-8)
    mean = direct(lambda x: np.log(x / c), rest, degrees, share, factor)
    spread = direct(lambda x: (np.log(x / c) - mean) ** 2, rest, degrees, share, factor)
    found = logarithm(one)[:, 0]
    assert found[:2] == pytest.approx([mean, spread], rel=1e-7)
    third = direct(lambda x: (np.log(x / c) - mean) ** 3, rest, degrees, share, factor)
    assert found[2] == pytest.approx(third, rel=1e-6)


def test_the_first_fit_is_a_chi_square():
    """R1, R2 for the first batch: gamma functions and polygammas."""
    loop = Loop(UNIT, Accumulate(7), Unbiased())
    plain = predict(Loop(UNIT, Replace(7), Unbiased()), 1, ["std", "log_variance"])
    found = predict(loop, 1, ["std", "log_variance"])
    for name in ("std", "log_variance"):
        assert found[name].values == pytest.approx(plain[name].values, rel=1e-12)


def test_roots_square_to_the_mean_at_every_generation():
    """E A by the same integrals would be the sum of the parts: var(sqrt) and the bound of Jensen hold."""
    loop = Loop(UNIT, Accumulate("t + 3"), sampler=Sampler(bias=0.9))
    x = factors(loop, 50)
    mean = (x.rest + x.factor * (x.degrees + x.share)) / x.divisor
    assert (root(x) ** 2 < mean).all()
    assert (logarithm(x)[0] < 2 * np.log(root(x))).all()


def test_roots_and_logarithms_as_integrals():
    """A6 at n = 3, t = 3: its integrals by mpmath."""
    n, one = 3, mpmath.mpf(1)

    def phi(s, k):
        spread = (1 + 2 * s) ** (-one * (n - 1) / 2) * (1 + 2 * s * (1 - one / k)) ** (-one / 2)
        return mpmath.exp(-s * n * (k - 1)) * spread

    with mpmath.workdps(30):
        panels = list(range(-80, 81, 5))
        std, log = one, mpmath.mpf(0)
        for k in range(1, 4):
            area = mpmath.quad(lambda u, k=k: (1 - phi(mpmath.exp(u), k)) * mpmath.exp(-u / 2), panels)
            std *= area / (2 * mpmath.sqrt(mpmath.pi * n * k))
            change = mpmath.quad(lambda u, k=k: mpmath.exp(-mpmath.exp(u)) - phi(mpmath.exp(u), k), panels)
            log += change - mpmath.log(n * k)
    found = predict(Loop(UNIT, Accumulate(n)), 3)
    assert found["std"].values[0, 0] == pytest.approx(float(std), rel=1e-11)
    assert found["log_variance"].values[0, 0] == pytest.approx(float(log), rel=1e-11)
    assert found["w2_squared"].values[0, 0] == pytest.approx(float(2 * (1 - std)), rel=1e-11)
    assert found["kl_to_source"].values[0, 0] == pytest.approx(float(-log / 2), rel=1e-11)


def test_limits_that_others_computed():
    """A3, A2 and A5."""
    assert accumulating.unbiased_survival(3) == pytest.approx(0.780549, abs=5e-7)
    assert accumulating.survival_squared(5) == pytest.approx(0.938602, abs=5e-7)
    kept = (1 - Fraction(1, 100)) ** 2 * accumulating.subsampled_survival(100)
    assert kept == pytest.approx(0.970997, abs=5e-7)
