"""The arrays of a sweep's store, and how they are laid out.

moments     [point, unit, moment, generation, element]  mean, sums of powers 2, 3, 4 of deviations from it
histogram   [point, unit, generation, bin]              counts, where asked for
replicates  [point, replicate, generation, element]     values, where asked for
passages    [point, unit, part, passage]                replicates that passed, and their times' moments
times       [point, replicate, passage]                 when each passed, 0: censored; where asked for
done        [point, unit]                               1 once the unit's data are on the disk
"""

import contextlib
from typing import Any, NamedTuple

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.errors import ContainsArrayError, ContainsGroupError

MOMENTS = ("mean", "second", "third", "fourth")
PARTS = ("passed", *MOMENTS)
UNWRITTEN = {"float64": np.nan, "int64": -1, "uint8": 0}
SEPARATOR: dict[str, Any] = {"name": "default", "separator": "."}


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


def is_unwritten(values: np.ndarray) -> bool:
    """Whether nothing but the filling of an array is there."""
    filling = UNWRITTEN[values.dtype.name]
    return bool((np.isnan(values) if values.dtype.kind == "f" else values == filling).all())


def lay_out(backend: Any, layout: Layout, attributes: dict[str, Any]) -> None:
    """Write the metadata of every array, then that of the root."""
    try:
        group = zarr.open_group(backend, mode="a", zarr_format=3)
    except ContainsGroupError:  # since the moment it was looked for
        group = zarr.open_group(backend, mode="r+", use_consolidated=False)
    for name, (kind, dimensions) in _arrays(layout).items():
        shape, chunks = zip(*dimensions.values(), strict=True)
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


def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    """The shape of every array."""
    return {
        name: tuple(length for length, _ in dimensions.values())
        for name, (_, dimensions) in _arrays(layout).items()
    }


def _arrays(layout: Layout) -> dict[str, tuple[str, dict[str, tuple[int, int]]]]:
    """Name -> its kind, and for each dimension its length and how much of it a chunk has."""
    by_unit = {"point": (layout.points, 1), "unit": (layout.units, 1)}
    by_replicate = {"point": by_unit["point"], "replicate": (layout.seeds, min(layout.unit, layout.seeds))}
    measured = {"generation": (layout.generations,) * 2, "element": (layout.elements,) * 2}
    passages = {"passage": (layout.passages,) * 2}
    found: dict[str, tuple[str, dict[str, tuple[int, int]]]] = {
        "moments": ("float64", by_unit | {"moment": (len(MOMENTS),) * 2} | measured),
        "histogram": ("int64", by_unit | {"generation": measured["generation"], "bin": (layout.bins,) * 2}),
        "passages": ("float64", by_unit | {"part": (len(PARTS),) * 2} | passages),
        "done": ("uint8", by_unit),
    }
    if layout.replicates:
        found["replicates"] = "float64", by_replicate | measured
        found["times"] = "int64", by_replicate | passages
    # nothing of an empty sort was asked for
    return {name: array for name, array in found.items() if all(length for length, _ in array[1].values())}
