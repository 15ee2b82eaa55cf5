"""Reads a sweep's store: what is done so far, as a dataset with a dimension for each axis."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from jaxsim import passage
from jaxsim.summary import STATISTICS, Summary, Tally
from jaxsim.sweeps.layout import MOMENTS, is_unwritten
from jaxsim.sweeps.store import Store, StoreError, open_store
from theory.observable import numbered
from theory.sweep import Sweep
from theory.sweep_file import from_mapping

SLAB_BYTES = 2**26  # read at once


def read(place: str) -> xr.Dataset:
    """Everything done so far: dimensions (axis, ..., statistic, generation, ...), NaN with count 0 elsewhere.

    A point that is complete has the bits of `jaxsim.simulate.simulate` with the same loop, seed and seeds. A
    first passage has no generation, and beside it stands how many replicates were censored.

    Raises:
        StoreError: if there is no sweep, or a chunk is damaged or lost.
    """
    store = open_store(place)
    plan = written_sweep(store)
    data: dict[str, Any] = {}
    coordinates = {**_coordinates(store, plan), "statistic": list(STATISTICS)}
    if store.layout.elements:
        values = np.empty((len(plan), len(STATISTICS), store.layout.generations, store.layout.elements))
        for point, rows in statistics(store):
            values[point] = rows
        for name, axes, piece in _split(store, values):
            dimensions = (*_axis_names(plan), "statistic", "generation", *axes)
            data[name] = (dimensions, piece.reshape(*plan.shape, *piece.shape[1:]))
        coordinates["generation"] = list(plan.generations)
    for name, found, censored in passages(store):
        data[name] = ((*_axis_names(plan), "statistic"), found.reshape(*plan.shape, -1))
        data[f"{name}_censored"] = (_axis_names(plan), censored.reshape(plan.shape))
    if store.layout.bins:
        more, edges = _histograms(store, plan)
        data, coordinates = data | more, coordinates | edges
    return numbered(xr.Dataset(data, coordinates, _attributes(store)))


def replicates(place: str) -> xr.Dataset:
    """Every replicate of a sweep that keeps them: (axis, ..., replicate, generation, ...), NaN if not done.

    A first passage is its time, 0 where it was given up.

    Raises:
        StoreError: if the store does not keep them, or a chunk is damaged.
    """
    store = open_store(place)
    plan = written_sweep(store)
    if not store.layout.replicates:
        raise StoreError(place, "it keeps no replicates")
    done = np.repeat(store.done(), store.layout.counts(), axis=1)

    def every(array: str) -> np.ndarray:
        values = np.stack([store.read(array, point) for point in range(len(plan))]).astype(float)
        values[~done] = np.nan
        return values

    data: dict[str, Any] = {}
    coordinates = _coordinates(store, plan)
    if store.layout.elements:
        for name, axes, piece in _split(store, every("replicates")):
            dimensions = (*_axis_names(plan), "replicate", "generation", *axes)
            data[name] = (dimensions, piece.reshape(*plan.shape, *piece.shape[1:]))
        coordinates["generation"] = list(plan.generations)
    if store.layout.passages:
        times = np.moveaxis(every("times"), -1, 0)
        for name, values in zip(store.attributes["passages"], times, strict=True):
            data[name] = ((*_axis_names(plan), "replicate"), values.reshape(*plan.shape, -1))
    return numbered(xr.Dataset(data, coordinates, _attributes(store)))


def point_dataset(store: Store, plan: Sweep, rows: np.ndarray) -> xr.Dataset:
    """One point's statistics [statistic, generation, element] as `jaxsim.simulate.simulate` gives them."""
    data = {}
    for name, axes, piece in _split(store, rows):
        if not np.isnan(piece).all():
            data[name] = (("statistic", "generation", *axes), piece)
    return numbered(xr.Dataset(data, {"statistic": list(STATISTICS), "generation": list(plan.generations)}))


def statistics(store: Store) -> Iterator[tuple[int, np.ndarray]]:
    """Point by point, its statistics so far [statistic, generation, element]."""
    shape = (len(MOMENTS), store.layout.generations, store.layout.elements)
    counts = store.layout.counts()
    for point, done, units in _by_point(store, "moments", shape):
        total = Tally()
        absent = np.ones(shape[1:], bool)
        for unit in np.flatnonzero(done):
            absent = np.isnan(units[unit][0])
            total.add(Summary(np.full(absent.shape, float(counts[unit])), *units[unit]))
        found = total.sum().statistics() if done.any() else _nothing(absent.shape)
        found[:, absent & done.any()] = np.nan
        yield point, found


