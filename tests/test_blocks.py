"""The same numbers for any number of devices, of replicates, of generations, and any split into calls."""

import os

import jax
import numpy as np
import pytest

from jaxsim import blocks
from jaxsim.measure import measurement
from jaxsim.replace.setting import prepare
from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, LoopError, Replace, Sampler
from theory.policy import Accumulate, Fresh

LINE = Loop(Gaussian(1.0, 4.0), Replace(7))
SPACE = Loop(Gaussian((0.0, 1.0, 2.0), ((2.0, 0.5, 0.1), (0.5, 1.0, 0.2), (0.1, 0.2, 0.5))), Replace(3))
RUNS = {
    "line": (LINE, "exact", 5 * 512 + 17),
    "line, literal": (LINE, "literal", 3 * 1024 + 5),
    "space": (SPACE, "exact", 5 * 512 + 3),
    "truncated space": (SPACE.with_(sampler=Sampler(truncate=1.0)), "literal", 600),
}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if "truncated" in name else []) for name in RUNS]


def identical(first, second):
    assert set(first.data_vars) == set(second.data_vars)
    for name in first.data_vars:
        np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_devices_do_not_change_a_bit(name, monkeypatch):
    monkeypatch.setattr(blocks, "WORTH", 1)  # else a small run takes one device, whatever it is offered
    loop, engine, seeds = RUNS[name]
    names = ["mean_error", "variance", "mean_error_squared"]
    counts = (1, 2, 4, 8) if engine == "exact" else (1, 8)
    runs = [simulate(loop, [1, 4], seeds, engine=engine, observables=names, devices=k) for k in counts]
    for run in runs[1:]:
        identical(runs[0], run)


def test_the_split_into_calls_does_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(blocks, "WORTH", 1)
    whole = simulate(LINE, [2, 5], 6 * 512 + 1, devices=2)
    done = []
    monkeypatch.setattr(blocks, "CALL_BLOCKS", 1)
    split = simulate(LINE, [2, 5], 6 * 512 + 1, devices=2, progress=lambda *at: done.append(at))
    identical(whole, split)
    assert done == [(k * 512, 3073) for k in (2, 4, 6)] + [(3073, 3073)]


@pytest.mark.parametrize("name", NAMES)
def test_replicates_do_not_depend_on_their_number(name):
    loop, engine, _ = RUNS[name]
    names = ["mean_error", "variance"]
    many, few = (
        simulate(loop, [3], seeds, engine=engine, observables=names, keep="replicates") for seeds in (1030, 7)
    )
    identical(many.isel(replicate=slice(7)), few)
    assert len(np.unique(many.variance.values.reshape(1030, -1)[:, 0])) > 1000


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_run_extends_a_shorter_one(name):
    loop, engine, _ = RUNS[name]
    names = ["mean_error", "variance"]
    long, short, sparse = (
        simulate(loop, list(g), 40, engine=engine, observables=names, keep="replicates")
        for g in (range(1, 7), range(1, 4), (2, 6))
    )
    identical(long.sel(generation=short.generation), short)
    identical(long.sel(generation=sparse.generation), sparse)


def test_the_summary_is_that_of_the_replicates():
    names = ["mean_error", "log_variance", "w2_squared"]
    found = simulate(LINE, range(1, 5), 3000, observables=names)
    samples = simulate(LINE, range(1, 5), 3000, observables=names, keep="replicates")
    for name in names:
        x = samples[name].values
        centred = x - x.mean(0)
        expected = [x.mean(0), x.var(0, ddof=1), (centred**3).mean(0), (centred**4).mean(0)]
        for statistic, value, order in zip(
            ("mean", "variance", "third", "fourth"), expected, (1, 2, 3, 4), strict=True
        ):
            # sums of 512 float32 by halves: some ten roundings of each power
            bound = 16 * 2.0**-24 * (np.abs(centred) ** order).mean(0) + 2.0**-22 * np.abs(x).max() * (
                order == 1
            )
            assert (np.abs(found[name].sel(statistic=statistic).values - value) < bound).all(), statistic


