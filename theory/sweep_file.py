"""Sweep files: a loop, and the axes of its `[sweep]` table, along which it changes. Vocabulary only.

    [sweep]
    seeds = 10000                       # replicates at every point
    generations = "1:200"               # or 50, or [1, 10, 100]
    "data.n" = [10, 100, "4 * t**2"]
    "sampler.bias" = {linear = [0.5, 1, 6]}

    [[sweep.zip]]                       # these move together
    "source.variance" = [1, 4]
    "estimator.name" = ["maximum-likelihood", "unbiased"]

The grid is the product of the axes: those of `[sweep]` in the order written, then each `[[sweep.zip]]`; the
last changes fastest. Every point is a `Loop` like any other, its key in the random streams comes from the
master seed and its own hash, so that a point never depends on which others there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from theory import loop_file
from theory.loop import Loop, LoopError
from theory.observable import NAMES, PASSAGES
from theory.spacing import axis_values, refuse_repeats, whole_number
from theory.sweep import Axis, Sweep

LARGEST_GRID = 10**6
LARGEST_SEEDS = 2**32
LARGEST_GENERATION = 2**31 - 1
MOST_GENERATIONS = 10**6
ENGINES = ("exact", "literal", "auto")
KEPT = ("summary", "replicates")
KEYS = (
    "seeds", "generations", "observables", "seed", "engine", "keep", "histogram", "max_generations", "zip",
)  # fmt: skip


def from_mapping(tables: Any) -> Sweep:
    """The sweep that nested mappings describe (what TOML or JSON hold); every point is built and so checked.

    Raises:
        LoopError: on whatever makes no sense, with the key's path.
    """
    if not isinstance(tables, dict):
        raise LoopError("the sweep", tables, "the tables of a loop and [sweep] are needed")
    content = tables.get("sweep")
    if content is None:
        raise LoopError("sweep", None, "the table [sweep] is missing")
    if not isinstance(content, dict):
        raise LoopError("sweep", content, "a table is needed")
    template = {name: table for name, table in tables.items() if name != "sweep"}
    for name, table in template.items():
        if not isinstance(table, dict):
            raise LoopError(name, table, "a table is needed")
    observables = _observables(content.get("observables"))
    timeless = observables is not None and set(observables) <= set(PASSAGES)
    for key in ("seeds",) if timeless else ("seeds", "generations"):
        if key not in content:
            raise LoopError(f"sweep.{key}", None, "it is missing")
    sweep = Sweep(
        template=template,
        axes=_axes(content),
        generations=read_generations(content.get("generations", 1)),
        seeds=whole_number("sweep.seeds", content["seeds"], 1, LARGEST_SEEDS),
        seed=whole_number("sweep.seed", content.get("seed", 0), 0, 2**64 - 1),
        engine=_choice("sweep.engine", content.get("engine", "exact"), ENGINES),
        observables=observables,
        keep=_choice("sweep.keep", content.get("keep", "summary"), KEPT),
        histograms=_histograms(content.get("histogram", {})),
        max_generations=whole_number(
            "sweep.max_generations", content.get("max_generations", 10**6), 1, LARGEST_GENERATION
        ),
    )
    return _normalised(sweep)


def to_mapping(sweep: Sweep) -> dict[str, Any]:
    """The tables of `sweep`, spacings written out; `from_mapping` inverts it."""
    content: dict[str, Any] = {
        "seeds": sweep.seeds,
        "seed": sweep.seed,
        "generations": list(sweep.generations),
        "engine": sweep.engine,
        "keep": sweep.keep,
        "max_generations": sweep.max_generations,
    }
    if sweep.observables is not None:
        content["observables"] = list(sweep.observables)
    if sweep.histograms:
        content["histogram"] = {name: list(edges) for name, edges in sweep.histograms}
    # single axes come first in a file's order, so a grid of another order is written as zips throughout
    single = [len(axis.keys) == 1 for axis in sweep.axes]
    plain = sum(single) if single == sorted(single, reverse=True) else 0
    for axis in sweep.axes[:plain]:
        content[axis.name] = [value for (value,) in axis.values]
    zips = [
        {key: list(column) for key, column in zip(axis.keys, zip(*axis.values, strict=True), strict=True)}
        for axis in sweep.axes[plain:]
    ]
    return {**sweep.template, "sweep": content | ({"zip": zips} if zips else {})}


def load(
    argument: str, settings: list[str] | tuple[str, ...] = (), options: Mapping[str, Any] | None = None
) -> Sweep:
    """The sweep a command line names: a file, `-` for standard input, or an inline JSON object.

    Args:
        argument: as above.
        settings: `table.key=value` changes made to it.
        options: keys of `[sweep]` given instead of the file's; those that are None are not.
    """
    tables = loop_file.tables(argument, settings)
    content = tables.get("sweep")
    if isinstance(content, dict):
        given = {key: value for key, value in (options or {}).items() if value is not None}
        tables = tables | {"sweep": content | given}
    plan = from_mapping(tables)
    swept = {key for axis in plan.axes for key in axis.keys}
    for setting in settings:
        key = setting.partition("=")[0].strip()
        if key in swept:
            raise LoopError("--set", setting, f"{key} is an axis of the sweep, which gives it")
    return plan


def grid(
    loop: Loop,
    axes: Mapping[str, Any],
    generations: Any,
    seeds: int,
    *,
    zipped: list[Mapping[str, Any]] | tuple[Mapping[str, Any], ...] = (),
    **options: Any,
) -> Sweep:
    """The sweep of `loop` along `axes` (dotted path -> values), in Python's words.

    Args:
        loop: what does not change.
        axes: as in `[sweep]`.
        generations: a number, a list, or text such as "1:200".
        seeds: replicates at every point.
        zipped: as `[[sweep.zip]]`.
        options: further keys of `[sweep]`.
    """
    content = {**axes, **options, "generations": generations, "seeds": seeds, "zip": list(zipped)}
    return from_mapping({**loop_file.to_mapping(loop), "sweep": content})


def read_generations(value: Any) -> tuple[int, ...]:
    """Generations from 50, [1, 10, 100], "1:200" or "1,10,100", increasing."""
    key = "sweep.generations"
    listed = value
    if isinstance(value, str):
        first, colon, last = value.partition(":")
        try:
            if colon:
                if int(last) - int(first) >= MOST_GENERATIONS:
                    raise LoopError(key, value, f"at most {MOST_GENERATIONS} generations at a time")
                listed = range(int(first), int(last) + 1)
            else:
                listed = [int(item) for item in value.split(",")]
        except ValueError as error:
            if isinstance(error, LoopError):
                raise
            raise LoopError(key, value, "write 50, 1:200 or 1,10,100") from None
    elif hasattr(value, "tolist"):
        listed = value.tolist()
    if not isinstance(listed, list | tuple | range):
        listed = [listed]
    if not listed:
        raise LoopError(key, value, "at least one is needed")
    found = tuple(whole_number(key, item, 1, LARGEST_GENERATION) for item in listed)
    if any(after <= before for before, after in pairwise(found)):
        raise LoopError(key, value, "they must increase")
    return found


def _axes(content: dict[str, Any]) -> tuple[Axis, ...]:
    single = [
        Axis((path,), tuple((value,) for value in axis_values(f"sweep.{path}", given)))
        for path, given in _paths(content, "sweep", KEYS)
    ]
    zips = content.get("zip", [])
    if not isinstance(zips, list | tuple):
        raise LoopError("sweep.zip", zips, "write [[sweep.zip]], an array of tables")
    axes = (*single, *(_zipped(f"sweep.zip[{k}]", table) for k, table in enumerate(zips)))
    seen: set[str] = set()
    for path in (key for axis in axes for key in axis.keys):
        if path in seen:
            raise LoopError(f"sweep.{path}", None, "it is an axis twice")
        seen.add(path)
    points = math.prod(len(axis.values) for axis in axes)
    if points > LARGEST_GRID:
        raise LoopError("sweep", None, f"the grid has {points} points; at most {LARGEST_GRID} are possible")
    return axes


def _zipped(where: str, table: Any) -> Axis:
    if not isinstance(table, dict):
        raise LoopError(where, table, "a table is needed")
    columns = {
        path: axis_values(f"{where}.{path}", given, repeat=True) for path, given in _paths(table, where)
    }
    if not columns:
        raise LoopError(where, None, "it has no keys")
    first = next(iter(columns))
    for path, values in columns.items():
        if len(values) != len(columns[first]):
            raise LoopError(
                f"{where}.{path}", None, f"it has {len(values)} values, {first} has {len(columns[first])}"
            )
    rows = tuple(zip(*columns.values(), strict=True))
    refuse_repeats(where, list(rows))
    return Axis(tuple(columns), rows)


def _paths(table: dict[str, Any], where: str, known: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The axes of a table: "data.n" = ... in quotes, or data.n = ..., which TOML reads as a table."""
    for key, value in table.items():
        if key in known:
            continue
        if "." not in key and isinstance(value, dict) and key in loop_file.TABLES:
            nested = [(f"{key}.{inner}", given) for inner, given in value.items()]
        else:
            nested = [(key, value)]
        for path, given in nested:
            name, dot, rest = path.partition(".")
            if not (dot and rest and name):
                names = f"; there are: {', '.join(known)}" if known else ""
                raise LoopError(
                    f"{where}.{path}", given, f'no such key{names}; an axis is written "table.key"'
                )
            if name not in loop_file.TABLES:
                raise LoopError(
                    f"{where}.{path}", given, f"a loop's tables are {', '.join(loop_file.TABLES)}"
                )
            yield path, given


