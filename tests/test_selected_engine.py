"""Selection in the engines: against points drawn and kept as the rules are worded, and against closed forms.

A family of comparisons shares a false-alarm rate of 1e-6 (Bonferroni). The negative control of a case is
another rule; a pilot of the plain NumPy loop measures both, and with it replicates are fixed beforehand so
that the control is missed with probability 1e-6. Means are divided by the samples' standard errors, so the
rates are nominal.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from literal_selection import SelectedLoop
from scipy.stats import norm
from two_samples import two_samples_agree

from jaxsim.agreement import Sample, Theory, agree
from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, LoopError, Replace, Unbiased
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
from theory.recipe import recipe
from theory.selected import space as selected_space
from theory.selected.statistics import statistic
from theory.selection import (
    BestOf,
    BradleyTerry,
    Correction,
    Detector,
    Tilt,
    TopFraction,
    Verifier,
)

RATE, PILOT, MARGIN, LARGEST = 1e-6, 4000, 1.5, 400_000
SOURCE = Gaussian(1.0, 2.0)
GENERATIONS = (1, 3)
NAMES = ("mean_error", "log_variance", "variance")


class Case(NamedTuple):
    policy: object
    rule: object
    control: object
    engines: tuple[str, ...] = ("literal",)


POOL = TopFraction(0.6, "linear", -1.0, "pool")
TYPICAL = TopFraction(0.5, "typicality", None, "pool")
TILT, BOWL = Tilt("linear", 0.4), Tilt("quadratic", 0.5, centre=2.0)
BOTH = ("exact", "literal")
CASES = {
    "fraction": Case(Replace(5), TopFraction(0.6, "linear", -1.0), TopFraction(0.7, "linear", -1.0)),
    "typical": Case(Fresh(3, 5), TopFraction(0.6, "typicality"), TopFraction(0.9, "typicality")),
    "pool": Case(Replace(5), POOL, replace(POOL, threshold="population")),
    "pool, random size": Case(Fresh(3, 5, "iid"), replace(POOL, applies_to_source=True), POOL),
    "typical pool": Case(Accumulate(4), replace(TYPICAL, fraction=0.5), replace(TYPICAL, fraction=0.7)),
    "best": Case(Accumulate(5), BestOf(3), BestOf(2)),
    "most typical": Case(Fixed(4, 4), BestOf(3, "typicality"), BestOf(1, "typicality")),
    "preferred": Case(Replace(6), BradleyTerry(3, 0.8), BradleyTerry(2, 0.8)),
    "tilt": Case(Replace(5), TILT, Tilt("linear", 0.3), BOTH),
    "tilt, real too": Case(Fresh(3, 4, "iid"), replace(TILT, applies_to_source=True), TILT, BOTH),
    "tilt, window": Case(Window(4, 2), TILT, Tilt("linear", 0.3), BOTH),
    "bowl": Case(Fresh(3, 4), BOWL, replace(BOWL, strength=0.2), BOTH),
    "bowl, set": Case(Fixed(4, 4), replace(BOWL, applies_to_source=True), BOWL, BOTH),
    "verified": Case(Replace(6), Verifier(1.5, 1.5), Verifier(1.5, 2.0)),
    "verified, iid": Case(Fresh(3, 4, "iid"), Verifier(2.0, 2.0, True), Verifier(2.0, 2.0)),
    "detector": Case(Fresh(4, 6, "iid"), Detector(0.9, 0.3), Detector(0.9, 0.9), BOTH),
    "correction": Case(Replace(6), Correction(0.5), Correction(0.1), BOTH),
    "correction, web": Case(Web(5, 2, 4), Correction(0.8), Correction(0.1), BOTH),
    "memory": Case(Memory(2, 3, 2), TopFraction(0.5, "linear"), TopFraction(0.7, "linear")),
    "subsample": Case(AccumulateSubsample(5), BestOf(3), BestOf(2)),
    "peers": Case(Peers(2, 3, 2), BestOf(3), BestOf(2)),
    "heal": Case(Heal(Replace(5), 2, 4, 0.5), BestOf(3), BestOf(2)),
    "written": Case(WrittenRecipe([[{"real": 4}, {"model": -1, "n": 4}]]), BestOf(3), BestOf(2)),
}  # fmt: skip
FAST = ("fraction", "pool, random size", "tilt", "correction")
FAMILY = 2 * len(NAMES) * len(GENERATIONS) * len(CASES)


def threshold(family):
    return norm.isf(RATE / 2 / family)


def centred(rule):
    """The rule as the plain loop words it: its source has mean 0."""
    centre = getattr(rule, "centre", None)
    return rule if centre is None else replace(rule, centre=centre - SOURCE.mean)


def plain(policy, rule, replicates, seed):
    """Values [observable, generation, replicate] of the first peer."""
    loop = SelectedLoop(
        centred(rule), recipe(policy), replicates, np.random.default_rng(seed), variance=SOURCE.variance
    )
    means, variances = loop.run(max(GENERATIONS))[:, [g - 1 for g in GENERATIONS], 0]
    return np.stack([means, np.log(variances), variances])


@cache
def replicates(name):
    """So many that the control is told from the case in one observable, in two samples."""
    case = CASES[name]
    first, second = (plain(case.policy, rule, PILOT, 1) for rule in (case.rule, case.control))
    effect = np.abs(first.mean(-1) - second.mean(-1)) / (MARGIN * first.std(-1))
    needed = 2 * ((threshold(FAMILY) + norm.isf(RATE)) / effect.max()) ** 2
    return int(np.clip(np.ceil(needed), 2000, LARGEST))


def run(name, rule, engine):
    loop = Loop(SOURCE, CASES[name].policy, selection=rule)
    found = simulate(loop, GENERATIONS, replicates(name), engine=engine, observables=NAMES, seed=3)
    return np.stack([found[o].sel(statistic=["mean", "variance"]).values for o in NAMES])


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_engines_keep_what_the_rules_say(name):
    case, count = CASES[name], replicates(name)
    assert count < LARGEST  # else the control could be missed
    values = plain(case.policy, case.rule, count, 2)
    for engine in case.engines:
        for rule in (case.rule, case.control):
            mean, variance = np.moveaxis(run(name, rule, engine), 1, 0)
            z = (mean - values.mean(-1)) / np.sqrt((variance + values.var(-1)) / count)
            if rule == case.rule:
                assert np.abs(z).max() < threshold(FAMILY), (engine, z)
            else:
                assert np.abs(z).max() > threshold(FAMILY), (engine, z)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.engines == BOTH])
def test_both_engines_draw_one_law(name):
    case, count = CASES[name], 40_000
    loop = Loop(SOURCE, case.policy, selection=case.rule)
    samples = {}
    for engine in BOTH:
        found = simulate(loop, GENERATIONS, count, engine=engine, observables=NAMES, seed=5)
        rows = ("count", "mean", "variance", "third", "fourth")
        samples[engine] = Sample(
            *np.stack([[found[o].sel(statistic=row).values for row in rows] for o in NAMES[:2]], axis=1)
        )
    family = 2 * 2 * len(GENERATIONS) * len(CASES)
    assert two_samples_agree(samples["exact"], samples["literal"], comparisons=family).holds


CLOSED = {
    "C2": (TopFraction(0.6, "linear"), ("mean_error", "std", "log_variance", "variance")),
    "C2 pool": (replace(POOL, direction=1.0), ("mean_error", "std", "variance")),
    "C2 typical": (TopFraction(0.6, "typicality"), ("log_variance", "mean_error_squared")),
    "C3": (BestOf(3), ("mean_error", "variance")),
    "C8": (TILT, ("mean_error", "mean_error_squared")),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n != "C2 pool" else n for n in CLOSED]
)
def test_closed_forms_at_finite_n(name):
    """Against theory's mean; the control is the other divisor, or one point more."""
    rule, names = CLOSED[name]
    loop = Loop(SOURCE, Replace(8))
    others = (loop.with_(estimator=Unbiased()), loop.with_(data=Replace(7)))
    count, marks = 200_000, (1, 2, 4)
    found = simulate(loop.with_(selection=rule), marks, count, engine="literal", observables=names)
    rows = ("count", "mean", "variance", "third", "fourth")
    missed = True
    for o in names:
        sample = Sample(*(found[o].sel(statistic=row).values for row in rows))
        law = statistic(rule, loop, o, marks)
        family = 3 * sum(len(names) for _, names in CLOSED.values())
        assert agree(sample, Theory(law.mean, law.variance), comparisons=family).mean.holds, o
        for other in others:
            law = statistic(rule, other, o, marks)
            missed &= not agree(sample, Theory(law.mean, law.variance), comparisons=family).mean.disagrees
    assert not missed


