"""The claims' cases can be judged: every mean has a tail that the replicates planned for it are enough for.

This is known before anything is drawn. A case that asks for more than its run affords would end as
"not testable", however right the claim is.
"""

import numpy as np
import pytest

from autophagy.confrontation import RESOLUTION, OfMoments
from autophagy.shared_runs import plan
from autophagy.verification import QUICK_WORK, WORK
from jaxsim.agreement import replicates_for
from theory.claim import Case
from theory.claims import CLAIMS
from theory.claims.gaussian_cases import FOUR_MOVED


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


def test_a_tail_beyond_the_work_is_seen():
    (claim,) = (c for c in CLAIMS if (c.id, c.observable) == ("gaussian.R7", "mean_error_fourth"))
    (case,) = (case for case in claim.cases if case.loop == FOUR_MOVED)
    ((wanted, asked),) = beyond_means([plan(claim, Case(case.loop, (1, 4)))], QUICK_WORK)
    assert wanted.generations == (1, 4)
    assert asked > QUICK_WORK / 4
