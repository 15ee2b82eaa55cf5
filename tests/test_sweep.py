"""Sweeps: every point is what `simulate` gives, bit for bit, whoever computed it, when, and beside whom."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from autophagy import progress
from autophagy.__main__ import main
from jaxsim import blocks
from jaxsim.setting import chosen_devices
from jaxsim.simulate import simulate
from jaxsim.summary import Tally
from jaxsim.sweeps import gather
from jaxsim.sweeps import grid as grids
from jaxsim.sweeps import run as engine
from jaxsim.sweeps import unit_size as sizes
from jaxsim.sweeps.configuration import described
from jaxsim.sweeps.merge import merge
from jaxsim.sweeps.run import run, sweep
from jaxsim.sweeps.store import StoreError, exists, open_store
from theory.loop import Gaussian, Loop, LoopError, Replace, Sampler
from theory.sweep_file import from_mapping, grid
from theory.sweep_file import to_mapping as sweep_mapping

LOOP = Loop(Gaussian(0, 1), Replace(10))
SPACE = LOOP.with_(source=Gaussian([0, 1, 2], [1, 2, 3]))
NAMES = ["variance", "log_variance"]
SEEDS = 1250  # three units, the last one short


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    """Units as small as they get, so that a few seeds are several."""
    monkeypatch.setattr(sizes, "UNIT_WORK", 1)


def plan(axes=None, generations=(1, 2, 3), seeds=SEEDS, **options):
    axes = {"data.n": [10, 12, 14]} if axes is None else axes
    return grid(LOOP, axes, list(generations), seeds, observables=NAMES, **options)


def same(a, b):
    """Whether two datasets hold the same bits."""
    return list(a) == list(b) and all(np.array_equal(a[k].values, b[k].values, equal_nan=True) for k in a)


def contents(folder):
    """The data of a store: every chunk and its bytes."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.glob("*/c.*")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The store and result of an uninterrupted run of `plan()`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sizes, "UNIT_WORK", 1)
        place = tmp_path_factory.mktemp("whole") / "store"
        return place, sweep(plan(), str(place), devices=1)


AXES = [
    {"data.n": [10, 30, "4*t**2", [5, 6, 7]]},
    {"estimator.name": ["unbiased", "maximum-likelihood"], "sampler.bias": {"linear": [0.5, 1, 3]}},
    {"source.variance": [1, 4], "start.variance": [2, 3]},
    {"data.n": [10**6, 10**7]},  # one in float32, one in float64
]


@pytest.mark.parametrize("axes", AXES)
def test_points_are_what_simulate_gives(axes):
    asked = plan(axes)
    found = sweep(asked, devices=1)
    assert found.sizes["statistic"] == 6
    for point in range(len(asked)):
        place = dict(zip(axes, asked.index(point), strict=True))
        alone = simulate(asked.loop(point), [1, 2, 3], SEEDS, observables=NAMES, devices=2)
        assert same(found.isel(place), alone)


def test_zipped_axes_move_together_along_one_dimension():
    zipped = [{"data.n": [10, 12], "estimator.name": ["unbiased", "maximum-likelihood"]}]
    asked = grid(LOOP, {"sampler.bias": [1.0, 0.9]}, [1, 2, 3], 1000, observables=NAMES, zipped=zipped)
    found = sweep(asked, devices=1)
    assert found.variance.dims == ("sampler.bias", "data.n", "statistic", "generation")
    assert found["estimator.name"].dims == ("data.n",)
    assert found["data.n"].values.tolist() == [10, 12]
    alone = simulate(asked.loop(3), [1, 2, 3], 1000, observables=NAMES, devices=1)
    assert same(found.isel({"sampler.bias": 1, "data.n": 1}), alone)


def test_vectors_with_points_that_lack_an_observable():
    asked = grid(SPACE, {"data.n": [3, 10]}, [1, 2, 3], 1500, histogram={"log_det": [-9, 0]})
    found = sweep(asked, devices=1)
    for k in range(2):
        alone = simulate(asked.loop(k), [1, 2, 3], 1500, devices=1)
        assert same(found.isel({"data.n": k})[list(alone)], alone)
    assert np.isnan(found.log_det[0]).all()
    assert np.isnan(found.log_pseudo_det[1]).all()
    assert found.variance.dims == ("data.n", "statistic", "generation", "component")
    assert found.log_det_histogram.sum("log_det_bin").values.tolist() == [[0] * 3, [1500] * 3]


