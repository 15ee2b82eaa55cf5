"""Categorical loops against every outcome enumerated, in both engines; curation, samplers, first passages.

A law is compared by chi-square, with false alarm `RATE`; the same replicates must be rejected against the law
of a neighbouring loop, and their number is computed so that this fails with probability `RATE` at most.
"""

from fractions import Fraction
from itertools import product
from math import comb

import jax
import numpy as np
import pytest
from enumerated_recipe import EnumeratedLoop
from scipy import stats
from scipy.optimize import brentq

from jaxsim import multinomial
from jaxsim.agreement import Sample, Theory, agree, replicates_for
from jaxsim.categorical.model import bias_of, numbers_of, sampled, selected
from jaxsim.passage import first_passage
from jaxsim.simulate import simulate
from jaxsim.summary import STATISTICS
from theory.discrete_source import Categorical, Poisson
from theory.estimator import Smoothed
from theory.loop import Loop, LoopError, Sampler
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Memory,
    Replace,
    Web,
    Window,
    WrittenRecipe,
)
from theory.selection import BestOf, BradleyTerry

RATE = 1e-6
P = Fraction(3, 10)
SOURCE = Categorical((0.3, 0.7))
NAMES = ["heterozygosity", "l2_squared"]


def best(k):
    return lambda p: 1 - (1 - p) ** k


def preferred(k, strength):
    e = np.exp(strength)
    return lambda p: sum(
        comb(k, j) * p**j * (1 - p) ** (k - j) * j * e / (j * e + k - j) for j in range(k + 1)
    )


def heated(t):
    return lambda p: p ** (1 / t) / (p ** (1 / t) + (1 - p) ** (1 / t))


def nucleus(mass):
    return lambda p: 1.0 if p >= mass else 0.0 if 1 - p >= mass else p


def smooth(total, share):
    return lambda hits, n: (hits + Fraction(total) * share) / (n + Fraction(total))


# name -> (policy, parts of the loop, the enumeration's counterpart, generation, a neighbour's enumeration)
PLAIN = {
    "replace": (Replace(4), {}, {}, 3, (Replace(5), {})),
    "schedule": (Replace((4, 2, 6)), {}, {}, 3, (Replace((4, 3, 6)), {})),
    "fresh": (Fresh(2, 3), {}, {}, 3, (Fresh(3, 2), {})),
    "fresh, iid": (Fresh(2, 3, "iid"), {}, {}, 3, (Fresh(2, 3), {})),
    "fresh, weighted": (Fresh(2, 3, weight=0.25), {}, {}, 2, (Fresh(2, 3, weight=0.5), {})),
    "fixed": (Fixed(3, 2), {}, {}, 3, (Fresh(3, 2), {})),
    "accumulate": (Accumulate(3), {}, {}, 3, (Window(3, 2), {})),
    "window": (Window(3, 2), {}, {}, 3, (Accumulate(3), {})),
    "memory": (Memory(1, 2, 2), {}, {}, 3, (Fresh(1, 4), {})),
    "web": (Web(3, 1, 2), {}, {}, 3, (Web(3, 2, 1), {})),
    "written": (
        WrittenRecipe(
            ([{"real": 2, "weight": 0.5}, {"moments": -1, "weight": 0.5}], [{"model": -1, "n": 3}])
        ),
        {}, {}, 3, (Replace(3), {}),
    ),
    "smoothed": (
        Replace(4), {"estimator": Smoothed(2.0, "uniform")}, {"fit": smooth(2, Fraction(1, 2))}, 2,
        (Replace(4), {"fit": smooth(2, P)}),
    ),
    "temperature": (
        Replace(4), {"sampler": Sampler(temperature=0.7)}, {"bias": heated(0.7)}, 2,
        (Replace(4), {"bias": heated(0.9)}),
    ),
    "nucleus": (
        Replace(4), {"sampler": Sampler(nucleus=0.7)}, {"bias": nucleus(0.7)}, 3,
        (Replace(4), {"bias": nucleus(0.8)}),
    ),
    "best-of": (
        Replace(4), {"selection": BestOf(2, direction=(2.0, 1.0))}, {"bias": best(2)}, 2,
        (Replace(4), {"bias": best(3)}),
    ),
    "bradley-terry": (
        Replace(4), {"selection": BradleyTerry(3, 0.8, direction=(1.0, 0.0))}, {"bias": preferred(3, 0.8)}, 2,
        (Replace(4), {"bias": preferred(2, 0.8)}),
    ),
}  # fmt: skip
SUBSETS = {
    "accumulate-subsample": (AccumulateSubsample(3), {}, {}, 3, (Accumulate(3), {})),
    "web, sampled": (Web(4, 1, 2, 3), {}, {}, 3, (Web(4, 1, 2), {})),
}
FAST = ("replace", "fresh, iid", "window", "bradley-terry", "accumulate-subsample")