PLANE = Gaussian((1.0, 0.0), ((2.0, 0.5), (0.5, 1.0)))
IN_SPACE = {
    "linear": (TopFraction(0.5, "linear", (1.0, -1.0)), TopFraction(0.5, "linear", (1.0, 1.0))),
    "linear pool": (TopFraction(0.5, "linear", (1.0, -1.0), "pool"), TopFraction(0.5, "linear", (1.0, -1.0))),
    "typical": (TopFraction(0.5, "typicality"), TopFraction(0.6, "typicality")),
    "typical pool": (TYPICAL, replace(TYPICAL, fraction=0.4)),
    "best": (BestOf(3, "linear", (1.0, 2.0)), BestOf(2, "linear", (1.0, 2.0))),
    "most typical": (BestOf(3, "typicality"), BestOf(2, "typicality")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_SPACE)
def test_scores_in_the_plane(name):
    rule, control = IN_SPACE[name]
    loop, count, generation = Loop(PLANE, Replace(6)), 60_000, 3
    found = simulate(
        loop.with_(selection=rule),
        generation,
        count,
        engine="literal",
        observables=["mean_error", "covariance"],
    )
    family = 6 * len(IN_SPACE)

    def furthest(other):
        law = selected_space.expectations(other, loop, generation)
        z = []
        for o, expected in (("mean_error", law.mean_error), ("covariance", law.covariance)):
            mean, variance = (found[o].sel(statistic=row).values[0] for row in ("mean", "variance"))
            z.append(np.abs(mean - expected).max() / np.sqrt(variance.max() / count))
        return max(z)

    assert furthest(rule) < threshold(family)
    assert furthest(control) > threshold(family)


def tilted_plane(rule, mean, covariance):
    """A normal of the plane times e^(beta u x) or e^(-beta |x - c|^2 / 2), by precisions."""
    if rule.reward == "linear":
        u = np.array(rule.direction) / np.linalg.norm(rule.direction)
        return mean + rule.strength * covariance @ u, covariance
    precision = np.linalg.inv(covariance)
    made = np.linalg.inv(precision + rule.strength * np.eye(2))
    return made @ (precision @ mean + rule.strength * np.array(rule.centre)), made


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule", [Tilt("linear", 0.5, direction=(1.0, -2.0)), Tilt("quadratic", 0.7, (0.0, 1.0))]
)
def test_tilts_in_the_plane(rule):
    """One fit to real points that are tilted: E mu and E Sigma n / (n - 1) are those of the tilted law."""
    count, n = 60_000, 6
    loop = Loop(PLANE, Replace(n), Unbiased(), selection=replace(rule, applies_to_source=True))
    found = simulate(loop, 1, count, engine="literal", observables=["mean_error", "covariance"])
    mean, covariance = tilted_plane(rule, np.array(PLANE.mean), np.array(PLANE.variance))
    for o, expected in (("mean_error", mean - np.array(PLANE.mean)), ("covariance", covariance)):
        centre, variance = (found[o].sel(statistic=row).values[0] for row in ("mean", "variance"))
        z = (centre - expected) / np.sqrt(variance / count)
        assert np.abs(z).max() < threshold(12)
        assert np.abs((centre - 1.1 * expected) / np.sqrt(variance / count)).max() > threshold(12)


