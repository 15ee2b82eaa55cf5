"""First passages are those of the very runs that `simulate` gives."""

import numpy as np
import pytest

from jaxsim.passage import first_passage
from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, LoopError, Replace, Sampler, Unbiased

LOOPS = [
    Loop(Gaussian(1, 2), Replace(4)),
    Loop(Gaussian(0, 1), Replace((3, 50, 7) * 100), Unbiased()),
    Loop(Gaussian(0, 1), Replace(5), start=Gaussian(0, 3)),
    Loop(Gaussian(0, 1), Replace(5), start=Gaussian(0, 0.01)),
]


@pytest.mark.parametrize(("loop", "engine"), [*((loop, "exact") for loop in LOOPS), (LOOPS[0], "literal")])
def test_times_are_those_of_the_simulated_runs(loop, engine):
    seeds, longest = 200, 300
    runs = simulate(
        loop, range(1, longest + 1), seeds, engine=engine, observables=["log_variance"], keep="replicates"
    )
    below = runs.log_variance.values <= np.log(loop.source.variance / 2)
    assert below.any(axis=1).all(), "a longer run is needed to tell"
    times = 1 + below.argmax(axis=1)
    passage = first_passage(loop, seeds, engine=engine).half_life
    assert passage.attrs["censored"] == 0
    found = dict(zip(passage.statistic.values, passage.values, strict=True))
    assert found["count"] == seeds
    assert found["mean"] == times.mean()
    assert found["variance"] == pytest.approx(times.var(ddof=1), rel=1e-12)


def test_a_run_given_up_has_no_mean():
    loop = Loop(Gaussian(0, 1), Replace(20), Unbiased(), Sampler(bias=1.5))
    passage = first_passage(loop, 50, max_generations=100).half_life
    assert passage.attrs["censored"] > 0
    assert np.isnan(passage.sel(statistic="mean"))


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"seeds": 0}, "seeds"),
        ({"max_generations": 0}, "max_generations"),
        ({"observable": "variance"}, "observables"),
        ({"engine": "magic"}, "engine"),
        ({"loop": Loop(Gaussian([0, 0], 1), Replace(9))}, "source.mean"),
    ],
)
def test_refusals(options, key):
    with pytest.raises(LoopError) as refusal:
        first_passage(**{"loop": LOOPS[0], "seeds": 10} | options)
    assert refusal.value.key == key
