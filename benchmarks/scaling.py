"""Weak scaling: two processes that share one sweep's store, a core each, against one of them alone.

python benchmarks/scaling.py
"""

import os
import subprocess
import sys
import tempfile
from typing import Any

UNITS = 6  # of each process, in every round
UNIT_SEEDS = 2**18
GENERATIONS = 100
ROUNDS = 6


def measure() -> dict[str, float]:
    """Seed-generations a second, and the ratio; one and two processes take turns.

    A process has one JAX device and, where the system can, one core of its own. What is timed is the sweep
    with its writes and flushes; starting Python and compiling came before. A round's time is that of the
    slower process.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None, None]
    if len(cores) < 2:
        return {"cores": float(len(cores))}
    with tempfile.TemporaryDirectory() as folder:
        pair = [_start(core, folder) for core in cores[:2]]
        try:
            for child in pair:
                _hear(child)
            rounds = [_round(pair, number) for number in range(ROUNDS)]
        finally:
            for child in pair:
                child.communicate()
    alone = [max(one, other) for one, other, _ in rounds]
    together = [both for *_, both in rounds]
    work = float(UNITS * UNIT_SEEDS * GENERATIONS)
    return {
        "one process, seed-generations per second": work / min(alone),
        "two processes, seed-generations per second": 2 * work / min(together),
        "times one process, best rounds": 2 * min(alone) / min(together),
        "times one process, median of rounds": 2 * _median(
            [a / b for a, b in zip(alone, together, strict=True)]
        ),
        "rounds": float(ROUNDS),
    }  # fmt: skip


def _round(pair: list[subprocess.Popen], number: int) -> tuple[float, float, float]:
    """Seconds of the first alone, of the second alone, and of the slower when both share a store."""
    seconds = []
    for k, child in enumerate(pair):
        _tell(child, f"alone{number}-{k} {number} 0 1")
        seconds.append(_hear(child))
    for k, child in enumerate(pair):
        _tell(child, f"both{number} {number} {k} 2")
    return seconds[0], seconds[1], max(map(_hear, pair))


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _start(core: int | None, folder: str) -> subprocess.Popen:
    command = [sys.executable, __file__, "child", str(core), folder]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


def _tell(child: subprocess.Popen, words: str) -> None:
    assert child.stdin is not None
    child.stdin.write(words + "\n")
    child.stdin.flush()


def _hear(child: subprocess.Popen) -> float:
    assert child.stdout is not None
    return float(child.stdout.readline())


def _child(core: str, folder: str) -> None:
    """Do the shards that standard input names, and print the seconds of each."""
    if core != "None":
        os.sched_setaffinity(0, [int(core)])
    import jax

    jax.config.update("jax_num_cpu_devices", 1)

    from jaxsim.sweeps.run import run
    from theory.loop import Gaussian, Loop, Replace
    from theory.sweep_file import grid

    def shard(name: str, seed: int, index: int, shards: int) -> float:
        sizes = list(range(50, 50 + UNITS * shards))  # a unit at each point
        loop = Loop(Gaussian(0.0, 1.0), Replace(50))
        plan = grid(loop, {"data.n": sizes}, GENERATIONS, UNIT_SEEDS, seed=seed, observables=["variance"])
        done = run(plan, f"{folder}/{name}", shard=(index, shards))
        assert done.units == done.made == UNITS
        return done.seconds

    shard(f"first{core}", 0, 0, 1)
    print(0.0, flush=True)
    for line in sys.stdin:
        name, *numbers = line.split()
        print(shard(name, *map(int, numbers)), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        _child(*sys.argv[2:])
    else:
        for name, value in measure().items():
            print(f"{name:<45}{value:>14,.4g}", flush=True)
