"""The closure of moments against enumeration in fractions, provenance, and eigenfunctions written out."""

from dataclasses import replace
from fractions import Fraction
from math import inf

import enumerated_categories as enumerated
import numpy as np
import pytest

from theory.categorical import laws
from theory.categorical.course import course
from theory.categorical.dispersion import central_moments
from theory.discrete_source import Categorical
from theory.estimator import MaximumLikelihood, Smoothed
from theory.loop import Loop
from theory.policy import Accumulate, Fixed, Fresh, Replace, Web
from theory.provenance import second_moments
from theory.recipe import recipe

SHARES = (0.5, 0.3, 0.2)
SOURCE = Categorical(SHARES)
EXACT = enumerated.exact(SHARES)
START = (0.1, 0.2, 0.7)
THIRDS = (Fraction(1, 3),) * 3

CASES = {
    "replace": (Loop(SOURCE, Replace(4)), enumerated.replace([4] * 3), None),
    "schedule": (Loop(SOURCE, Replace([3, 5, 2])), enumerated.replace([3, 5, 2]), None),
    "started": (
        Loop(SOURCE, Replace(4), start=Categorical(START)),
        enumerated.replace([4] * 3),
        enumerated.exact(START),
    ),
    "smoothed": (
        Loop(SOURCE, Replace(4), Smoothed(1.5)), enumerated.replace([4] * 3, (Fraction(3, 2), EXACT)), None,
    ),
    "to-uniform": (
        Loop(SOURCE, Replace(3), Smoothed(2.0, "uniform")), enumerated.replace([3] * 3, (2, THIRDS)), None,
    ),
    "stratified": (Loop(SOURCE, Fresh(1, 3)), enumerated.stratified(EXACT, 1, 3), None),
    "iid": (Loop(SOURCE, Fresh(1, 3, "iid")), enumerated.iid(EXACT, 4, Fraction(1, 4)), None),
    "fixed": (Loop(SOURCE, Fixed(3, 2)), enumerated.fixed(EXACT, 3, 2), None),
    "accumulate": (Loop(SOURCE, Accumulate([3, 2, 1])), enumerated.accumulate([3, 2, 1]), None),
    "accumulate-smoothed": (
        Loop(SOURCE, Accumulate(2), Smoothed(1.0)), enumerated.accumulate([2] * 3, (1, EXACT)), None,
    ),
    "web": (Loop(SOURCE, Web(3, 1, 2)), enumerated.web(EXACT, 3, 1, 2), None),
}  # fmt: skip
GENERATIONS = (1, 2, 3)
ROUNDING = 1e-13  # decimals to 60 digits and fractions, both read as floats; a chain of 3 steps in floats


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    loop, outcomes, start = CASES[request.param]
    return loop, enumerated.history(EXACT, len(GENERATIONS), outcomes, start)


@pytest.mark.parametrize("name", ["heterozygosity", "l2_squared", "chi_squared"])
def test_central_moments_against_enumeration(case, name):
    loop, history = case
    found = central_moments(course(loop), name, GENERATIONS, 4)
    value = enumerated.observables(EXACT)[name]
    for place, law in enumerate(history):
        expected = [float(x) for x in enumerated.central(law, value)]
        np.testing.assert_allclose(found[:, place], expected, rtol=ROUNDING, atol=ROUNDING)


def test_chain_of_counts_against_enumeration(case):
    loop, history = case
    made = course(loop)
    if made.anchor is not None:
        pytest.skip("the anchored chain is averaged in a test of its own")
    categories = laws.categories_of(made)
    found = list(laws.laws(made, categories, GENERATIONS))
    gone = laws.extinction(made, categories, GENERATIONS)
    for place, (law, expected) in enumerate(zip(found, history, strict=True)):
        np.testing.assert_allclose(law.probabilities.sum(0), 1, rtol=0, atol=ROUNDING)
        for i in range(3):
            for power in (1, 2, 5):
                exact = float(enumerated.expectation(expected, lambda x, i=i, k=power: x[i] ** k))
                assert abs(law.expectation(law.share**power)[i] - exact) < ROUNDING
            assert (
                abs(gone[place, i] - float(enumerated.expectation(expected, lambda x, i=i: x[i] == 0)))
                < ROUNDING
            )


