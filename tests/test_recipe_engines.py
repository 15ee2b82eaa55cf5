"""Every data policy in both engines: against exact second moments, and against each other in law.

Every family of comparisons shares a false-alarm rate of 1e-6 (Bonferroni). The negative control of a case
is another loop, a wrong divisor or a neighbouring number; a pilot in plain NumPy measures the spread, and
with it replicates are fixed beforehand so that the control is missed with probability 1e-6. Means are
divided by the sample's standard error, so the rates are nominal.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from literal_recipe import LiteralLoop
from scipy.special import digamma, polygamma
from scipy.stats import norm

from jaxsim import blocks
from jaxsim.passage import first_passage
from jaxsim.simulate import simulate
from theory.estimator import Weighted
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Web,
    Window,
    WrittenRecipe,
)
from theory.provenance.of_loop import provenance, recipe_of

RATE = 1e-6
SOURCE = Gaussian(1.0, 2.0)
GENERATIONS = (1, 2, 4)
NAMES = ["mean_error", "mean_error_squared", "variance", "log_variance"]
PILOT = 2000
MARGIN = 1.5  # on the pilot's standard deviation: far beyond its own error

WRITTEN = [
    [{"real": 6}, {"set": "a"}],
    [{"model": -1, "n": 5, "weight": 0.5}, {"moments": -1, "weight": 0.2}, {"set": "a", "weight": 0.3}],
    [{"model": -1, "n": 5}, {"batch": [-1, -2]}],
]
UNEQUAL = {"counts": [[3, 2], [1, 4]], "real": [2, 3]}


class Case(NamedTuple):
    loop: Loop
    other: Loop  # the negative control
    engines: tuple[str, ...] = ("exact", "literal")


def biased(loop):
    return loop.with_(estimator=Unbiased() if loop.estimator == MaximumLikelihood() else MaximumLikelihood())


def case(policy, estimator=None, other=None, engines=("exact", "literal"), **parts):
    loop = Loop(SOURCE, policy, estimator or MaximumLikelihood(), **parts)
    return Case(loop, biased(loop) if other is None else loop.with_(data=other), engines)


LITERAL = ("literal",)
CASES = {
    "replace as written": case(WrittenRecipe([[{"model": -1, "n": 6}]])),
    "accumulate": case(Accumulate(6)),
    "accumulate, growing": case(Accumulate("2*t + 3"), Unbiased(), sampler=Sampler(bias=0.8)),
    "accumulate-subsample": case(AccumulateSubsample(6), engines=LITERAL),
    "window": case(Window(4, 3)),
    "memory": case(Memory(2, 3, 2), sampler=Sampler(bias=1.1, applies_to_source=True)),
    "fresh": case(Fresh(3, 5), sampler=Sampler(bias=0.8), start=Gaussian(2.0, 1.0)),
    "fresh iid": case(Fresh(3, 5, "iid"), sampler=Sampler(bias=0.8)),
    "fresh weighted": case(Fresh(3, 5, weight=0.6), other=Fresh(3, 5, weight=0.2)),
    "fresh without spread": case(Fresh(3, 5, weight=0.6), Weighted(), other=Fresh(3, 5, weight=0.2)),
    "fresh truncated": case(Fresh(3, 5), sampler=Sampler(truncate=1.5), engines=LITERAL),
    "fixed": case(Fixed(5, 4)),
    "web": case(Web(5, 2, 3)),
    "web sampled": case(Web(6, 2, 3, 5), engines=LITERAL),
    "peers": case(Peers(2, 3, 1)),
    "peers, unequal": case(Peers(**UNEQUAL, targets=[1.0, 3.0])),
    "heal": case(Heal(Accumulate(5), 2, 5, 0.5), other=Heal(Accumulate(5), 2, 5, 0.9)),
    "heal, same real": case(
        Heal(Window(3, 2), 2, 5, 0.5, same_real=True), other=Heal(Window(3, 2), 2, 5, 0.9, same_real=True)
    ),
    "written": case(WrittenRecipe(WRITTEN, {"a": 4}), other=WrittenRecipe(WRITTEN, {"a": 9})),
    "written subset": case(
        WrittenRecipe([[{"real": 6}], [{"model": -1, "n": 4}, {"batch": -1, "n": 3}]]), engines=LITERAL
    ),
}
SLOW = {
    "accumulate, growing",
    "memory",
    "fresh without spread",
    "fresh truncated",
    "web",
    "peers",
    "heal, same real",
    "written",
    "written subset",
}
ALL = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CASES]
BOTH = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name, case in CASES.items()
    if len(case.engines) == 2
]


def threshold(family):
    return norm.isf(RATE / 2 / family)


@cache
def theory(loop):
    """E of mean_error_squared and variance: [observable, generation, model]."""
    engine = provenance(loop)
    fits = [engine.advance() for _ in range(max(GENERATIONS))]
    return np.array(
        [
            [[getattr(fit, name) for fit in fits[g - 1]] for g in GENERATIONS]
            for name in ("mean_square", "variance")
        ]
    )


@cache
def replicates(name):
    """So many that theory's mean of the control, in one observable, is told from that of the case."""
    loop, other, _ = CASES[name]
    source = SOURCE.variance
    start = None if loop.start is None else (loop.start.mean - SOURCE.mean, loop.start.variance)
    factor = loop.sampler.bias
    divisor = {"maximum-likelihood": "n", "unbiased": "n - 1", "weighted": "weighted"}[loop.estimator.name]
    plain = LiteralLoop(
        recipe_of(loop),
        PILOT,
        np.random.default_rng(1),
        variance=source,
        bias=factor,
        divisor=divisor,
        start=start,
    )
    means, variances = plain.run(max(GENERATIONS))[:, -1]
    spread = np.array([(means**2).std(1), variances.std(1)]) * MARGIN
    distance = np.abs(theory(loop) - theory(other))[:, -1]
    family = 2 * len(GENERATIONS) * distance.shape[-1] * 2
    # twice: two samples are compared with each other as well
    effect = (distance / spread).max()
    needed = 2 * ((threshold(family) + norm.isf(RATE)) / effect) ** 2
    return int(max(np.ceil(needed), 2000))