def test_vectors_of_several_dimensions():
    axes = {"source.mean": [[0, 0], [0, 0, 0]]}
    asked = grid(LOOP, axes, [1, 2, 3], 1000, observables=["trace", "variance"])
    found = sweep(asked, devices=1)
    for k in range(2):
        alone = simulate(asked.loop(k), [1, 2, 3], 1000, observables=["trace", "variance"], devices=1)
        part = found.isel({"source.mean": k}).isel(component=slice(2 + k))
        assert same(part, alone)
    assert np.isnan(found.variance[0, :, :, 2]).all()
    with pytest.raises(LoopError, match="cannot mix"):
        sweep(grid(LOOP, {"source.mean": [0, [0, 0]]}, 3, 100), devices=1)


def test_more_points_and_more_seeds_change_nothing(whole):
    more = sweep(plan({"data.n": [8, 14, 12, 11, 10]}), devices=2)
    assert same(more.sel({"data.n": [10, 12, 14]}), whole[1])


def test_histograms_count_the_replicates():
    edges = [0.25, 0.5, 1, 2]
    asked = plan({"data.n": [10, 12]}, histogram={"variance": edges})
    found, loop = sweep(asked, devices=1), asked.loop(1)
    values = simulate(loop, [1, 2, 3], SEEDS, observables=NAMES, keep="replicates", devices=1)
    counts = found.variance_histogram.isel({"data.n": 1}).values
    for generation, samples in enumerate(values.variance.values.T):
        near = sum(np.abs(samples / edge - 1) < 1e-6 for edge in edges).sum()
        expected = np.histogram(samples, [-np.inf, *edges, np.inf])[0]
        assert np.abs(counts[generation] - expected).max() <= near
        assert counts[generation].sum() == SEEDS
    assert found.variance_bin.values.tolist() == [-np.inf, *edges]


def test_replicates_are_kept_on_request(tmp_path, whole):
    asked = plan(keep="replicates")
    summaries = sweep(asked, str(tmp_path / "store"), devices=1)
    assert same(summaries, whole[1])
    kept = gather.replicates(str(tmp_path / "store"))
    alone = simulate(asked.loop(2), [1, 2, 3], SEEDS, observables=NAMES, keep="replicates", devices=1)
    assert same(kept.isel({"data.n": 2}), alone)
    with pytest.raises(StoreError, match="keeps no replicates"):
        gather.replicates(str(whole[0]))


def test_any_number_of_devices(tmp_path, whole):
    for devices in (2, 4, 8):
        place = tmp_path / str(devices)
        run(plan(), str(place), devices=devices)
        assert contents(place) == contents(whole[0])


def test_units_in_the_reverse_order(tmp_path, whole):
    place = tmp_path / "store"
    for unit in reversed(range(9)):
        assert run(plan(), str(place), devices=1, shard=(unit, 9)).made == 1
    assert contents(place) == contents(whole[0])


def test_blocks_in_the_reverse_order(whole):
    ready = grids.grid(plan()).measurement(0)
    block = ready.kernel.block
    stretches = [(first, min(first + block, SEEDS)) for first in range(0, SEEDS, block)]
    apart = [ready.summary(*stretch, chosen_devices(1)) for stretch in reversed(stretches)]
    total = Tally()
    for part in reversed(apart):
        total.add(part)
    together = ready.summary(0, SEEDS, chosen_devices(1))
    for name, values in vars(together).items():
        assert np.array_equal(values, getattr(total.sum(), name)), name
    pieces = ready.split(together.statistics())
    assert np.array_equal(pieces["variance"], whole[1].variance.isel({"data.n": 0}).values)


def test_a_unit_of_several_blocks_is_the_same(monkeypatch, whole):
    monkeypatch.setattr(sizes, "UNIT_WORK", 2**25)
    assert same(sweep(plan(), devices=1), whole[1])


