"""What a sweep measures at every point of its grid, and how it is cut into work units."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxsim.measure import Measurement, measurement, trailing
from jaxsim.random import STREAM_VERSION
from jaxsim.recipe_plan import points_drawn
from jaxsim.schedule import require_gaussian_numbers
from jaxsim.setting import prepared
from jaxsim.store import Layout
from jaxsim.summary import Summary
from theory.loop import Loop, LoopError, Replace, sample_sizes
from theory.loop_file import loop_hash, to_mapping
from theory.sweep import Sweep
from theory.sweep_file import to_mapping as sweep_mapping

UNIT_WORK = 2**25  # seed-generations of the cheapest loop in a unit: about half a second of one core
UNIT_BYTES = 2**26  # of replicates, where they are kept
SMALLEST_UNIT = 1024  # a multiple of every block

Resolve = Callable[[Loop], Loop]


class Grid(NamedTuple):
    """A sweep made ready.

    Attributes:
        sweep: as written.
        resolve: makes a loop one that can be simulated.
        names: observables of any point.
        shapes: of each, the largest over the points.
        layout: of its store.
        configuration: all that decides its numbers.
    """

    sweep: Sweep
    resolve: Resolve
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    layout: Layout
    configuration: dict[str, Any]

    def attributes(self) -> dict[str, Any]:
        """What the root of a store says, besides its layout."""
        elements = [[name, list(shape)] for name, shape in zip(self.names, self.shapes, strict=True)]
        return {
            "sweep": sweep_mapping(self.sweep),
            "elements": elements,
            "configuration": self.configuration,
        }

    def measurement(self, point: int) -> Measurement:
        """A point made ready to run: what `jaxsim.simulate` runs for the same loop."""
        return measurement(
            self.resolve(self.sweep.loop(point)),
            np.array(self.sweep.generations, np.int64),
            seed=self.sweep.seed,
            engine=self.sweep.engine,  # ty: ignore[invalid-argument-type]
            observables=self.sweep.observables,
        )

    def moments(self, ready: Measurement, total: Summary) -> np.ndarray:
        """A summary as its unit keeps it, [moment, generation, element]; NaN where a point lacks one."""
        rows = (total.mean, total.second, total.third, total.fourth)
        return self.spread(ready, np.stack(rows))

    def histogram(self, ready: Measurement, first: int, last: int, devices: tuple) -> np.ndarray:
        """The counts of a unit, [generation, bin]; 0 where a point lacks an element."""
        edges = dict(self.sweep.histograms)
        counts = ready.histogram(first, last, devices, edges)
        columns = []
        for name, shape in zip(self.names, self.shapes, strict=True):
            if name in edges:
                place = np.zeros((self.layout.generations, *shape, len(edges[name]) + 1), np.int64)
                if name in counts:
                    place[tuple(map(slice, counts[name].shape))] = counts[name]
                columns.append(place.reshape(len(place), -1))
        return np.concatenate(columns, axis=-1)

    def spread(self, ready: Measurement, values: np.ndarray) -> np.ndarray:
        """A point's elements [..., element] in the places of the grid's, NaN elsewhere."""
        pieces = ready.split(values)
        columns = []
        for name, shape in zip(self.names, self.shapes, strict=True):
            place = np.full((*values.shape[:-1], *shape), np.nan)
            if name in pieces:
                piece = pieces[name]
                place[(..., *map(slice, piece.shape[values.ndim - 1 :]))] = piece
            columns.append(place.reshape(*values.shape[:-1], -1))
        return np.concatenate(columns, axis=-1)


def grid(sweep: Sweep, resolve: Resolve | None = None) -> Grid:
    """Look at every point before the first draw.

    Raises:
        LoopError: if the engine cannot run one of them, or an observable asked for does not exist there.
    """
    resolve = resolve or (lambda loop: loop)
    known: dict[Any, tuple[str, ...]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    hashes = hashlib.sha256()
    kinds, cost = set(), 1.0
    for loop in map(resolve, sweep.loops()):
        require_gaussian_numbers(loop)
        source: Any = loop.source
        sampler = loop.sampler
        key = (loop.data, source.is_scalar, source.dimension, sampler.truncate, sampler.applies_to_source,
               loop.start is None)  # fmt: skip
        if key not in known:
            known[key] = _names(sweep, loop)
            cost = max(cost, _cost(sweep, loop))
        kinds.add(source.is_scalar)
        if len(kinds) > 1:
            raise LoopError("sweep", None, "a grid cannot mix sources on the line with vectors")
        for name in known[key]:
            own = trailing(name, loop)
            shapes[name] = tuple(map(max, shapes.get(name, own), own))
        hashes.update(loop_hash(loop).to_bytes(8, "big"))
    names = tuple(shapes)
    for name, _ in sweep.histograms:
        if name not in names:
            raise LoopError("sweep.histogram", name, f"not among the observables {', '.join(names)}")
    layout = _layout(sweep, shapes, cost)
    return Grid(
        sweep, resolve, names, tuple(shapes.values()), layout, _configuration(sweep, names, layout, hashes)
    )


def _names(sweep: Sweep, loop: Loop) -> tuple[str, ...]:
    setting, _ = prepared(loop, sweep.generations[-1], sweep.engine, None)  # ty: ignore[invalid-argument-type]
    for name in sweep.observables or ():
        if name not in setting.available:
            raise LoopError(
                "sweep.observables", name, f"available at every point: {', '.join(setting.available)}"
            )
    return sweep.observables or setting.default


def _cost(sweep: Sweep, loop: Loop) -> float:
    """Work of a seed-generation against one of the exact engine on the line: to size units by."""
    source: Any = loop.source
    if not isinstance(loop.data, Replace):
        return points_drawn(loop, sweep.generations[-1]) if sweep.engine == "literal" else 8.0
    if sweep.engine == "literal":
        return 1 + 0.4 * source.dimension * float(np.mean(sample_sizes(loop.data.n, sweep.generations[-1])))
    return 1.0 if source.is_scalar else float(source.dimension) ** 2


def _layout(sweep: Sweep, shapes: dict[str, tuple[int, ...]], cost: float) -> Layout:
    elements = sum(int(np.prod(shape)) for shape in shapes.values())
    most = UNIT_WORK / (cost * sweep.generations[-1])
    if sweep.keep == "replicates":
        most = min(most, UNIT_BYTES / (8 * len(sweep.generations) * elements))
    most = min(most, 2 ** (sweep.seeds - 1).bit_length())
    unit = SMALLEST_UNIT
    while 2 * unit <= most:
        unit *= 2
    bins = sum((len(edges) + 1) * int(np.prod(shapes[name])) for name, edges in sweep.histograms)
    return Layout(
        points=len(sweep),
        seeds=sweep.seeds,
        unit=unit,
        generations=len(sweep.generations),
        elements=elements,
        bins=bins,
        replicates=sweep.keep == "replicates",
    )


def _configuration(sweep: Sweep, names: tuple[str, ...], layout: Layout, hashes: Any) -> dict[str, Any]:
    """All that decides the numbers, defaults filled in, so that two ways to write one sweep are one."""
    axes = {"+".join(axis.keys): list(axis.values) for axis in sweep.axes}
    changed = set(sweep.changes(0))
    loop = {
        table: {key: value for key, value in content.items() if f"{table}.{key}" not in changed}
        for table, content in to_mapping(sweep.loop(0)).items()
    }
    asked = {
        "seeds": sweep.seeds,
        "seed": sweep.seed,
        "generations": list(sweep.generations),
        "engine": sweep.engine,
        "observables": list(names),
        "keep": sweep.keep,
        "histogram": {name: list(edges) for name, edges in sweep.histograms},
        "axes": axes,
    }
    return {
        **loop,
        "sweep": asked,
        "points": hashes.hexdigest(),
        "unit": layout.unit,
        "stream": STREAM_VERSION,
    }
