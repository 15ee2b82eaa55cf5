"""The truth of a sweep on disk: a zarr v3 group laid out before the first draw, a chunk for each work unit.

    moments     [point, unit, moment, generation, element]  mean, sums of powers 2, 3, 4 of deviations from it
    histogram   [point, unit, generation, bin]              counts, where asked for
    replicates  [point, replicate, generation, element]     values, where asked for
    passages    [point, unit, part, passage]                replicates that passed, and their times' moments
    times       [point, replicate, passage]                 when each passed, 0: censored; where asked for
    done        [point, unit]                               1 once the unit's data are on the disk

Units never share a chunk and nothing is ever appended, so any number of processes write one store at once,
and two given the same unit write the same bytes. A unit whose flag is missing is computed again,
whatever lies in its chunks. Every chunk of data carries a CRC-32C checksum. The root's attributes say what
the numbers are of: the sweep, its configuration and hash, versions, commit.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.errors import ContainsArrayError, ContainsGroupError, GroupNotFoundError

from jaxsim.configuration import commit, described, digest, versions
from jaxsim.durable import DurableStore, draft_folder, flush, remove_leftovers
from theory.loop import LoopError

FORMAT = "autophagy sweep"
FORMAT_VERSION = 2
MOMENTS = ("mean", "second", "third", "fourth")
PARTS = ("passed", *MOMENTS)
HELD = ("format", "format_version", "layout", "hash", "versions", "commit")
UNWRITTEN = {"float64": np.nan, "int64": -1, "uint8": 0}
SEPARATOR: dict[str, Any] = {"name": "default", "separator": "."}


class StoreError(LoopError):
    """A store that cannot be read, written or used for this; the key is `the store`."""

    def __init__(self, place: object, reason: str):
        super().__init__("the store", str(place), reason)
        self.args = (place, reason)


class Layout(NamedTuple):
    """The shape of a store.

    Attributes:
        points: of the grid.
        seeds: replicates at each.
        unit: replicates in a work unit.
        generations: measured.
        elements: numbers measured at a generation of a replicate.
        bins: counted at a generation, 0 without histograms.
        passages: first passages.
        replicates: whether every replicate's values are kept.
    """

    points: int
    seeds: int
    unit: int
    generations: int
    elements: int
    bins: int
    passages: int
    replicates: bool

    @property
    def units(self) -> int:
        """Work units at each point."""
        return -(-self.seeds // self.unit)

    def span(self, unit: int) -> tuple[int, int]:
        """The replicates [first, last) of a unit."""
        return unit * self.unit, min((unit + 1) * self.unit, self.seeds)

    def counts(self) -> np.ndarray:
        """The replicates in each unit."""
        return np.diff([*range(0, self.seeds, self.unit), self.seeds])


class Store:
    """An open store: units are written, read, forgotten.

    Attributes:
        place: where it is, as it was given.
        attributes: what the root says.
        layout: its shape.
    """

    def __init__(self, place: str, group: zarr.Group):
        self.place = place
        self.attributes: dict[str, Any] = dict(group.attrs)
        self.layout = Layout(**self.attributes["layout"])
        self._group = group
        self._arrays = dict(group.arrays())

    @property
    def folder(self) -> Path | None:
        """The folder of a local store."""
        return self._group.store.root if isinstance(self._group.store, DurableStore) else None

    def description(self) -> dict[str, Any]:
        """What the root says of the sweep: the attributes that `create` was given."""
        return {key: value for key, value in self.attributes.items() if key not in HELD}

    def done(self) -> np.ndarray:
        """Which units are done [point, unit]."""
        if self.folder is None:
            return np.asarray(self._arrays["done"][...]).astype(bool)
        # a flag exists once it is set: listing the folder is faster than opening each
        found = np.zeros((self.layout.points, self.layout.units), bool)
        for name in os.listdir(self.folder / "done"):
            kind, *place = name.split(".")
            if kind == "c" and len(place) == 2:
                found[int(place[0]), int(place[1])] = True
        return found

    def write(self, point: int, unit: int, data: dict[str, np.ndarray]) -> None:
        """Write a unit's data, then its flag.

        Raises:
            StoreError: if the disk is full, or the place cannot be written; what is done stays.
        """
        try:
            for name, values in data.items():
                self._arrays[name][self._region(name, point, unit)] = values
            self._arrays["done"][point, unit] = 1
        except OSError as error:
            raise StoreError(
                self.place, f"it cannot be written ({error.strerror or error}); what is done is kept"
            ) from error

    def read(self, name: str, point: int | slice, unit: int | slice = slice(None)) -> np.ndarray:
        """An array's part for one unit, or for all units of a point or of several.

        Raises:
            StoreError: if a chunk is damaged, naming the point and, for one unit, the unit.
        """
        try:
            return np.asarray(self._arrays[name][self._region(name, point, unit)])
        except (ValueError, RuntimeError, OSError) as error:
            which = f"point {point}" + ("" if isinstance(unit, slice) else f", unit {unit}")
            raise StoreError(self.place, f"{name} of {which} is damaged ({error})") from error

    def require(self, name: str) -> None:
        """Refuse a store that does not keep this array."""
        if name not in self._arrays:
            raise StoreError(self.place, f"it keeps no {name}")

    def data(self, point: int, unit: int) -> dict[str, np.ndarray]:
        """All data of a unit that is done.

        Raises:
            StoreError: if a chunk of it is damaged or lost.
        """
        found = {name: self.read(name, point, unit) for name in self._arrays if name != "done"}
        for name, values in found.items():
            if is_unwritten(values):
                raise StoreError(self.place, f"{name} of point {point}, unit {unit} are lost")
        return found

    def forget(self, point: int, unit: int) -> None:
        """Take a unit's flag away, so that it is computed again."""
        self._arrays["done"][point, unit] = 0

    def damaged(self) -> Iterator[tuple[int, int, str]]:
        """The units that are done and cannot be read, each with the reason."""
        for point, unit in np.argwhere(self.done()):
            try:
                self.data(int(point), int(unit))
            except StoreError as error:
                yield int(point), int(unit), error.reason

    def note_versions(self, found: list[dict[str, str]]) -> None:
        """Add package versions to those that wrote here."""
        known = self.attributes["versions"]
        if fresh := [each for each in found if each not in known]:
            self.attributes["versions"] = [*known, *fresh]
            self._group.update_attributes({"versions": self.attributes["versions"]})

    def _region(self, name: str, point: int | slice, unit: int | slice) -> tuple[Any, ...]:
        if name not in ("replicates", "times"):
            return (point, unit)
        return (point,) if isinstance(unit, slice) else (point, slice(*self.layout.span(unit)))


