"""What one generation of a run was, and the arrays it is kept as."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Generation(NamedTuple):
    """What a generation of a run was.

    Attributes:
        number: 1, 2, ...
        measures: metrics of every replicate of the loop, averaged over peers.
        control: those of the control.
        spectrum: moments along principal directions: of the loop's samples (those that the next generation is
            trained on, where they are so many), of what its fit ate, and of the control's samples: arrays
            [replicate, direction] by name (`loop_variance`, `eaten_variance`, ...; for images also in feature
            space: `loop_feature_variance`, ...).
        pictured: samples to look at, of the loop and of the control: [replicate, image, ...].
    """

    number: int
    measures: dict[str, np.ndarray]
    control: dict[str, np.ndarray]
    spectrum: dict[str, np.ndarray]
    pictured: tuple[np.ndarray, np.ndarray]


_TABLES = {"measures": "measure_", "control": "control_", "spectrum": "spectrum_"}


def as_arrays(found: Generation) -> dict[str, np.ndarray]:
    """Its arrays by name."""
    arrays = {"pictured": found.pictured[0], "pictured_control": found.pictured[1]}
    for table, prefix in _TABLES.items():
        arrays |= {prefix + name: array for name, array in getattr(found, table).items()}
    return arrays


def from_arrays(number: int, arrays: dict[str, np.ndarray]) -> Generation:
    """What `as_arrays` was given; other arrays are left alone."""
    tables = {
        table: {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
        for table, prefix in _TABLES.items()
    }
    return Generation(number, **tables, pictured=(arrays["pictured"], arrays["pictured_control"]))