@cache
def run(name, engine, control=False):
    loop = CASES[name].other if control else CASES[name].loop
    return simulate(loop, GENERATIONS, replicates(name), engine=engine, observables=NAMES, seed=3)


def statistics(dataset, name):
    rows = (dataset[name].sel(statistic=s).values for s in ("count", "mean", "variance", "fourth"))
    return [row[:, None] if row.ndim == 1 else row for row in rows]


def scores(dataset, expected):
    """z of mean_error_squared and variance, [observable, generation, model]."""
    found = []
    for name, mean in zip(("mean_error_squared", "variance"), expected, strict=True):
        count, centre, spread, _ = statistics(dataset, name)
        found.append((centre - mean[:, : centre.shape[1]]) / np.sqrt(spread / count))
    return np.array(found)


@pytest.mark.parametrize("name", ALL)
def test_second_moments_are_those_of_the_provenance(name):
    case = CASES[name]
    for engine in case.engines:
        found = run(name, engine)
        z = scores(found, theory(case.loop))
        assert np.abs(z).max() < threshold(2 * z.size), (engine, z)
        assert np.abs(scores(found, theory(case.other))[:, -1]).max() > threshold(2 * z.size)


def two_sample_scores(first, second, name):
    """z of the means and of the variances."""
    (n1, m1, v1, f1), (n2, m2, v2, f2) = (statistics(d, name) for d in (first, second))
    squares = (f1 - v1**2) / n1 + (f2 - v2**2) / n2
    return np.stack([(m1 - m2) / np.sqrt(v1 / n1 + v2 / n2), (v1 - v2) / np.sqrt(squares)])


