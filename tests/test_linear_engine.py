"""Linear regression on its own labels in both engines, against exact risks and against each other.

Replicates follow from a resolution of 10 % of a predicted risk; false alarms of 1e-6 over the whole family,
false passes of 1e-6 a comparison. Where theory knows no variance the scale is a pilot's, with a margin, and
the sample's own: those rates are nominal. Every comparison must also reject a theory wrong by its resolution.
"""

import numpy as np
import pytest
from test_regression_mc import CASES as WORLDS
from test_regression_mc import MARGIN, PILOT

from jaxsim.simulate import simulate
from jaxsim.verdict import alarm_threshold, replicates_needed
from theory.linear import LeastSquares, Linear, Ridge
from theory.loop import Loop, LoopError, Replace
from theory.policy import Accumulate, Fresh
from theory.regression.risk import noise_variance, risk

RESOLUTION = 0.1
LOOPS = {name: case[:2] for name, case in WORLDS.items() if "scale" not in case[2]}
LITERAL_ONLY = {"L6", "L6 same", "L6 mixed", "L6 mixed same", "L9", "L10 iid"}
FAST = {("L3", "exact"), ("L5 fitted same", "literal"), ("L6 same", "literal")}
FAMILY = 4 * len(LOOPS)


def measured(loop, generation, count, engine, seed=7, names=("risk", "noise_variance")):
    found = simulate(loop, generation, count, engine=engine, observables=names, seed=seed)
    return {o: found[o].sel(statistic=["mean", "variance"]).values[:, 0] for o in names}


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        (name, engine) if (name, engine) in FAST else pytest.param(name, engine, marks=pytest.mark.slow)
        for name in LOOPS
        for engine in (("literal",) if name in LITERAL_ONLY else ("exact", "literal"))
    ],
)
def test_risk_and_noise_are_those_predicted(name, engine):
    loop, generation = LOOPS[name]
    laws = {"risk": risk(loop, (generation,))}
    if loop.estimator.noise != "known":
        laws["noise_variance"] = noise_variance(loop, (generation,))
    pilot = measured(loop, generation, PILOT, engine, seed=1)
    known = {o: law.variance[0] if np.isfinite(law.variance[0]) else None for o, law in laws.items()}
    scale = {o: MARGIN * pilot[o][1] ** 0.5 if v is None else v**0.5 for o, v in known.items()}
    count = max(int(replicates_needed(RESOLUTION * laws[o].mean[0], scale[o], FAMILY)) for o in laws)
    found = measured(loop, generation, count, engine)
    for o, law in laws.items():
        mean, variance = found[o]
        error = np.sqrt((variance if known[o] is None else known[o]) / count)
        z = [(mean - law.mean[0] * factor) / error for factor in (1, 1 + RESOLUTION, 1 - RESOLUTION)]
        assert abs(z[0]) < alarm_threshold(FAMILY), o
        assert min(map(abs, z[1:])) > alarm_threshold(FAMILY), o


LAWS = [
    Loop(Linear(3, 1.0, 1.0, "same"), Accumulate(9), LeastSquares("maximum-likelihood")),
    Loop(Linear(3, 0.5, 1.0), Fresh(6, 8), LeastSquares("maximum-likelihood")),
    Loop(Linear(5, 1.0, 2.0), Fresh(3, 3, weight=0.4), Ridge(0.3)),
]


@pytest.mark.slow
@pytest.mark.parametrize("loop", LAWS)
def test_engines_draw_one_law(loop):
    """The risk's logarithm has light tails: its mean and variance in both engines."""
    count, z, control = 40_000, [], []
    values = {}
    for engine, seed in (("exact", 1), ("literal", 2)):
        kept = simulate(loop, 3, count, engine=engine, observables=["risk"], seed=seed, keep="replicates")
        values[engine] = np.log(kept.risk.values[:, 0])
    a, b = values["exact"], values["literal"]
    z.append((a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / count))
    squares = [(x - x.mean()) ** 2 for x in (a, b)]
    z.append((squares[0].mean() - squares[1].mean()) / np.sqrt(sum(s.var() for s in squares) / count))
    control.append((a.mean() + 0.1 - b.mean()) / np.sqrt((a.var() + b.var()) / count))
    assert np.abs(z).max() < alarm_threshold(2 * len(LAWS))
    assert np.abs(control).max() > alarm_threshold(2 * len(LAWS))


def test_a_longer_run_extends_a_shorter_one():
    for engine in ("exact", "literal"):
        options = {"engine": engine, "observables": ["risk"], "keep": "replicates"}
        long = simulate(LAWS[0], [1, 3, 9], 40, **options)
        short = simulate(LAWS[0], [1, 3], 12, **options)
        np.testing.assert_array_equal(long.risk.values[:12, :2], short.risk.values)


REFUSED = [
    (Loop(Linear(5, 1.0, 1.0), Replace(3)), "exact", "fewer points than dimensions"),
    (Loop(Linear(3, 1.0, 1.0), Fresh(4, 4, "iid")), "exact", "drawn by the literal engine"),
    (Loop(Linear(5, 1.0, 1.0), Replace(5), LeastSquares("unbiased")), "literal", "more than 5 points"),
    (Loop(Linear(5, 1.0, 1.0), Replace(2**28)), "literal", "draws up to"),
]


@pytest.mark.parametrize(("loop", "engine", "words"), REFUSED)
def test_what_an_engine_cannot_do_is_one_sentence(loop, engine, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 2, 10, engine=engine)
