"""Every claim about moments is told apart from its rivals by the very samples that verify it.

A claim that agrees and cannot reject a theory one error away says nothing. The replicates are those that
`verify` plans; a rival must be rejected at the false-alarm rate of the whole family in one of the cases.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from rivals import differs, rivals

from autophagy.confrontation import OfMoments
from autophagy.shared_runs import judged, plan
from autophagy.verification import WORK
from jaxsim.agreement import agree
from theory.claims import CLAIMS
from theory.loop import LoopError


@dataclass(frozen=True)
class Contest:
    """A claim's confrontation on one case, and the moments its rivals predict there."""

    trial: OfMoments
    others: dict[str, np.ndarray]

    def __getattr__(self, name):
        return getattr(self.trial, name)

    def judge(self, measured, family):
        from autophagy.comparison import sample_of

        sample = sample_of(measured)
        right = self.trial.expected
        # what is predicted is a rival's, one moment at a time; the spread of a test is the right theory's
        return {
            name: agree(sample, right._replace(mean=mean), comparisons=family).mean.disagrees
            or agree(sample, right._replace(variance=variance), comparisons=family).variance.disagrees
            for name, (mean, variance, *_) in self.others.items()
        }


def contest(claim, case):
    trial = plan(claim, case)
    others = {}
    for name, rival in rivals(case).items():
        try:
            expected = plan(claim, rival).expected
        except (LoopError, NotImplementedError):
            continue
        moments = np.stack(np.broadcast_arrays(*map(np.asarray, expected)))
        if differs(np.stack(np.broadcast_arrays(*map(np.asarray, trial.expected)))[:2], moments[:2]):
            others[name] = moments
    return Contest(trial, others)


ABOUT = [claim for claim in CLAIMS if claim.check == "moments"]


@pytest.mark.slow
def test_rivals_are_rejected():
    contests = [(claim, contest(claim, case)) for claim in ABOUT for case in claim.cases]
    family = sum(one.comparisons for _, one in contests)
    outcomes = judged([one for _, one in contests], family, WORK, 0)
    missed = []
    for claim in ABOUT:
        found = {}
        for of, one in contests:
            if of is claim:
                for name, rejected in outcomes[id(one)].items():
                    found[name] = found.get(name, False) or rejected
        missed += [(claim.id, claim.observable, name) for name, rejected in found.items() if not rejected]
        if not found and any(rivals(case) for case in claim.cases):
            missed.append((claim.id, claim.observable, "no rival differs"))
    assert not missed
