"""Regression on its own labels against Monte Carlo that draws designs and labels.

Replicates follow from a resolution (7 % of a predicted mean, 15 % of a mean square), false alarms of 1e-6
over the whole family and false passes of 1e-6 a comparison. The scale is theory's where it knows the
variance; elsewhere a pilot under another seed plans the replicates (with a margin) and the sample's own
deviation is the scale, so that those rates are nominal. Every comparison must also reject a theory wrong by
its resolution.
"""

from math import isnan

import numpy as np
import pytest
from literal_regression import simulate

from jaxsim.verdict import alarm_threshold, replicates_needed
from theory.linear import Final, LeastSquares, Linear, Ridge
from theory.loop import Loop, Replace, Sampler
from theory.policy import Accumulate, Fresh
from theory.regression import chain as regression_chain
from theory.regression.pooled import Blend
from theory.regression.risk import log_noise_variance, noise_variance, risk
from theory.regression.step import State, mixed_noise

RESOLUTION, SQUARE_RESOLUTION = 0.07, 0.15
PILOT, PILOT_SEED, SEED = 2000, 20240229, 71993
MARGIN = 1.5
LIKELIHOOD, UNBIASED = LeastSquares("maximum-likelihood"), LeastSquares("unbiased")
SMALL, WIDE, LONG = {"d": 3, "n": 16}, {"d": 10, "n": 4, "signal": 1.49}, {"d": 4, "n": 9, "noise": 0.64}


COVARIANCE = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, 0.2], [0.0, 0.2, 0.5]])


def case(generation, policy="replace", estimator=None, start=None, **world):
    """A loop, and the same thing in the words of the literal simulator."""
    world = {"noise": 1.0, "signal": 1.0} | world
    n, covariates = world["n"], "same" if world.get("same") else "fresh"
    source = Linear(world["d"], world["noise"], world["signal"], covariates)
    match policy:
        case "replace":
            data = Replace(tuple(n) if isinstance(n, list) else n)
        case "accumulate":
            data = Accumulate(tuple(n) if isinstance(n, list) else n)
        case "mixed":
            data = Fresh(n, n, weight=world["weight"])
        case "fresh":
            data = Fresh(*n, composition="iid" if world.get("iid") else "stratified")
    if estimator is None:
        estimator = Ridge(world["penalty"]) if "penalty" in world else LeastSquares()
    if estimator.noise != "known":
        world["estimate"] = estimator.noise
    if estimator.final:
        world["final"] = estimator.final.n, estimator.final.penalty
    if "shift" in world:
        start = Linear(world["d"], world["noise"], world["signal"], covariates, world["shift"])
    sampler = Sampler(bias=world.get("bias", 1.0))
    return Loop(source, data, estimator, sampler, start), generation, world | {"policy": policy}


CASES = {
    "L1": case(4, **SMALL),
    "L1 same": case(4, same=True, **SMALL),
    "L2": case(4, "accumulate", same=True, **SMALL),
    "L3": case(4, "accumulate", **SMALL),
    "L4": case(4, estimator=LIKELIHOOD, **SMALL),
    "L4 same": case(4, estimator=LIKELIHOOD, same=True, **SMALL),
    "L4 accumulate": case(3, "accumulate", LIKELIHOOD, **SMALL),
    "L4 accumulate same": case(3, "accumulate", UNBIASED, same=True, **SMALL),
    "L5": case(3, "mixed", weight=0.3, **SMALL),
    "L5 same": case(3, "mixed", weight=0.3, same=True, **SMALL),
    "L5 fitted": case(3, "mixed", LIKELIHOOD, weight=0.3, **SMALL),
    "L5 fitted same": case(3, "mixed", LIKELIHOOD, weight=0.3, same=True, **SMALL),
    "L6": case(4, **WIDE),
    "L6 same": case(4, same=True, **WIDE),
    "L6 mixed": case(4, "mixed", weight=0.5, **WIDE),
    "L6 mixed same": case(4, "mixed", weight=0.5, same=True, **WIDE),
    "L8": case(4, penalty=0.2, **LONG),
    "L8 few": case(3, d=6, n=4, penalty=0.2),
    "L8 same": case(4, penalty=0.2, same=True, **LONG),
    "L8 accumulate same": case(3, "accumulate", penalty=0.2, same=True, **LONG),
    "L8 mixed": case(3, "mixed", penalty=0.2, weight=0.4, **LONG),
    "L9": case(4, estimator=LeastSquares(final=Final(0.2, 11)), d=4, n=14),
    "L10": case(1, "fresh", d=3, n=(8, 12), shift=2.0),
    "L10 three": case(3, "fresh", d=3, n=(8, 12), shift=2.0),
    "L10 fitted": case(3, "fresh", LIKELIHOOD, d=3, n=(8, 12)),
    "L10 iid": case(3, "fresh", d=3, n=(5, 12), iid=True, shift=1.0),
    "biased": case(3, estimator=LIKELIHOOD, bias=0.6, **SMALL),
    "biased accumulate": case(3, "accumulate", bias=1.5, **SMALL),
    "biased start": case(2, bias=0.6, shift=0.5, **SMALL),
    "batches": case(3, "accumulate", LIKELIHOOD, d=3, n=[14, 4, 9]),
    "sizes": case(3, d=3, n=[12, 16, 24]),
    "norm of C": case(3, "accumulate", scale=COVARIANCE, **SMALL),
}  # fmt: skip
FAMILY = 2 * len(CASES) + 5


