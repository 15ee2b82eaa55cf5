"""A limit or a bound that is wrong disagrees, on the claims' own cases and with theory's own values."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr

from autophagy.asymptotics import OfLimit, is_of_order
from autophagy.confrontation import RESOLUTION, known_mean
from autophagy.inequality import OfInequality
from jaxsim.summary import STATISTICS
from theory.claims import CLAIMS, selection_limits
from theory.claims.larger_cases import larger

FAMILY = 10_000
LIMITS = [claim for claim in CLAIMS if claim.check == "limit"]
BOUNDS = [claim for claim in CLAIMS if claim.check == "bound" and claim.side is not None]
DELTA = [
    claim
    for claim in LIMITS
    if getattr(claim.exact, "func", None) is selection_limits.at_finite_n and claim.id != "gaussian.C1"
]


def named(claim):
    return f"{claim.id}-{claim.observable}"


def scaled(claim, factor):
    """The claim with its formula or bound multiplied, its higher moments as they are."""

    def expected(case):
        moments = np.array(claim.expected(case), float)
        moments[0] *= factor
        return moments

    return replace(claim, expected=expected)


@cache
def known(index):
    """Formula and exact mean of an ordered limit at every case and at the grown one."""
    claim = LIMITS[index]
    return [
        [
            (np.asarray(claim.expected(one), float)[0], known_mean(claim, one))
            for one in (case, claim.grown(case))
        ]
        for case in claim.cases
    ]


def has_its_order(index, wrong):
    """Whether the error of wrong(formula) falls at its order where it is confronted, of every case."""
    found = []
    for case in known(index):
        (at, exact), (then, beyond) = case
        there = np.isfinite(at)
        gaps = (wrong(at) - exact)[there], (wrong(then) - beyond)[there]
        found.append(is_of_order(LIMITS[index].order, *gaps))
    return found


def summary(mean, variance, count):
    """Of a normal sample, as long as it likes."""
    mean, variance = np.broadcast_arrays(np.asarray(mean, float), np.asarray(variance, float))
    parts = [np.full(mean.shape, float(count)), mean, variance, 0 * mean, 3 * variance**2]
    parts.append(np.sqrt(variance / count))
    return xr.DataArray(np.stack(parts), {"statistic": list(STATISTICS)}, ["statistic", *"abc"[: mean.ndim]])


@pytest.mark.parametrize("index", range(len(LIMITS)), ids=map(named, LIMITS))
def test_every_limit_says_what_could_refute_it(index):
    """The order of its error, beside an exact mean wherever the formula speaks."""
    assert LIMITS[index].order is not None
    for case in known(index):
        for formula, exact in case:
            stated = np.isfinite(formula)
            assert stated.any()
            assert np.isfinite(exact)[stated].all()


@pytest.mark.parametrize("index", range(len(LIMITS)), ids=map(named, LIMITS))
def test_an_error_falls_at_its_order_and_a_tenth_more_does_not(index):
    assert all(has_its_order(index, lambda value: value))
    for factor in (1.1, 0.9):
        assert not any(has_its_order(index, lambda value, factor=factor: factor * value))


def test_wild_formulas_disagree():
    """Formulas that used to agree: their error was allowed because it was theirs."""
    find = {(claim.id, claim.observable): index for index, claim in enumerate(LIMITS)}
    for key, value in (
        (("gaussian.A2", "variance"), 0.0),
        (("gaussian.A2", "variance_squared"), 1.0),
        (("gaussian.X6", "w2_squared"), 0.0),
        (("mixture.C11", "support"), 100.0),
        (("mixture.C6", "kl_to_source"), 0.0),
        (("gaussian.E4", "variance"), 1.0),
    ):
        assert not any(has_its_order(find[key], lambda right, value=value: value + 0 * right))


def test_the_plan_of_a_limit_sees_its_order():
    claim = next(c for c in LIMITS if c.id == "gaussian.A7")
    (case,) = claim.cases
    assert OfLimit.plan(claim, case).ordered
    assert not OfLimit.plan(scaled(claim, 1.1), case).ordered


def test_an_ordered_limit_is_held_against_the_exact_mean():
    claim = next(c for c in LIMITS if c.id == "gaussian.R15")
    trial = OfLimit.plan(claim, claim.cases[0])
    count, spread = trial.replicates(FAMILY, 2**30), trial.moments.expected.variance
    for shift, disagrees in ((0.0, 0), (RESOLUTION, 1), (-RESOLUTION, 1)):
        measured = summary(trial.value + shift * np.sqrt(spread), spread, count)
        outcome = trial.judge(measured, FAMILY)
        assert outcome.disagreements == disagrees
        assert outcome.missed == disagrees  # of a sample that has moved, one of the two controls is the truth


@pytest.mark.parametrize("name", selection_limits.ROWS)
def test_the_term_in_one_over_n_leaves_an_error_of_order_two(name):
    """Beside the exact moments of best fractions and of the best of K under replacement."""
    claim = next(c for c in LIMITS if (c.id, c.observable) == ("gaussian.C1", name))
    for case in claim.cases:
        gaps = []
        for one in (case, larger(case)):
            both = selection_limits.twice(one, name)
            gaps.append(both - claim.exact(one))
        assert is_of_order(2, gaps[0][0], gaps[1][0])
        assert (np.abs(gaps[0]) < 1e-4 * np.abs(claim.exact(case))).all() or name == "variance"


@pytest.mark.slow
@pytest.mark.parametrize("claim", [c for c in DELTA if c.id != "gaussian.C14"], ids=named)
def test_a_twentieth_more_strength_disagrees(claim):
    """The rule that theory is told is wrong throughout; the simulation is of the right one."""
    from jaxsim.simulate import simulate

    case = claim.cases[0]

    def wrong(one):
        rule = one.loop.selection
        field = "radius" if hasattr(rule, "radius") else "strength"
        rule = replace(rule, **{field: 1.05 * getattr(rule, field)})
        return replace(one, loop=one.loop.with_(selection=rule))

    told = replace(
        claim,
        expected=lambda one: claim.expected(wrong(one)),
        exact=lambda one: claim.exact(wrong(one)),
        error=lambda one: claim.error(wrong(one)),
    )
    right, planted = OfLimit.plan(claim, case), OfLimit.plan(told, case)
    count = right.replicates(FAMILY, 2**25)
    measured = simulate(
        case.loop, case.generations, count, seed=11, engine=case.engine, observables=[claim.observable]
    )[claim.observable]
    assert right.judge(measured, FAMILY)[2:5] == (0, 0, 0)
    assert planted.ordered  # wrong at every n alike: Monte Carlo alone can tell
    assert planted.judge(measured, FAMILY).disagreements > 0


@pytest.mark.parametrize("claim", BOUNDS, ids=named)
def test_no_bound_could_be_halved(claim):
    """Somewhere it is met within less than a factor of two (from below: could not be doubled)."""
    assert any(case.nearest is not None and case.nearest > 0.5 for case in claim.cases)


@pytest.mark.parametrize("claim", BOUNDS, ids=named)
def test_a_bound_on_the_wrong_side_of_the_truth_disagrees(claim):
    """Of the exact mean, or of a made-up one where there is none."""
    for case in claim.cases:
        trial = OfInequality.plan(claim, case)
        there = np.isfinite(trial.exact)
        if there.any():
            assert trial.wrong == 0
            ratio = np.where(there, trial.exact / trial.bound, 1.0)
            past = scaled(claim, ratio * (1 - trial.sign * 1e-6))
            assert OfInequality.plan(past, case).wrong >= 1
            continue
        truth = trial.bound / 1.01**trial.sign
        variance = np.full_like(truth, 0.01**2)
        measured = summary(truth, variance, count := 10**6)
        assert trial.judge(measured, FAMILY)[2:5] == (0, 0, 0)
        past = replace(trial, moments=replace(trial.moments, expected=trial.moments.expected._replace(
            mean=truth * (1 - trial.sign * RESOLUTION * 0.01 / np.abs(truth)))))  # fmt: skip
        assert past.judge(summary(truth, variance, count), FAMILY).disagreements > 0


@pytest.mark.parametrize("claim", BOUNDS, ids=named)
def test_an_absurdly_loose_bound_disagrees(claim):
    for case in claim.cases:
        if case.nearest is None:
            continue
        right = OfInequality.plan(claim, case)
        trial = OfInequality.plan(scaled(claim, case.nearest ** (-2 * right.sign) * 1.2**right.sign), case)
        if np.isfinite(trial.exact).any():
            assert trial.wrong == 1
            continue
        truth = right.bound / 1.01**right.sign
        outcome = trial.judge(summary(truth, np.full_like(truth, 0.01**2), 10**6), FAMILY)
        assert outcome.disagreements >= 1