@pytest.mark.parametrize("name", BOTH)
def test_engines_agree_in_law(name):
    """log_variance and mean_error; the control is the exact engine on the other loop."""
    literal, exact = run(name, "literal"), run(name, "exact")
    z = np.array([two_sample_scores(exact, literal, o) for o in ("log_variance", "mean_error")])
    assert np.abs(z).max() < threshold(z.size), z
    other = run(name, "exact", control=True)
    z = np.array(
        [two_sample_scores(other, literal, o) for o in ("log_variance", "variance", "mean_error_squared")]
    )
    assert np.abs(z).max() > threshold(z.size)


def test_replace_written_as_a_recipe_follows_its_law():
    """log v_t is a sum of t independent log(chi2_5 / 6)."""
    t = np.array(GENERATIONS)
    for engine in ("exact", "literal"):
        count, mean, variance, fourth = (
            row[:, 0] for row in statistics(run("replace as written", engine), "log_variance")
        )
        centre, spread = np.log(2) + t * (digamma(2.5) + np.log(2 / 6)), t * polygamma(1, 2.5)
        z = np.array(
            [
                (mean - centre) * np.sqrt(count / spread),
                (variance - spread) / np.sqrt((fourth - variance**2) / count),
            ]
        )
        assert np.abs(z).max() < threshold(12)
        unbiased = centre + t * np.log(6 / 5)
        assert np.abs((mean - unbiased) * np.sqrt(count / spread)).min() > threshold(12)


@pytest.mark.parametrize("name", ["window", "fresh weighted"])
def test_law_p0(name):
    """E variance + E mean_error^2 is the source's variance; other fits break it."""
    loop = CASES[name].loop
    control = Weighted() if name == "fresh weighted" else Unbiased()
    count = 20_000
    z = []
    for each in (loop, loop.with_(estimator=control)):
        values = simulate(each, GENERATIONS, count, observables=NAMES, keep="replicates")
        total = values.variance.values + values.mean_error.values**2
        z.append((total.mean(0) - SOURCE.variance) * np.sqrt(count) / total.std(0))
    assert np.abs(z[0]).max() < threshold(6)
    assert np.abs(z[1]).max() > threshold(6)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("heal", "exact"),
        ("web sampled", "literal"),
        *(
            pytest.param(name, engine, marks=pytest.mark.slow)
            for name, case in CASES.items()
            for engine in case.engines
            if (name, engine) not in {("heal", "exact"), ("web sampled", "literal")}
        ),
    ],
)
def test_bits_do_not_depend_on_devices_seeds_or_length(name, engine, monkeypatch):
    monkeypatch.setattr(blocks, "WORTH", 1)  # else a small run takes one device, whatever it is offered
    loop = CASES[name].loop
    few, *others = (
        simulate(loop, [1, 3], 40, engine=engine, observables=NAMES, keep="replicates", devices=1),
        simulate(loop, [1, 2, 3, 7], 2500, engine=engine, observables=NAMES, keep="replicates", devices=2),
        simulate(loop, [2, 3], 4200, engine=engine, observables=NAMES, keep="replicates", devices=4),
    )
    for many in others:
        shared = sorted(set(few.generation.values) & set(many.generation.values))
        one, other = few.sel(generation=shared), many.sel(generation=shared).isel(replicate=slice(40))
        assert all(np.array_equal(one[o].values, other[o].values) for o in NAMES)
    other = simulate(loop, [1, 3], 40, engine=engine, observables=NAMES, keep="replicates", seed=1)
    assert not np.array_equal(few.variance.values, other.variance.values)


def test_a_window_collapses_at_a_steady_rate_at_any_depth():
    """Increments of log variance are stationary, while its distance to the mean passes float64's digits."""
    marks = [500, 2500, 4500]
    count = 2000
    found = simulate(
        Loop(SOURCE, Window(3, 2)), marks, count, observables=["log_variance"], keep="replicates"
    )
    values = found.log_variance.values
    assert np.isfinite(values).all()
    assert values[:, -1].max() < np.log(np.finfo(float).eps ** 2)
    early, late = np.diff(values, axis=1).T
    change, control = late - early, late - 0.95 * early  # the control slows down by a twentieth
    z, slowed = (x.mean() * np.sqrt(count) / x.std() for x in (change, control))
    assert abs(z) < threshold(1)
    assert abs(slowed) > threshold(1)


