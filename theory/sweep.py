"""A sweep: a grid of loops, and what is asked of each (`theory.sweep_file` reads and writes it)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from theory.loop import Loop, LoopError
from theory.loop_file import from_mapping


@dataclass(frozen=True)
class Axis:
    """One dimension of a grid: keys of the loop that change together.

    Attributes:
        keys: dotted paths; the first names the dimension.
        values: what they take, [value][key].
    """

    keys: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    @property
    def name(self) -> str:
        """The dimension's name: the first key."""
        return self.keys[0]

    def labels(self, key: str) -> list[Any]:
        """The values of one key as coordinates: numbers of one kind where all are numbers, else text."""
        values = [row[self.keys.index(key)] for row in self.values]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            return values if all(isinstance(value, int) for value in values) else list(map(float, values))
        return [value if isinstance(value, str) else json.dumps(value) for value in values]


@dataclass(frozen=True)
class Sweep:
    """A grid of loops and what is asked of each.

    Attributes:
        template: the tables of the loop; keys that an axis gives may be missing.
        axes: the grid's dimensions, the last changing fastest.
        generations: those measured, increasing.
        seeds: replicates at every point.
        seed: the master seed.
        engine: `exact`, `literal`, or `auto`: literal at the points that the exact one cannot run.
        observables: names, or None for all that exist and are cheap.
        keep: `summary`, or `replicates` for each replicate's values as well.
        histograms: (observable, edges of its bins), counted beside the moments.
        max_generations: where a first passage is given up.
    """

    template: Mapping[str, Any]
    axes: tuple[Axis, ...]
    generations: tuple[int, ...]
    seeds: int
    seed: int = 0
    engine: str = "exact"
    observables: tuple[str, ...] | None = None
    keep: str = "summary"
    histograms: tuple[tuple[str, tuple[float, ...]], ...] = ()
    max_generations: int = 10**6

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of every axis."""
        return tuple(len(axis.values) for axis in self.axes)

    def __len__(self) -> int:
        return math.prod(self.shape)

    def index(self, point: int) -> tuple[int, ...]:
        """The place of a point along every axis."""
        place = []
        for length in reversed(self.shape):
            point, k = divmod(point, length)
            place.append(k)
        return tuple(reversed(place))

    def changes(self, point: int) -> dict[str, Any]:
        """The keys that the axes give to a point, and their values there."""
        rows = zip(self.axes, self.index(point), strict=True)
        return {key: value for axis, k in rows for key, value in zip(axis.keys, axis.values[k], strict=True)}

    def loop(self, point: int) -> Loop:
        """The loop of a point.

        Raises:
            LoopError: if its values make no loop.
        """
        return from_mapping(_changed(self.template, self.changes(point)))

    def loops(self) -> Iterator[Loop]:
        """Every point's loop, in the grid's order."""
        return map(self.loop, range(len(self)))


def _changed(template: Mapping[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The template with the keys of one point put in; tables on the way are copied, never shared."""
    tables = {name: dict(table) for name, table in template.items()}
    for path, value in changes.items():
        *parents, last = path.split(".")
        table = tables
        for name in parents:
            inner = table.get(name, {})
            if not isinstance(inner, dict):
                raise LoopError(path, inner, f"{name} is a value, not a table")
            table[name] = dict(inner)
            table = table[name]
        table[last] = value
    return tables
