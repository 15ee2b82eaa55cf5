"""The claims' cases can be judged: every mean has a tail that the replicates planned for it are enough for.

This is known before anything is drawn. A case that asks for more than its run affords would end as
"not testable", however right the claim is. Where theory does not know the central moments to the fourth, no
number of replicates can be planned for the tail: such claims are listed, with the reason, and their samples
decide afterwards whether they were enough (`jaxsim.agreement`).
"""

from dataclasses import replace

import numpy as np
import pytest

from autophagy.confrontation import RESOLUTION, OfMoments
from autophagy.shared_runs import plan
from autophagy.verification import QUICK_WORK, WORK
from jaxsim.agreement import arrays_of, replicates_for
from theory.claim import Case
from theory.claims import CLAIMS
from theory.claims.gaussian_cases import FOUR_MOVED

UNKNOWN_TAILS = {
    "moments of weighted, subsampled or pooled fits are propagated to the second or third order":
        "gaussian.P0 gaussian.P2 gaussian.X6 gaussian.X6b gaussian.X12 gaussian.X13 gaussian.A1 gaussian.A2 "
        "gaussian.A5 gaussian.A6 gaussian.A7 gaussian.E1 gaussian.E2 gaussian.E4 gaussian.W4",
    "the fit to a selected or truncated sample has a mean, sometimes a variance, by quadrature":
        "gaussian.C1 gaussian.C2 gaussian.C3 gaussian.C4 gaussian.C5 gaussian.C6 gaussian.C7 gaussian.C8 "
        "gaussian.C12 gaussian.C14 gaussian.V1",
    "inverse Wishart means of a regression, whose higher moments need not exist":
        "gaussian.L1 gaussian.L2 gaussian.L3 gaussian.L4 gaussian.L5 gaussian.L6 gaussian.L7 gaussian.L8 "
        "gaussian.L9 gaussian.L10",
    "powers of a variance that already take the moments there are":
        "gaussian.R8",
    "expectations over all compositions, of counts that are bounded":
        "mixture.C1 mixture.C2 mixture.C3 mixture.C4 mixture.C5 mixture.C6 mixture.C7 mixture.C8 mixture.C9 "
        "mixture.C10 mixture.C11 mixture.N1 mixture.N2 mixture.N3 mixture.N4",
    "moments of clusters and of kernels are propagated to the second order, or the first":
        "mixture.G1a mixture.G1b mixture.G1c mixture.G1d mixture.G1e mixture.G1w mixture.G2 mixture.G3a "
        "mixture.G3b mixture.Q1 mixture.Q1p mixture.Q2 mixture.K1a mixture.K1b mixture.K2 mixture.K2n "
        "mixture.K3 mixture.K3c mixture.K4 mixture.K4d mixture.K5 mixture.K5c mixture.K5h",
    "of what a sampler or a metric gives, the expectation, sometimes the variance":
        "mixture.D5 mixture.D6 mixture.D8 mixture.D9 mixture.D10 mixture.D11 mixture.B1 mixture.B2 "
        "mixture.M1 mixture.M2 mixture.M3 mixture.M4 mixture.M5",
}  # fmt: skip
"""Claims with a mean in some case whose tail theory does not know, by the reason why."""

LISTED = {claim for listed in UNKNOWN_TAILS.values() for claim in listed.split()}


def of_unknown_tail(claims, *, quick):
    """Claims with a mean that is predicted, and varies, without its central moments to the fourth."""
    return {claim.id for claim in claims for case in claim.cases if case.quick or not quick
            if _tail_unknown(plan(claim, case))}  # fmt: skip


def _tail_unknown(trial):
    moments = getattr(trial, "moments", trial)
    if not isinstance(moments, OfMoments):
        return False
    mean, variance, third, fourth = arrays_of(moments.expected)
    varies = np.isfinite(mean) & (variance != 0) & ~np.isinf(variance)
    return bool((varies & (np.isnan(variance) | np.isnan(third) | np.isnan(fourth))).any())


def beyond_means(trials, work):
    """Of every trial of moments whose means ask for more replicates than it gets: how many they ask for."""
    family = sum(trial.comparisons for trial in trials)
    found = []
    for trial in trials:
        moments = getattr(trial, "moments", trial)
        if not isinstance(moments, OfMoments):
            continue
        asked = np.nanmax(replicates_for(moments.expected, RESOLUTION, family)[0], initial=0)
        if asked > trial.replicates(family, work):
            found.append((moments.wanted, asked))
    return found


def planned(quick):
    return [plan(claim, case) for claim in CLAIMS for case in claim.cases if case.quick or not quick]


def test_a_quick_run_affords_its_tails():
    assert not beyond_means(planned(quick=True), QUICK_WORK)


@pytest.mark.slow
def test_a_full_run_affords_its_tails():
    assert not beyond_means(planned(quick=False), WORK)


def test_quick_cases_of_unknown_tail_are_listed():
    assert of_unknown_tail(CLAIMS, quick=True) <= LISTED


@pytest.mark.slow
def test_all_cases_of_unknown_tail_are_listed_and_no_others():
    assert of_unknown_tail(CLAIMS, quick=False) == LISTED


def test_an_unknown_tail_is_seen():
    """The negative control: a claim whose tail is known, but for the fourth moment."""
    (claim,) = (c for c in CLAIMS if (c.id, c.observable) == ("gaussian.R1", "variance"))
    assert not of_unknown_tail([claim], quick=True)
    moments = np.asarray(claim.expected(claim.cases[0]) if claim.expected else [1.0, 1.0, 0.0, 3.0], float)
    moments[3] = np.nan
    assert of_unknown_tail([replace(claim, expected=lambda case: moments)], quick=True) == {"gaussian.R1"}


def test_a_tail_beyond_the_work_is_seen():
    (claim,) = (c for c in CLAIMS if (c.id, c.observable) == ("gaussian.R7", "mean_error_fourth"))
    (case,) = (case for case in claim.cases if case.loop == FOUR_MOVED)
    ((wanted, asked),) = beyond_means([plan(claim, Case(case.loop, (1, 4)))], QUICK_WORK)
    assert wanted.generations == (1, 4)
    assert asked > QUICK_WORK / 4