def test_peers_that_differ_are_seen_side_by_side():
    found = run("peers, unequal", "exact")
    assert found.variance.dims == ("statistic", "generation", "model")
    assert found.variance.shape[-1] == 2
    assert run("heal", "exact").variance.dims == ("statistic", "generation")


REFUSED = [
    (Loop(SOURCE, AccumulateSubsample(5)), "exact", "subset"),
    (Loop(SOURCE, Web(6, 2, 3, 5)), "exact", "subset"),
    (Loop(SOURCE, Fresh(3, 5), sampler=Sampler(truncate=1.0)), "exact", "truncated samples"),
    (Loop(SOURCE, Fresh(10**4, 1, "iid")), "exact", "binomial"),
    (Loop(SOURCE, Accumulate(10**6)), "literal", "keeps"),
    (Loop(SOURCE, Fresh(1, 5, weight=0.5), Weighted()), "literal", "2 points of every kind"),
    (Loop(SOURCE, Accumulate((5, 5))), "exact", "the list ends before generation 3"),
    (Loop(SOURCE, Fresh(3, 5, weight="optimal")), "exact", "replaced by its numbers"),
    (Loop(Gaussian((0.0, 0.0), 1.0), Accumulate(2)), "literal", "under replace alone"),
]


@pytest.mark.parametrize(("loop", "engine", "words"), REFUSED)
def test_what_an_engine_cannot_do_is_one_sentence(loop, engine, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 20 if words == "keeps" else 3, 10, engine=engine)


def test_first_passages_of_recipes_are_refused():
    with pytest.raises(LoopError, match="first passages"):
        first_passage(Loop(SOURCE, Accumulate(5)), 10)


SINGLE = [
    Fresh(20, 80),
    Fresh(3, 5),
    Fresh(200, 800),
    Fresh(30, 40, "iid"),
    Memory(10, 10, 3),
    Peers(2, 10, 5),
]


@pytest.mark.slow
@pytest.mark.parametrize("policy", SINGLE)
def test_single_precision_is_the_same_run_rounded(policy):
    """The mean error and log variance of each replicate, against the bound that the choice rests on."""
    loop = Loop(SOURCE, policy)
    options = {"observables": ["mean_error", "log_variance"], "keep": "replicates"}
    chosen = simulate(loop, [1, 10, 300], 512, **options)
    assert chosen.attrs["precision"] == "float32"
    single, double = (
        simulate(loop, [1, 10, 300], 512, precision=p, **options) for p in ("float32", "float64")
    )
    for o in options["observables"]:
        assert np.array_equal(single[o].values, chosen[o].values)
        spread = double[o].values.std(0)
        assert (np.abs((single[o] - double[o]).values.mean(0)) < 3e-5 * spread).all()
        assert (np.abs((single[o] - double[o]).values).max(0) > 0).all()


DOUBLE = [
    Loop(SOURCE, Fresh(1000, 99_000)),
    Loop(SOURCE, Accumulate(100)),
    Loop(SOURCE, Fixed(20, 80)),
    Loop(SOURCE, Fresh(20, 80), start=Gaussian(1000.0, 2.0)),
    Loop(SOURCE, Fresh(20, 80), sampler=Sampler(bias=1.1)),
]


@pytest.mark.parametrize("loop", DOUBLE)
def test_double_precision_where_errors_add_up(loop):
    assert simulate(loop, 1, 4, observables=["variance"]).attrs["precision"] == "float64"


def test_replace_keeps_its_own_kernels():
    found = simulate(Loop(SOURCE, Replace(5)), 2, 10)
    assert found.attrs["precision"] == "float32"
