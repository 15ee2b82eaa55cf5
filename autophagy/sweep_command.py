"""`autophagy sweep`: grids of loops, and what is done with their stores."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autophagy.arguments import UsageError
from autophagy.files import check_file, check_parent, write
from autophagy.hardware import use
from autophagy.output import print_json, table
from autophagy.progress import line, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from jaxsim.sweeps.meeting import Seat
    from jaxsim.sweeps.run import Progress
    from jaxsim.sweeps.store import Store


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
    _check_processes(options)
    check_parent(options.output)
    plan = load(options.sweep, options.set, given)
    code, processes, draw = 0, 1, line()
    try:
        seat = _seat(options)
        processes = seat.processes
        use(options.devices, options.compilation_cache)
        from functools import partial

        from autophagy.verbs import resolved
        from jaxsim.sweeps.run import run

        run(
            plan,
            options.output,
            shard=seat.part(options.shard),
            devices=options.devices,
            budget=options.budget,
            resume=options.resume is not False,
            repair=options.repair,
            resolve=partial(resolved, generations=plan.generations[-1]),
            progress=partial(_show, draw) if seat.process == 0 else None,
        )
    except KeyboardInterrupt:
        code = 130
    finally:
        draw("", True)
    from jaxsim.sweeps.store import exists

    if code == 130 and not exists(options.output):
        print("autophagy: interrupted; nothing was written, the same command begins again", file=sys.stderr)
        return code
    _report(options.output, options.json, code, processes)
    return code


def status(options: argparse.Namespace) -> int:
    """Say how far a sweep is."""
    _report(options.store, options.json, 0)
    return 0


def merge(options: argparse.Namespace) -> int:
    """Put stores together."""
    from jaxsim.sweeps.merge import merge as merge_stores

    check_parent(options.output)
    merge_stores(options.stores, options.output, progress("merging"))
    _report(options.output, False, 0)
    return 0


def export(options: argparse.Namespace) -> int:
    """Convert what is done."""
    endings = {"csv": (".csv",), "netcdf": (".nc", ".nc4", ".netcdf"), "parquet": (".parquet", ".pq")}
    check_file(options.output, endings[options.to])
    from jaxsim.sweeps.store import open_store

    store = open_store(options.store)
    fills: dict[str, Callable[[Path], None]] = {
        "csv": lambda draft: _csv(draft, store),
        "netcdf": lambda draft: _netcdf(draft, options.store),
        "parquet": lambda draft: _parquet(draft, store),
    }
    write(options.output, fills[options.to])
    print(options.output)
    return 0


def _check_processes(options: argparse.Namespace) -> None:
    """Refuse half an answer to which of how many processes this is."""
    given = (options.coordinator, options.processes, options.process_id)
    if not options.distributed and given.count(None) in (1, 2):
        raise UsageError(
            "--coordinator, --processes and --process-id go together; --distributed finds what is missing"
        )
    if None not in given[1:] and options.process_id >= options.processes:
        raise UsageError(
            f"--process-id {options.process_id}: there are {options.processes} processes, counted from 0"
        )


def _seat(options: argparse.Namespace) -> Seat:
    """Which of how many processes this is: the only one, unless told otherwise."""
    from jaxsim.sweeps.meeting import Seat, meet

    if not options.distributed and options.coordinator is None:
        return Seat(0, 1)
    seat = meet(options.coordinator, options.processes, options.process_id)
    seat.take()
    return seat


def _show(draw: Callable[[str, bool], None], state: Progress) -> None:
    pace = f"{state.rate:.3g} seed-generations/s, about {state.left:.0f} s left"
    draw(f"{state.done}/{state.units} units, {pace}", state.done >= state.units)


def _report(place: str, as_json: bool, code: int, processes: int = 1) -> None:
    """How far the store is, as a line and, unless all is done, the points that lack something."""
    from jaxsim.sweeps.store import open_store

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
    if content["done"] == content["units"]:
        done = f"{place} holds all {content['units']} units of {content['points']} points"
        print(f"{done}; `autophagy sweep export {place} --to csv -o FILE` writes their rows")
    elif code == 130 and not content["done"]:
        print("interrupted before a unit was done: no result was written; the same command begins again")
    else:
        why = "interrupted at a unit boundary; " if code == 130 else ""
        others = ", unless another process is at them" if processes > 1 else ""
        print(f"{why}{content['units'] - content['done']} units are left: the same command goes on{others}")


def rows(store: Store, points: int = 64) -> Iterator[pd.DataFrame]:
    """Tidy rows, some points at a time: axes, observable, generation, trailing axes, then the statistics."""
    import pandas as pd

    from jaxsim.summary import STATISTICS
    from jaxsim.sweeps.gather import passages, point_dataset, statistics, written_sweep

    plan = written_sweep(store)
    labels = [(key, axis.labels(key), k) for k, axis in enumerate(plan.axes) for key in axis.keys]
    timed = passages(store)
    counted = dict.fromkeys(axis for _, _, axes in store.attributes["elements"] for axis in axes)
    counted = ["generation", *counted, *(["censored"] if timed else [])]
    columns = [*(key for key, _, _ in labels), "observable", *counted, *STATISTICS]
    done = store.done().any(axis=1).tolist()
    measured = statistics(store) if store.layout.elements else ((k, None) for k in range(len(plan)))

    def tidy(frame: pd.DataFrame, point: int, name: str) -> pd.DataFrame:
        place = plan.index(point)
        frame = frame.assign(observable=name, **{key: values[place[k]] for key, values, k in labels})
        # whole numbers, some of them missing
        return frame.reindex(columns=columns).astype(dict.fromkeys([*counted, "count"], "Int64"))

    frames: list[pd.DataFrame] = []
    for point, values in measured:
        if not done[point]:
            continue
        if values is not None:
            for name, variable in point_dataset(store, plan, values).data_vars.items():
                frame = variable.to_dataset(dim="statistic").to_dataframe().reset_index()
                frames.append(tidy(frame, point, str(name)))
        for name, found, censored in timed:
            row = dict(zip(STATISTICS, found[point], strict=True)) | {"censored": censored[point]}
            frames.append(tidy(pd.DataFrame([row]), point, name))
        if len(frames) >= points:
            yield pd.concat(frames, ignore_index=True)
            frames = []
    yield pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _csv(draft: Path, store: Store) -> None:
    with draft.open("w", newline="") as file:
        for k, frame in enumerate(rows(store)):
            frame.to_csv(file, index=False, header=k == 0)


def _netcdf(draft: Path, place: str) -> None:
    from jaxsim.sweeps.gather import read

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
