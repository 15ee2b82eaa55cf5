"""What a sweep measures at every point of its grid, and how it is cut into work units."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsim.measure import Measurement, measurement
from jaxsim.passage import Walk, in_blocks
from jaxsim.prepare import chosen_engine
from jaxsim.random import STREAM_VERSION
from jaxsim.summary import Summary, Tally
from jaxsim.sweeps.layout import Layout
from jaxsim.sweeps.unit_size import unit_size, work
from theory.estimator import KernelDensity
from theory.loop import Gaussian, Loop, LoopError, Replace, require_numbers, sample_sizes
from theory.loop_file import loop_hash, to_mapping
from theory.observable import PASSAGES, axes, shape
from theory.sweep import Sweep
from theory.sweep_file import to_mapping as sweep_mapping

Resolve = Callable[[Loop], Loop]


class Element(NamedTuple):
    """An observable of any point.

    Attributes:
        name: of it.
        shape: of its trailing axes, the largest over the points.
        axes: their names.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]


class Kind(NamedTuple):
    """What points that are measured alike have in common.

    Attributes:
        engine: the one they run in.
        elements: measured at generations.
        block: replicates in a block.
        work: of one replicate.
    """

    engine: str
    elements: tuple[Element, ...]
    block: int
    work: float


class Grid(NamedTuple):
    """A sweep made ready.

    Attributes:
        sweep: as written.
        resolve: makes a loop one that can be simulated.
        elements: observables of any point, measured at generations.
        passages: first passages asked for.
        literal: the points that the literal engine runs, where the choice was left to them.
        layout: of its store.
        configuration: all that decides its numbers.
    """

    sweep: Sweep
    resolve: Resolve
    elements: tuple[Element, ...]
    passages: tuple[str, ...]
    literal: frozenset[int]
    layout: Layout
    configuration: dict[str, Any]

    def attributes(self) -> dict[str, Any]:
        """What the root of a store says, besides its layout."""
        return {
            "sweep": sweep_mapping(self.sweep),
            "elements": [
                [element.name, list(element.shape), list(element.axes)] for element in self.elements
            ],
            "passages": list(self.passages),
            "literal": sorted(self.literal),
            "configuration": self.configuration,
        }

    def engine(self, point: int) -> str:
        """The engine of a point."""
        if self.sweep.engine != "auto":
            return self.sweep.engine
        return "literal" if point in self.literal else "exact"

    def measurement(self, point: int) -> Measurement | None:
        """A point made ready to run: what `jaxsim.simulate` runs for the same loop."""
        timed = _timed(self.sweep)
        if timed == ():
            return None
        return measurement(
            self.resolve(self.sweep.loop(point)),
            np.array(self.sweep.generations, np.int64),
            seed=self.sweep.seed,
            engine=self.engine(point),  # ty: ignore[invalid-argument-type]
            observables=timed,
        )

    def walks(self, point: int) -> list[Walk]:
        """The first passages of a point made ready: what `jaxsim.passage.first_passage` walks."""
        loop, engine = self.resolve(self.sweep.loop(point)), self.engine(point)
        limit = self.sweep.max_generations
        return [Walk(loop, name, engine, self.sweep.seed, limit) for name in self.passages]  # ty: ignore[invalid-argument-type]

    def passed(
        self, walks: list[Walk], first: int, last: int, devices: tuple[jax.Device, ...]
    ) -> tuple[dict[str, np.ndarray], int]:
        """What a unit keeps of first passages, and the seed-generations they took."""
        times = np.stack([walk(first, last - first, devices) for walk in walks], axis=-1).astype(np.int64)
        totals = [_total(column, walk.block) for column, walk in zip(times.T, walks, strict=True)]
        found = {"passages": np.stack([np.stack(list(vars(total).values())) for total in totals], axis=-1)}
        if self.layout.replicates:
            found["times"] = times
        return found, int(np.where(times > 0, times, self.sweep.max_generations).sum())

    def moments(self, ready: Measurement, total: Summary) -> np.ndarray:
        """A summary as its unit keeps it, [moment, generation, element]; NaN where a point lacks one."""
        rows = (total.mean, total.second, total.third, total.fourth)
        return self.spread(ready, np.stack(rows))

    def histogram(self, counts: dict[str, np.ndarray]) -> np.ndarray:
        """The counts of a unit, [generation, bin]; 0 where a point lacks an element."""
        edges = dict(self.sweep.histograms)
        columns = []
        for name, trailing, _ in self.elements:
            if name in edges:
                place = np.zeros((self.layout.generations, *trailing, len(edges[name]) + 1), np.int64)
                if name in counts:
                    place[tuple(map(slice, counts[name].shape))] = counts[name]
                columns.append(place.reshape(len(place), -1))
        return np.concatenate(columns, axis=-1)

    def spread(self, ready: Measurement, values: np.ndarray) -> np.ndarray:
        """A point's elements [..., element] in the places of the grid's, NaN elsewhere."""
        pieces = ready.split(values)
        columns = []
        for name, trailing, _ in self.elements:
            place = np.full((*values.shape[:-1], *trailing), np.nan)
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
    known: dict[Any, Kind] = {}
    elements: dict[str, Element] = {}
    literal: list[int] = []
    hashes = hashlib.sha256()
    for point, loop in enumerate(map(resolve, sweep.loops())):
        require_numbers(loop)
        key = _alike(loop)
        if key not in known:
            known[key] = _kind(sweep, loop)
            for element in known[key].elements:
                elements[element.name] = _joined(elements.get(element.name, element), element)
        if known[key].engine != sweep.engine and known[key].engine == "literal":
            literal.append(point)
        hashes.update(loop_hash(loop).to_bytes(8, "big"))
    found = tuple(elements.values())
    for name, _ in sweep.histograms:
        if name not in elements:
            raise LoopError("sweep.histogram", name, f"not among the observables {', '.join(elements)}")
    passages = tuple(name for name in sweep.observables or () if name in PASSAGES)
    layout = _layout(sweep, found, passages, list(known.values()))
    configuration = _configuration(sweep, found, passages, literal, layout, hashes)
    return Grid(sweep, resolve, found, passages, frozenset(literal), layout, configuration)


