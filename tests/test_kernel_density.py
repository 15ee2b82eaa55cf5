"""Kernel densities in theory, against every genealogy of a few points, convolutions and other recursions."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from scipy import integrate, special, stats

from theory.estimator import KernelDensity
from theory.kernel_density import forms
from theory.kernel_density import reading as kernel_density
from theory.kernel_density.error import expected_density, least_cross_entropy, overlap
from theory.loop import Gaussian, Loop, Replace
from theory.policy import Accumulate, Fixed, Fresh, Window
from theory.predict import predict
from theory.sampler import Sampler
from theory.source import Mixture

ROUNDING = 1e-12  # sums of fewer than a thousand products of float64 numbers, 1e-16 each
QUADRATURE = 1e-9  # what scipy's quad is asked for

S0, SQUARE = 1.0, 0.09
WIDTH = 0.3


def genealogies(sizes):
    """Every way the points of later generations choose parents, with its probability: covariances [i, j]."""
    first = sizes[0]
    choices = [product(range(before), repeat=n) for before, n in pairwise(sizes)]
    for path in product(*map(list, choices)):
        covariance = S0 * np.eye(first)
        chance = 1.0
        for parents, before in zip(path, sizes, strict=False):
            chance *= float(before) ** -len(parents)
            index = np.array(parents)
            covariance = covariance[np.ix_(index, index)] + SQUARE * np.eye(len(index))
        yield chance, covariance


@pytest.mark.parametrize("sizes", [(2,), (3, 2), (2, 3, 2), (3, 3)])
def test_second_moments_and_integrated_error_are_sums_over_genealogies(sizes):
    variance = square = own = cross = 0.0
    for chance, c in genealogies(sizes):
        n = len(c)
        square += chance * c.mean()
        variance += chance * (np.trace(c) / n - c.mean())
        gap = np.diag(c)[:, None] + np.diag(c) - 2 * c
        own += chance * stats.norm.pdf(0, scale=np.sqrt(gap + 2 * SQUARE)).mean()
        cross += chance * stats.norm.pdf(0, scale=np.sqrt(np.diag(c) + SQUARE + S0)).mean()
    loop = Loop(Gaussian(0.7, S0), Replace(list(sizes)), KernelDensity(WIDTH))
    names = ["variance", "mean_error_squared", "mean_error", "mise"]
    found = kernel_density.statistics(loop, names, [len(sizes)])
    assert found["variance"].mean[0] == pytest.approx(variance, rel=ROUNDING)
    assert found["mean_error_squared"].mean[0] == pytest.approx(square, rel=ROUNDING)
    assert found["mean_error"].mean[0] == 0
    expected = own - 2 * cross + stats.norm.pdf(0, scale=np.sqrt(2 * S0))
    assert found["mise"].mean[0] == pytest.approx(expected, rel=ROUNDING)


def test_a_start_moves_what_generation_one_is_drawn_from():
    loop = Loop(Gaussian(0.0, 1.0), Replace(5), KernelDensity(WIDTH), start=Gaussian(1.5, 0.5))
    found = kernel_density.statistics(loop, ["mean_error", "mean_error_squared", "variance", "mise"], [1])
    assert found["mean_error"].mean[0] == 1.5
    assert found["mean_error_squared"].mean[0] == pytest.approx(1.5**2 + 0.5 / 5, rel=ROUNDING)
    assert found["variance"].mean[0] == pytest.approx(0.5 * 4 / 5, rel=ROUNDING)

    def error(x):
        """E (KDE - p)^2 at x, for five independent points: variance of a mean of kernels, and its bias."""
        kernel = stats.norm.pdf
        mean = kernel(x, 1.5, np.sqrt(0.5 + SQUARE))
        narrow = kernel(x, 1.5, np.sqrt(0.5 + SQUARE / 2)) / np.sqrt(4 * np.pi * SQUARE)
        return (narrow - mean**2) / 5 + (mean - kernel(x)) ** 2

    expected, _ = integrate.quad(error, -9, 11, epsabs=QUADRATURE / 10, limit=200)
    assert found["mise"].mean[0] == pytest.approx(expected, abs=QUADRATURE)


@pytest.mark.parametrize("g", [1, 2, 5, 30])
def test_closed_forms_at_constant_size(g):
    names = ["variance", "mean_error_squared"]
    loop = Loop(Gaussian(0.0, 2.0), Replace(40), KernelDensity(WIDTH))
    found = kernel_density.statistics(loop, names, [g])
    assert found["variance"].mean[0] == pytest.approx(forms.replace_variance(2.0, 40, WIDTH, g), rel=ROUNDING)
    total = found["variance"].mean[0] + found["mean_error_squared"].mean[0]
    assert total == pytest.approx(forms.replace_marginal(2.0, WIDTH, g), rel=ROUNDING)
    thumb = Loop(Gaussian(0.0, 2.0), Replace(40), KernelDensity({"factor": 1.06}))
    found = kernel_density.statistics(thumb, names, [g])["variance"]
    assert found.mean[0] == pytest.approx(forms.rule_of_thumb_variance(2.0, 40, 1.06, g), rel=ROUNDING)
    corrected = thumb.with_(sampler=Sampler(bias=forms.corrected_bias(40, 1.06)))
    found = kernel_density.statistics(corrected, names, [g])["variance"]
    assert found.mean[0] == pytest.approx(2.0 * (1 - 1 / 40) ** g, rel=ROUNDING)


def test_a_pool_by_the_recursion_of_its_variance():
    n, square, last = 10, Fraction(1, 4), 13
    v, pool = 1 - Fraction(1, n), n
    loop = Loop(Gaussian(0.0, 1.0), Accumulate(n), KernelDensity(0.5))
    found = kernel_density.statistics(loop, ["variance", "mean_error_squared"], range(1, last + 1))
    for g in range(1, last + 1):
        assert found["variance"].mean[g - 1] == pytest.approx(float(v), rel=ROUNDING)
        total = found["variance"].mean[g - 1] + found["mean_error_squared"].mean[g - 1]
        assert total == pytest.approx(forms.accumulate_marginal(1.0, 0.5, g), rel=ROUNDING)
        pool += n
        w = Fraction(n, pool)
        v = v + w * square - w * w * (v + square) / n
    uneven = Loop(Gaussian(0.0, 1.0), Accumulate([5, *[10] * 8]), KernelDensity(0.5))
    found = kernel_density.statistics(uneven, ["variance", "mean_error_squared"], [9])
    total = found["variance"].mean[0] + found["mean_error_squared"].mean[0]
    assert total == pytest.approx(forms.accumulate_marginal(1.0, 0.5, 9, ratio=0.5), rel=ROUNDING)


def test_kernels_passed_are_a_sum_of_coins():
    g = 9
    batches = [np.array([1.0])]
    for t in range(1, g):
        law = np.array([0.0, 1.0])
        for j in range(2, t + 1):
            law = np.convolve(law, [1 - 1 / j, 1 / j])
        batches.append(law)
    pool = sum(np.pad(law, (0, g + 1 - len(law))) for law in batches) / g
    np.testing.assert_allclose(forms.accumulate_kernels(g), pool[:g], atol=ROUNDING)
    assert pool[g] == 0


def test_the_stationary_law_of_fresh_data():
    share, width, s0 = 0.25, WIDTH, 1.0
    k = np.arange(400)
    weights = share * (1 - share) ** k
    for w in (0.5, 1.3):
        expected = np.sum(weights * np.exp(-(s0 + k * width**2) * w**2 / 2))
        assert forms.fresh_characteristic(s0, width, share, w) == pytest.approx(expected, rel=ROUNDING)
    loop = Loop(Gaussian(0.0, s0), Fresh(5, 15), KernelDensity(width))
    found = kernel_density.statistics(loop, ["variance", "mean_error_squared"], [200])
    total = found["variance"].mean[0] + found["mean_error_squared"].mean[0]
    assert total == pytest.approx(forms.fresh_marginal(s0, width, share), rel=ROUNDING)
    c = 0.7
    for _ in range(500):
        c = share * 0.7 + (1 - share) * 0.95**3 * c
    assert forms.stopped_early(0.7, share, 0.95, 3) == pytest.approx(c, rel=ROUNDING)


def test_counts_decide_the_mixture_of_real_and_generated():
    """By hand: n_r real points, the others from the last points: two lines of a law of total variance."""
    real, synthetic = 4, 12
    n, m = real + synthetic, Fraction(4, 16)
    v, d = 1 - Fraction(1, n), Fraction(1, n)
    loop = Loop(Gaussian(0.0, 1.0), Fresh(real, synthetic), KernelDensity(WIDTH))
    found = kernel_density.statistics(loop, ["variance", "mean_error_squared"], [1, 2, 3, 4])
    for g in range(4):
        assert found["variance"].mean[g] == pytest.approx(float(v), rel=ROUNDING)
        assert found["mean_error_squared"].mean[g] == pytest.approx(float(d), rel=ROUNDING)
        drawn = v + Fraction(9, 100)
        mean = (1 - m) ** 2 * (d + drawn / synthetic) + m * m / real
        second = m + (1 - m) * (drawn + d)
        v, d = second - mean, mean


def test_the_least_cross_entropy_by_quadrature():
    one = kernel_density.components(Gaussian(0.5, 1.0))
    other = kernel_density.components(Gaussian(0.0, 2.0))
    found = least_cross_entropy(one, other, 4, WIDTH)
    density = lambda x: stats.norm.pdf(x, 0.5) * -np.log(expected_density(other, 4, WIDTH, np.array(x)))  # noqa: E731
    expected, _ = integrate.quad(density, -12, 13, epsabs=QUADRATURE / 10, limit=200)
    assert found == pytest.approx(expected, abs=QUADRATURE)
    split = kernel_density.components(Mixture((0.4, 0.6), (0.5, 0.5), (1.0, 1.0)))
    assert least_cross_entropy(split, other, 4, WIDTH) == pytest.approx(expected, abs=QUADRATURE)


def test_overlaps_by_quadrature():
    one = kernel_density.components(Mixture((0.4, 0.6), (-1.0, 2.0), (1.0, 0.5)))
    other = kernel_density.components(Gaussian(0.3, 2.0))
    density = lambda x: expected_density(one, 1, 0.0, np.array(x)) * stats.norm.pdf(x, 0.3, np.sqrt(2.0))  # noqa: E731
    expected, _ = integrate.quad(density, -14, 14, epsabs=QUADRATURE / 10, limit=200)
    assert overlap(one, other) == pytest.approx(expected, abs=QUADRATURE)


def test_a_split_normal_is_a_normal():
    whole, split = Gaussian(0.5, 1.5), Mixture((0.3, 0.7), (0.5, 0.5), (1.5, 1.5))
    names = ["mise", "variance"]
    for data in (Replace(7), Replace([4, 9, 6])):
        found = [
            kernel_density.statistics(Loop(s, data, KernelDensity(WIDTH)), names, [3]) for s in (whole, split)
        ]
        for name in names:
            np.testing.assert_allclose(found[0][name].mean, found[1][name].mean, rtol=ROUNDING)


def test_limits_and_reasons():
    loop = Loop(Gaussian(0.0, 1.0), Replace(40), KernelDensity(WIDTH))
    found = predict(loop, [1, np.inf])
    assert found["variance"].sel(statistic="mean")[1] == pytest.approx(39 * WIDTH**2, rel=ROUNDING)
    assert np.isinf(found["mean_error_squared"].sel(statistic="mean")[1])
    assert "at least" in found["nll"].attrs["reason"]
    pool = predict(Loop(Gaussian(0.0, 1.0), Accumulate(10), KernelDensity(WIDTH)), [3])
    assert pool["mise"].attrs["status"] == "none"
    for data in (Fixed(9, 6), Window(5, 2)):
        assert predict(Loop(Gaussian(0.0, 1.0), data, KernelDensity(WIDTH)), [3])["variance"].notnull().any()


def test_the_pool_grows_like_a_logarithm():
    late, later = (forms.accumulate_marginal(1.0, 0.5, g) for g in (10**6, 10**7))
    # psi(x + 1) - ln x is at most 1/x
    assert later - late == pytest.approx(0.25 * np.log(10), abs=1e-6)
    assert forms.accumulate_marginal(1.0, 0.5, 1) == 1.0
    harmonic = sum(1 / k for k in range(1, 14))
    assert special.digamma(14) + np.euler_gamma == pytest.approx(harmonic, rel=ROUNDING)
