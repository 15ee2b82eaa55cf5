"""Claims that experiments meet: their formulas derived a second time, and wrong ones that must disagree."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, stats

from autophagy.asymptotics import has_order
from autophagy.formula import Formulas
from autophagy.shared_runs import judged, plan
from autophagy.verification import QUICK_WORK
from theory.categorical import wright_fisher as chain
from theory.claims import categorical_chain as chains
from theory.claims import categorical_pool as pools
from theory.claims import gaussian_threshold as thresholds
from theory.claims import sample_limit as limits
from theory.claims.categorical_cases import mean_of
from theory.kernel_density.forms import accumulate_kernels
from theory.recipes import mixed_statements as stated
from theory.replace.known_variance import beating_first

ALL = (
    *thresholds.GAUSSIAN_THRESHOLDS,
    *chains.CATEGORICAL_CHAINS,
    *pools.CATEGORICAL_POOLS,
    *limits.SAMPLE_LIMITS,
)


def claim_of(entry, observable, check="moments"):
    (found,) = [
        claim
        for claim in ALL
        if (claim.id.partition(".")[2], claim.observable, claim.check) == (entry, observable, check)
    ]
    return found


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1, 5), (2, 8, 18, 32)])
def test_a_later_mean_beats_the_first_as_quadrature_says(sizes):
    tau = sizes[0] * sum(1 / n for n in sizes[1:])

    def between(x):
        low, high = stats.norm.cdf([-abs(x), abs(x)], x, tau**0.5)
        return stats.norm.pdf(x) * (high - low)

    value, error = integrate.quad(between, -np.inf, np.inf)
    assert abs(beating_first(sizes)[-1] - value) < 10 * error


def test_the_threshold_grows_in_a_line_as_the_recursion_does():
    (case,) = claim_of("X5", "variance").cases
    expected = [float(stated.fresh(case.loop, t)[1]) for t in case.generations]
    assert thresholds._at_threshold(case) == pytest.approx(expected, rel=1e-10)


def test_eigenfunctions_beside_the_chain_of_counts():
    (case,) = claim_of("C2", "share_polynomials").cases
    get = case.loop.get
    x = np.arange(get("n") + 1) / get("n")
    values = np.array(get("polynomials")) @ x ** np.arange(1, 5)[:, None]
    by_chain = chain.expectations(get("n"), get("shares"), values.T, get("at")).swapaxes(1, 2)
    # a polynomial of numbers up to 3 loses about 2^-50 to rounding
    assert np.abs(chains._eigenfunctions(case)[0] - by_chain).max() < 2.0**-45


def multinomial(n, shares):
    """Every vector of counts, with its probability."""
    for counts in itertools.product(range(n + 1), repeat=len(shares)):
        if sum(counts) == n:
            ways = math.factorial(n)
            for k in counts:
                ways //= math.factorial(k)
            yield counts, ways * math.prod(p**k for p, k in zip(shares, counts, strict=True))


def test_products_of_different_shares_by_enumeration():
    shares, n = (Fraction(1, 2), Fraction(3, 10), Fraction(1, 5)), 3
    total = Fraction(0)
    for counts, first in multinomial(n, shares):
        then = tuple(Fraction(k, n) for k in counts)
        total += first * sum(
            (p * math.prod(Fraction(k, n) for k in later) for later, p in multinomial(n, then)), Fraction(0)
        )
    case = chains.changed(
        claim_of("C2", "share_products").cases[0], shares=tuple(map(float, shares)), n=n, at=(2,)
    )
    assert chains._products(case)[0][0, -1] == pytest.approx(float(total), rel=1e-14)


def urn(counts, batches, function):
    """The mean of a function of an urn's shares, by every way to draw."""
    if not batches:
        return function([Fraction(k, sum(counts)) for k in counts])
    shares = [Fraction(k, sum(counts)) for k in counts]
    return sum(
        (
            p * urn([a + b for a, b in zip(counts, more, strict=True)], batches[1:], function)
            for more, p in multinomial(batches[0], shares)
            if p
        ),
        Fraction(0),
    )


