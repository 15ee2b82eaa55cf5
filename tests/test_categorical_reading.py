"""The reading of categorical and Poisson loops against enumeration, branching series and plain recursions."""

import math
import warnings
from fractions import Fraction
from math import exp, inf

import enumerated_categories as enumerated
import mpmath
import numpy as np
import pytest

from theory.categorical import poisson
from theory.categorical.reading import passage, second_moment_means, statistics
from theory.categorical.urn import retained
from theory.discrete_source import Categorical, Poisson
from theory.estimator import Smoothed
from theory.loop import Loop, Sampler
from theory.observable import CATEGORIES
from theory.policy import Accumulate, AccumulateSubsample, Fixed, Fresh, Memory, Replace, Web, Window
from theory.predict import predict
from theory.selection import BestOf, BradleyTerry
from theory.written_recipe import WrittenRecipe

SHARES = (0.5, 0.3, 0.2)
SOURCE, EXACT = Categorical(SHARES), enumerated.exact(SHARES)
PAIR, EXACT_PAIR = Categorical((0.3, 0.7)), enumerated.exact((0.3, 0.7))
GENERATIONS = (1, 2, 3)
ROUNDING = 1e-12  # chains of 3 steps and 4 points in floats; fractions on the other side


def agreeing(loop, history, source, names=CATEGORIES):
    found = statistics(loop, names, GENERATIONS, 4)
    observed = enumerated.observables(source)
    for name in names:
        known = 0
        moments = found[name].central_moments()
        for place, law in enumerate(history):
            if name == "extinct":
                expected = [
                    [float(x) for x in enumerated.central(law, lambda m, i=i: Fraction(m[i] == 0))]
                    for i in range(len(source))
                ]
                expected = np.array(expected).T
            else:
                expected = np.array([float(x) for x in enumerated.central(law, observed[name])])
            there = ~np.isnan(moments[:, place])
            known += there.sum()
            np.testing.assert_allclose(
                moments[:, place][there], expected[there], rtol=ROUNDING, atol=ROUNDING, err_msg=name
            )
        assert known, name


LOOPS = {
    "replace": (Loop(SOURCE, Replace(4)), enumerated.replace([4] * 3)),
    "schedule": (Loop(SOURCE, Replace("t + 2")), enumerated.replace([3, 4, 5])),
    "smoothed": (
        Loop(SOURCE, Replace(3), Smoothed(1.5)),
        enumerated.replace([3] * 3, (Fraction(3, 2), EXACT)),
    ),
    "stratified": (Loop(SOURCE, Fresh(1, 3)), enumerated.stratified(EXACT, 1, 3)),
    "iid": (Loop(SOURCE, Fresh(1, 3, "iid")), enumerated.iid(EXACT, 4, Fraction(1, 4))),
    "fixed": (Loop(SOURCE, Fixed(3, 2)), enumerated.fixed(EXACT, 3, 2)),
    "accumulate": (Loop(SOURCE, Accumulate([3, 2, 1])), enumerated.accumulate([3, 2, 1])),
    "web": (Loop(SOURCE, Web(3, 1, 2)), enumerated.web(EXACT, 3, 1, 2)),
    "top-k": (
        Loop(SOURCE, Replace(4), sampler=Sampler(top_k=2, applies_to_source=True)),
        enumerated.biased(4, lambda x: _top(x, 2), first=True),
    ),
}


def _top(shares, kept):
    best = sorted(range(len(shares)), key=lambda i: (-shares[i], i))[:kept]
    total = sum(shares[i] for i in best)
    return tuple(share / total if i in best else Fraction(0) for i, share in enumerate(shares))


@pytest.mark.parametrize("name", LOOPS)
def test_every_observable_against_enumeration(name):
    loop, outcomes = LOOPS[name]
    agreeing(loop, enumerated.history(EXACT, 3, outcomes), EXACT)


def test_subsamples_against_enumeration():
    loop = Loop(SOURCE, AccumulateSubsample(2))
    history = enumerated.history(EXACT, 3, enumerated.subsampled(2))
    agreeing(loop, history, EXACT, ("heterozygosity", "l2_squared", "chi_squared"))


def _curated(x, candidates, gap):
    total = 0.0
    for j in range(candidates + 1):
        chance = math.comb(candidates, j) * float(x) ** j * float(1 - x) ** (candidates - j)
        total += chance * j * exp(gap) / (j * exp(gap) + candidates - j)
    return Fraction(total)


def _response(function):
    return lambda model: (function(model[0]), 1 - function(model[0]))


def _tempered(x, inverse):
    return x**inverse / (x**inverse + (1 - x) ** inverse)


