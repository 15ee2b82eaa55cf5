"""Reads a sweep's store: what is done so far, as a dataset with a dimension for each axis."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from jaxsim.store import MOMENTS, Store, open_store
from jaxsim.summary import STATISTICS, Summary, Tally
from theory.observable import named_axes
from theory.sweep import Sweep
from theory.sweep_file import from_mapping

SLAB_BYTES = 2**26  # read at once


def read(place: str) -> xr.Dataset:
    """Everything done so far: dimensions (axis, ..., statistic, generation, ...), NaN with count 0 elsewhere.

    A point that is complete has the bits of `jaxsim.simulate.simulate` with the same loop, seed and seeds.

    Raises:
        StoreError: if there is no sweep, or a chunk is damaged.
    """
    store = open_store(place)
    plan = written_sweep(store)
    values = np.empty((len(plan), len(STATISTICS), store.layout.generations, store.layout.elements))
    for point, rows in statistics(store):
        values[point] = rows
    data: dict[str, Any] = {}
    for name, shape, piece in _split(store, values):
        trailing = named_axes(name, len(shape))
        dimensions = (*_axis_names(plan), "statistic", "generation", *trailing)
        data[name] = (dimensions, piece.reshape(*plan.shape, *piece.shape[1:]))
    coordinates = {**_coordinates(plan), "statistic": list(STATISTICS), "generation": list(plan.generations)}
    if store.layout.bins:
        more, edges = _histograms(store, plan)
        data, coordinates = data | more, coordinates | edges
    return xr.Dataset(data, coordinates, _attributes(store))


def replicates(place: str) -> xr.Dataset:
    """Every replicate of a sweep that keeps them: (axis, ..., replicate, generation, ...), NaN if not done.

    Raises:
        StoreError: if the store does not keep them.
    """
    store = open_store(place)
    plan = written_sweep(store)
    store.require("replicates")
    done = np.repeat(store.done(), store.layout.counts(), axis=1)
    values = np.stack([store.read("replicates", point) for point in range(len(plan))])
    values[~done] = np.nan
    data = {}
    for name, shape, piece in _split(store, values):
        trailing = named_axes(name, len(shape))
        dimensions = (*_axis_names(plan), "replicate", "generation", *trailing)
        data[name] = (dimensions, piece.reshape(*plan.shape, *piece.shape[1:]))
    coordinates = {**_coordinates(plan), "generation": list(plan.generations)}
    return xr.Dataset(data, coordinates, _attributes(store))


def point_dataset(store: Store, plan: Sweep, point: int, rows: np.ndarray) -> xr.Dataset:
    """One point's statistics [statistic, generation, element] as `jaxsim.simulate.simulate` gives them."""
    data = {}
    for name, shape, piece in _split(store, rows):
        if not np.isnan(piece).all():
            data[name] = (("statistic", "generation", *named_axes(name, len(shape))), piece)
    return xr.Dataset(data, {"statistic": list(STATISTICS), "generation": list(plan.generations)})


def statistics(store: Store) -> Iterator[tuple[int, np.ndarray]]:
    """Point by point, its statistics so far [statistic, generation, element]."""
    done, counts = store.done(), store.layout.counts()
    shape = (store.layout.units, len(MOMENTS), store.layout.generations, store.layout.elements)
    slab = max(1, SLAB_BYTES // (8 * int(np.prod(shape))))
    for begin in range(0, store.layout.points, slab):
        points = slice(begin, min(begin + slab, store.layout.points))
        block = store.read("moments", points) if done[points].any() else np.empty((slab, *shape))
        for point, units in zip(range(points.start, points.stop), block, strict=False):
            yield point, _statistics(units, done[point], counts)


def written_sweep(store: Store) -> Sweep:
    """The sweep a store is of."""
    return from_mapping(store.attributes["sweep"])


def _statistics(units: np.ndarray, done: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The done units of a point added in order: [unit, moment, generation, element] to statistics."""
    total = Tally()
    absent = np.ones(units.shape[2:], bool)
    for unit in np.flatnonzero(done):
        moments = units[unit]
        absent = np.isnan(moments[0])
        total.add(Summary(np.full(absent.shape, float(counts[unit])), *moments))
    if not done.any():
        found = np.full((len(STATISTICS), *absent.shape), np.nan)
        found[0] = 0
        return found
    found = total.sum().statistics()
    found[:, absent] = np.nan
    return found


def _split(store: Store, values: np.ndarray) -> Iterator[tuple[str, tuple[int, ...], np.ndarray]]:
    """(observable, its shape, its part) of rows of elements [..., element]."""
    begin = 0
    for name, shape in store.attributes["elements"]:
        size = int(np.prod(shape))
        yield name, tuple(shape), values[..., begin : begin + size].reshape(*values.shape[:-1], *shape)
        begin += size


def _histograms(store: Store, plan: Sweep) -> tuple[dict[str, Any], dict[str, Any]]:
    """Counts (axis, ..., generation, ..., bin) of each observable, and where its bins begin."""
    done = store.done()
    counts = np.zeros((len(plan), store.layout.generations, store.layout.bins), np.int64)
    for point in range(len(plan)):
        if done[point].any():
            counts[point] = store.read("histogram", point)[done[point]].sum(0)
    shapes = {name: tuple(shape) for name, shape in store.attributes["elements"]}
    edges = dict(plan.histograms)
    data, coordinates, begin = {}, {}, 0
    for name, shape in shapes.items():
        if name not in edges:
            continue
        bins = len(edges[name]) + 1
        size = int(np.prod(shape)) * bins
        piece = counts[..., begin : begin + size].reshape(*plan.shape, store.layout.generations, *shape, bins)
        trailing = named_axes(name, len(shape))
        data[f"{name}_histogram"] = ((*_axis_names(plan), "generation", *trailing, f"{name}_bin"), piece)
        coordinates[f"{name}_bin"] = [-np.inf, *edges[name]]
        begin += size
    return data, coordinates


def _axis_names(plan: Sweep) -> tuple[str, ...]:
    return tuple(axis.name for axis in plan.axes)


def _coordinates(plan: Sweep) -> dict[str, Any]:
    """Each axis's values, and beside them those of the keys that move with it."""
    return {key: (axis.name, axis.labels(key)) for axis in plan.axes for key in axis.keys}


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
    }