def test_two_shards_at_once_merge_into_one_run(tmp_path, whole):
    places = [str(tmp_path / name) for name in "ab"]
    threads = [
        threading.Thread(target=run, args=(plan(), place), kwargs={"shard": (k, 2), "devices": 1})
        for k, place in enumerate(places)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [int(open_store(place).done().sum()) for place in places] == [5, 4]
    merge(places, str(tmp_path / "c"))
    assert contents(tmp_path / "c") == contents(whole[0])
    assert gather.read(str(tmp_path / "c")).equals(whole[1])


def test_two_given_the_same_shard_by_mistake(tmp_path, whole):
    place = tmp_path / "store"
    threads = [
        threading.Thread(target=run, args=(plan(), str(place)), kwargs={"devices": 1}) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(place) == contents(whole[0])


def test_interrupted_at_a_unit_boundary_and_resumed(tmp_path, whole, monkeypatch, request):
    place = tmp_path / "store"
    monkeypatch.setattr(engine, "WAITING", 1)

    def interrupt(state):
        if state.made == 2:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.5)  # no unit is taken meanwhile, and the main thread hears of it

    # whoever started the tests in the background may have had the signal ignored
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, inherited))
    with pytest.raises(KeyboardInterrupt):
        run(plan(), str(place), devices=1, progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = int(open_store(str(place)).done().sum())
    assert 2 <= done < 9
    partial = gather.read(str(place))
    counts = partial.variance.sel(statistic="count").values[:, 0]
    assert counts.sum() < 3 * SEEDS
    complete = counts == SEEDS
    assert same(partial.isel({"data.n": complete}), whole[1].isel({"data.n": complete}))
    states = []
    run(plan(), str(place), devices=1, progress=states.append)
    assert (states[0].made, states[-1].done, states[-1].units) == (1, 9, 9)
    assert states[-1].made == 9 - done
    assert states[-1].left == 0
    assert contents(place) == contents(whole[0])


def test_a_budget_stops_it(tmp_path):
    state = run(plan(), str(tmp_path / "store"), devices=1, budget=1e-9)
    assert (state.made, state.done, state.units) == (0, 0, 9)
    empty = gather.read(str(tmp_path / "store"))
    assert (empty.variance.sel(statistic="count") == 0).all()
    assert np.isnan(empty.variance.sel(statistic="mean")).all()


def test_what_is_damaged_is_repaired(tmp_path, whole):
    place = tmp_path / "store"
    run(plan(), str(place), devices=1)
    chunk = place / "moments" / "c.1.2.0.0.0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        gather.read(str(place))
    assert run(plan(), str(place), devices=1).made == 0
    assert run(plan(), str(place), devices=1, repair=True).made == 1
    assert contents(place) == contents(whole[0])


def test_a_failing_unit_stops_the_run_and_keeps_the_rest(tmp_path, whole, monkeypatch):
    place, real = tmp_path / "store", grids.Grid.measurement

    def failing(self, point):
        if point == 1:
            raise LoopError("data.n", 12, "it fails")
        return real(self, point)

    monkeypatch.setattr(grids.Grid, "measurement", failing)
    with pytest.raises(LoopError, match="it fails"):
        run(plan(), str(place), devices=1)
    assert open_store(str(place)).done()[0].all()
    monkeypatch.setattr(grids.Grid, "measurement", real)
    run(plan(), str(place), devices=1)
    assert contents(place) == contents(whole[0])


def test_points_of_equal_shape_share_one_compilation():
    blocks.program.cache_clear()
    sweep(plan({"data.n": [10, 12, 14], "sampler.bias": [0.9, 1]}), devices=1)
    assert blocks.program.cache_info().currsize == 1
    ready = grids.grid(plan()).measurement(0)
    program = blocks.program(ready.kernel, blocks.capacity(ready.kernel, ready.request))
    assert blocks.program.cache_info().currsize == 1
    assert program._cache_size() == 1


REFUSED = [
    (plan({"sampler.truncate": [1, 2]}), {}, "truncate"),
    (plan(), {"shard": (2, 2)}, "shard is '2/2'"),
    (plan(), {"devices": 99}, "devices is 99"),
    (grid(LOOP, {"data.n": [[5, 6], [5, 6, 7]]}, 3, 100), {}, "the list ends"),
    (grid(SPACE, {"data.n": [3, 9]}, 3, 9, observables=["log_det"]), {}, "log_det"),
    (plan(histogram={"std": [0, 1]}), {}, "sweep.histogram is 'std'"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "options", "named"), REFUSED)
def test_what_cannot_be_run_is_refused_before_the_first_draw(asked, options, named, tmp_path):
    with pytest.raises(LoopError) as refusal:
        run(asked, str(tmp_path / "store"), **{"devices": 1, **options})
    assert named in str(refusal.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seeds": 1300}, "sweep.seeds is 1250 there and 1300 here"),
        ({"seed": 1}, "sweep.seed is 0 there and 1 here"),
        ({"generations": (1, 2, 4)}, "sweep.generations"),
        ({"axes": {"data.n": [10, 12]}}, "sweep.axes.data.n"),
        ({"engine": "literal"}, "sweep.engine"),
        ({"keep": "replicates"}, "sweep.keep"),
    ],
)
def test_another_configuration_is_refused_with_its_keys(change, key, whole):
    with pytest.raises(StoreError) as refusal:
        run(plan(**change), str(whole[0]), devices=1)
    assert key in str(refusal.value)