def _normalised(sweep: Sweep) -> Sweep:
    """Build every point, and write the axes' values as the loops hold them (a variance of 1 is 1.0)."""
    for loop in sweep.loops():
        del loop
    axes, stride = [], len(sweep)
    for axis in sweep.axes:
        stride //= len(axis.values)
        rows = []
        for k in range(len(axis.values)):
            held = loop_file.to_mapping(sweep.loop(k * stride))
            rows.append(
                tuple(_held(held, key, given) for key, given in zip(axis.keys, axis.values[k], strict=True))
            )
        refuse_repeats(f"sweep.{axis.name}", list(rows))
        axes.append(Axis(axis.keys, tuple(rows)))
    return replace(sweep, axes=tuple(axes))


def _held(tables: Any, path: str, given: Any) -> Any:
    for name in path.split("."):
        if not isinstance(tables, dict) or name not in tables:
            return given
        tables = tables[name]
    return tables


def _observables(names: Any) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list | tuple) or not names:
        raise LoopError("sweep.observables", names, "a list of names is needed")
    for name in names:
        if name not in (*NAMES, *PASSAGES):
            known = ", ".join((*NAMES, *PASSAGES))
            raise LoopError("sweep.observables", name, f"unknown; there are {known}")
    return tuple(dict.fromkeys(names))


def _histograms(table: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    if not isinstance(table, dict):
        raise LoopError("sweep.histogram", table, "a table is needed: {variance = {linear = [0, 2, 101]}}")
    found = []
    for name, given in table.items():
        where = f"sweep.histogram.{name}"
        if name in PASSAGES:
            raise LoopError(where, given, 'first passages are not binned; keep = "replicates" keeps each')
        if name not in NAMES:
            raise LoopError(where, given, "no such observable")
        edges = axis_values(where, given)
        for edge in edges:
            if isinstance(edge, bool) or not isinstance(edge, int | float) or not math.isfinite(edge):
                raise LoopError(where, edge, "the edge of a bin is a finite number")
        if len(edges) < 2 or any(after <= before for before, after in pairwise(edges)):
            raise LoopError(where, given, "at least two edges are needed, and they must increase")
        found.append((name, tuple(float(edge) for edge in edges)))
    return tuple(found)


def _choice(key: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise LoopError(key, value, f"there are: {', '.join(choices)}")
    return value