REFUSED = [
    (Loop(SOURCE, Replace(5), selection=BestOf(2)), "exact", "no finite sufficient statistics"),
    (Loop(SOURCE, Replace(5), selection=POOL), "exact", "no finite sufficient statistics"),
    (Loop(SOURCE, Peers(2, 3, 1), selection=Detector(0.9, 0.1)), "literal", "one model's samples"),
    (Loop(SOURCE, Fixed(4, 3), selection=Detector(0.9, 0.1)), "literal", "one model's samples"),
    (Loop(SOURCE, Fresh(3, 3, weight=0.5), selection=Detector(0.9, 0.1)), "exact", "no weight can tell"),
    (Loop(PLANE, Replace(5), selection=Verifier((0.0, 0.0), 1.0)), "literal", "on the line"),
]  # fmt: skip


@pytest.mark.parametrize(("loop", "engine", "words"), REFUSED)
def test_what_an_engine_cannot_do_is_one_sentence(loop, engine, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 3, 10, engine=engine)


def test_a_rule_that_keeps_everything_changes_no_law():
    """The best of one candidate: the law is that of the loop without a rule."""
    count = 20_000
    free = simulate(Loop(SOURCE, Replace(5)), 2, count, observables=NAMES)
    kept = simulate(
        Loop(SOURCE, Replace(5), selection=BestOf(1)), 2, count, engine="literal", observables=NAMES
    )
    for o in NAMES:
        (m1, v1), (m2, v2) = (x[o].sel(statistic=["mean", "variance"]).values[:, 0] for x in (free, kept))
        assert abs(m1 - m2) < threshold(3) * np.sqrt((v1 + v2) / count)