def judged(values, theory, scale, resolution=RESOLUTION):
    """z of the theory, and of it moved by the resolution either way."""
    error = scale / np.sqrt(len(values))
    return [(values.mean() - theory * factor) / error for factor in (1, 1 + resolution, 1 - resolution)]


def needed(theory, scale, resolution=RESOLUTION):
    return int(replicates_needed(resolution * abs(theory), scale, FAMILY))


@pytest.mark.parametrize("name", CASES)
def test_risk_and_noise(name):
    loop, generation, world = CASES[name]
    found = risk(loop, (generation,))
    expected, scale = float(found.mean[0]), float(np.sqrt(found.variance[0]))
    exact = not isnan(scale)
    fitted = loop.estimator.noise != "known"
    noise = float(noise_variance(loop, (generation,)).mean[0])
    pilot, spread = simulate(PILOT_SEED, PILOT, generation, **world)
    count = needed(expected, scale if exact else MARGIN * pilot.std())
    if fitted:
        count = max(count, needed(noise, MARGIN * spread.std()))
    values, variances = simulate(SEED, count, generation, **world)
    threshold = alarm_threshold(FAMILY)
    for sample, theory, own in [(values, expected, scale if exact else None), (variances, noise, None)][
        : 1 + fitted
    ]:
        right, *wrong = judged(sample, theory, sample.std() if own is None else own)
        assert abs(right) < threshold
        assert all(abs(z) > threshold for z in wrong)


@pytest.mark.parametrize("estimator", [LIKELIHOOD, UNBIASED])
def test_log_noise(estimator):
    loop, generation, world = case(3, estimator=estimator, **SMALL)
    law = log_noise_variance(loop, (generation,))
    mean, scale = float(law.mean[0]), float(np.sqrt(law.variance[0]))
    step = 0.05 * scale
    count = int(replicates_needed(step, scale, FAMILY))
    values = np.log(simulate(SEED, count, generation, **world)[1])
    z = [(values.mean() - mean - move) / scale * np.sqrt(count) for move in (0, step, -step)]
    assert abs(z[0]) < alarm_threshold(FAMILY)
    assert min(abs(z[1]), abs(z[2])) > alarm_threshold(FAMILY)


@pytest.mark.parametrize(
    ("policy", "world"), [("replace", {}), ("replace", {"same": True}), ("mixed", {"weight": 0.3})]
)
def test_second_moment_of_the_risk(policy, world):
    loop, generation, world = case(3, policy, d=3, n=30, **world)
    law = risk(loop, (generation,))
    square = float(law.variance[0] + law.mean[0] ** 2)
    pilot = simulate(PILOT_SEED, PILOT, generation, **world)[0] ** 2
    count = needed(square, MARGIN * pilot.std(), SQUARE_RESOLUTION)
    values = simulate(SEED, count, generation, **world)[0] ** 2
    right, *wrong = judged(values, square, values.std(), SQUARE_RESOLUTION)
    assert abs(right) < alarm_threshold(FAMILY)
    assert all(abs(z) > alarm_threshold(FAMILY) for z in wrong)


def without_spread(weight, real, synthetic, prediction, n, d):
    return mixed_noise(weight, real, synthetic) * (n - d) / n


def without_share(state, noise, n, share, d, divisors):
    return (divisors[0] * state.noise + noise * (n - d)) / divisors[1]


def without_between(real, synthetic, d):
    n = real + synthetic
    return Blend((synthetic / n) ** 2, 0.0)


PLANTED = {
    "L3": (
        "pooled",
        lambda state, noise, share, trace: State(state.risk + noise * share**2 * trace, 0.0, 0.0),
    ),
    "L4": ("divisor", lambda loop, n: n - 1),
    "L4 accumulate": ("pooled_residual", without_share),
    "L5 fitted": ("mixed_residual", without_spread),
    "L5": ("mixed_noise", lambda weight, real, synthetic: weight * real + (1 - weight) * synthetic),
    "L10": ("blend", without_between),
    "biased": ("label_bias", lambda loop, t: loop.sampler.bias),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_caught(name, monkeypatch):
    monkeypatch.setattr(regression_chain, *PLANTED[name])
    with pytest.raises(AssertionError):
        test_risk_and_noise(name)