def test_urns_by_enumeration():
    singles = pools.changed(pools.SINGLES, counts=(3, 2, 1), batches=(1, 1, 1))
    cubes = [urn([3, 2, 1], [1, 1, 1], lambda p, i=i: p[i] ** 3) for i in range(3)]
    assert pools._polya_cubes(singles)[0] == pytest.approx([float(x) for x in cubes], rel=1e-13)
    batched = pools.changed(pools.SINGLES, counts=(3, 2, 1), batches=(4, 2))
    third = [urn([3, 2, 1], [4, 2], lambda p, i=i: p[i] * (1 - p[i]) * (1 - 2 * p[i])) for i in range(3)]
    assert pools._third(batched)[0][0] == pytest.approx([float(x) for x in third], rel=1e-12, abs=1e-15)


def test_the_pool_of_real_and_synthetic_points_as_predicted():
    about = [claim for claim in pools.C8 if claim.observable == "l2_squared"]
    for one in about:
        case = replace(one.cases[0], generations=(1, 2, 5))
        assert one.exact(case) == pytest.approx(mean_of("l2_squared")(case)[0], rel=1e-11)


def test_kernels_passed_are_a_sum_of_coins():
    (case,) = claim_of("K4", "hermite").cases
    law, h = accumulate_kernels(case.loop.get("generation")), case.loop.get("width")
    passed = h**2 * np.arange(len(law))
    assert limits._hermites(case)[0] == pytest.approx([0, law @ passed, 0, 3 * law @ passed**2], rel=1e-12)


def test_shrinking_widths_keep_the_variance_bounded():
    (case,) = claim_of("K4", "pooled_variance").cases
    get = case.loop.get
    far = limits._shrinking(limits.changed(case, generations=10**5))[0]
    assert (np.diff(far) > 0).all()
    assert far[-1] < 1 + 7 / 3 * get("factor") ** 2 * get("n") ** -0.4


def test_times_that_fixation_splits_add_up():
    for case in claim_of("C4", "times").cases:
        k = len(case.loop.get("shares"))
        found = chains._times(case)[0]
        assert found[2 * k - 1 : 3 * k - 1].sum() == pytest.approx(found[0], rel=1e-10)


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: f"{claim.id} {claim.observable} {claim.check}")
def test_every_claim_can_be_planned_and_drawn(claim):
    assert Formulas().picture(claim.statement).startswith("<svg")
    for case in claim.cases:
        expected = np.asarray(claim.expected(case))
        assert expected.shape[0] == 4
        assert np.isfinite(expected[0]).any()


@pytest.mark.parametrize(
    "claim",
    [claim for claim in ALL if claim.check == "limit"],
    ids=lambda claim: f"{claim.id} {claim.observable}",
)
def test_a_limit_of_another_value_has_no_order(claim):
    (case,) = claim.cases
    assert has_order(claim, case)
    if claim.order == 0:  # of a time or number that grows with n
        wrong = replace(claim, expected=lambda case: 1.1 * np.asarray(claim.expected(case)))
    else:
        wrong = replace(claim, expected=lambda case: np.asarray(claim.expected(case)) + 0.1)
    assert not has_order(wrong, case)


WRONG = {
    ("R14", "beating_first"): lambda mean: mean * 1.05,
    ("R8", "variance_power"): lambda mean: mean * 0.97,
    ("C2", "share_products"): lambda mean: mean * 0.95,
    ("C4", "times"): lambda mean: mean * 1.05,
    ("C5", "survivors"): lambda mean: mean[::-1],
    ("C10", "urn_polynomials"): lambda mean: mean * 1.05,
    ("C11", "cut_tail"): lambda mean: mean * 1.05,
    ("C11", "unknown_contexts"): lambda mean: mean * 1.05,
}
"""What a wrong formula would say of an entry."""


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "observable"), WRONG)
def test_planted_errors_disagree(entry, observable):
    claim = next(
        claim
        for claim in ALL
        if (claim.id.partition(".")[2], claim.observable, claim.check) == (entry, observable, "moments")
    )

    def wrong(case):
        found = np.array(claim.expected(case), float)
        found[0] = WRONG[entry, observable](found[0])
        return found

    right, planted = plan(claim, claim.cases[0]), plan(replace(claim, expected=wrong), claim.cases[0])
    found = judged([right, planted], 2500, QUICK_WORK, 0)
    assert found[id(right)].disagreements == 0
    assert found[id(planted)].disagreements > 0
