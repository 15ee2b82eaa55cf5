"""The truth of a sweep on disk: a zarr v3 group laid out before the first draw, a chunk for each work unit.

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
from typing import Any

import numpy as np
import zarr
from zarr.errors import GroupNotFoundError

from jaxsim.sweeps.configuration import commit, described, digest, versions
from jaxsim.sweeps.durable import DurableStore, draft_folder, flush, remove_leftovers
from jaxsim.sweeps.layout import Layout, is_unwritten, lay_out, shapes
from theory.loop import LoopError

FORMAT = "autophagy sweep"
FORMAT_VERSION = 2
NONSENSE = (ValueError, TypeError, KeyError, AttributeError, AssertionError, UserWarning)  # of metadata
DAMAGE = (ValueError, RuntimeError)  # what codecs raise
HELD = ("format", "format_version", "layout", "hash", "checksum", "versions", "commit")


class StoreError(LoopError):
    """A store that cannot be read, written or used for this; the key is `the store`."""

    def __init__(self, place: object, reason: str):
        super().__init__("the store", str(place), reason)
        self.args = (place, reason)


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
        self._group = group
        with _in_a_sentence(place, "it cannot be read", passing=NONSENSE):
            try:
                self.layout = Layout(**self.attributes["layout"])
                self._arrays = dict(group.arrays())
                sound = {name: array.shape for name, array in self._arrays.items()} == shapes(self.layout)
            except NONSENSE as error:
                raise StoreError(place, f"the description of its arrays is damaged ({error})") from error
        if not sound:
            raise StoreError(place, "the description of its arrays is damaged")

    @property
    def folder(self) -> Path | None:
        """The folder of a local store."""
        return self._group.store.root if isinstance(self._group.store, DurableStore) else None

    def description(self) -> dict[str, Any]:
        """What the root says of the sweep: the attributes that `create` was given."""
        return _described(self.attributes)

    def done(self) -> np.ndarray:
        """Which units are done [point, unit]."""
        with _in_a_sentence(self.place, "it cannot be read"):
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
        with _in_a_sentence(self.place, "it cannot be written", "; what is done is kept"):
            for name, values in data.items():
                self._arrays[name][self._region(name, point, unit)] = values
            self._arrays["done"][point, unit] = 1

    def read(self, name: str, point: int | slice, unit: int | slice = slice(None)) -> np.ndarray:
        """An array's part for one unit, or for all units of a point or of several.

        Raises:
            StoreError: if a chunk is damaged, naming the point and the unit.
        """
        try:
            with _in_a_sentence(self.place, "it cannot be read", passing=DAMAGE):
                return np.asarray(self._arrays[name][self._region(name, point, unit)])
        except DAMAGE as error:
            points, units = self.layout.points, self.layout.units
            single = not isinstance(point, slice) and not isinstance(unit, slice)
            if not single:  # which of them?
                for place in range(points)[point] if isinstance(point, slice) else (point,):
                    for part in range(units)[unit] if isinstance(unit, slice) else (unit,):
                        self.read(name, place, part)
            which = f"point {point}, unit {unit}" if single else "several points"
            raise StoreError(self.place, f"{name} of {which} is damaged ({error})") from error

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
        with _in_a_sentence(self.place, "it cannot be written"):
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
            with _in_a_sentence(self.place, "it cannot be written"):
                self._group.update_attributes({"versions": self.attributes["versions"]})

    def _region(self, name: str, point: int | slice, unit: int | slice) -> tuple[Any, ...]:
        if name not in ("replicates", "times"):
            return (point, unit)
        return (point,) if isinstance(unit, slice) else (point, slice(*self.layout.span(unit)))


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
        "checksum": digest(attributes),
        "versions": [versions()],
        "commit": commit(),
    }
    with _in_a_sentence(place, "it cannot be written"):
        return (_create_remote if "://" in place else _create_local)(place, layout, held)


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
            lay_out(DurableStore(draft), layout, attributes)
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
        lay_out(_backend(place, writing=True), layout, attributes)
    store = open_store(place, writing=True)
    require_same(store, attributes["configuration"])
    return store


def _group(place: str, writing: bool) -> zarr.Group | None:
    """The root of a laid-out sweep, or None."""
    if "://" not in place and not Path(place).is_dir():
        return None
    backend = _backend(place, writing)
    with _in_a_sentence(place, "it cannot be read"):
        try:
            group = zarr.open_group(backend, mode="r+" if writing else "r", use_consolidated=False)
        except (FileNotFoundError, KeyError, GroupNotFoundError):
            return None
        except NONSENSE as error:
            raise StoreError(place, f"its description is damaged ({error})") from error
    held: dict[str, Any] = dict(group.attrs)
    if held.get("format") != FORMAT:
        return None
    if held.get("format_version") != FORMAT_VERSION:
        found = held.get("format_version")
        raise StoreError(place, f"its format is {found}; this version of the program knows {FORMAT_VERSION}")
    if held.get("checksum") != digest(_described(held)):
        raise StoreError(place, "its description is damaged: the checksum is another one")
    return group


def _described(held: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in held.items() if key not in HELD}


def _backend(place: str, writing: bool) -> Any:
    if "://" not in place:
        return DurableStore(place, read_only=not writing)
    from zarr.storage import FsspecStore

    with _in_a_sentence(place, "it cannot be reached"):
        try:
            return FsspecStore.from_url(place, read_only=not writing)
        except ImportError as error:
            raise StoreError(place, f"{error}: pip install 'autophagy[cloud]'") from None


@contextlib.contextmanager
def _in_a_sentence(
    place: str, reason: str, rest: str = "", passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Say what a disk, or the library of an object store, raises as a refusal; some errors pass."""
    try:
        yield
    except (LoopError, *passing):
        raise
    except Exception as error:
        # every cloud's library has errors of its own; on a disk whatever else is raised is a bug
        if "://" not in place and not isinstance(error, OSError):
            raise
        said = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise StoreError(place, f"{reason} ({said}){rest}") from error
