"""The closure: its solver, its two ways of knowing one fit, its agreement with exhaustive small cases."""

import itertools
from fractions import Fraction

import pytest
import sympy as sp

from theory.loop import Gaussian, Loop, LoopError, Replace, Sampler, Unbiased
from theory.moments import derive, moment, polynomials
from theory.replace.closure import applied, closed, composed, one_step, rows
from theory.replace.fit_law import GaussianStep
from theory.replace.recursion import SD, Kind, N, T, solved, step
from theory.replace.solution import solve
from theory.replace.truncation import SymmetricStep, truncated_moments

KINDS = [
    Kind(likelihood, biased, truncated=False, late=late)
    for likelihood in (True, False)
    for biased, late in ((False, False), (True, False), (True, True))
]
NORMAL = {0: 1, 2: 1, 4: 3, 6: 15, 8: 105, 10: 945, 12: 10395}


def gaussian_fractions(n, divisor, factor):
    one = Fraction(1)
    return GaussianStep(n, divisor, Fraction(factor), half=lambda: None, cumulant=lambda r, p: None, one=one)


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("unbiased", [False, True])
def test_power_sums_of_normal_samples_reproduce_cochran(n, unbiased):
    # Two derivations of one fit's joint moments: set partitions of samples, and chi-square independence.
    divisor = n - unbiased
    sums = SymmetricStep(n, divisor, NORMAL.__getitem__, Fraction(1))
    cochran = gaussian_fractions(n, divisor, 1)
    for x in polynomials(12):
        assert one_step(x, sums) == one_step(x, cochran)


def test_power_sums_agree_with_cochran_for_symbolic_n():
    for likelihood in (True, False):
        known = {k: sp.Integer(m) for k, m in NORMAL.items()}
        divisor = N if likelihood else N - 1
        sums = SymmetricStep(N, divisor, known.__getitem__, sp.Integer(1))
        cochran = GaussianStep(N, divisor, sp.Integer(1), lambda: None, lambda r, p: None, sp.Integer(1))
        for a, j in itertools.product((0, 2, 4, 6), repeat=2):
            if a + j <= 6:
                assert sp.simplify(sums.moment(a, j, 0) - cochran.moment(a, j, 0)) == 0


def test_power_sums_by_enumeration():
    # z uniform on five values: every sample of three points.
    support = [-2, -1, 0, 1, 2]
    moments = {k: Fraction(sum(z**k for z in support), len(support)) for k in range(0, 14, 2)}
    fit = SymmetricStep(3, 3, moments.__getitem__, Fraction(1))
    for a, q in itertools.product((0, 2, 4), (0, 1, 2, 3)):
        total = Fraction(0)
        for sample in itertools.product(support, repeat=3):
            mean = Fraction(sum(sample), 3)
            total += mean**a * (Fraction(sum(z * z for z in sample), 3) - mean**2) ** q
        assert fit.moment(a, 2 * q, 0) == total / 5**3


def test_truncated_moments_are_the_integrals():
    # d/dc of E[z^2k; |z| < c] is the integrand at both ends, and at c = 0 there is nothing.
    c = sp.Symbol("c", positive=True)
    density = sp.exp(-(c**2) / 2) / sp.sqrt(2 * sp.pi)
    known = truncated_moments(c)
    for order in (0, 2, 4, 6):
        mass = known(order) * sp.erf(c / sp.sqrt(2))
        assert sp.simplify(sp.diff(mass, c) - 2 * c**order * density) == 0
        assert sp.limit(mass, c, 0) == 0
    # The fourth moment is 3 v - 2 c^3 phi / (2 Phi - 1).
    edge = 2 * density / sp.erf(c / sp.sqrt(2))
    assert sp.simplify(known(4) - (3 * known(2) - c**3 * edge)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_solution_obeys_the_recursion(kind):
    # Substituting the solution into the recursion: exact equality over the field, at t = 0, ..., 4.
    family = closed([*polynomials(6), (0, 0, 2), (2, 1, 0), (2, -2, 0)])
    answer = solved(kind, family)
    values = {x: value_at(terms, 0) for x, terms in answer.solution.items()}
    for t in range(1, 5):
        values = applied(answer.matrix, values)
        assert all(values[x] == value_at(terms, t) for x, terms in answer.solution.items())


def value_at(terms, t):
    return sum(rate**t * sum(c * t**e for e, c in enumerate(p)) for rate, p in terms.terms.items())


def test_resonances_are_answered_with_powers_of_t():
    # x' = x + y, y' = y + z, z' = z, and the same with a doubled rate.
    for rate in (Fraction(1), Fraction(2)):
        x, y, z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
        matrix = {z: {z: rate}, y: {y: rate, z: 1}, x: {x: rate, y: 1}}
        answer = solve(matrix, {x: Fraction(3), y: Fraction(5), z: Fraction(7)})
        values = {x: Fraction(3), y: Fraction(5), z: Fraction(7)}
        for t in range(1, 6):
            values = applied(matrix, values)
            assert {k: value_at(terms, t) for k, terms in answer.items()} == values


def test_composition_is_the_matrix_power():
    fit = gaussian_fractions(5, 4, Fraction(9, 10))
    matrix = rows(polynomials(6), fit)
    start = {(i, j, k): Fraction(2) ** i * Fraction(3) ** j for i, j, k in matrix}
    thrice = applied(composed(matrix, composed(matrix, matrix)), start)
    assert thrice == applied(matrix, applied(matrix, applied(matrix, start)))


def test_lambda_one_is_a_resonance_not_a_division_by_zero():
    error = moment((2, 0, 0), Kind(maximum_likelihood=False))
    assert sp.simplify(error - SD**2 * T / N) == 0
    # sigma and sigma^3 share a rate with the maximum-likelihood divisor: E[m^2 sigma] grows like t g^t.
    cross = moment((2, 1, 0), Kind(maximum_likelihood=True))
    assert sp.simplify(cross - T / N * moment((0, 3, 0), Kind(maximum_likelihood=True))) == 0


def test_weight_six_has_no_singular_value():
    for kind in KINDS:
        for x in polynomials(6):
            assert not moment(x, kind).has(sp.nan, sp.zoo, sp.oo)


def test_derivation_of_the_readme_loop():
    derivation = derive(Loop(Gaussian(0.0, 1.0), Replace(100), Unbiased(), Sampler(bias=0.9)))
    text = derivation.text()
    assert "E[(sigma^2)'] = lambda E[sigma^2]" in text
    assert "E[(m^2)'] = lambda/n E[sigma^2] + E[m^2]" in text
    assert derivation.numbers()["rate of sigma^2"] == 0.9
    assert derivation.latex().count(r"\begin{align*}") == 3
    assert derivation.bounded_below == 1
    assert derivation.matrix.is_lower is True


def test_derivation_under_truncation_and_schedules():
    text = derive(Loop(Gaussian(0.0, 1.0), Replace("10 * t"), sampler=Sampler(truncate=1.0)), weight=4).text()
    assert "E[(sigma^2)'] = v*(n - 1)/n E[sigma^2]" in text
    assert "n_1, n_2" in text


def test_derivation_refuses_vectors():
    with pytest.raises(LoopError, match="on the line"):
        derive(Loop(Gaussian([0.0, 0.0], 1.0), Replace(10)))


def test_one_step_of_the_symbolic_kinds_is_cochrans():
    for kind in KINDS:
        fit = step(kind)
        assert fit.is_finite((0, -2, 0))
        assert fit.moment(0, 0, 0) == 1
