"""`autophagy sweep`: grids of loops, and what is done with their stores."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autophagy.arguments import UsageError
from autophagy.files import check_file, write
from autophagy.output import print_json, table
from autophagy.progress import line, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from jaxsim.store import Store
    from jaxsim.sweep import Progress


def sweep(options: argparse.Namespace) -> int:
    """Run a sweep as far as it is asked to; exit code 130 after Ctrl-C."""
    from theory.sweep_file import load

    given = {
        "seeds": options.seeds,
        "seed": options.seed,
        "generations": options.generations,
        "engine": options.engine,
        "observables": options.observable,
    }
    plan = load(options.sweep, options.set, given)
    _use_devices(options.devices)
    from autophagy.verbs import resolved
    from jaxsim.sweep import run

    code = 0
    try:
        run(
            plan,
            options.output,
            shard=options.shard,
            devices=options.devices,
            budget=options.budget,
            resume=options.resume is not False,
            repair=options.repair,
            resolve=resolved,
            progress=_shown(),
        )
    except KeyboardInterrupt:
        code = 130
    _report(options.output, options.json, code)
    return code


def status(options: argparse.Namespace) -> int:
    """Say how far a sweep is."""
    _report(options.store, options.json, 0)
    return 0


def merge(options: argparse.Namespace) -> int:
    """Put stores together."""
    from jaxsim.store_merge import merge as merge_stores

    merge_stores(options.stores, options.output, progress("merging"))
    _report(options.output, False, 0)
    return 0


def export(options: argparse.Namespace) -> int:
    """Convert what is done."""
    endings = {"csv": (".csv",), "netcdf": (".nc", ".nc4", ".netcdf"), "parquet": (".parquet", ".pq")}
    check_file(options.output, endings[options.to])
    from jaxsim.store import open_store

    store = open_store(options.store)
    fills: dict[str, Callable[[Path], None]] = {
        "csv": lambda draft: _csv(draft, store),
        "netcdf": lambda draft: _netcdf(draft, options.store),
        "parquet": lambda draft: _parquet(draft, store),
    }
    write(options.output, fills[options.to])
    print(options.output)
    return 0


def _shown() -> Callable[[Progress], None]:
    draw = line()

    def show(state: Progress) -> None:
        pace = f"{state.rate:.3g} seed-generations/s, about {state.left:.0f} s left"
        draw(f"{state.done}/{state.units} units, {pace}", state.done >= state.units)

    return show


def _report(place: str, as_json: bool, code: int) -> None:
    """How far the store is, as a line and, unless all is done, the points that lack something."""
    from jaxsim.store import open_store

    store = open_store(place)
    done = store.done()
    asked = store.attributes["configuration"]["sweep"]
    content = {
        "store": place,
        "units": int(done.size),
        "done": int(done.sum()),
        "points": int(done.shape[0]),
        "points_done": int(done.all(axis=1).sum()),
        "seeds": asked["seeds"],
        "seed": asked["seed"],
        "engine": asked["engine"],
        "generations": len(asked["generations"]),
        "observables": asked["observables"],
        "hash": store.attributes["hash"],
        "versions": store.attributes["versions"],
        "commit": store.attributes["commit"],
    }
    if as_json:
        print_json(content)
        return
    shown = ("store", "units", "done", "points", "points_done", "seeds", "seed", "engine", "generations")
    print(table([["sweep", ""], *([key.replace("_", " "), str(content[key])] for key in shown)]))
    if content["done"] < content["units"]:
        why = "interrupted at a unit boundary; " if code == 130 else ""
        print(f"{why}{content['units'] - content['done']} units are left: the same command goes on")


def rows(store: Store, points: int = 64) -> Iterator[pd.DataFrame]:
    """Tidy rows, some points at a time: axes, observable, generation, trailing axes, then the statistics."""
    import pandas as pd

    from jaxsim.gather import point_dataset, statistics, written_sweep
    from jaxsim.summary import STATISTICS
    from theory.observable import AXES

    plan = written_sweep(store)
    labels = [(key, axis.labels(key), k) for k, axis in enumerate(plan.axes) for key in axis.keys]
    trailing: dict[str, None] = {}
    frames: list[pd.DataFrame] = []
    axes = [key for key, _, _ in labels]
    done = store.done().any(axis=1).tolist()
    for name, shape in store.attributes["elements"]:
        trailing |= dict.fromkeys(AXES.get(name, ())[: len(shape)])
    columns = [*axes, "observable", "generation", *trailing, *STATISTICS]
    for point, values in statistics(store):
        if done[point]:
            place = plan.index(point)
            for name, variable in point_dataset(store, plan, point, values).data_vars.items():
                frame = variable.to_dataset(dim="statistic").to_dataframe().reset_index()
                frame["observable"] = name
                for key, values_of_key, k in labels:
                    frame[key] = values_of_key[place[k]]
                frames.append(frame.reindex(columns=columns))
        if len(frames) >= points:
            yield pd.concat(frames, ignore_index=True)
            frames = []
    yield pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _csv(draft: Path, store: Store) -> None:
    with draft.open("w", newline="") as file:
        for k, frame in enumerate(rows(store)):
            frame.to_csv(file, index=False, header=k == 0)


def _netcdf(draft: Path, place: str) -> None:
    from jaxsim.gather import read

    try:
        read(place).to_netcdf(draft, engine="h5netcdf")
    except ImportError:
        raise UsageError("--to netcdf needs h5netcdf and h5py: pip install 'autophagy[netcdf]'") from None


def _parquet(draft: Path, store: Store) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("--to parquet needs pyarrow: pip install 'autophagy[parquet]'") from None
    writer: Any = None
    for frame in rows(store):
        part = pa.Table.from_pandas(
            frame, schema=None if writer is None else writer.schema, preserve_index=False
        )
        writer = writer or pq.ParquetWriter(draft, part.schema)
        writer.write_table(part)
    writer.close()


def _use_devices(asked: int | None) -> None:
    """On a CPU, as many JAX devices as asked for, or as there are cores; accelerators are what they are."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # a process that uses JAX already has its devices
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", asked or cores)