def _total(times: np.ndarray, block: int) -> Summary:
    total = Tally()
    for part in in_blocks(times, block):
        total.add(part)
    return total.sum()


def _timed(sweep: Sweep) -> tuple[str, ...] | None:
    """The observables asked for that are measured at generations; None: all that are cheap."""
    if sweep.observables is None:
        return None
    return tuple(name for name in sweep.observables if name not in PASSAGES)


def _alike(loop: Loop) -> Any:
    """A key that plain Gaussian loops share when they are measured alike; any other loop has its own."""
    source = loop.source
    if not isinstance(source, Gaussian) or isinstance(loop.estimator, KernelDensity) or loop.selection:
        return loop_hash(loop)
    sampler = loop.sampler
    flat = (source.is_scalar, source.dimension, loop.start is None)
    return loop.data, loop.estimator, sampler.truncate, sampler.applies_to_source, flat


def _kind(sweep: Sweep, loop: Loop) -> Kind:
    engine, setting = chosen_engine(loop, sweep.generations[-1], sweep.engine)
    timed, block, length = _timed(sweep), setting.kernel.block, sweep.generations[-1]
    for name in timed or ():
        if name not in setting.available:
            raise LoopError(
                "sweep.observables", name, f"available at every point: {', '.join(setting.available)}"
            )
    names = setting.default if timed is None else timed
    for name in sweep.observables or ():
        if name in PASSAGES:
            block = max(block, Walk(loop, name, engine, sweep.seed, sweep.max_generations).block)  # ty: ignore[invalid-argument-type]
            length = max(length, min(sweep.max_generations, _first_size(loop)))
    return Kind(
        engine,
        tuple(Element(name, shape(loop, name), axes(loop, name)) for name in names),
        block,
        length * work(loop, engine, sweep.generations[-1]),
    )


def _first_size(loop: Loop) -> int:
    """The size of the first fit: a first passage takes about as many generations."""
    return sample_sizes(loop.data.n, 1)[0] if isinstance(loop.data, Replace) else 1


def _joined(one: Element, other: Element) -> Element:
    """An observable that two points have, wide enough for both."""
    if one.axes != other.axes:
        a, b = (" and ".join(element.axes) or "none" for element in (one, other))
        raise LoopError("sweep", one.name, f"a grid cannot mix points that have it with axes {a} and {b}")
    return one._replace(shape=tuple(map(max, one.shape, other.shape)))


def _layout(
    sweep: Sweep, elements: tuple[Element, ...], passages: tuple[str, ...], kinds: list[Kind]
) -> Layout:
    sizes = {element.name: int(np.prod(element.shape)) for element in elements}
    kept = 8 * len(sweep.generations) * sum(sizes.values()) if sweep.keep == "replicates" else 0
    return Layout(
        points=len(sweep),
        seeds=sweep.seeds,
        unit=unit_size(
            max(kind.work for kind in kinds), kept, sweep.seeds, max(kind.block for kind in kinds)
        ),
        generations=len(sweep.generations),
        elements=sum(sizes.values()),
        bins=sum((len(edges) + 1) * sizes[name] for name, edges in sweep.histograms),
        passages=len(passages),
        replicates=sweep.keep == "replicates",
    )


def _configuration(
    sweep: Sweep,
    elements: tuple[Element, ...],
    passages: tuple[str, ...],
    literal: list[int],
    layout: Layout,
    hashes: Any,
) -> dict[str, Any]:
    """All that decides the numbers, defaults filled in, so that two ways to write one sweep are one."""
    spread = {"+".join(axis.keys): list(axis.values) for axis in sweep.axes}
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
        "observables": [*(element.name for element in elements), *passages],
        "keep": sweep.keep,
        "histogram": {name: list(edges) for name, edges in sweep.histograms},
        "axes": spread,
    }
    if passages:
        asked["max_generations"] = sweep.max_generations
    return {
        **loop,
        "sweep": asked,
        "points": hashes.hexdigest(),
        "literal": literal,
        "unit": layout.unit,
        "stream": STREAM_VERSION,
    }
