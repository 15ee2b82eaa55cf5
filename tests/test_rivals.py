"""Every claim about moments, a law or a passage is told apart from its rivals by the samples that verify it.

A claim that agrees and cannot reject a theory one error away says nothing. The replicates are those that
`verify` plans, at the false-alarm rate of the whole family. They are planned to see `RESOLUTION` standard
deviations of one replicate: a rival that is as far off in one of the cases must be rejected, and every claim
must have one.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest
from rivals import rivals

import theory.law
from autophagy.comparison import sample_of
from autophagy.confrontation import LEVELS, RESOLUTION, OfLaw, OfMoments
from autophagy.shared_runs import judged, plan
from autophagy.verification import WORK
from jaxsim.agreement import agree
from jaxsim.law_agreement import agree_on_probability
from jaxsim.verdict import DISAGREES, ROUNDING, alarm_threshold
from theory.claims import CLAIMS
from theory.loop import LoopError

ABOUT = [
    claim
    for claim in CLAIMS
    if claim.check in ("moments", "passage") or (claim.check == "law" and claim.status != "asymptotic")
]


@dataclass(frozen=True)
class Contest:
    """A claim's confrontation on one case, and what its rivals predict there."""

    trial: OfMoments | OfLaw
    case: object
    name: str
    others: dict[str, OfMoments | OfLaw]

    def __getattr__(self, name):
        return getattr(self.trial, name)

    def judge(self, measured, family):
        """By rival: how far off it is, in standard deviations of a replicate, and whether it is rejected."""
        judge = of_law if isinstance(self.trial, OfLaw) else of_moments
        return {name: judge(self, other, measured, family) for name, other in self.others.items()}


def of_moments(contest, other, measured, family):
    sample, right = sample_of(measured), contest.trial.expected
    far, rejected = 0.0, False
    for verdicts, found, wrong in zip(
        agree(sample, right, comparisons=family),
        (sample.mean, sample.variance),
        (other.expected.mean, other.expected.variance),
        strict=True,
    ):
        # what is predicted is a rival's, one moment at a time; the spread of a test is the right theory's
        far = max(far, distance(verdicts.theory, wrong, verdicts.scale, verdicts.tested))
        noise = verdicts.scale / np.sqrt(sample.count)
        rejected |= distance(found, wrong, noise, verdicts.tested) > alarm_threshold(family)
    return far, rejected


def of_law(contest, other, measured, family):
    values = np.asarray(measured.transpose("replicate", "generation").values)
    below = (values[..., None] <= other.quantiles).sum(0)
    verdict = agree_on_probability(below, len(values), LEVELS, comparisons=family).verdict
    return law_distance(contest, other), bool((verdict == DISAGREES).any())


def law_distance(contest, other):
    """How far the right law's probabilities at a rival's quantiles are from the rival's."""
    generations = np.array(contest.case.generations)
    exact = theory.law.cdf(contest.case.loop, contest.name, generations[:, None], other.quantiles)
    return float(np.max(np.abs(exact - LEVELS) / np.sqrt(LEVELS * (1 - LEVELS))))


def distance(one, another, scale, where=True):
    """The largest |one - another| / scale; infinite for what does not vary and differs beyond rounding."""
    one, another, scale, where = np.broadcast_arrays(one, another, scale, where)
    gap = np.where(np.isfinite(one) & np.isfinite(another) & where, np.abs(one - another), 0.0)
    gap = np.where(gap <= ROUNDING * (np.abs(one) + np.abs(another)), 0.0, gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = gap / scale
    return float(np.max(far[np.isfinite(scale) & (gap > 0)], initial=0.0))


def others(claim, case, right):
    """The rivals that the claim's own theory has numbers for, one after the other."""
    for name, rival in rivals(case):
        if name == "no selection" and claim.expected is not None:
            continue  # a formula of the selection's own
        try:
            other = plan(claim, rival)
        except (LoopError, NotImplementedError):
            continue
        if isinstance(right, OfLaw) or shape(other) == shape(right):
            yield name, other


def shape(trial):
    return np.broadcast_shapes(*map(np.shape, trial.expected))


def contest(claim, case):
    right = plan(claim, case)
    return Contest(right, case, claim.observable, dict(others(claim, case, right)))


def within_reach(claim):
    """Whether theory alone says of a rival that it will be rejected, or cannot say how far off it is."""
    for case in claim.cases:
        right = plan(claim, case)
        for name, other in others(claim, case, right):
            one = Contest(right, case, claim.observable, {name: other})
            if isinstance(right, OfLaw):
                if law_distance(one, other) >= RESOLUTION:
                    return True
                continue
            mean, variance, _, fourth = right.expected
            if distance(mean, other.expected.mean, np.sqrt(variance)) >= RESOLUTION:
                return True
            spread = np.sqrt(np.maximum(fourth - np.square(variance), 0))
            if distance(variance, other.expected.variance, spread) >= RESOLUTION:
                return True
            if distance(mean, other.expected.mean, 1.0, np.isnan(variance)) > 0:
                return True  # the sample's spread decides
    return False


@pytest.mark.parametrize("claim", ABOUT, ids=lambda claim: f"{claim.id}-{claim.observable}")
def test_a_rival_is_within_reach(claim):
    assert within_reach(claim)


GROUPS = defaultdict(list)
for one in ABOUT:
    GROUPS[one.id.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip("0123456789")].append(one)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # as long as the group's part of `verify`
@pytest.mark.parametrize("group", GROUPS)
def test_rivals_are_rejected(group):
    contests = [(claim, contest(claim, case)) for claim in GROUPS[group] for case in claim.cases]
    family = len(GROUPS) * sum(one.comparisons for _, one in contests)
    outcomes = judged([one for _, one in contests], family, WORK, 0)
    missed = []
    for claim in GROUPS[group]:
        found = defaultdict(list)
        for of, one in contests:
            if of is claim:
                for name, outcome in outcomes[id(one)].items():
                    found[name].append(outcome)
        overlooked = [
            name
            for name, cases in found.items()
            if max(far for far, _ in cases) >= RESOLUTION and not any(rejected for _, rejected in cases)
        ]
        any_rejected = any(rejected for cases in found.values() for _, rejected in cases)
        if overlooked or not any_rejected:
            missed.append((claim.id, claim.observable, overlooked, any_rejected))
    assert not missed
