"""How many devices a run takes: those its work is worth compiling for, with the same bits for any number."""

import numpy as np
import pytest

from jaxsim import blocks
from jaxsim.recipes import exact
from jaxsim.replace import setting
from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, Replace
from theory.policy import Accumulate

SOURCE = Gaussian(1.0, 4.0)
RUNS = {
    "literal": (Loop(SOURCE, Replace(2**15)), "literal", 1, 2048, 2),
    "mixed": (Loop(SOURCE, Accumulate(5)), "exact", 200, 2**14, 2),
}
"""Loop, engine, generations, seeds, devices that it is worth."""


@pytest.fixture
def taken(monkeypatch):
    """The devices of each run, in order."""
    seen = []
    pool = blocks.ThreadPoolExecutor
    monkeypatch.setattr(blocks, "ThreadPoolExecutor", lambda count: seen.append(count) or pool(count))
    return seen


def measured(name, devices=None):
    loop, engine, generations, seeds, _ = RUNS[name]
    found = simulate(loop, generations, seeds, engine=engine, observables=["variance"], devices=devices)
    return found.variance.values


@pytest.mark.parametrize("name", RUNS)
def test_a_large_run_takes_the_devices_it_is_worth_with_the_same_bits(name, taken):
    np.testing.assert_array_equal(measured(name), measured(name, devices=1))
    assert taken == [RUNS[name][-1], 1]


@pytest.mark.parametrize("name", RUNS)
def test_without_its_cost_the_same_run_would_take_one(name, taken, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(setting, "_literal_cost", lambda size: 1)
    monkeypatch.setattr(exact, "COST", 1)
    exact.kernel.cache_clear()
    try:
        measured(name)
    finally:
        exact.kernel.cache_clear()
    assert taken == [1]


@pytest.mark.parametrize(("data", "engine"), [(Replace(100), "literal"), (Accumulate(5), "exact")])
def test_a_small_run_takes_one(data, engine, taken):
    simulate(Loop(SOURCE, data), 3, 2048, engine=engine, observables=["variance"])
    assert taken == [1]


def test_a_run_worth_all_devices_takes_all(taken, monkeypatch):
    """Each has a block of 1,024 replicates then, and no device is worth less than one generation of one."""
    monkeypatch.setattr(blocks, "WORTH", 1)
    simulate(Loop(SOURCE, Replace(100)), 3, 8 * 1024, engine="literal", observables=["variance"])
    assert taken == [8]


@pytest.mark.parametrize("size", [2, 15, 16, 100, 2**15, 10**6, 2**31])
def test_the_cost_of_every_sample_is_a_sixteenth_to_the_nearest_power_of_four(size):
    """At least 1, and within a factor of two of size / 16."""
    cost = setting._literal_cost(size)
    assert cost == 1 or max(size // 16, 1) / 2 < cost <= 2 * (size // 16)
    assert cost & (cost - 1) == 0
    assert (cost.bit_length() - 1) % 2 == 0
