"""Several processes make the store that one makes, byte for byte, also when one of them is killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from autophagy.__main__ import main
from jaxsim.sweeps.meeting import Seat, meet
from jaxsim.sweeps.store import exists, open_store
from theory.loop import Gaussian, Loop, LoopError, Replace
from theory.sweep_file import grid
from theory.sweep_file import to_mapping as sweep_mapping

SECONDS = 120  # after which a process is taken for stuck
UNITS = 9
STARTED: list[subprocess.Popen] = []
CHILD = """
import sys, time
from autophagy.__main__ import main
from jaxsim.sweeps import store
from jaxsim.sweeps import run as sweep
from jaxsim.sweeps import unit_size
unit_size.UNIT_WORK = 1  # units as small as they get
pause = float(sys.argv.pop(1))
if pause:
    real, sweep.WRITERS = store.Store.write, 1
    def slowly(*arguments):
        time.sleep(pause)
        real(*arguments)
    store.Store.write = slowly
sys.exit(main(sys.argv[1:]))
"""


def plan(seed=0):
    loop = Loop(Gaussian(0, 1), Replace(10))
    return grid(loop, {"data.n": [10, 12, 14]}, [1, 2, 3], 1250, observables=["variance"], seed=seed)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(sweep_mapping(plan())))
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_job():
    """A SLURM job whose port, which JAX makes of its number, is free."""
    for job in range(os.getpid(), os.getpid() + 1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 65535 - 2**12 + 1 + job % 2**12)):
                return str(job)
    raise AssertionError


def slurm(job, task):
    """What SLURM tells a task of a job of two, on one node."""
    return {
        "SLURM_JOB_ID": job,
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_PROCID": str(task),
        "SLURM_LOCALID": str(task),
    }


@pytest.fixture(autouse=True)
def nothing_left_running():
    """Kill what a failed test leaves behind."""
    yield
    for child in STARTED:
        if child.poll() is None:
            child.kill()
            child.communicate()
    STARTED.clear()


def launch(command, environment):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    STARTED.append(subprocess.Popen(command, env=environment, **pipes))
    return STARTED[-1]


def start(*arguments, pause=0):
    command = [sys.executable, "-c", CHILD, str(pause), "sweep", *map(str, arguments)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return launch(command, environment)


def start_pair(*arguments, pauses=(0, 0)):
    port = free_port()
    return [
        start(*arguments, "--devices", 2, "--coordinator", f"127.0.0.1:{port}", "--processes", 2,
              "--process-id", k, pause=pauses[k])
        for k in range(2)
    ]  # fmt: skip


def finish(*children):
    """Wait for all; what they printed, or a failure with what they complained of."""
    said = []
    for child in children:
        out, err = child.communicate(timeout=SECONDS)
        assert child.returncode == 0, err
        said.append(out)
    return said


def contents(folder):
    """Every file of a store and its bytes; the commit apart, which may be made meanwhile."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return files | {"zarr.json": re.sub(rb'"commit": .*', b"", files["zarr.json"])}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The store of one process with one device."""
    place = tmp_path_factory.mktemp("whole")
    (place / "sweep.json").write_text(json.dumps(sweep_mapping(plan())))
    finish(start(place / "sweep.json", "-o", place / "store", "--devices", 1))
    return place / "store"


def test_two_processes_of_two_devices_write_the_same_store(tmp_path, file, whole):
    finish(*start_pair(file, "-o", tmp_path / "store"))
    assert contents(tmp_path / "store") == contents(whole)
    assert int(open_store(str(tmp_path / "store")).done().sum()) == UNITS


def test_another_seed_writes_other_bytes_in_every_unit(tmp_path, file, whole):
    finish(start(file, "-o", tmp_path / "store", "--seed", 1, "--devices", 1))
    here, there = contents(tmp_path / "store"), contents(whole)
    chunks = [name for name in there if name.startswith("moments/c.")]
    assert here.keys() == there.keys()
    assert len(chunks) == UNITS
    assert all(here[name] != there[name] for name in chunks)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1], ids=["coordinator", "other"])
def test_a_killed_process_loses_its_unfinished_units_only(killed, tmp_path, file, whole):
    place = tmp_path / "store"
    children = start_pair(file, "-o", place, pauses=[float(k == killed) for k in range(2)])
    victim, survivor = children[killed], children[1 - killed]
    deadline = time.monotonic() + SECONDS
    while not (exists(str(place)) and open_store(str(place)).done().ravel()[killed::2].any()):
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    assert victim.returncode == -signal.SIGKILL
    finish(survivor)
    done = open_store(str(place)).done().ravel()
    assert done[1 - killed :: 2].all()
    assert 1 <= done[killed::2].sum() < UNITS // 2
    expected = contents(whole)
    assert all(content == expected[name] for name, content in contents(place).items() if name in expected)
    finish(*start_pair(file, "-o", place, "--compilation-cache", tmp_path / "compiled"))
    assert contents(place) == expected


def test_slurm_is_detected_and_one_accelerator_is_each_process_s():
    job = free_job()
    ask = "from jaxsim.sweeps.meeting import meet; print(*meet(patience=60))"
    children = [
        launch(
            [sys.executable, "-c", ask],
            {**os.environ, **slurm(job, k)},
        )
        for k in range(2)
    ]
    assert [said.split() for said in finish(*children)] == [["0", "2", "0"], ["1", "2", "1"]]


@pytest.mark.slow
def test_a_slurm_job_shares_a_sweep(tmp_path, file, whole):
    job = free_job()
    children = []
    for k in range(2):
        known = slurm(job, k) | {"JAX_PLATFORMS": "cpu"}
        words = ["sweep", file, "-o", str(tmp_path / "store"), "--devices", "2", "--distributed"]
        command = [sys.executable, "-c", CHILD, "0", *words]
        children.append(launch(command, {**os.environ, **known}))
    finish(*children)
    assert contents(tmp_path / "store") == contents(whole)


@pytest.mark.parametrize("shard", [(0, 1), (1, 3)])
def test_parts_make_up_the_shard(shard):
    units, (index, shards) = range(100), shard
    parts = [Seat(p, 4).part(shard) for p in range(4)]
    found = [unit for i, n in parts for unit in units[i::n]]
    assert sorted(found) == list(units[index::shards])
    assert all(0 <= i < n for i, n in parts)


def test_a_process_left_alone_says_so():
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(LoopError, match="not all processes came within 1 s") as refusal:
        meet(address, 2, 0, patience=1)
    assert address in str(refusal.value)


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with pytest.raises(LoopError, match="cannot listen there"):
            meet(f"127.0.0.1:{taken.getsockname()[1]}", 1, 0, patience=5)


ADDRESS = ["--coordinator", "127.0.0.1:1234"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--coordinator", "node1"], "'node1': write HOST:PORT"),
        (["--coordinator", ":1234"], "':1234'"),
        (["--coordinator", "node1:70000"], "'node1:70000'"),
        (ADDRESS, "go together"),
        (["--processes", "2", "--process-id", "0"], "go together"),
        ([*ADDRESS, "--processes", "2"], "go together"),
        ([*ADDRESS, "--processes", "0", "--process-id", "0"], "'0'"),
        ([*ADDRESS, "--processes", "2", "--process-id", "2"], "there are 2 processes"),
        ([*ADDRESS, "--processes", "2", "--process-id", "-1"], "--process-id"),
        (["--distributed"], "neither SLURM, Open MPI, a TPU nor Kubernetes"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, named, capsys, file, tmp_path):
    assert main(["sweep", file, "-o", str(tmp_path / "store"), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert named in captured.err
    assert not (tmp_path / "store").exists()