def is_unwritten(values: np.ndarray) -> bool:
    """Whether nothing but the filling of an array is there."""
    filling = UNWRITTEN[values.dtype.name]
    return bool((np.isnan(values) if values.dtype.kind == "f" else values == filling).all())


def create(place: str, layout: Layout, attributes: dict[str, Any]) -> Store:
    """Lay out a store, or open the one that is there if it is of the same sweep.

    A local store appears whole, in one step; elsewhere the root's attributes are written last, and a root
    without them is laid out again.

    Raises:
        StoreError: if another sweep, or something else, is there, or the place cannot be written.
    """
    held = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "layout": layout._asdict(),
        **attributes,
        "hash": digest(attributes["configuration"]),
        "versions": [versions()],
        "commit": commit(),
    }
    try:
        if "://" in place:
            return _create_remote(place, layout, held)
        return _create_local(place, layout, held)
    except OSError as error:
        raise StoreError(place, f"it cannot be written ({error.strerror or error})") from error


def open_store(place: str, *, writing: bool = False) -> Store:
    """Open a store, also while others write it.

    Raises:
        StoreError: if there is none.
    """
    group = _group(place, writing)
    if group is None:
        raise StoreError(place, "there is no such sweep")
    return Store(place, group)


def exists(place: str) -> bool:
    """Whether a laid-out sweep is there."""
    return _group(place, writing=False) is not None


def require_same(store: Store, configuration: dict[str, Any]) -> None:
    """Refuse a store of another sweep, naming the keys that differ.

    Raises:
        StoreError: with the first few of them.
    """
    if store.attributes["hash"] == digest(configuration):
        return
    found = described(store.attributes["configuration"], configuration)
    raise StoreError(store.place, f"it holds another sweep: {found}")


