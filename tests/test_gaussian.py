"""Stated formulas are theorems: each is subtracted from what the closure derives, and nothing remains."""

import mpmath
import pytest
import sympy as sp

from theory import gaussian
from theory.gaussian import FORMULAS, Setting, expectation, setting
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.moments import moment
from theory.replace import biased as sampling
from theory.replace.recursion import LAMBDA, MU4, SD, Kind, N, T, V
from theory.replace.statistics import FORMS
from theory.replace.truncation import truncated_moments

ESTIMATORS = (MaximumLikelihood(), Unbiased())
K = sp.Symbol("k", positive=True)  # n - 3: every factor of n - 1, n - 2, n - 3 is then positive
HALF = sp.Rational(1, 2)


def vanishes(expression):
    """Whether an expression in n, t, lambda is identically zero, by algebra alone.

    Every factor of a base to the power t becomes an indeterminate of its own; what is left is rational.
    """
    generic = expression.replace(lambda e: isinstance(e, sp.Piecewise), lambda e: e.args[-1][0])
    positive = sp.expand_log(generic.subs(N, K + 3), force=True)
    rational = positive.replace(lambda e: e.is_Pow and e.exp.has(T), split_power)
    return sp.expand(sp.fraction(sp.together(rational))[0]) == 0


def split_power(power):
    slope, constant = power.exp.coeff(T), power.exp.subs(T, 0)
    result = sp.Integer(1)
    for factor in sp.Mul.make_args(sp.factor(power.base)):
        base, exponent = factor.as_base_exp()
        steps = sp.Symbol(f"({base})^t", positive=True)
        result *= steps ** (exponent * slope) * base ** (exponent * constant)
    return result


def derived(observable, kind):
    """E of an observable as the closure solves it; lengths in units of the source, restored."""
    form = FORMS[observable]
    total = 0
    for (i, j, k), coefficient in form.polynomial.items():
        # In units of the source: l is log(sigma^2 / sigma_0^2).
        value = moment((i, j, k), kind).subs(SD, 1) if (i, j, k) != (0, 0, 0) else 1
        total += coefficient * value
    total *= SD**form.length / sp.Integer(form.denominator)
    return total + 2 * sp.log(SD) if observable == "log_variance" else total


def symbolic(estimator, biased, first):
    sampler = Sampler(bias=LAMBDA if biased else 1.0, applies_to_source=first)
    return Loop(Gaussian(0, SD**2), Replace(N), estimator, sampler)


@pytest.mark.parametrize("observable", FORMULAS)
@pytest.mark.parametrize(("biased", "first"), [(False, False), (True, True), (True, False)])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_derived_equals_stated(observable, biased, first, estimator):
    kind = Kind(isinstance(estimator, MaximumLikelihood), biased, late=biased and not first)
    stated = expectation(symbolic(estimator, biased, first), observable, T)
    assert vanishes(derived(observable, kind) - stated)


def test_the_proof_sees_a_wrong_constant():
    loop = symbolic(MaximumLikelihood(), True, True)
    for observable in FORMULAS:
        if observable != "mean_error":
            wrong = expectation(loop, observable, T + 1)
            assert not vanishes(derived(observable, Kind(True, True)) - wrong)


@pytest.mark.parametrize("observable", gaussian.UNBIASED_SAMPLER)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_short_forms(observable, estimator):
    # The symbols of the short forms carry fewer assumptions than the derivation's.
    loop = symbolic(estimator, False, True)
    s = setting(loop)
    short = gaussian.UNBIASED_SAMPLER[observable][isinstance(estimator, Unbiased)]
    short = short.subs(gaussian.ABBREVIATIONS)
    short = short.subs({gaussian.HALF: gaussian.mellin(HALF, s), gaussian.DRIFT: gaussian.lyapunov(s)})
    same = {sp.Symbol("n", positive=True): N, sp.Symbol("t", positive=True): T}
    assert vanishes(derived(observable, Kind(isinstance(estimator, MaximumLikelihood))) - short.subs(same))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_fourth_moments_obey_the_stated_matrix(estimator):
    # R7's state (E m^4, E m^2 s, E s^2) and its matrix for any divisor.
    c = N if isinstance(estimator, MaximumLikelihood) else N - 1
    nu = N - 1
    matrix = sp.Matrix([[1, 6 / N, 3 / N**2], [0, nu / c, nu / (c * N)], [0, 0, nu * (nu + 2) / c**2]])
    names = ("mean_error_fourth", "mean_variance_product", "variance_squared")
    s = setting(symbolic(estimator, False, True))
    now, then = (sp.Matrix([FORMULAS[name](s, t) for name in names]) for t in (T, T + 1))
    assert all(vanishes(entry) for entry in matrix * now - then)


def test_predictive_moments():
    # R6: the variance of a sample of model t stays sigma_0^2 (mle), or grows as 1 + t/n (unbiased).
    s, u = (setting(symbolic(estimator, False, True)) for estimator in ESTIMATORS)
    total = [gaussian.variance(x, T) + gaussian.mean_error_squared(x, T) for x in (s, u)]
    assert vanishes(total[0] - SD**2)
    assert vanishes(total[1] - SD**2 * (1 + T / N))
    limit = sp.Integer(1) * (6 * N - 3)
    long_run = gaussian.mean_error_fourth(s, T).subs(N, 7).subs(SD, 1)
    assert sp.limit(long_run, T, sp.oo) == limit.subs(N, 7)


def test_cube_of_sigma_shares_the_rate_of_sigma():
    s = setting(symbolic(MaximumLikelihood(), False, True))
    three_halves = gaussian.power(sp.Rational(3, 2), s, T)
    assert sp.gammasimp(sp.simplify(three_halves / gaussian.std(s, T))) == SD**2