def cells(law):
    """Outcomes as they are seen: heterozygosity 2 p (1 - p), l2 2 (p - 0.3)^2."""
    found = {}
    for p, probability in law.items():
        seen = (round(2 * float(p) * (1 - float(p)), 9), round(2 * float(p - P) ** 2, 9))
        found[seen] = found.get(seen, 0.0) + probability
    return found


def replicates(law, control):
    """As many as chi-square needs to tell `control` from `law`, at both rates."""
    expected = np.array([law[k] for k in law])
    other = np.array([control.get(k, 0.0) for k in law])
    missing = 1 - other.sum()  # outcomes that the law does not know at all
    distance = ((other - expected) ** 2 / expected).sum() + missing
    cut = stats.chi2.isf(RATE, len(law) - 1)
    needed = brentq(lambda x: stats.ncx2.cdf(cut, len(law) - 1, x) - RATE, 1e-3, 1e5)
    return int(np.clip(2 * needed / distance, 20_000, 400_000))


def agrees(observed, law, count):
    if set(observed) - set(law):
        return False
    keys = sorted(law, key=law.get)
    o, e = np.array([observed.get(k, 0) for k in keys]), np.array([law[k] * count for k in keys])
    rare = max(int((np.cumsum(e) < 10).sum()) + 1, 1)
    o, e = np.append(o[rare:], o[:rare].sum()), np.append(e[rare:], e[:rare].sum())
    return stats.chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1) > RATE


def cases():
    for name in (*PLAIN, *SUBSETS):
        for engine in ("exact", "literal"):
            if name in SUBSETS and engine == "exact":
                continue
            marks = () if name in FAST else (pytest.mark.slow,)
            yield pytest.param(name, engine, id=f"{name}, {engine}", marks=marks)


@pytest.mark.parametrize(("name", "engine"), list(cases()))
def test_the_law_is_that_of_every_outcome_enumerated(name, engine):
    policy, parts, counterpart, generation, (neighbour, options) = (PLAIN | SUBSETS)[name]
    law = cells(EnumeratedLoop(policy, P, **counterpart).law(generation))
    control = cells(EnumeratedLoop(neighbour, P, **options).law(generation))
    assert sum(law.values()) == pytest.approx(1, abs=1e-12)
    count = replicates(law, control)
    found = simulate(
        Loop(SOURCE, policy, **parts), generation, count, engine=engine, observables=NAMES, keep="replicates"
    )
    seen = np.stack([found[name].values[:, 0] for name in NAMES], axis=1).round(9) + 0.0
    values, counts = np.unique(seen, axis=0, return_counts=True)
    observed = dict(zip(map(tuple, values.tolist()), counts.tolist(), strict=True))
    assert agrees(observed, law, count)
    assert not agrees(observed, control, count)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fresh", "smoothed", "accumulate"])
def test_halving_has_the_same_law(name, monkeypatch):
    monkeypatch.setattr(multinomial, "POINTS_A_CATEGORY", 0)
    test_the_law_is_that_of_every_outcome_enumerated(name, "exact")


SHARES = np.array([0.1, 0.3, 0.0, 0.2, 0.3, 0.1])
REWARDS = (1.0, 0.0, 5.0, 2.0, 1.0, 0.5)


def law_of(function, **parts):
    loop = Loop(Categorical((0.1, 0.3, 0.1, 0.1, 0.3, 0.1)), Replace(5), **parts)
    bias = bias_of(loop)
    with jax.enable_x64(True):
        return np.asarray(function(jax.numpy.asarray(SHARES), bias, numbers_of(loop, bias, "exact")))


@pytest.mark.parametrize("rule", ["best-of", "bradley-terry"])
def test_curation_by_every_draw_of_candidates(rule):
    k, strength = 3, 0.9
    expected = np.zeros(6)
    for candidates in product(range(6), repeat=k):
        probability = np.prod(SHARES[list(candidates)])
        rewards = np.array([REWARDS[c] for c in candidates])
        weight = (rewards == rewards.max()) if rule == "best-of" else np.exp(strength * rewards)
        for c, w in zip(candidates, weight / weight.sum(), strict=True):
            expected[c] += probability * w
    selection = BestOf(k, direction=REWARDS) if rule == "best-of" else BradleyTerry(k, strength, REWARDS)
    # sums of 6^3 products of 4 factors, all positive
    np.testing.assert_allclose(law_of(selected, selection=selection), expected, rtol=300 * 2.0**-52, atol=0)


def test_samplers_on_one_law():
    hot = SHARES ** (1 / 0.8)
    rounding = {"rtol": 40 * 2.0**-52, "atol": 0}
    np.testing.assert_allclose(law_of(sampled, sampler=Sampler(temperature=0.8)), hot / hot.sum(), **rounding)
    # of the equally probable the first come first
    np.testing.assert_allclose(
        law_of(sampled, sampler=Sampler(top_k=1)), np.array([0, 1.0, 0, 0, 0, 0]), **rounding
    )
    three = np.array([0, 0.3, 0, 0.2, 0.3, 0]) / 0.8
    np.testing.assert_allclose(law_of(sampled, sampler=Sampler(top_k=3)), three, **rounding)
    for mass in (0.61, 0.8):  # 0.3 + 0.3 + 0.2 reaches 0.8, its rounding notwithstanding
        np.testing.assert_allclose(law_of(sampled, sampler=Sampler(nucleus=mass)), three, **rounding)