def test_a_key_that_nobody_sets_is_named_only_alone():
    there, here = {"sweep": {"seeds": 2}, "unit": 512}, {"sweep": {"seeds": 3}, "unit": 64}
    assert described(there, here) == "sweep.seeds is 2 there and 3 here"
    assert described(there, there | {"unit": 64}) == "unit is 512 there and 64 here"


def test_defaults_written_out_are_the_same_sweep(whole):
    tables = sweep_mapping(plan())
    tables["sampler"] = {"bias": 1}
    assert run(from_mapping(tables), str(whole[0]), devices=1).made == 0


def test_resuming_may_be_ruled_out(whole):
    with pytest.raises(StoreError, match="there already"):
        run(plan(), str(whole[0]), devices=1, resume=False)


def test_object_stores(whole):
    assert sweep(plan(), "memory://sweeps/one", devices=1).equals(whole[1])
    assert run(plan(), "memory://sweeps/one", devices=1).made == 0


def test_the_literal_engine_and_truncation():
    loop = LOOP.with_(sampler=Sampler(truncate=2))
    asked = grid(loop, {"data.n": [10, 20]}, [1, 3], 1500, engine="literal", observables=NAMES)
    alone = simulate(asked.loop(1), [1, 3], 1500, engine="literal", observables=NAMES, devices=1)
    assert same(sweep(asked, devices=1).isel({"data.n": 1}), alone)


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "sweep.json"
        path.write_text(json.dumps(sweep_mapping(plan())))
        return str(path)

    def command(self, capsys, *arguments):
        code = main([str(argument) for argument in ("sweep", *arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    def test_runs_reports_and_resumes(self, capsys, file, tmp_path, whole):
        store = tmp_path / "store"
        code, out, _ = self.command(capsys, file, "-o", store, "--devices", 1, "--budget", 1e-9)
        assert code == 0
        assert "9 units are left" in out
        code, out, _ = self.command(capsys, file, "-o", store, "--devices", 1, "--json")
        assert code == 0
        assert (json.loads(out)["units"], json.loads(out)["done"]) == (9, 9)
        assert contents(store) == contents(whole[0])
        code, out, _ = self.command(capsys, "status", store, "--json")
        assert json.loads(out)["points_done"] == 3

    def test_the_line_says_how_far_and_how_fast_and_is_cleared(self, capsys, file, tmp_path, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0)
        code, _, err = self.command(capsys, file, "-o", tmp_path / "store", "--devices", 1)
        assert code == 0
        first, *_, last = err.split("\r\x1b[K")[1:]
        assert re.fullmatch(r"1/9 units, [\d.e+]+ seed-generations/s, about \d+ s left", first)
        assert last == ""

    def test_interrupted_before_anything_was_written(self, capsys, file, tmp_path, monkeypatch):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("jaxsim.sweeps.run.run", interrupt)
        code, out, err = self.command(capsys, file, "-o", tmp_path / "store", "--devices", 1)
        assert (code, out) == (130, "")
        assert "nothing was written" in err

    def test_options_stand_for_keys_of_the_file(self, capsys, file, tmp_path):
        store = tmp_path / "store"
        changes = [
            "--seeds",
            100,
            "--seed",
            7,
            "-t",
            "1,2",
            "--observable",
            "std",
            "--set",
            "sampler.bias=0.9",
        ]
        code, _, _ = self.command(capsys, file, "-o", store, "--devices", 1, *changes)
        assert code == 0
        found = gather.read(str(store))
        biased = LOOP.with_(sampler=Sampler(bias=0.9))
        alone = simulate(biased, [1, 2], 100, seed=7, observables=["std"], devices=1)
        assert same(found.isel({"data.n": 0}), alone)

    def test_shards_merge(self, capsys, file, tmp_path, whole):
        for k, name in enumerate("ab"):
            assert (
                self.command(capsys, file, "-o", tmp_path / name, "--shard", f"{k}/2", "--devices", 1)[0] == 0
            )
        code, _, _ = self.command(capsys, "merge", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c")
        assert code == 0
        assert contents(tmp_path / "c") == contents(whole[0])

    @pytest.mark.parametrize(("to", "ending"), [("csv", "csv"), ("netcdf", "nc"), ("parquet", "parquet")])
    def test_exports(self, capsys, to, ending, tmp_path, whole):
        path = tmp_path / f"result.{ending}"
        assert self.command(capsys, "export", whole[0], "--to", to, "-o", path)[0] == 0
        if to == "netcdf":
            assert same(xr.load_dataset(path, engine="h5netcdf"), whole[1])
            return
        frame = pd.read_csv(path) if to == "csv" else pd.read_parquet(path)
        assert len(frame) == 3 * 2 * 3
        assert pd.api.types.is_integer_dtype(frame["count"])
        row = frame.query("`data.n` == 12 and observable == 'variance' and generation == 3").iloc[0]
        there = whole[1].variance.sel({"data.n": 12, "generation": 3})
        assert [row[str(name)] for name in there.statistic.values] == there.values.tolist()

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["absent.toml", "-o", "s"], "absent.toml"),
            (["{}", "-o", "s"], "[sweep] is missing"),
            (["{", "-o", "s"], "JSON"),
            (["FILE"], "-o"),
            (["FILE", "-o", "s", "--shard", "4/4"], "4/4"),
            (["FILE", "-o", "s", "--shard", "x"], "'x'"),
            (["FILE", "-o", "s", "--budget", "-1"], "'-1'"),
            (["FILE", "-o", "s", "--seeds", "0"], "'0'"),
            (["FILE", "-o", "s", "-t", "0"], "sweep.generations"),
            (["FILE", "-o", "s", "--observable", "temper"], "temper"),
            (["FILE", "-o", "s", "--set", "data.n=9"], "data.n is an axis of the sweep"),
            (["FILE", "-o", "FILE"], "something else is there"),
            (["FILE", "-o", "/proc/absent/s"], "/proc/absent/s"),
            (["status", "absent"], "there is no such sweep"),
            (["merge", "absent", "-o", "c"], "there is no such sweep"),
            (["export", "absent", "--to", "csv", "-o", "x.csv"], "there is no such sweep"),
            (["export", "absent", "--to", "csv", "-o", "x.nc"], "x.nc"),
        ],
    )
    def test_bad_input_is_one_sentence(self, capsys, file, arguments, named, tmp_path, monkeypatch):
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")
        code, out, err = self.command(capsys, *(file if word == "FILE" else word for word in arguments))
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert named in err
        assert not list((tmp_path / "empty").iterdir())

    def test_a_sweep_file_is_no_loop(self, capsys, file):
        assert main(["predict", file, "-t", "5"]) == 2
        assert "autophagy sweep" in capsys.readouterr().err


CHILD = """
import sys, jax
jax.config.update("jax_num_cpu_devices", 1)
from jaxsim.sweeps import unit_size
unit_size.UNIT_WORK = 1
from jaxsim.sweeps.run import run
from theory.sweep_file import load
run(load(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_and_resumed_equals_uninterrupted(kills, tmp_path):
    asked = plan({"data.n": list(range(10, 10 + 4 * kills))})
    (tmp_path / "sweep.json").write_text(json.dumps(sweep_mapping(asked)))
    place, rng = str(tmp_path / "killed"), random.Random(11)
    killed = 0
    while killed < kills:
        command = [sys.executable, "-c", CHILD, str(tmp_path / "sweep.json"), place]
        child = subprocess.Popen(command, env={**os.environ, "JAX_PLATFORMS": "cpu"})
        before = int(open_store(place).done().sum()) if exists(place) else 0
        while child.poll() is None and (not exists(place) or open_store(place).done().sum() == before):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        if child.wait() != -signal.SIGKILL:
            break
        killed += 1
        gather.read(place)
    assert killed >= 1
    assert sweep(asked, place, devices=1).equals(sweep(asked, str(tmp_path / "whole"), devices=1))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob("*.partial"))