def _create_local(place: str, layout: Layout, attributes: dict[str, Any]) -> Store:
    folder = Path(place)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if exists(place):
        remove_leftovers(folder)
    elif (folder.is_dir() and any(folder.iterdir())) or folder.is_file():
        raise StoreError(place, "something else is there; give another place")
    else:
        remove_leftovers(folder)
        draft = draft_folder(folder)
        try:
            _lay_out(DurableStore(draft), layout, attributes)
            os.rename(draft, folder)
        except OSError:
            if not exists(place):  # else another process of the same sweep was first
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        flush(folder.parent)
    store = open_store(place, writing=True)
    require_same(store, attributes["configuration"])
    return store


def _create_remote(place: str, layout: Layout, attributes: dict[str, Any]) -> Store:
    if not exists(place):
        _lay_out(_backend(place, writing=True), layout, attributes)
    store = open_store(place, writing=True)
    require_same(store, attributes["configuration"])
    return store


def _lay_out(backend: Any, layout: Layout, attributes: dict[str, Any]) -> None:
    """Write the metadata of every array, then that of the root."""
    by_unit = {"point": (layout.points, 1), "unit": (layout.units, 1)}
    by_replicate = {"point": by_unit["point"], "replicate": (layout.seeds, min(layout.unit, layout.seeds))}
    measured = {"generation": (layout.generations,) * 2, "element": (layout.elements,) * 2}
    passages = {"passage": (layout.passages,) * 2}
    # name -> kind, then for each dimension its length and how much of it a chunk has
    arrays: dict[str, tuple[str, dict[str, tuple[int, int]]]] = {
        "moments": ("float64", by_unit | {"moment": (len(MOMENTS),) * 2} | measured),
        "histogram": ("int64", by_unit | {"generation": measured["generation"], "bin": (layout.bins,) * 2}),
        "passages": ("float64", by_unit | {"part": (len(PARTS),) * 2} | passages),
        "done": ("uint8", by_unit),
    }
    if layout.replicates:
        arrays["replicates"] = "float64", by_replicate | measured
        arrays["times"] = "int64", by_replicate | passages
    try:
        group = zarr.open_group(backend, mode="a", zarr_format=3)
    except ContainsGroupError:  # since the moment it was looked for
        group = zarr.open_group(backend, mode="r+", use_consolidated=False)
    for name, (kind, dimensions) in arrays.items():
        shape, chunks = zip(*dimensions.values(), strict=True)
        if 0 in shape:  # nothing of this sort was asked for
            continue
        # there already: a layout cut short, or another process's at this moment, and the same
        with contextlib.suppress(ContainsArrayError):
            group.create_array(
                name,
                shape=shape,
                chunks=chunks,
                dtype=kind,
                dimension_names=tuple(dimensions),
                fill_value=UNWRITTEN[kind],
                compressors=None if name == "done" else [ZstdCodec(level=1), Crc32cCodec()],
                chunk_key_encoding=SEPARATOR,
                config={"write_empty_chunks": name != "done"},
            )
    group.update_attributes(attributes)


def _group(place: str, writing: bool) -> zarr.Group | None:
    """The root of a laid-out sweep, or None."""
    if "://" not in place and not Path(place).is_dir():
        return None
    try:
        group = zarr.open_group(
            _backend(place, writing), mode="r+" if writing else "r", use_consolidated=False
        )
    except (FileNotFoundError, KeyError, GroupNotFoundError):
        return None
    except (ValueError, OSError) as error:
        raise StoreError(place, f"it cannot be read ({error})") from error
    held: dict[str, Any] = dict(group.attrs)
    if held.get("format") != FORMAT:
        return None
    if held.get("format_version") != FORMAT_VERSION:
        found = held.get("format_version")
        raise StoreError(place, f"its format is {found}; this version of the program knows {FORMAT_VERSION}")
    return group


def _backend(place: str, writing: bool) -> Any:
    if "://" not in place:
        return DurableStore(place, read_only=not writing)
    from zarr.storage import FsspecStore

    try:
        return FsspecStore.from_url(place, read_only=not writing)
    except ImportError as error:
        raise StoreError(place, f"{error}: pip install 'autophagy[cloud]'") from None
    except (ValueError, OSError) as error:
        raise StoreError(place, f"it cannot be reached ({error})") from error