def test_the_anchored_chain_against_enumeration():
    loop, outcomes, _ = CASES["fixed"]
    history = enumerated.history(EXACT, 3, outcomes)
    made = course(loop)
    found = laws.anchored_average(made, laws.categories_of(made), GENERATIONS, lambda x: x**3)
    for place, law in enumerate(history):
        expected = [float(enumerated.expectation(law, lambda x, i=i: x[i] ** 3)) for i in range(3)]
        np.testing.assert_allclose(found[place], expected, rtol=0, atol=ROUNDING)


def test_means_are_those_of_provenance(case):
    """Heterozygosity and squared error obey the identities of variance and squared mean error."""
    loop, _ = case
    if isinstance(loop.estimator, Smoothed) or loop.start is not None:
        pytest.skip("provenance knows plain fits; a start has its own test")
    fits = [fits[0] for fits in second_moments(recipe(loop.data), 3, number=float)]
    h = 1 - sum(p * p for p in SHARES)
    found = central_moments(course(loop), "heterozygosity", GENERATIONS, 1)[0]
    np.testing.assert_allclose(found, [h * fit.variance for fit in fits], rtol=ROUNDING)
    found = central_moments(course(loop), "l2_squared", GENERATIONS, 1)[0]
    np.testing.assert_allclose(found, [h * fit.mean_square for fit in fits], rtol=ROUNDING)


@pytest.mark.parametrize(
    "loop",
    [
        Loop(SOURCE, Replace(30)),
        Loop(SOURCE, Replace(3)),
        Loop(SOURCE, Replace(12), Smoothed(3.0, "uniform")),
        Loop(SOURCE, Fresh(2, 9)),
        Loop(SOURCE, Fresh(2, 9, "iid")),
        Loop(SOURCE, Fixed(5, 8)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["heterozygosity", "l2_squared", "chi_squared"])
def test_constants_and_rates_continue_the_recursion(loop, name):
    """The spectral form of late generations and the step by step recursion are one function of t."""
    highest = 4 if isinstance(loop.data, Replace) and loop.estimator == MaximumLikelihood() else 2
    found = central_moments(course(loop), name, (25, 40, 5000, inf), highest)
    stepwise = central_moments(replace(course(loop), constant_from=None), name, (25, 40), highest)
    np.testing.assert_allclose(found[:, :2], stepwise, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found[:, 2], found[:, 3], rtol=1e-9, atol=1e-15)


def test_large_samples_keep_their_digits():
    """At n = 10^12 fluctuations are normal: l2 for K = 2 is a chi-square of one degree of freedom."""
    n = 10**12
    loop = Loop(Categorical((0.5, 0.5)), Replace(n))
    found = central_moments(course(loop), "l2_squared", (1, 4, 100), 4)
    for place, t in enumerate((1, 4, 100)):
        twice = 2 * 0.25 * t / n
        np.testing.assert_allclose(
            found[:, place], [twice, 2 * twice**2, 8 * twice**3, 60 * twice**4], rtol=20 * t / n + 1e-13
        )


def test_many_equal_categories():
    loop = Loop(Categorical((1 / 2000,) * 2000), Replace(1000))
    found = central_moments(course(loop), "heterozygosity", (1, 10), 2)
    h = 1 - 1 / 2000
    np.testing.assert_allclose(found[0], [h * 0.999, h * 0.999**10], rtol=1e-12)
    # one generation: F n^2 = n + 2 (pairs that match), and pairs are uncorrelated when all shares are equal
    pairs = 1000 * 999 / 2
    variance = 4 * pairs * (1 / 2000) * (1 - 1 / 2000) / 1000**4
    np.testing.assert_allclose(found[1, 0], variance, rtol=1e-10)


def test_feller_eigenfunctions():
    """x(1-x)(1-2x) and x(1-x)(1-a x(1-x)), a = (5n-6)/(n-1), shrink by lambda_3 and lambda_4 exactly."""
    n = 7
    lambda_3 = Fraction((n - 1) * (n - 2), n**2)
    lambda_4 = lambda_3 * Fraction(n - 3, n)
    a = Fraction(5 * n - 6, n - 1)
    third = lambda x: x * (1 - x) * (1 - 2 * x)  # noqa: E731
    fourth = lambda x: x * (1 - x) * (1 - a * x * (1 - x))  # noqa: E731
    for start in (Fraction(3, 10), Fraction(1, 7)):
        law = enumerated.drawn(n, (start, 1 - start))
        for function, rate in ((third, lambda_3), (fourth, lambda_4)):
            after = sum(p * function(Fraction(counts[0], n)) for counts, p in law.items())
            assert after == rate * function(start)