RESPONSES = {
    "temperature": ({"sampler": Sampler(temperature=0.5)}, lambda x: _tempered(x, 2), False),
    "temperature-first": (
        {"sampler": Sampler(temperature=0.5, applies_to_source=True)}, lambda x: _tempered(x, 2), True,
    ),
    "nucleus": (
        {"sampler": Sampler(nucleus=0.7)},
        lambda x: Fraction(int(x >= Fraction(7, 10))) if not Fraction(3, 10) < x < Fraction(7, 10) else x,
        False,
    ),
    "likelier": (
        {"sampler": Sampler(top_k=1)}, lambda x: Fraction(int(2 * x >= 1)), False,
    ),
    "best-of": ({"selection": BestOf(3, direction=(0.0, 1.0))}, lambda x: x**3, False),
    "bradley-terry": (
        {"selection": BradleyTerry(3, 0.5, (2.0, 1.0), applies_to_source=True)},
        lambda x: _curated(x, 3, 0.5),
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_two_categories_under_any_rule(name):
    parts, function, first = RESPONSES[name]
    loop = Loop(PAIR, Replace(4), **parts)
    agreeing(
        loop,
        enumerated.history(EXACT_PAIR, 3, enumerated.biased(4, _response(function), first=first)),
        EXACT_PAIR,
    )


@pytest.mark.parametrize("name", ["temperature-first", "best-of"])
def test_passages_of_two_categories_under_a_rule(name):
    parts, function, first = RESPONSES[name]
    n = 4
    found = passage(Loop(PAIR, Replace(n), **parts), "collapse_time")
    assert found.status == "recursion"
    law = {Fraction(3, 10): Fraction(1)}
    probability = []
    for t in range(1, 80):
        grown, arrived = {}, Fraction(0)
        for x, p in law.items():
            share = function(x) if first or t > 1 else x
            for counts, q in enumerated.drawn(n, (share, 1 - share)).items():
                if min(counts) == 0:
                    arrived += p * q
                else:
                    y = Fraction(counts[0], n)
                    grown[y] = grown.get(y, 0) + p * q
        law = grown
        probability.append(float(arrived))
    time = np.arange(1, 80)
    mean = probability @ time
    expected = [mean, probability @ (time - mean) ** 2]
    # at most (7/8)^80 and less is left of the law: the sharpening leaves far less
    np.testing.assert_allclose([found.mean, found.variance], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "policy",
    [Window(4, 2), Memory(1, 2, 2), Replace(5), Accumulate(3), AccumulateSubsample(3), Fresh(2, 3)],
    ids=str,
)
def test_second_moments_of_a_started_loop(policy):
    """The identities of means and variances, against a recursion over single categories' indicators."""
    start = (0.1, 0.2, 0.7)
    loop = Loop(SOURCE, policy, start=Categorical(start))
    from theory.provenance import Provenance
    from theory.recipe import recipe

    for name in ("heterozygosity", "l2_squared", "chi_squared"):
        found = second_moment_means(loop, name, (1, 2, 5))
        expected = np.zeros(3)
        for z, q in zip(SHARES, start, strict=True):
            engine = Provenance(
                recipe(policy, started=True), variance=z * (1 - z), start=(q - z, q * (1 - q))
            )
            fits = [engine.advance()[0] for _ in range(5)]
            chosen = [fits[g - 1] for g in (1, 2, 5)]
            if name == "heterozygosity":
                expected += [fit.variance for fit in chosen]
            else:
                expected += [fit.mean_square / (z if name == "chi_squared" else 1) for fit in chosen]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_recipes_of_several_models_have_an_axis():
    """Two models that swap samples: after one fit each has lost what a fit to its ten points loses."""
    meal = [{"model": -1, "n": 6, "peer": 1}, {"model": -1, "n": 4, "peer": 2}]
    loop = Loop(SOURCE, WrittenRecipe([meal]))
    found = statistics(loop, ["heterozygosity", "support"], (1, 3, inf))
    assert found["heterozygosity"].mean.shape == (3, 2)
    h = 1 - sum(p * p for p in SHARES)
    np.testing.assert_allclose(found["heterozygosity"].mean[0], h * 0.9)
    assert found["support"].mean.shape == (3, 2)
    assert found["support"].status == "none"


def test_a_start_is_what_the_first_points_are_drawn_from():
    start = enumerated.exact((0.1, 0.2, 0.7))
    loop = Loop(SOURCE, Replace(4), start=Categorical((0.1, 0.2, 0.7)))
    agreeing(loop, enumerated.history(EXACT, 3, enumerated.replace([4] * 3), start), EXACT)


LIMITS = [
    Loop(SOURCE, Replace(6)),
    Loop(SOURCE, Replace(6), Smoothed(2.0)),
    Loop(SOURCE, Fresh(2, 6)),
    Loop(SOURCE, Fresh(2, 6, "iid")),
    Loop(SOURCE, Fixed(4, 5)),
    Loop(SOURCE, Replace(6), start=Categorical((0.2, 0.2, 0.6))),
    Loop(SOURCE, Accumulate(6)),
    Loop(SOURCE, AccumulateSubsample(6)),
    Loop(SOURCE, Web(6, 0, 3)),
]


@pytest.mark.parametrize("loop", LIMITS, ids=str)
def test_limits_are_approached(loop):
    """At a late generation every known limit is met, to within what the slowest rate leaves."""
    slow = isinstance(loop.data, Accumulate | AccumulateSubsample | Web)
    names = [name for name in CATEGORIES if not (slow and name in ("entropy", "kl_to_source"))]
    if isinstance(loop.data, AccumulateSubsample):
        names = ["heterozygosity", "l2_squared", "chi_squared"]
    late = 200 if slow else 400
    found = statistics(loop, names, (1, late, inf), 2)
    for name in names:
        mean = found[name].mean
        known = ~np.isnan(mean[2])
        assert known.all() or isinstance(loop.data, Fixed)
        # accumulating data differ from the limit by about 1/(n t); the others by (1-1/6)^400
        bound = 2 * (loop.source.categories + 8) / late if slow else 1e-12
        np.testing.assert_allclose(mean[1][known], mean[2][known], rtol=bound, atol=bound)


def test_growing_samples_keep_a_share():
    """n_t = c t^2 keeps H_0 sin(pi/sqrt c)/(pi/sqrt c)."""
    loop = Loop(Categorical((0.5, 0.3, 0.15, 0.05)), Replace("5 * t ** 2"))
    h = 1 - sum(p * p for p in loop.source.shares)
    z = math.pi / math.sqrt(5)
    found = statistics(loop, ["heterozygosity"], (30, inf))["heterozygosity"]
    assert abs(found.mean[1] - h * math.sin(z) / z) < 1e-12
    assert abs(found.mean[0] - h * math.prod(1 - 1 / (5 * t * t) for t in range(1, 31))) < 1e-14


def test_poisson_counts_against_generating_functions():
    """Iterating s -> exp(s - 1) at 0, in 40 digits."""
    rates, n = (0.2, 1.0, 2.5), 3
    loop = Loop(Poisson(rates), Replace(n))
    found = statistics(loop, ["extinct", "support"], (1, 2, 9), 4)
    with mpmath.workdps(40):
        s, table = mpmath.mpf(0), {}
        for t in range(1, 10):
            table[t] = s  # extinction probability after t - 1 more generations, from one
            s = mpmath.exp(s - 1)
        expected = [[float(mpmath.exp(n * rate * (table[t] - 1))) for rate in rates] for t in (1, 2, 9)]
    np.testing.assert_allclose(found["extinct"].mean, expected, rtol=1e-14)
    for row, moments in zip(expected, found["support"].central_moments().T, strict=True):
        law = np.array([1.0])
        for gone in row:
            law = np.convolve(law, [gone, 1 - gone])
        k = np.arange(4)
        mean = law @ k
        np.testing.assert_allclose(moments, [mean, *(law @ (k - mean) ** r for r in (2, 3, 4))], atol=1e-14)


def test_poisson_counts_of_varying_size():
    sizes, rate = (4, 6, 3), 0.7
    gone = poisson.varying_exponent(sizes)
    with mpmath.workdps(40):
        s = mpmath.mpf(0)
        for before, after in ((6, 3), (4, 6)):
            s = mpmath.exp(mpmath.mpf(after) / before * (s - 1))
        expected = 4 * (1 - s)
    assert abs(gone - float(expected)) < 1e-14
    loop = Loop(Poisson((rate,)), Replace(list(sizes)))
    assert abs(statistics(loop, ["extinct"], (3,))["extinct"].mean[0, 0] - exp(-rate * gone)) < 1e-15
    assert poisson.varying_exponent((4,)) == 4


def test_poisson_passages_against_long_sums():
    rates = np.array([2.0, 1.5, 4.0])
    last = 3_000_000
    a = np.empty(last)
    a[0] = 1.0
    for t in range(1, last):
        a[t] = -math.expm1(-a[t - 1])
    there = -np.expm1(-np.multiply.outer(a, rates))
    for left, power in ((poisson.no_loss, 3), (poisson.several_left, 2)):
        survival = left(there)
        mean, variance = poisson.passage_moments(rates, left, power)
        tail = survival[-1] * last / (power - 1)  # t^-power, integrated; the logarithm moves it by 1e-5
        assert abs(mean - (1 + survival.sum() + tail)) < 1e-4 * tail + 1e-9
        if power == 3:
            time = np.arange(1, last + 1)
            square = 1 + ((2 * time + 1) * survival).sum() + 2 * survival[-1] * last**2
            assert abs(variance - (square - mean**2)) < 1e-4 * 2 * survival[-1] * last**2 + 1e-6
        else:
            assert variance == inf


def test_large_samples_are_asymptotic_and_meet_the_chain(monkeypatch):
    """At a size that both can do, the exponent's answers are off by the order they state."""
    from theory.categorical import wright_fisher as chain

    shares = (0.6, 0.3, 0.09, 0.01)
    n, times = 2000, (1, 5, 20, 100)
    loop = Loop(Categorical(shares), Replace(n))
    names = ["extinct", "support", "entropy", "kl_to_source"]
    exact = statistics(loop, names, times)
    monkeypatch.setattr(chain, "LARGEST_CHAIN", 1000)
    rough = statistics(loop, names, times)
    for name in names:
        assert rough[name].status == "asymptotic"
        for place, t in enumerate(times):
            gap = np.abs(rough[name].mean[place] - exact[name].mean[place]).max()
            # the stated order t/n, with a constant: 2 for a count of four, less for a probability
            assert gap <= 2 * t / n, (name, t, gap)
    assert (rough["extinct"].mean >= exact["extinct"].mean * (1 - 1e-12)).all()


def test_what_is_not_known_is_said_in_a_sentence():
    loops = [
        Loop(SOURCE, Replace(10), sampler=Sampler(temperature=0.9)),
        Loop(SOURCE, Replace(10), sampler=Sampler(top_k=2)),
        Loop(PAIR, Replace(10), Smoothed(1.0), sampler=Sampler(nucleus=0.9)),
        Loop(PAIR, Replace(10), sampler=Sampler(temperature=0.9), selection=BestOf(2, direction=(0.0, 1.0))),
    ]
    for loop in loops:
        for name, found in statistics(loop, CATEGORIES, (1, 5, inf)).items():
            assert found.status == "none", name
            assert np.isnan(found.mean).all()
            assert found.reason
            assert "\n" not in found.reason
        for name in ("collapse_time", "first_loss_time"):
            assert passage(loop, name).status in ("none", "infinite")
    windowed = statistics(Loop(SOURCE, Window(5, 2)), CATEGORIES, (1, 3))
    assert windowed["heterozygosity"].status == "recursion"
    assert windowed["support"].status == "none"


def test_passages_that_may_never_come():
    for policy in (Accumulate(10), Fixed(10, 5), Web(10, 1, 2)):
        for name in ("collapse_time", "first_loss_time"):
            found = passage(Loop(SOURCE, policy), name)
            assert found.status == "infinite"
            assert found.mean == inf
    assert passage(Loop(SOURCE, Replace(10), Smoothed(1.0)), "collapse_time").status == "infinite"
    assert passage(Loop(SOURCE, Replace(2)), "first_loss_time").mean == 1


def test_predict_reads_categories_with_their_axis():
    dataset = predict(Loop(SOURCE, Replace(20)), (1, 5, inf))
    assert dataset["extinct"].dims == ("statistic", "generation", "category")
    assert dataset["heterozygosity"].attrs["claim"] == "mixture.C1"
    assert dataset["collapse_time"].dims == ("statistic",)
    assert dataset["entropy"].sel(statistic="mean").values[-1] == 0


def test_conservation_of_diversity():
    """E H_t + E|p_t - p_0|^2 = H_0 under every unbiased recipe."""
    h = 1 - sum(p * p for p in SHARES)
    for policy in (
        Replace(7),
        Accumulate(3),
        Fresh(2, 5),
        Fixed(4, 4),
        Web(5, 1, 3),
        Window(4, 3),
        AccumulateSubsample(4),
    ):
        found = statistics(Loop(SOURCE, policy), ["heterozygosity", "l2_squared"], (1, 2, 8))
        np.testing.assert_allclose(found["heterozygosity"].mean + found["l2_squared"].mean, h, rtol=1e-13)


def test_the_universal_bound_of_accumulation():
    for batches in ([3, 1, 50, 2], [2, 2, 2, 10], [1] * 30, [40]):
        for first in (2, 6, 25):
            left = retained(batches, first)
            assert left >= first / (first + 1) * (1 - 1e-15)
    assert abs(retained([1] * 100_000, 4) - 4 / 5) < 1e-5


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics(Loop(Categorical((0.5, 0.5, 0.0)), Replace(9)), CATEGORIES, (1, 4, inf), 4)
        statistics(
            Loop(Categorical((0.5, 0.5, 0.0)), Replace(9), start=Categorical((0.2, 0.2, 0.6))),
            CATEGORIES,
            (1, inf),
            4,
        )
    found = statistics(
        Loop(Categorical((0.5, 0.5, 0.0)), Replace(9), start=Categorical((0.2, 0.2, 0.6))), CATEGORIES, (1,)
    )
    assert found["chi_squared"].mean[0] == inf
    assert found["chi_squared"].status == "infinite"
    assert found["kl_to_source"].mean[0] == inf