def passages(store: Store) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Each first passage so far: its name, [point, statistic], and how many were censored [point]."""
    names = store.attributes["passages"]
    if not names:
        return []
    counts = store.layout.counts()
    found = np.empty((len(names), store.layout.points, len(STATISTICS)))
    censored = np.zeros((len(names), store.layout.points), np.int64)
    for point, done, units in _by_point(store, "passages", (1 + len(MOMENTS), len(names))):
        total = Tally()
        for unit in np.flatnonzero(done):
            total.add(Summary(*units[unit]))
        if not done.any():
            found[:, point] = _nothing((len(names),)).T
            continue
        summed = total.sum()
        censored[:, point] = counts[done].sum() - summed.count.astype(np.int64)
        found[:, point] = passage.statistics(summed, censored[:, point]).T
    return list(zip(names, found, censored, strict=True))


def written_sweep(store: Store) -> Sweep:
    """The sweep a store is of."""
    return from_mapping(store.attributes["sweep"])


def _by_point(
    store: Store, name: str, shape: tuple[int, ...]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Point by point: which units are done, and an array's part [unit, ...], some points read at once."""
    done = store.done()
    slab = max(1, SLAB_BYTES // (8 * store.layout.units * int(np.prod(shape))))
    for begin in range(0, store.layout.points, slab):
        points = slice(begin, min(begin + slab, store.layout.points))
        units = (slab, store.layout.units, *shape)
        block = store.read(name, points) if done[points].any() else np.empty(units)
        for point, values in zip(range(points.start, points.stop), block, strict=False):
            for unit in np.flatnonzero(done[point]):
                if is_unwritten(values[unit]):
                    raise StoreError(store.place, f"{name} of point {point}, unit {unit} are lost")
            yield point, done[point], values


def _nothing(shape: tuple[int, ...]) -> np.ndarray:
    """The statistics of no replicates."""
    found = np.full((len(STATISTICS), *shape), np.nan)
    found[0] = 0
    return found


def _split(store: Store, values: np.ndarray) -> Iterator[tuple[str, tuple[str, ...], np.ndarray]]:
    """(observable, the names of its axes, its part) of rows of elements [..., element]."""
    begin = 0
    for name, shape, axes in store.attributes["elements"]:
        size = int(np.prod(shape))
        yield name, tuple(axes), values[..., begin : begin + size].reshape(*values.shape[:-1], *shape)
        begin += size


def _histograms(store: Store, plan: Sweep) -> tuple[dict[str, Any], dict[str, Any]]:
    """Counts (axis, ..., generation, ..., bin) of each observable, and where its bins begin."""
    counts = np.zeros((len(plan), store.layout.generations, store.layout.bins), np.int64)
    for point, done, units in _by_point(store, "histogram", counts.shape[1:]):
        counts[point] = units[done].sum(0)
    edges = dict(plan.histograms)
    data, coordinates, begin = {}, {}, 0
    for name, shape, axes in store.attributes["elements"]:
        if name not in edges:
            continue
        bins = len(edges[name]) + 1
        size = int(np.prod(shape)) * bins
        piece = counts[..., begin : begin + size].reshape(*plan.shape, store.layout.generations, *shape, bins)
        data[f"{name}_histogram"] = ((*_axis_names(plan), "generation", *axes, f"{name}_bin"), piece)
        coordinates[f"{name}_bin"] = [-np.inf, *edges[name]]
        begin += size
    return data, coordinates


def _axis_names(plan: Sweep) -> tuple[str, ...]:
    return tuple(axis.name for axis in plan.axes)


def _coordinates(store: Store, plan: Sweep) -> dict[str, Any]:
    """Each axis's values, those of the keys that move with it, and each point's engine if that was chosen."""
    found: dict[str, Any] = {key: (axis.name, axis.labels(key)) for axis in plan.axes for key in axis.keys}
    if plan.engine == "auto":
        engines = np.full(len(plan), "exact", "<U7")
        engines[store.attributes["literal"]] = "literal"
        found["engine"] = (_axis_names(plan), engines.reshape(plan.shape))
    return found


def _attributes(store: Store) -> dict[str, Any]:
    held = store.attributes
    asked = held["configuration"]["sweep"]
    return {
        "sweep": json.dumps(held["sweep"], sort_keys=True),
        "hash": held["hash"],
        "seeds": asked["seeds"],
        "seed": asked["seed"] if asked["seed"] < 2**63 else str(asked["seed"]),
        "engine": asked["engine"],
        "versions": json.dumps(held["versions"]),
        "commit": held["commit"] or "",
    } | ({"max_generations": asked["max_generations"]} if held["passages"] else {})
