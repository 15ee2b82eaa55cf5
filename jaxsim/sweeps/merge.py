"""Puts stores of one sweep together: units that one of them has, or both have alike."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxsim.sweeps.store import Store, StoreError, create, open_store, require_same


def merge(places: Sequence[str], target: str, progress: Callable[[int, int], None] | None = None) -> Store:
    """Copy what is done in the stores at `places` into the one at `target`, which may hold some already.

    Raises:
        StoreError: if they are of different sweeps, a chunk is damaged, or two hold different numbers for one
            unit; what was copied before stays.
    """
    sources = [open_store(place) for place in places]
    first = sources[0]
    for other in sources[1:]:
        require_same(other, first.attributes["configuration"])
    merged = create(target, first.layout, first.description())
    for source in sources:
        merged.note_versions(source.attributes["versions"])
    held = {merged.place: merged.done(), **{source.place: source.done() for source in sources}}
    total, copied = sum(int(held[source.place].sum()) for source in sources), 0
    have = held[merged.place]
    for source in sources:
        for point, unit in np.argwhere(held[source.place]).tolist():
            data = source.data(point, unit)
            if have[point, unit]:
                _require_equal(merged, source, point, unit, data)
            else:
                merged.write(point, unit, data)
                have[point, unit] = True
            copied += 1
            if progress is not None:
                progress(copied, total)
    return merged


def _require_equal(merged: Store, source: Store, point: int, unit: int, data: dict[str, np.ndarray]) -> None:
    for name, values in merged.data(point, unit).items():
        if not np.array_equal(values, data[name], equal_nan=values.dtype.kind == "f"):
            raise StoreError(
                source.place,
                f"point {point}, unit {unit} has other {name} here than in what it is merged with",
            )