def bernoulli(p):
    variance = p * (1 - p)
    return Theory(p, variance, variance * (1 - 2 * p), variance * (1 - 3 * variance))


def test_poisson_counts_are_a_branching_process():
    """P(a category is gone by g) = exp(-lambda a_g) in both engines; (g, g + 1) are told apart."""
    rates, n, g = (0.4, 1.0), 5, 2
    a = [1.0]
    for _ in range(3):
        a.append(1 - np.exp(-a[-1]))
    expected = np.exp(-n * np.array(rates) * a[g - 1])
    wrong = np.exp(-n * np.array(rates) * a[g])
    theory, other = bernoulli(expected), bernoulli(wrong)
    count = int(np.max(replicates_for(theory, 0.1, 8)))
    for engine in ("exact", "literal"):
        found = simulate(Loop(Poisson(rates), Replace(n)), g, count, engine=engine, keep="replicates")
        gone = Sample.of(found.extinct.values[:, 0])
        assert agree(gone, theory, comparisons=8).holds
        assert agree(gone, other, comparisons=8).disagrees
        assert np.isfinite(found.to_array()).all()


def chain(n, k, source):
    """The chain of counts: states, their transition matrix, and the law of generation 1."""
    states = [x for x in product(range(n + 1), repeat=k) if sum(x) == n]
    rows = [[stats.multinomial.pmf(y, n, np.array(x) / n) for y in states] for x in states]
    return states, np.array(rows), np.array([stats.multinomial.pmf(y, n, source) for y in states])


@pytest.mark.parametrize("observable", ["collapse_time", "first_loss_time"])
@pytest.mark.parametrize("engine", ["exact", "literal"])
def test_passage_times_are_those_of_the_chain(observable, engine):
    n, source = 6, (0.5, 0.3, 0.2)
    states, matrix, first = chain(n, 3, source)
    under_way = np.array([np.count_nonzero(x) > (1 if observable == "collapse_time" else 2) for x in states])
    inside = matrix[np.ix_(under_way, under_way)]
    solve = np.linalg.inv(np.eye(len(inside)) - inside)
    ones = np.ones(len(inside))
    mean = 1 + first[under_way] @ solve @ ones
    # E T^2 = 1 + v (I - Q)^-1 (2 (I - Q)^-1 + I) 1
    second = 1 + first[under_way] @ solve @ (2 * solve @ ones + ones)
    theory = Theory(np.array([mean]), np.array([second - mean**2]))
    count = int(replicates_for(theory, 0.1, 1)[0].max())
    found = first_passage(
        Loop(Categorical(source), Replace(n)), count, observable=observable, engine=engine, seed=0
    )[observable]
    assert found.attrs["censored"] == 0
    sample = Sample(*(np.array([found.sel(statistic=s).item()]) for s in STATISTICS[:5]))
    assert agree(sample, theory).mean.holds
    late = Theory(theory.mean + 0.1 * np.sqrt(theory.variance), theory.variance)
    assert agree(sample, late).disagrees


@pytest.mark.parametrize("policy", [Replace(50), Replace(5000), Fresh(3, 5), Accumulate(4)])
def test_a_longer_run_extends_a_shorter_one_and_replicates_stand_alone(policy):
    loop = Loop(SOURCE, policy)
    few = simulate(loop, [1, 3], 40, keep="replicates", observables=NAMES, devices=1)
    many = simulate(loop, [1, 2, 3, 6], 700, keep="replicates", observables=NAMES, devices=1)
    shared = many.sel(generation=[1, 3]).isel(replicate=slice(40))
    assert all(np.array_equal(few[name].values, shared[name].values) for name in NAMES)


REFUSED = [
    (Loop(SOURCE, Replace(2**31 + 1)), "exact", "exactly for up to"),
    (Loop(SOURCE, Replace(2**31 + 1)), "literal", "exactly for up to"),
    (Loop(SOURCE, AccumulateSubsample(5)), "exact", "literal engine"),
    (Loop(SOURCE, Accumulate(10**7)), "literal", "keeps up to"),
    (Loop(Poisson((1.0,)), Replace(2**33)), "exact", "exactly for means"),
    (Loop(SOURCE, WrittenRecipe([[{"model": -1, "n": 4, "peer": 2}]])), "exact", "one model a generation"),
    (
        Loop(Categorical((0.05,) * 20), Replace(5), selection=BradleyTerry(9, 1.0, tuple(range(20)))),
        "exact",
        "different rewards",
    ),
]


@pytest.mark.parametrize(("loop", "engine", "words"), REFUSED)
def test_what_an_engine_cannot_do_is_one_sentence(loop, engine, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 3, 10, engine=engine)
