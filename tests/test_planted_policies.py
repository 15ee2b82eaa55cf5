"""Planted errors: wrong versions of the theory of data policies, and Monte Carlo that must tell them apart.

Each is a mistake that a derivation invites, on a case of a claim; the right theory must agree with the same
replicates.
"""

from dataclasses import replace

import numpy as np
import pytest

from autophagy.shared_runs import judged, plan
from autophagy.verification import WORK
from theory.claims import policy_loops as loops
from theory.claims.accumulate import ACCUMULATED
from theory.claims.ecosystem import ECOSYSTEM
from theory.claims.mixed import MIXED
from theory.loop import MaximumLikelihood, Replace, Sampler
from theory.policy import Fresh, Memory, Web
from theory.predict import central_moments
from theory.recipes.optimal_weight import settled
from theory.selection import Correction, Detector


def other(**parts):
    """The theory of another loop."""
    return lambda loop, name, t: central_moments(loop.with_(**parts), name, t)[0]


def later(loop, name, t):
    return central_moments(loop, name, [g + 1 for g in t])[0]


def policy(**changes):
    return lambda loop, name, t: central_moments(loop.with_(data=replace(loop.data, **changes)), name, t)[0]


def no_spread_between(loop, name, t):
    """X1 without N a b M in the variance."""
    r, s = loop.data.real, loop.data.synthetic
    n, a, b = r + s, r / (r + s), s / (r + s)
    square, v, found = 0.0, 1.0, []
    for _ in range(max(t)):
        square, v = b**2 * (square + v / s) + a**2 / r, (n - 1) * (a + b * v) / n
        found.append({"variance": v, "mean_error_squared": square}[name])
    return np.array([found[g - 1] for g in t])


def first_power(loop, name, t):
    """A1 with k in the place of k^2."""
    n = loop.data.n
    return np.array([np.prod([1 - 1 / (n * k) for k in range(1, g + 1)]) for g in t])


def from_the_second(loop, name, t):
    """A1 without the fit to real data."""
    n = loop.data.n
    return np.array([np.prod([1 - 1 / (n * k**2) for k in range(2, g + 1)]) for g in t])


def healed_by_u(loop, name, t):
    """H3 with u^j in the place of u^2j."""
    data = loop.data
    j = np.array(t) - data.generations
    u, w = (1 - data.weight) ** j, data.weight
    before = 1 - (1 - 1 / data.contaminated.n) ** data.generations
    return u * before + w / (2 - w) / data.real * (1 - u)


def alone(loop, name, t):
    """E3 as if every model were by itself: the others' samples as correlated as its own."""
    data = loop.data
    one = loop.with_(data=Fresh(data.real, data.models * data.per_model))
    return central_moments(one, name, t)[0]


PLANTED = {
    "wrong divisor": (loops.FRESH_UNBIASED, "variance", other(estimator=MaximumLikelihood())),
    "off by one in t": (loops.FRESH, "mean_error_squared", later),
    "lambda once too often": (
        loops.FRESH_BIASED, "variance", other(sampler=Sampler(bias=0.8, applies_to_source=True))
    ),
    "dropped between-group term": (loops.FRESH, "variance", no_spread_between),
    "exact counts for a random composition": (
        loops.FRESH_FEW, "variance", policy(composition="stratified")
    ),
    "a fixed set taken for fresh points": (
        loops.FIXED, "mean_error_squared", other(data=Fresh(4, 8))
    ),
    "weights of real and synthetic exchanged": (
        loops.WEIGHTED_TOGETHER, "mean_error_squared", policy(weight=0.6)
    ),
    "weighted scheme with the between-group term": (
        loops.WEIGHTED_FRESH, "variance", other(estimator=MaximumLikelihood())
    ),
    "k for k^2 in the product": (loops.ACCUMULATED, "variance", first_power),
    "product from the second batch": (loops.ACCUMULATED, "variance", from_the_second),
    "pooled divisor N": (
        loops.ACCUMULATED_UNBIASED, "variance", other(estimator=MaximumLikelihood())
    ),
    "accumulation taken for replacement": (
        loops.ACCUMULATED, "mean_error_squared", other(data=Replace(5))
    ),
    "a window one batch wider": (loops.WINDOW, "variance", policy(width=4)),
    "one model in memory for two": (
        loops.MEMORY, "mean_error_squared", other(data=Memory(3, 6, 1))
    ),
    "peers taken for one model": (loops.PEERS_REAL, "mean_error_squared", alone),
    "real inflow taken for synthetic": (
        loops.WEB, "mean_error_squared", other(data=Web(6, 4, 2))
    ),
    "healing with u for u^2": (loops.HEALED, "mean_error_squared", healed_by_u),
}  # fmt: skip
"""Mistakes: the loop of a claim, what is looked at, and what the wrong theory says."""


def case_of(loop, name, claims=(*MIXED, *ACCUMULATED, *ECOSYSTEM)):
    """The claim about moments that looks at this loop most often, and its case."""
    found = [
        (claim, case)
        for claim in claims
        for case in claim.cases
        if claim.check == "moments" and (case.loop, claim.observable) == (loop, name)
    ]
    return max(found, key=lambda one: len(one[1].generations))


def planted(claim, case, wrong):
    """The right confrontation, and the same with a wrong mean."""
    right = plan(claim, case)
    mean = wrong(settled(case.loop, max(case.generations)), claim.observable, case.generations)
    assert not np.allclose(mean, right.expected.mean, rtol=1e-3)
    return right, replace(right, expected=right.expected._replace(mean=mean))


@pytest.fixture(scope="module")
def family():
    """Comparisons of all right and wrong theories here together."""
    found = [case_of(loop, name) for loop, name, _ in PLANTED.values()] + [
        mitigated(id_) for id_ in MITIGATION
    ]
    return sum(2 * plan(*one).comparisons for one in found)


def check(claim, case, wrong, family):
    right, other = planted(claim, case, wrong)
    outcomes = judged([right, other], family, WORK, seed=0)
    assert outcomes[id(right)].disagreements == 0
    assert outcomes[id(right)].missed == 0
    assert outcomes[id(other)].disagreements


@pytest.mark.slow
@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_seen(error, family):
    loop, name, wrong = PLANTED[error]
    check(*case_of(loop, name), wrong, family)


MITIGATION = {
    "gaussian.C10": other(selection=Detector(0.3, 0.9)),
    "gaussian.C11": other(selection=Correction(2.0)),
}


def mitigated(id_):
    from theory.claims import GAUSSIAN_SELECTION

    claim = next(c for c in GAUSSIAN_SELECTION if c.id == id_)
    return claim, claim.cases[0]


@pytest.mark.slow
@pytest.mark.parametrize("id_", MITIGATION)
def test_a_planted_error_of_mitigation_is_seen(id_, family):
    check(*mitigated(id_), MITIGATION[id_], family)


def test_wrong_theories_differ_from_the_right_ones():
    """And every loop above is one that a claim about this observable is tested on."""
    for loop, name, wrong in PLANTED.values():
        planted(*case_of(loop, name), wrong)