def test_expansions_of_the_lyapunov_exponent():
    # R5: -1/nu - 1/(3 nu^2) + O(nu^-4) and -2/n - 11/(6 n^2) + O(n^-3).
    x = sp.Symbol("x", positive=True)
    free = Setting(1 / x + 1, 1 / x, 1 / x, 1, 1, 1, 0)
    assert sp.series(gaussian.lyapunov(free), x, 0, 4).removeO().expand() == -x - x**2 / 3
    with mpmath.workdps(60):
        for n in (10**6, 10**7):
            exact = mpmath.psi(0, mpmath.mpf(n - 1) / 2) + mpmath.log(mpmath.mpf(2) / n)
            assert abs(exact + mpmath.mpf(2) / n + mpmath.mpf(11) / (6 * n**2)) < mpmath.mpf(3) / n**3


def test_removable_singularities_are_limits():
    for estimator, bias in ((MaximumLikelihood(), 1.25), (Unbiased(), 1.0)):
        loop = Loop(Gaussian(0.0, 1.0), Replace(5), estimator, Sampler(bias=bias, applies_to_source=True))
        # lambda nu/c = 1: the error grows linearly.
        factor = sp.nsimplify(bias)
        assert sp.simplify(expectation(loop, "mean_error_squared", T) - factor * T / 5) == 0
        for observable in FORMULAS:
            assert not expectation(loop, observable, sp.Integer(7)).has(sp.nan, sp.zoo)
    # lambda = c / (nu + 2), where q = rho.
    loop = Loop(Gaussian(0.0, 1.0), Replace(6), Unbiased(), Sampler(bias=LAMBDA, applies_to_source=True))
    for observable in ("mean_error_fourth", "mean_variance_product"):
        formula = expectation(loop, observable, sp.Integer(4))
        at, near = (
            float(formula.subs(LAMBDA, x))
            for x in (sp.Rational(5, 7), sp.Rational(5, 7) + sp.Rational(1, 10**9))
        )
        assert abs(at - near) < 1e-8
    product = FORMULAS["mean_error_squared"](setting(loop), T)
    assert product.subs(LAMBDA, 1) == T / 6


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
def test_truncated_formulas(estimator):
    kind = Kind(isinstance(estimator, MaximumLikelihood), truncated=True)
    s = setting(symbolic(estimator, False, True))
    for monomial, stated in {
        (0, 2, 0): sampling.variance(s, T, V),
        (2, 0, 0): sampling.mean_error_squared(s, T, V),
        (0, 4, 0): sampling.variance_squared(s, T, V, MU4),
    }.items():
        assert vanishes(moment(monomial, kind) - stated)


def test_printed_values_of_the_truncated_variance():
    v = truncated_moments(sp.Symbol("c", positive=True))(2)
    c = next(iter(v.free_symbols))
    printed = {
        "0.5": ".080589", "0.7": ".152919", "1": ".291125", "1.5": ".551524", "2": ".773741", "3": ".973337",
    }  # fmt: skip
    for cut, value in printed.items():
        assert abs(v.subs(c, sp.Rational(cut)).evalf(30) - sp.Float(value)) <= 5e-7
    assert sampling.truncated_variance(c) == v


def test_guided_density():
    x, w = sp.symbols("x w", real=True)
    m_c, m_u = sp.symbols("m_c m_u", real=True)
    s_c, s_u = sp.symbols("s_c s_u", positive=True)
    mean, variance = sampling.guided((m_c, s_c), (m_u, s_u), w)
    exponent = -(1 + w) * (x - m_c) ** 2 / (2 * s_c) + w * (x - m_u) ** 2 / (2 * s_u)
    assert sp.simplify(sp.diff(exponent, x) + (x - mean) / variance) == 0
    flat = sp.limit(variance.subs(w, sp.Symbol("w", positive=True)), s_u, sp.oo)
    assert sp.simplify(flat - s_c / (1 + sp.Symbol("w", positive=True))) == 0
    assert sampling.tempered(m_c, s_c, w) == (m_c, w * s_c)


CONSTANTS = """
3 0.886227 0.723601 -0.577216 -0.982681 1.781072
5 0.939986 0.840749 -0.270363 -0.493506 1.310440
10 0.972659 0.922746 -0.115206 -0.220567 1.122105
20 0.986934 0.961945 -0.053554 -0.104847 1.055014
50 0.994911 0.984912 -0.020547 -0.040750 1.020760
100 0.997478 0.992478 -0.010135 -0.020185 1.010187
"""


@pytest.mark.parametrize("line", CONSTANTS.strip().splitlines())
def test_printed_constants(line):
    # c4, g, L unbiased, L maximum likelihood, the threshold of collapse.
    n, *printed = line.split()
    loops = [Loop(Gaussian(0.0, 1.0), Replace(int(n)), estimator) for estimator in ESTIMATORS]
    likelihood, unbiased = map(setting, loops)
    values = [
        gaussian.mellin(HALF, unbiased),
        gaussian.mellin(HALF, likelihood),
        gaussian.lyapunov(unbiased),
        gaussian.lyapunov(likelihood),
        gaussian.collapse_below(unbiased),
    ]
    for value, text in zip(values, printed, strict=True):
        assert abs(sp.N(value, 20) - sp.Float(text, 20)) <= 5.0001e-7


def test_formulas_refuse_what_they_do_not_cover():
    with pytest.raises(LoopError, match="constant number"):
        setting(Loop(Gaussian(0.0, 1.0), Replace([5, 6])))
    with pytest.raises(LoopError, match="truncated"):
        setting(Loop(Gaussian(0.0, 1.0), Replace(5), sampler=Sampler(truncate=1.0)))
