"""Runs a sweep unit by unit: stops where it is told to, goes on where it stopped, shares work with others.

A work unit is a block of replicates of one grid point. Each device has a worker that takes the next unit, and
a few writers put results on the disk meanwhile. A unit's numbers depend on nothing but its loop, its
replicates and what is measured, so they are the same whoever computes it, and when.
"""

import contextlib
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from jaxsim.measure import Measurement
from jaxsim.passage import Walk
from jaxsim.setting import chosen_devices
from jaxsim.sweeps.configuration import versions
from jaxsim.sweeps.gather import read
from jaxsim.sweeps.grid import Grid, Resolve, grid
from jaxsim.sweeps.store import Store, StoreError, create, exists
from theory.loop import LoopError
from theory.sweep import Sweep

WRITERS = 8
WAITING = 8  # units in memory that are not on the disk yet, at most


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        done: units of this shard on the disk, whoever made them.
        units: of this shard.
        made: of these, by this run.
        work: seed-generations simulated by this run.
        seconds: since it began.
    """

    done: int
    units: int
    made: int
    work: int
    seconds: float

    @property
    def rate(self) -> float:
        """Seed-generations a second."""
        return self.work / max(self.seconds, 1e-9)

    @property
    def left(self) -> float:
        """Seconds until all is done, at this rate."""
        return (self.units - self.done) * self.seconds / self.made if self.made else float("inf")


def sweep(plan: Sweep, store: str | None = None, **options: Any) -> xr.Dataset:
    """Run a grid of loops and return its results, a dimension for each axis.

    Args:
        plan: from `theory.sweep_file`.
        store: a folder, or a URL such as s3://bucket/name; None keeps nothing.
        options: of `run`.
    """
    if store is not None:
        run(plan, store, **options)
        return read(store)
    with tempfile.TemporaryDirectory() as folder:
        return sweep(plan, f"{folder}/sweep", **options)


def run(
    plan: Sweep,
    place: str,
    *,
    shard: tuple[int, int] = (0, 1),
    devices: int | Sequence[jax.Device] | None = None,
    budget: float | None = None,
    resume: bool = True,
    repair: bool = False,
    resolve: Resolve | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Progress:
    """Do what is not done yet of a sweep.

    Args:
        plan: the sweep.
        place: of its store, which is laid out if it is not there.
        shard: (i, N): of N shards, the i-th, counted from 0: units i, i + N, ...
        devices: how many local devices, or which; None takes all.
        budget: seconds after which no unit is begun.
        resume: False refuses a store that is there.
        repair: read every unit that is done first, and do those again that are damaged.
        resolve: makes a loop as written one that can be simulated.
        progress: called after every unit.

    Returns:
        How far it came.

    Raises:
        LoopError: for a sweep that makes no sense, or a store that cannot be used; what is done is kept.
        KeyboardInterrupt: after the units under way were finished and written.
    """
    index, shards = shard
    if not (isinstance(index, int) and isinstance(shards, int) and 0 <= index < shards):
        raise LoopError("shard", f"{index}/{shards}", "write i/N with 0 <= i < N")
    chosen = chosen_devices(devices)
    ready = grid(plan, resolve)
    if not resume and exists(place):
        raise StoreError(place, "it is there already, and resuming was ruled out")
    store = create(place, ready.layout, ready.attributes())
    store.note_versions([versions()])
    if repair:
        for point, unit, _ in store.damaged():
            store.forget(point, unit)
    return _Run(ready, store, shard, chosen, budget, progress).go()


class _Run:
    """The workers, the writers and their count of what is done."""

    def __init__(
        self,
        ready: Grid,
        store: Store,
        shard: tuple[int, int],
        devices: tuple[jax.Device, ...],
        budget: float | None,
        progress: Callable[[Progress], None] | None,
    ):
        mine = np.arange(shard[0], ready.layout.points * ready.layout.units, shard[1])
        pending = mine[~store.done().ravel()[mine]]
        workers = max(1, min(len(devices), len(pending)))
        self.shares = [devices[k::workers] for k in range(workers)]
        self.ready, self.store, self.devices = ready, store, devices
        self.units, self.before, self.pending = len(mine), len(mine) - len(pending), iter(pending.tolist())
        self.made = self.work = 0
        self.began = time.monotonic()
        self.end = None if budget is None else self.began + budget
        self.progress, self.lock, self.stop = progress, threading.Lock(), threading.Event()
        self.room = threading.Semaphore(WAITING)
        self.failure: BaseException | None = None

    def go(self) -> Progress:
        with _held_back(self.stop) as interrupted, ThreadPoolExecutor(WRITERS, "writer") as writers:
            threads = [
                threading.Thread(target=self.work_on, args=(share, writers), daemon=True)
                for share in self.shares
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.05)
        if self.failure is not None:
            raise self.failure
        if interrupted.is_set():
            raise KeyboardInterrupt
        return self.state()

    def state(self) -> Progress:
        seconds = time.monotonic() - self.began
        return Progress(self.before + self.made, self.units, self.made, self.work, seconds)

    def work_on(self, devices: tuple[jax.Device, ...], writers: ThreadPoolExecutor) -> None:
        """One worker: unit after unit, until there are none or the time is up."""
        last: int = -1
        ready: Any = None
        try:
            while (place := self.take()) is not None:
                point, unit = divmod(place, self.ready.layout.units)
                if point != last:
                    last, ready = point, (self.ready.measurement(point), self.ready.walks(point))
                data, work = self.compute(*ready, unit, devices)
                self.room.acquire()
                writers.submit(self.write, point, unit, data, work).add_done_callback(self.written)
        except BaseException as error:  # handed to the thread that waits
            self.fail(error)

    def take(self) -> int | None:
        with self.lock:
            late = self.end is not None and time.monotonic() >= self.end
            return None if late or self.stop.is_set() else next(self.pending, None)

    def compute(
        self, ready: Measurement | None, walks: list[Walk], unit: int, devices: tuple[jax.Device, ...]
    ) -> tuple[dict[str, np.ndarray], int]:
        """What a unit's chunks hold, and the seed-generations it took."""
        (first, last), data, work = self.ready.layout.span(unit), {}, 0
        if ready is not None:
            data |= self.measure(ready, first, last, devices)
            work += (last - first) * self.ready.sweep.generations[-1]
        if walks:
            found, walked = self.ready.passed(walks, first, last, devices)
            data, work = data | found, work + walked
        return data, work

    def measure(
        self, ready: Measurement, first: int, last: int, devices: tuple[jax.Device, ...]
    ) -> dict[str, np.ndarray]:
        data = {"moments": self.ready.moments(ready, ready.summary(first, last, devices))}
        # a program of its own for each, so that the moments have the bits of a run without them
        if self.ready.layout.bins:
            counts = ready.histogram(first, last, devices, dict(self.ready.sweep.histograms))
            data["histogram"] = self.ready.histogram(counts)
        if self.ready.layout.replicates:
            data["replicates"] = self.ready.spread(ready, ready.replicates(first, last, devices))
        return data

    def write(self, point: int, unit: int, data: dict[str, np.ndarray], work: int) -> None:
        self.store.write(point, unit, data)
        with self.lock:
            self.made += 1
            self.work += work
            if self.progress is not None:
                self.progress(self.state())

    def written(self, future: Future) -> None:
        self.room.release()
        if (error := future.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        with self.lock:
            self.failure = self.failure or error
        self.stop.set()


@contextlib.contextmanager
def _held_back(stop: threading.Event) -> Generator[threading.Event]:
    """Let the first Ctrl-C set `stop` and the event this gives, and only the second one interrupt."""
    interrupted = threading.Event()

    def handle(number: int, frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        stop.set()

    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
