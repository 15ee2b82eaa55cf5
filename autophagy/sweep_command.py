"""`autophagy sweep`: grids of loops, and what is done with their stores."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autophagy.arguments import UsageError, count, positive, seed
from autophagy.files import check_file, write
from autophagy.output import print_json, table
from autophagy.progress import line, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from jaxsim.store import Store
    from jaxsim.sweep import Progress

ACTIONS = ("status", "merge", "export")
FORMATS = ("csv", "netcdf", "parquet")

DESCRIPTION = """\
Runs every point of a grid of loops, unit by unit, into a zarr store that is readable at any moment. Killed or
interrupted, the same command goes on where it stopped; any number of processes may share one store."""
KEYS = """\
keys of [sweep]: seeds, generations ("1:200", 50 or [1, 10]); optional: observables, seed (0), engine ("exact"),
keep ("summary", or "replicates" as well), histogram = {variance = [0, 0.5, 1]}; and axes, each a list,
{linear = [a, b, k]} or {log = [a, b, k], whole = true}: "data.n" = [10, 100]; a [[sweep.zip]] table for those
that move together.

autophagy sweep status STORE            how far it is
autophagy sweep merge A B ... -o STORE  stores of shards put together
autophagy sweep export STORE --to csv -o FILE"""


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `sweep status` made one word, and so on, as the parser names those commands."""
    words = list(arguments)
    if words[:1] == ["sweep"] and words[1:2] and words[1] in ACTIONS:
        words[:2] = [f"sweep-{words[1]}"]
    return words


def add_parsers(commands: Any) -> None:
    """Add the command and its three actions."""
    command = commands.add_parser(
        "sweep",
        help="grids of loops, resumed after a kill",
        description=DESCRIPTION,
        epilog=KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("sweep", metavar="SWEEP", help="a TOML or JSON file with a [sweep] table, - or JSON")
    command.add_argument("-o", dest="output", required=True, metavar="STORE",
                         help="a folder, or a URL such as s3://bucket/name")  # fmt: skip
    command.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE",
                         help="change the file, e.g. estimator.name=unbiased")  # fmt: skip
    command.add_argument("-t", dest="generations", metavar="GENERATIONS", help="instead of the file's")
    command.add_argument("--seeds", type=count, help="instead of the file's")
    command.add_argument("--seed", type=seed, help="instead of the file's")
    command.add_argument("--engine", choices=("exact", "literal"), help="instead of the file's")
    command.add_argument("--observable", nargs="+", metavar="NAME", help="instead of the file's")
    how = command.add_mutually_exclusive_group()
    how.add_argument("--resume", action=argparse.BooleanOptionalAction, default=None,
                     help="go on with a store that is there (default if it is of the same sweep), or refuse it")  # fmt: skip
    command.add_argument("--repair", action="store_true", help="read what is done, and redo what is damaged")
    command.add_argument("--shard", type=shard, default=(0, 1), metavar="I/N",
                         help="do only the I-th of N parts, I from 0")  # fmt: skip
    command.add_argument("--devices", type=count, metavar="K", help="devices, or CPU cores (default all)")
    command.add_argument("--budget", type=positive, metavar="SECONDS", help="begin no unit after this time")
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser("sweep-status", prog="autophagy sweep status")
    command.add_argument("store", metavar="STORE")
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser("sweep-merge", prog="autophagy sweep merge")
    command.add_argument("stores", nargs="+", metavar="STORE")
    command.add_argument("-o", dest="output", required=True, metavar="STORE", help="where to")

    command = commands.add_parser("sweep-export", prog="autophagy sweep export")
    command.add_argument("store", metavar="STORE")
    command.add_argument("--to", choices=FORMATS, required=True)
    command.add_argument("-o", dest="output", required=True, metavar="FILE")


def shard(text: str) -> tuple[int, int]:
    """A pair (i, N) from `i/N`, 0 <= i < N."""
    index, slash, shards = text.partition("/")
    if not (slash and index.isdecimal() and shards.isdecimal() and int(index) < int(shards)):
        raise argparse.ArgumentTypeError(f"{text!r}: write I/N with 0 <= I < N, such as 0/4")
    return int(index), int(shards)


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
        draw(
            f"{state.done}/{state.units} units, {state.rate:.3g} seed-generations/s, about {state.left:.0f} s left",
            state.done >= state.units,
        )

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

    plan = written_sweep(store)
    labels = [(key, axis.labels(key), k) for k, axis in enumerate(plan.axes) for key in axis.keys]
    trailing: dict[str, None] = {}
    frames: list[pd.DataFrame] = []
    axes = [key for key, _, _ in labels]
    done = store.done().any(axis=1)
    from theory.observable import AXES

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
    writer = None
    for frame in rows(store):
        part = pa.Table.from_pandas(frame, schema=None if writer is None else writer.schema, preserve_index=False)
        writer = writer or pq.ParquetWriter(draft, part.schema)
        writer.write_table(part)
    writer.close()


def _use_devices(asked: int | None) -> None:
    """On a CPU, as many JAX devices as asked for, or as there are cores; on an accelerator, what is there."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        jax.config.update("jax_num_cpu_devices", asked or cores)
    except RuntimeError:
        print("autophagy: JAX is running already; its devices stay as they are", file=sys.stderr)
