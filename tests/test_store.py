"""A sweep's store under kill -9, full disks, flipped bits and company: what is done is right."""

import errno
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import xarray as xr
import zarr

from jaxsim.sweeps import durable
from jaxsim.sweeps.layout import Layout
from jaxsim.sweeps.merge import merge
from jaxsim.sweeps.store import StoreError, create, exists, open_store

LAYOUT = Layout(
    points=5, seeds=2500, unit=1024, generations=4, elements=3, bins=6, passages=2, replicates=True
)
ATTRIBUTES = {"sweep": {}, "elements": [["variance", [3]]], "configuration": {"sweep": {"seeds": 2500}}}


def unit_data(layout, point, unit):
    """What a unit holds: any numbers, the same whoever makes them."""
    rng = np.random.default_rng([point, unit])
    first, last = layout.span(unit)
    data = {"moments": rng.normal(size=(4, layout.generations, layout.elements))}
    if layout.bins:
        data["histogram"] = rng.integers(1, 100, (layout.generations, layout.bins))
    if layout.passages:
        data["passages"] = rng.normal(size=(5, layout.passages))
    if layout.replicates:
        data["replicates"] = rng.normal(size=(last - first, layout.generations, layout.elements))
    if layout.replicates and layout.passages:
        data["times"] = rng.integers(0, 100, (last - first, layout.passages))
    return data


def fill(store, order=1):
    """Write every unit that is not done."""
    for point, unit in np.argwhere(~store.done()).tolist()[::order]:
        store.write(point, unit, unit_data(store.layout, point, unit))


def wrong_units(store, checked=False):
    """The units that are done, those checked already apart, and hold anything but their data."""
    return [
        (point, unit)
        for point, unit in np.argwhere(store.done() & ~np.asarray(checked)).tolist()
        for name, values in unit_data(store.layout, point, unit).items()
        if not np.array_equal(store.data(point, unit)[name], values)
    ]


def contents(folder):
    """Every file of a store and its bytes, but for the root's metadata, which names the commit."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    assert files.pop("zarr.json")
    return files


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def store(place):
    return create(place, LAYOUT, ATTRIBUTES)


@pytest.mark.parametrize("backend", ["local", "memory"])
def test_units_come_back(backend, place, request):
    target = place if backend == "local" else f"memory://{request.node.name}"
    store = create(target, LAYOUT, ATTRIBUTES)
    assert store.done().shape == (5, 3)
    assert not store.done().any()
    store.write(3, 2, unit_data(LAYOUT, 3, 2))
    again = open_store(target)
    assert np.argwhere(again.done()).tolist() == [[3, 2]]
    fill(create(target, LAYOUT, ATTRIBUTES))
    assert open_store(target).done().all()
    assert not wrong_units(open_store(target))


def test_wrong_units_are_seen(store):
    store.write(0, 0, unit_data(LAYOUT, 0, 1))
    assert set(wrong_units(store)) == {(0, 0)}


def test_it_is_plain_zarr_while_it_is_written(store, place):
    store.write(1, 0, unit_data(LAYOUT, 1, 0))
    raw = zarr.open_group(place, mode="r", use_consolidated=False)
    assert raw["moments"].chunks == (1, 1, 4, 4, 3)
    assert raw["done"].chunks == (1, 1)
    assert np.argwhere(raw["done"][...]).tolist() == [[1, 0]]
    dataset = xr.open_zarr(place, consolidated=False)
    assert dataset.moments.dims == ("point", "unit", "moment", "generation", "element")
    assert np.isnan(dataset.moments[0, 0]).all()
    store.write(0, 0, unit_data(LAYOUT, 0, 0))
    assert np.array_equal(raw["moments"][0, 0], unit_data(LAYOUT, 0, 0)["moments"])


def test_cut_short_after_any_write(tmp_path, monkeypatch):
    """The disk fails at the k-th flush, for every k: going on gives the whole store."""
    layout = Layout(
        points=2, seeds=1500, unit=1024, generations=2, elements=1, bins=0, passages=0, replicates=False
    )
    whole = tmp_path / "whole"
    fill(create(str(whole), layout, ATTRIBUTES))
    flushes, real = [0], os.fsync

    def failing(at):
        def fsync(handle):
            flushes[0] += 1
            if flushes[0] == at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(handle)

        return fsync

    cuts = 0
    for at in range(1, 1000):
        place, flushes[0] = str(tmp_path / f"cut{at}"), 0
        monkeypatch.setattr(os, "fsync", failing(at))
        refused = False
        try:
            fill(create(place, layout, ATTRIBUTES))
        except StoreError as error:
            refused = "No space left" in str(error)
        cuts += refused
        monkeypatch.setattr(os, "fsync", real)
        assert refused == (flushes[0] >= at)
        if exists(place):
            assert not wrong_units(open_store(place))
        fill(create(place, layout, ATTRIBUTES))
        assert contents(tmp_path / f"cut{at}") == contents(whole)
        if flushes[0] < at:
            break
    assert cuts >= 8  # two files for each of four units at the least
    assert not list(tmp_path.glob(".*"))


def fill_place(place, layout):
    """What a child does: lay out the store or open it, and fill it."""
    fill(create(place, layout, ATTRIBUTES))


def flags(place):
    """How many units are flagged as done."""
    folder = os.path.join(place, "done")
    return len(os.listdir(folder)) - 1 if os.path.isdir(folder) else 0


def kill_at_random(place, layout, seed, kills):
    """Start a child over and over, kill it at random moments, look at the store each time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jaxsim.sweeps.store", "zarr"])  # a child then begins to write at once
    rng, killed, checked = random.Random(seed), 0, False
    while True:
        child = context.Process(target=fill_place, args=(place, layout))
        before = flags(place)
        child.start()
        if killed < kills:
            units = rng.choice([0, rng.randrange(10)])  # of its own before it is killed
            while child.is_alive() and units and flags(place) < before + units:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.02))
            child.kill()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        killed += child.exitcode == -signal.SIGKILL
        if exists(place):
            store = open_store(place)
            done = store.done()
            assert not wrong_units(store, checked)
            checked = done
            if done.all():
                return killed


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills, tmp_path):
    layout = LAYOUT._replace(points=8 * kills)
    whole, place = tmp_path / "whole", tmp_path / "killed"
    fill(create(str(whole), layout, ATTRIBUTES))
    assert kill_at_random(str(place), layout, 5, kills) == kills
    create(str(place), layout, ATTRIBUTES)  # sweeps up
    assert contents(place) == contents(whole)