def test_streams_of_seeds_engines_and_loops_differ():
    def run(loop=LINE, seed=0, engine="exact"):
        return simulate(
            loop, 1, 5, seed=seed, engine=engine, observables=["variance"], keep="replicates"
        ).variance.values

    again, others = run(), [run(seed=1), run(engine="literal"), run(loop=LINE.with_(data=Replace(8)))]
    np.testing.assert_array_equal(run(), again)
    assert all((other != again).all() for other in others)


def test_one_compilation_serves_all_seeds_sizes_and_counts(monkeypatch):
    traces = []
    original = blocks._block
    monkeypatch.setattr(blocks, "_block", lambda *args: traces.append(1) or original(*args))
    blocks.program.cache_clear()
    for n, seeds, seed, last in ((100, 10, 0, 9), (200, 5000, 1, 11), (777, 3, 2, 12)):
        loop = LINE.with_(data=Replace(n))
        simulate(loop, [3, last], seeds, seed=seed, devices=1, observables=["variance"])
    assert len(traces) == 1
    simulate(LINE.with_(data=Replace(100)), [3, 13], 10, devices=1, observables=["variance"])
    assert len(traces) == 2  # beyond the rung


@pytest.mark.skipif(
    jax.default_backend() != "cpu" or os.cpu_count() == 1, reason="there is no other core to hand it to"
)
@pytest.mark.parametrize("policy", [Replace(10**4), Accumulate(100), Fresh(20, 80)])
def test_xla_hands_no_part_of_a_small_loop_to_another_core(policy):
    """Which takes longer than the part itself; of a loop eight times as long it would."""
    ready = measurement(Loop(Gaussian(0.0, 1.0), policy), np.array([1, 2]), seed=0)

    def partitions(block):
        kernel = ready.kernel._replace(block=block)
        with jax.enable_x64(True):
            arguments = blocks.padded(ready.request), np.uint32(0), np.int32(1)
            return (
                blocks.program(kernel, 1).lower(*arguments).compile().as_text().count("outer_dimension_part")
            )

    assert partitions(ready.kernel.block) == 0
    assert partitions(8 * ready.kernel.block) > 0


def test_rungs_are_few_and_close():
    lengths = np.arange(1, 5000)
    found = np.array([blocks.rung(int(k)) for k in lengths])
    assert (found >= lengths).all()
    assert (found[1:] <= 1.5 * lengths[1:]).all()
    assert len(np.unique(found)) <= 2 * np.log2(5000)
    assert all(blocks.rung(int(k)) == k for k in np.unique(found))


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        ("seeds", {"seeds": 0}),
        ("seeds", {"seeds": True}),
        ("seeds", {"seeds": 2.0}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": 2**64}),
        ("generations", {"generations": 0}),
        ("generations", {"generations": []}),
        ("generations", {"generations": [1, 1]}),
        ("generations", {"generations": [1.5]}),
        ("engine", {"engine": "fast"}),
        ("keep", {"keep": "all"}),
        ("precision", {"precision": "float16"}),
        ("observables", {"observables": ["trace"]}),
        ("devices", {"devices": 9}),
        ("sampler.truncate", {"loop": LINE.with_(sampler=Sampler(truncate=1.0))}),
        ("data.n", {"loop": LINE.with_(data=Replace(2**40)), "engine": "literal"}),
        ("data.n", {"loop": LINE.with_(data=Replace([3, 4])), "generations": 3}),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(key, arguments):
    given = {"loop": LINE, "generations": 2, "seeds": 4} | arguments
    with pytest.raises(LoopError) as refusal:
        simulate(**given)
    assert refusal.value.key == key
    assert "\n" not in str(refusal.value)


def test_the_library_leaves_the_configuration_alone():
    before = jax.config.jax_enable_x64
    simulate(LINE.with_(data=Replace(10**8)), 1, 2)
    assert jax.config.jax_enable_x64 == before
    with jax.enable_x64(True):
        from jaxsim.schedule import schedule

        assert prepare(LINE, schedule(LINE, 2), "exact", np.dtype("float32")).fixed.turn.dtype == np.float32
