"""Sweeps of every sort of loop: families, policies, selections, engines chosen by point, first passages."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from autophagy import sweep as verb
from autophagy.__main__ import main
from autophagy.verbs import resolved
from jaxsim.passage import first_passage
from jaxsim.simulate import simulate
from jaxsim.sweeps import gather, unit_size
from jaxsim.sweeps import grid as grids
from jaxsim.sweeps.run import run, sweep
from theory.loop import Gaussian, Loop, LoopError, Replace
from theory.loop_file import from_mapping as loop_from
from theory.observable import axes
from theory.sweep_file import grid

LINE = {"family": "gaussian", "mean": 0, "variance": 1}
LOOP = Loop(Gaussian(0, 1), Replace(10))
SEEDS = 2500


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(unit_size, "UNIT_WORK", 1)


def loop(source=LINE, n=20, policy="replace", **tables):
    return loop_from({"source": source, "data": {"policy": policy, "n": n}, **tables})


def same(found, alone):
    """Whether a sweep's point holds the bits of a data set, wherever that has any."""
    for name, variable in alone.data_vars.items():
        there = found[name]
        assert there.dims == variable.dims, name
        assert np.array_equal(there.values, variable.values, equal_nan=True), name
        for axis in variable.dims:
            assert there[axis].values.tolist() == variable[axis].values.tolist()
    return True


MIXTURE = {"family": "mixture", "weights": [0.5, 0.5], "means": [0, 3], "variances": [1, 1]}
PLANE = {
    "family": "mixture",
    "weights": [0.2, 0.3, 0.5],
    "means": [[0, 0], [3, 0], [0, 3]],
    "variances": [1, 1, 1],
}
ABC = {"family": "categorical", "probabilities": [0.2, 0.3, 0.5]}
TEXT = {"family": "markov", "transition": [[0.5, 0.5], [0.2, 0.8]]}
RANKED = {"rule": "top-fraction", "score": "linear", "fraction": 0.5}
FRESH = {"policy": "fresh", "real": 5, "synthetic": 10}
PEERS = {"policy": "peers", "models": 2, "counts": [[10, 5], [5, 10]], "real": [1, 2]}
OPTIMAL = {"policy": "fresh", "real": 5, "synthetic": 10, "weight": "optimal-in-time"}

KINDS = {
    "categorical": (loop(ABC), "data.n", [10, 20], "exact"),
    "categorical of several sizes": (
        loop(ABC), "source.probabilities", [[0.2, 0.3, 0.5], [0.5, 0.5]], "exact"),
    "mixture": (loop(MIXTURE), "data.n", [10, 20], "exact"),
    "mixture in the plane": (loop(PLANE, 50), "sampler.bias", [0.9, 1.0], "exact"),
    "linear": (
        loop({"family": "linear", "dimension": 2, "signal": 1.0, "noise": 1.0}), "estimator.name",
        ["least-squares"], "exact"),
    "markov": (loop(TEXT, 30), "data.n", [30, 40], "auto"),
    "kernel density": (
        loop(estimator={"name": "kernel-density", "bandwidth": 0.1}), "estimator.bandwidth",
        [0.1, {"factor": 1.06}], "literal"),
    "selection": (loop(selection=RANKED), "selection.fraction", [0.25, 0.5], "literal"),
    "policies": (loop(), "data.policy", ["replace", "accumulate"], "exact"),
    "weights in time": (
        loop_from({"source": LINE, "data": OPTIMAL, "estimator": {"name": "weighted"}}),
        "data.weight", ["optimal", "optimal-in-time", 0.5], "exact"),
    "models side by side": (loop_from({"source": LINE, "data": PEERS}), "source.variance", [1, 4], "exact"),
}  # fmt: skip


QUICK = ("categorical of several sizes", "policies", "models side by side")


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_points_are_what_simulate_gives(kind):
    written, key, values, engine = KINDS[kind]
    asked = grid(written, {key: values}, [1, 2], SEEDS, engine=engine)
    found = verb(asked, devices=1)
    for k in range(len(values)):
        here = found.isel({key: k})
        chosen = str(here.engine.values) if engine == "auto" else engine
        alone = simulate(resolved(asked.loop(k), 2), [1, 2], SEEDS, engine=chosen, devices=1)
        sizes = {axis: slice(size) for axis, size in alone.sizes.items()}
        assert same(here.isel(sizes), alone)


@pytest.mark.slow
def test_several_trailing_axes_and_their_histograms(tmp_path):
    asked = grid(loop(PLANE, 50), {"sampler.bias": [0.9, 1.0]}, [1, 2], SEEDS, keep="replicates",
                 histogram={"weights": [0.2, 0.4], "mean_error": [-1, 0, 1]})  # fmt: skip
    place = str(tmp_path / "store")
    found = sweep(asked, place, devices=1)
    assert found.weights.dims[-1] == "component"
    assert found.mean_error.dims[-1] == "coordinate"
    assert found.sizes["component"] == 3
    assert found.sizes["coordinate"] == 2
    kept = gather.replicates(place)
    for name in ("weights", "mean_error"):
        values, counts = kept[name].values, found[f"{name}_histogram"]
        assert counts.dims == ("sampler.bias", "generation", *axes(asked.loop(0), name), f"{name}_bin")
        edges = found[f"{name}_bin"].values
        expected = np.stack([(values >= edge).sum(1) for edge in edges], -1)
        expected[..., :-1] -= expected[..., 1:]
        assert np.array_equal(counts.values, expected)
        table = tmp_path / "table.csv"
        assert main(["sweep", "export", place, "--to", "csv", "-o", str(table)]) == 0
        frame = pd.read_csv(table)
        column = axes(asked.loop(0), name)[0]
        row = frame.query(f"observable == '{name}' and generation == 2 and {column} == 2").iloc[1]
        there = found[name].isel({"sampler.bias": 1}).sel({"generation": 2, column: 2})
        assert row["mean"] == there.sel(statistic="mean")


