"""Planted errors: wrong versions of the theory of data policies, and Monte Carlo that must tell them apart.

Each is a mistake that a derivation invites, on a case of a claim; the right theory must agree with the same
replicates.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from jaxsim.agreement import Sample, Theory, agree
from jaxsim.simulate import simulate
from theory import policy_loops as loops
from theory.accumulate_claims import ACCUMULATED
from theory.ecosystem_claims import ECOSYSTEM
from theory.loop import MaximumLikelihood, Replace, Sampler
from theory.mixed_claims import MIXED
from theory.optimal_weight import settled
from theory.policy import Fresh, Memory, Web
from theory.predict import central_moments
from theory.selection import Correction, Detector
from theory.selection_claims import GAUSSIAN_SELECTION

REPLICATES = 2**18
"""What the square of a normal mean asks for at the family's rates, and more."""


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
    "wrong divisor": (loops.FRESH_UNBIASED, "variance", (4,), other(estimator=MaximumLikelihood())),
    "off by one in t": (loops.FRESH, "mean_error_squared", (1, 2), later),
    "lambda once too often": (
        loops.FRESH_BIASED, "variance", (2,), other(sampler=Sampler(bias=0.8, applies_to_source=True))
    ),
    "dropped between-group term": (loops.FRESH, "variance", (2, 6), no_spread_between),
    "exact counts for a random composition": (
        loops.FRESH_IID, "mean_error_squared", (30,), policy(composition="stratified")
    ),
    "a fixed set taken for fresh points": (
        loops.FIXED, "mean_error_squared", (6,), other(data=Fresh(4, 8))
    ),
    "weights of real and synthetic exchanged": (
        loops.WEIGHTED_TOGETHER, "mean_error_squared", (3,), policy(weight=0.6)
    ),
    "weighted scheme with the between-group term": (
        loops.WEIGHTED_FRESH, "variance", (20,), other(estimator=MaximumLikelihood())
    ),
    "k for k^2 in the product": (loops.ACCUMULATED, "variance", (10,), first_power),
    "product from the second batch": (loops.ACCUMULATED, "variance", (10,), from_the_second),
    "pooled divisor N": (
        loops.ACCUMULATED_UNBIASED, "variance", (3,), other(estimator=MaximumLikelihood())
    ),
    "accumulation taken for replacement": (
        loops.ACCUMULATED, "mean_error_squared", (2, 10), other(data=Replace(5))
    ),
    "a window one batch wider": (loops.WINDOW, "variance", (8,), policy(width=4)),
    "one model in memory for two": (
        loops.MEMORY, "mean_error_squared", (3,), other(data=Memory(3, 6, 1))
    ),
    "peers taken for one model": (loops.PEERS_REAL, "mean_error_squared", (30,), alone),
    "real inflow taken for synthetic": (
        loops.WEB, "mean_error_squared", (12,), other(data=Web(6, 4, 2))
    ),
    "healing with u for u^2": (loops.HEALED, "mean_error_squared", (5,), healed_by_u),
}  # fmt: skip
"""Mistakes: the loop of a claim, what is looked at, when, and what the wrong theory says."""

FAST = ("dropped between-group term", "k for k^2 in the product", "product from the second batch")


@cache
def measured(loop, name, t):
    run = simulate(settled(loop, max(t)), t, REPLICATES, observables=[name])
    values = run[name]
    return Sample(REPLICATES, *(values.sel(statistic=part).values for part in ("mean", "variance")),
                  *(values.sel(statistic=part).values for part in ("third", "fourth")))  # fmt: skip


def check(loop, name, t, wrong):
    sample, moments = measured(loop, name, t), central_moments(loop, name, t)
    assert agree(sample, Theory(*moments)).mean.holds
    planted = Theory(wrong(loop, name, t), *moments[1:])
    assert agree(sample, planted).mean.disagrees


@pytest.mark.parametrize(
    "error", [e if e in FAST else pytest.param(e, marks=pytest.mark.slow) for e in PLANTED]
)
def test_a_planted_error_is_seen(error):
    check(*PLANTED[error])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id_", "wrong"),
    [
        ("gaussian.C10", other(selection=Detector(0.3, 0.9))),
        ("gaussian.C11", other(selection=Correction(2.0))),
    ],
)
def test_a_planted_error_of_mitigation_is_seen(id_, wrong):
    claim = next(c for c in GAUSSIAN_SELECTION if c.id == id_)
    case = claim.cases[0]
    check(case.loop.with_(selection=case.rule), claim.observable, case.generations, wrong)


def test_the_planted_cases_are_the_claims_own():
    """Every loop above is one that a claim about this observable is tested on."""
    tested = {
        (case.loop, claim.observable) for claim in (*MIXED, *ACCUMULATED, *ECOSYSTEM) for case in claim.cases
    }
    for loop, name, _, _ in PLANTED.values():
        assert (loop, name) in tested


def test_wrong_theories_differ_from_the_right_ones():
    for loop, name, t, wrong in PLANTED.values():
        assert not np.allclose(wrong(loop, name, t), central_moments(loop, name, t)[0], rtol=1e-3)
