"""X6 and X6b: where biased samples beside real points lead, and how many of them help."""

import math
from fractions import Fraction

import pytest
import sympy as sp

from theory.loop import Gaussian, Loop, MaximumLikelihood, Sampler
from theory.policy import Fresh
from theory.predict import central_moments
from theory.recipes import mixed_statements as mixed

MANY = 4
"""By how much a size grows when the order of an error is measured."""


def mixture(real, synthetic, bias):
    return Loop(Gaussian(0.0, 1.0), Fresh(real, synthetic), MaximumLikelihood(), Sampler(bias=float(bias)))


def order(error, beyond):
    """The power of the size that an error falls with, to the nearest half."""
    return round(2 * math.log(abs(error / beyond)) / math.log(MANY)) / 2


@pytest.mark.parametrize(("real", "synthetic", "bias"), [(3, 7, 0.5), (1, 3, 0.8), (2, 1, 1.2)])
def test_the_floor_is_the_recursions_rest_in_many_points(real, synthetic, bias):
    """X6: what X1 settles at, at fixed shares and N -> inf, with an error of order 1/N."""

    def error(size):
        loop = mixture(size * real, size * synthetic, bias)
        started = mixed.fresh(loop, 1)[1]
        # the deviation shrinks at least like (b max(lambda, 1))^t: by the 80th step far below the error
        return float(mixed.fresh(loop, 80)[1] - mixed.bias_floor(loop)), float(started)

    (near, first), (beyond, _) = error(25), error(25 * MANY)
    assert order(near, beyond) == 1
    assert abs(near) < abs(first - float(mixed.bias_floor(mixture(real, synthetic, bias))))


def second_order(real, synthetic, bias):
    """E m^2 + E x^2/4 - E x^3/8 at rest, x = s - 1: E W_2^2, but for what synthetic points hardly change.

    (sqrt(s) - 1)^2 = x^2/4 - x^3/8 + 5 x^4/64 - ...; E x^4 = O(1/n_r^2), and with a share b = O(1/n_r) of
    synthetic points it differs from that of real points alone by O(b/n_r^2).
    """
    generations = 1 + math.ceil(-60 / math.log2(synthetic / (real + synthetic)))  # b^t below double rounding
    loop = mixture(real, synthetic, bias)
    square = central_moments(loop, "mean_error_squared", (generations,))[0, 0]
    return square + of_spread(*central_moments(loop, "variance", (generations,))[:3, 0])


def real_alone(real):
    """The same of real points alone: s is chi^2_{n-1} / n."""
    nu = real - 1
    return 1 / real + of_spread(nu / real, 2 * nu / real**2, 8 * nu / real**3)


def of_spread(mean, variance, third):
    x = mean - 1
    return (variance + x**2) / 4 - (third + 3 * x * variance + x**3) / 8


def indifferent(real, bias):
    """n_s > 0 with the error of real points alone; between whole numbers the gain is n_s times a line."""

    def gain(synthetic):
        return second_order(real, synthetic, bias) - real_alone(real)

    helps, hurts = 1, real
    assert gain(helps) < 0 < gain(hurts)
    while hurts - helps > 1:
        middle = (helps + hurts) // 2
        if gain(middle) < 0:
            helps = middle
        else:
            hurts = middle
    below, above = gain(helps) / helps, gain(hurts) / hurts
    return helps + below / (below - above)


@pytest.mark.parametrize("bias", [Fraction(7, 10), Fraction(4, 5), Fraction(2, 5)])
def test_so_many_synthetic_points_help(bias):
    """X6b on the line: exact second moments change sign at n_s*, with an error of order b."""
    stated = float(mixed.admissible(bias))
    near, beyond = (indifferent(real, bias) - stated for real in (4000, 4000 * MANY))
    assert order(near, beyond) == 1


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("bias", [sp.Rational(7, 10), sp.Rational(0), sp.Rational(9, 10)])
def test_the_threshold_in_several_dimensions(d, bias):
    """X6b: where E W_2^2 of a Wishart matrix with the moments of a mixture is that of real points alone."""
    h, k = sp.symbols("h k", positive=True)  # 1/n_r and n_s

    def error(synthetic):
        share = synthetic * h / (1 + synthetic * h)
        size = 1 / h + synthetic
        mean = d * (share * bias + 1 - share) / size / (1 - share**2)
        shift = -1 / size - share * (1 - bias)
        # E tr (X - E X)^2 of a sum of two Wishart matrices; E tr X^3 = tr (E X)^3 + 3 E X tr Var + a cumulant
        spread = d * (d + 1) * (1 - share + share * bias**2) / size
        return mean + (spread + d * shift**2) / 4 - 3 * shift * spread / 8

    gain = sp.series(error(k) - error(0), h, 0, 3).removeO().coeff(h, 2)
    assert sp.series(error(k) - error(0), h, 0, 2).removeO() == 0
    assert [root for root in sp.solve(gain, k) if root > 0] == [sp.nsimplify(mixed.admissible(bias, d))]