def test_an_observable_with_other_axes_at_another_point_is_refused():
    asked = grid(LOOP, {"source.mean": [0, [0, 0]]}, 2, 100)
    with pytest.raises(LoopError, match="cannot mix points that have it with axes none and component"):
        grids.grid(asked)


def test_the_literal_engine_serves_the_points_that_the_exact_one_cannot(tmp_path):
    policies = ["accumulate", "accumulate-subsample"]
    asked = grid(loop(), {"data.policy": policies}, [1, 2], SEEDS, engine="auto")
    found = sweep(asked, str(tmp_path / "store"), devices=1)
    assert found.engine.values.tolist() == ["exact", "literal"]
    for k, engine in enumerate(found.engine.values.tolist()):
        alone = simulate(asked.loop(k), [1, 2], SEEDS, engine=engine, devices=1)
        assert same(found.isel({"data.policy": k}), alone)
    assert run(asked, str(tmp_path / "store"), devices=1).made == 0
    with pytest.raises(LoopError, match="literal engine"):
        grids.grid(grid(loop(), {"data.policy": policies}, [1, 2], SEEDS))


def test_what_neither_engine_serves_is_refused_with_the_exact_one_s_reason():
    asked = grid(loop(PLANE, selection=RANKED | {"direction": [1, 0]}), {"data.n": [10]}, 2, 9, engine="auto")
    with pytest.raises(LoopError, match=r"selection\.rule"):
        grids.grid(asked)


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """A store of five units at each of two points, a passage beside what is measured at generations."""
    place = str(tmp_path_factory.mktemp("passages") / "store")
    names = ["half_life", "variance"]
    asked = grid(LOOP, {"data.n": [6, 8]}, [1, 2], SEEDS, observables=names, keep="replicates")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unit_size, "UNIT_WORK", 1)
        run(asked, place, devices=1)
    return place


class TestPassages:
    def test_they_are_those_of_simulate(self, passed):
        found = gather.read(passed)
        for k, n in enumerate((6, 8)):
            alone = first_passage(LOOP.with_(data=Replace(n)), SEEDS, devices=2)
            here = found.half_life.isel({"data.n": k})
            assert here.dims == ("statistic",)
            assert np.array_equal(here.values, alone.half_life.values)
            assert int(found.half_life_censored[k]) == alone.half_life.attrs["censored"] == 0

    def test_what_is_beside_them_does_not_depend_on_them(self, passed):
        found = gather.read(passed)
        alone = simulate(LOOP.with_(data=Replace(8)), [1, 2], SEEDS, observables=["variance"], devices=1)
        assert same(found.isel({"data.n": 1}), alone)

    def test_every_time_is_kept(self, passed):
        found = gather.read(passed)
        times = gather.replicates(passed).half_life
        assert times.dims == ("data.n", "replicate")
        assert times.values.min() >= 1
        assert np.array_equal(times.values.mean(1), found.half_life.sel(statistic="mean").values)

    @pytest.mark.parametrize("to", ["csv", "parquet", "nc"])
    def test_they_are_exported(self, passed, to, tmp_path):
        found = gather.read(passed)
        path = tmp_path / f"table.{to}"
        kind = {"nc": "netcdf"}.get(to, to)
        assert main(["sweep", "export", passed, "--to", kind, "-o", str(path)]) == 0
        if to == "nc":
            read = xr.load_dataset(path, engine="h5netcdf")
            assert np.array_equal(read.half_life, found.half_life)
            return
        frame = pd.read_csv(path) if to == "csv" else pd.read_parquet(path)
        (row,) = frame.query("observable == 'half_life' and `data.n` == 8").to_dict("records")
        assert row["mean"] == float(found.half_life.sel({"data.n": 8, "statistic": "mean"}))
        assert row["censored"] == 0
        assert pd.isna(row["generation"])
        assert len(frame) == 2 * (1 + 2)


def test_passages_that_are_given_up_are_counted(tmp_path):
    asked = grid(LOOP, {"data.n": [4, 40]}, 1, 2000, observables=["half_life"], max_generations=9)
    states = []
    place = str(tmp_path / "store")
    run(asked, place, devices=1, progress=states.append)
    found = gather.read(place)
    assert "generation" not in found.dims
    for k, n in enumerate((4, 40)):
        alone = first_passage(LOOP.with_(data=Replace(n)), 2000, max_generations=9, devices=1).half_life
        assert int(found.half_life_censored[k]) == alone.attrs["censored"] > 0
        assert np.array_equal(found.half_life[k].values, alone.values, equal_nan=True)
    assert states[-1].work <= 2 * 2000 * 9
    with pytest.raises(LoopError, match=r"sweep\.max_generations is 9 there and 10 here"):
        run(grid(LOOP, {"data.n": [4, 40]}, 1, 2000, observables=["half_life"], max_generations=10), place)


@pytest.mark.parametrize(
    ("written", "name", "named"),
    [
        (loop(), "collapse_time", "first passages here: half_life"),
        (loop(policy="accumulate"), "half_life", "data.policy"),
        (LOOP.with_(source=Gaussian([0, 0], 1)), "half_life", "source.mean"),
    ],
)
def test_a_passage_that_is_not_simulated_is_refused(written, name, named, tmp_path):
    asked = grid(written, {"data.n": [10, 20]}, 3, 10, observables=[name, "mean_error_squared"])
    with pytest.raises(LoopError) as refusal:
        run(asked, str(tmp_path / "store"), devices=1)
    assert named in str(refusal.value)
    assert not list(tmp_path.iterdir())
