"""The exact engine for recipes in three dimensions: against exact second moments and the literal engine.

Every family of comparisons shares a false-alarm rate of 1e-6 (Bonferroni). A case's negative control is
another loop; a pilot of the literal engine measures the spread, and with it replicates are fixed beforehand
so that the control is missed with probability 1e-6. Means are divided by the sample's standard error, so the
rates are nominal.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from jaxsim import blocks
from jaxsim.prepare import chosen_engine
from jaxsim.simulate import simulate
from theory.estimator import Weighted
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Sampler, Unbiased
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Window,
    WrittenRecipe,
)
from theory.predict import predict
from theory.selection import Tilt

RATE = 1e-6
COVARIANCE = ((2.0, 0.5, 0.1), (0.5, 1.0, 0.2), (0.1, 0.2, 0.5))
SOURCE = Gaussian((1.0, 0.0, 2.0), COVARIANCE)
GENERATIONS = (1, 3)
MOMENTS = ("trace", "mean_error_squared")
SHAPES = ("log_det", "effective_rank", "mean_error", "covariance")
PILOT = 1000
MARGIN = 1.5  # on the pilot's standard deviation: far beyond its own error


def case(policy, estimator=None, other=None, **parts):
    """A loop and its control, which divides by another number if no other policy is given."""
    loop = Loop(SOURCE, policy, estimator or MaximumLikelihood(), **parts)
    divisor = Unbiased() if loop.estimator == MaximumLikelihood() else MaximumLikelihood()
    return loop, loop.with_(estimator=divisor) if other is None else loop.with_(data=other)


WRITTEN = [[{"real": 6}, {"set": "a"}], [{"model": -1, "n": 5}, {"set": "a"}]]
# batches of 3 points in d = 3: their scatter matrices are singular
CASES = {
    "accumulate": case(Accumulate(5)),
    "fresh": case(Fresh(3, 3), sampler=Sampler(bias=0.8)),
    "fresh iid": case(Fresh(3, 4, "iid"), sampler=Sampler(bias=0.8)),
    "fresh weighted": case(Fresh(6, 6, weight=0.6), other=Fresh(6, 6, weight=0.2)),
    "fresh without spread": case(Fresh(6, 6, weight=0.6), Weighted(), other=Fresh(6, 6, weight=0.2)),
    "fixed": case(Fixed(4, 5), Unbiased()),
    "window": case(Window(3, 3)),
    "memory": case(Memory(2, 3, 2), sampler=Sampler(bias=1.1, applies_to_source=True)),
    "peers": case(Peers(2, 3, 2)),
    "heal": case(Heal(Accumulate(5), 2, 5, 0.5), other=Heal(Accumulate(5), 2, 5, 0.9)),
    "written": case(WrittenRecipe(WRITTEN, {"a": 4})),
}
FAST = {"accumulate", "fresh iid"}
NAMED = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in CASES]


def threshold(family):
    return norm.isf(RATE / 2 / family)


def expected(loop):
    """E of the moments, [observable, generation]."""
    found = predict(loop, list(GENERATIONS), list(MOMENTS))
    return np.array([found[name].sel(statistic="mean").values for name in MOMENTS])


@cache
def replicates(name):
    """So many that the control's mean of a moment at the last generation is told from the case's."""
    loop, other = CASES[name]
    pilot = simulate(
        loop, GENERATIONS[-1], PILOT, seed=1, engine="literal", observables=MOMENTS, keep="replicates"
    )
    spread = np.array([pilot[moment].values.std() for moment in MOMENTS]) * MARGIN
    effect = (np.abs(expected(loop) - expected(other))[:, -1] / spread).max()
    # twice: two samples are compared with each other as well, in a family of 60
    return int(max(np.ceil(2 * ((threshold(60) + norm.isf(RATE)) / effect) ** 2), 2000))


@cache
def run(loop, engine, count):
    return simulate(loop, GENERATIONS, count, engine=engine, observables=[*MOMENTS, *SHAPES], seed=3)


def statistics(dataset, name):
    return (dataset[name].sel(statistic=s).values for s in ("count", "mean", "variance", "fourth"))


def scores(dataset, means):
    found = []
    for name, mean in zip(MOMENTS, means, strict=True):
        count, centre, variance, _ = statistics(dataset, name)
        found.append((centre - mean) * np.sqrt(count / variance))
    return np.abs(found)


def two_sample_scores(first, second, name):
    """z of the means and of the variances."""
    (n1, m1, v1, f1), (n2, m2, v2, f2) = (statistics(d, name) for d in (first, second))
    squares = (f1 - v1**2) / n1 + (f2 - v2**2) / n2
    return np.abs([(m1 - m2) / np.sqrt(v1 / n1 + v2 / n2), (v1 - v2) / np.sqrt(squares)]).ravel()


@pytest.mark.parametrize("name", NAMED)
def test_second_moments_are_the_exact_ones(name):
    loop, other = CASES[name]
    found = run(loop, "exact", replicates(name))
    assert scores(found, expected(loop)).max() < threshold(4)
    assert scores(found, expected(other))[:, -1].max() > threshold(4)


@pytest.mark.parametrize("name", NAMED)
def test_engines_agree_in_law(name):
    """Determinants, effective ranks, mean errors, covariances; the control is the exact engine elsewhere."""
    loop, other = CASES[name]
    exact, literal = (run(loop, engine, replicates(name)) for engine in ("exact", "literal"))
    z = np.concatenate([two_sample_scores(exact, literal, shape) for shape in SHAPES])
    assert z.max() < threshold(z.size)
    elsewhere = run(other, "exact", replicates(name))
    z = np.concatenate([two_sample_scores(elsewhere, literal, moment) for moment in MOMENTS])
    assert z.max() > threshold(60)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        Tilt(reward="linear", strength=0.5, direction=(1.0, 0.0, 1.0)),
        Tilt(reward="quadratic", strength=0.3, centre=(1.0, 1.0, 1.0)),
    ],
)
def test_engines_agree_under_a_tilt(rule):
    """The control tilts twice as much. A shift of a tenth of a deviation is seen."""
    loop = Loop(SOURCE, Fresh(3, 5), selection=rule)
    count = int(np.ceil(2 * ((threshold(60) + norm.isf(RATE)) / 0.1) ** 2))
    exact, literal = (run(loop, engine, count) for engine in ("exact", "literal"))
    z = np.concatenate([two_sample_scores(exact, literal, shape) for shape in SHAPES])
    assert z.max() < threshold(z.size)
    more = loop.with_(selection=replace(rule, strength=2 * rule.strength))
    z = np.concatenate([two_sample_scores(run(more, "exact", count), literal, shape) for shape in SHAPES])
    assert z.max() > threshold(z.size)


@pytest.mark.parametrize(
    ("name", "devices"), [("fresh iid", 2), *(pytest.param(n, 8, marks=pytest.mark.slow) for n in CASES)]
)
def test_bits_do_not_depend_on_devices_seeds_or_length(name, devices, monkeypatch):
    monkeypatch.setattr(blocks, "WORTH", 1)  # else a small run takes one device, whatever it is offered
    loop, names = CASES[name][0], ["mean_error", "covariance"]
    few, many, other = (
        simulate(loop, [1, 3], 20, observables=names, keep="replicates", devices=1),
        simulate(loop, [1, 2, 3, 4], 2100, observables=names, keep="replicates", devices=devices),
        simulate(loop, [1, 3], 20, observables=names, keep="replicates", devices=1, seed=1),
    )
    many = many.sel(generation=few.generation).isel(replicate=slice(20))
    assert all(np.array_equal(few[o].values, many[o].values) for o in names)
    assert not np.array_equal(few.covariance.values, other.covariance.values)


@pytest.mark.slow
def test_peers_that_differ_are_seen_side_by_side():
    """Their means are those on the line along every direction; the control has the peers exchanged."""
    loop = Loop(SOURCE, Peers(counts=[[3, 2], [1, 4]], real=[2, 12]))
    means = expected(loop)
    pilot = simulate(
        loop, GENERATIONS[-1], PILOT, seed=1, engine="literal", observables=MOMENTS, keep="replicates"
    )
    spread = np.array([pilot[moment].values.std() for moment in MOMENTS]) * MARGIN
    effect = (np.abs(np.diff(means[:, -1]))[:, 0] / spread).max()
    count = int(np.ceil(((threshold(8) + norm.isf(RATE)) / effect) ** 2))
    for engine in ("exact", "literal"):
        found = run(loop, engine, count)
        assert found.covariance.dims[2:] == ("model", "component", "other_component")
        assert scores(found, means).max() < threshold(8)
        assert scores(found, means[..., ::-1]).max() > threshold(8)
    targets = loop.with_(data=replace(loop.data, targets=((1.0, 0.0, 2.0), (2.0, 0.0, 1.0))))
    found = two_sample_scores(*(run(targets, e, count) for e in ("exact", "literal")), "mean_error")
    assert found.max() < threshold(found.size)
    found = two_sample_scores(run(targets, "exact", count), run(loop, "literal", count), "mean_error")
    assert found.max() > threshold(found.size)


@pytest.mark.slow
def test_a_window_collapses_at_a_steady_rate_at_any_depth():
    """Increments of log det are stationary, while its distance to the mean passes float64's range."""
    marks, count = [200, 1200, 2200], 500
    loop = Loop(Gaussian((0.0, 0.0), 1.0), Window(3, 2))
    values = simulate(loop, marks, count, observables=["log_det"], keep="replicates").log_det.values
    assert np.isfinite(values).all()
    assert values[:, -1].max() < 2 * np.log(np.finfo(float).tiny)
    early, late = np.diff(values, axis=1).T
    change, control = late - early, late - 0.9 * early  # the control slows down by a tenth
    z, slowed = (x.mean() * np.sqrt(count) / x.std() for x in (change, control))
    assert abs(z) < threshold(1)
    assert abs(slowed) > threshold(1)


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        (Loop(SOURCE, AccumulateSubsample(5)), "subset"),
        (Loop(SOURCE, Fresh(3, 5), sampler=Sampler(truncate=1.0)), "truncated samples"),
        (Loop(SOURCE, Fresh(1, 2)), "under replace alone"),
    ],
)
def test_what_the_engine_cannot_do_is_one_sentence(loop, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 3, 10)


def test_the_exact_engine_is_chosen_where_it_can():
    assert chosen_engine(CASES["fresh"][0], 3, "auto")[0] == "exact"
    assert chosen_engine(Loop(SOURCE, AccumulateSubsample(5)), 3, "auto")[0] == "literal"