def test_leftovers_of_the_dead_are_swept_up_and_of_the_living_are_not(store, place, tmp_path):
    folder = tmp_path / "store" / "moments"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = durable._host()
    gone = [
        folder / f"c.0.0.0.0.0.{host}.{dead.pid}.7.partial",
        tmp_path / f".store.{host}.{dead.pid}.0.partial",
    ]
    stay = [
        folder / f"c.0.0.0.0.0.{host}.{os.getpid()}.7.partial",
        folder / f"c.0.0.0.0.0.elsewhere.{dead.pid}.7.partial",
        folder / "stranger.partial",
    ]
    for path in (*gone, *stay):
        path.touch()
    create(place, LAYOUT, ATTRIBUTES)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stay)


def test_two_writers_of_the_same_units(store, place, tmp_path):
    whole = tmp_path / "whole"
    fill(create(str(whole), LAYOUT, ATTRIBUTES))
    others = [create(place, LAYOUT, ATTRIBUTES) for _ in range(3)]
    threads = [threading.Thread(target=fill, args=(other, 1)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(tmp_path / "store") == contents(whole)


@pytest.mark.parametrize("backend", ["local", "memory"])
def test_several_lay_out_one_store_at_once(backend, tmp_path):
    for trial in range(5):
        place = f"memory://at-once/{trial}" if backend == "memory" else str(tmp_path / f"store{trial}")
        barrier, failures = threading.Barrier(4), []

        def lay_out(place=place, barrier=barrier, failures=failures):
            barrier.wait()
            try:
                create(place, LAYOUT, ATTRIBUTES).write(0, 0, unit_data(LAYOUT, 0, 0))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=lay_out) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert open_store(place).done().sum() == 1
        assert not wrong_units(open_store(place))
    assert not list(tmp_path.glob(".*"))


def flip(path, at=0.5):
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("at", [0, 0.3, 0.5, 0.9, 1])
def test_a_flipped_bit_is_found_and_named(store, tmp_path, at):
    fill(store)
    flip(tmp_path / "store" / "moments" / "c.2.1.0.0.0", at)
    ((point, unit, reason),) = store.damaged()
    assert (point, unit) == (2, 1)
    assert "moments of point 2, unit 1 is damaged" in reason
    store.forget(point, unit)
    assert np.argwhere(~store.done()).tolist() == [[2, 1]]
    fill(store)
    assert not wrong_units(store)


@pytest.mark.parametrize("part", [1, slice(None)])
def test_a_damaged_unit_is_named_whatever_is_read(store, tmp_path, part):
    fill(store)
    flip(tmp_path / "store" / "moments" / "c.2.1.0.0.0")
    for point in (2, slice(0, 5)):
        with pytest.raises(StoreError, match="moments of point 2, unit 1 is damaged"):
            store.read("moments", point, part)


@pytest.mark.parametrize("name", ["zarr.json", "moments/zarr.json", "done/zarr.json"])
def test_a_flipped_bit_of_a_description_is_refused_or_harmless(store, place, tmp_path, name):
    """Every eighth bit of what describes the store: a sentence, or all units as they were."""
    fill(store)
    path = tmp_path / "store" / name
    content, refused = path.read_bytes(), []
    for k in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:k] + bytes([content[k] ^ (1 << k % 7)]) + content[k + 1 :])
        try:
            found = open_store(place)
            assert not wrong_units(found)
            assert found.done().all()
        except StoreError as error:
            refused.append(str(error))
        path.write_bytes(content)
    assert len(refused) > 10
    assert not any("\n" in said for said in refused)


@pytest.mark.parametrize("name", ["moments", "histogram", "replicates", "passages", "times"])
def test_a_lost_chunk_of_any_array_is_found(store, tmp_path, name):
    fill(store)
    (lost,) = (tmp_path / "store" / name).glob("c.2.1*")
    lost.unlink()
    ((point, unit, reason),) = store.damaged()
    assert (point, unit) == (2, 1)
    assert f"{name} of point 2, unit 1 are lost" in reason


def test_another_sweep_is_refused_with_the_keys_that_differ(store, place):
    other = {**ATTRIBUTES, "configuration": {"sweep": {"seeds": 2600, "seed": 1}}}
    with pytest.raises(StoreError) as refusal:
        create(place, LAYOUT, other)
    assert "sweep.seeds is 2500 there and 2600 here" in str(refusal.value)
    assert "sweep.seed is null there and 1 here" in str(refusal.value)


def test_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(StoreError, match="something else is there"):
            create(str(place), LAYOUT, ATTRIBUTES)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    zarr.open_group(tmp_path / "foreign", mode="w")
    with pytest.raises(StoreError, match="something else is there"):
        create(str(tmp_path / "foreign"), LAYOUT, ATTRIBUTES)


@pytest.mark.parametrize("place", ["/proc/absent/store", "nowhere://bucket/store"])
def test_places_that_cannot_be_written_are_refused_in_a_sentence(place):
    with pytest.raises(StoreError, match="the store is") as refusal:
        create(place, LAYOUT, ATTRIBUTES)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("place", ["absent", "memory://absent"])
def test_a_store_that_is_not_there(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="there is no such sweep"):
        open_store(place)


def test_a_full_disk_loses_nothing(store, place, monkeypatch):
    store.write(0, 0, unit_data(LAYOUT, 0, 0))

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.write(0, 1, unit_data(LAYOUT, 0, 1))
    again = open_store(place)
    assert np.argwhere(again.done()).tolist() == [[0, 0]]
    assert not wrong_units(again)


class TestMerge:
    @pytest.fixture
    def halves(self, tmp_path):
        """Two stores of one sweep: the first ten units, the last ten."""
        places = [str(tmp_path / name) for name in "ab"]
        for place, kept in zip(places, (slice(10), slice(5, None)), strict=True):
            store = create(place, LAYOUT, ATTRIBUTES)
            for point, unit in np.argwhere(~store.done()).tolist()[kept]:
                store.write(point, unit, unit_data(LAYOUT, point, unit))
        return places

    def test_disjoint_or_identical_units_go_together(self, halves, tmp_path):
        whole = tmp_path / "whole"
        fill(create(str(whole), LAYOUT, ATTRIBUTES))
        seen = []
        merge(halves, str(tmp_path / "c"), lambda done, total: seen.append((done, total)))
        assert contents(tmp_path / "c") == contents(whole)
        assert seen[-1] == (20, 20)
        merge(halves, str(tmp_path / "c"))
        assert contents(tmp_path / "c") == contents(whole)

    def test_a_conflict_is_refused_by_name(self, halves, tmp_path):
        other = unit_data(LAYOUT, 2, 0)
        other["histogram"][0, 0] += 1
        open_store(halves[1], writing=True).write(2, 0, other)
        with pytest.raises(StoreError, match="point 2, unit 0 has other histogram"):
            merge(halves, str(tmp_path / "c"))

    def test_another_sweep_is_refused(self, halves, tmp_path):
        other = {**ATTRIBUTES, "configuration": {"sweep": {"seeds": 2600}}}
        create(str(tmp_path / "other"), LAYOUT, other)
        with pytest.raises(StoreError, match=r"sweep\.seeds"):
            merge([halves[0], str(tmp_path / "other")], str(tmp_path / "c"))
        assert not (tmp_path / "c").exists()
