"""The numbers behind a figure, as tidy rows: one CSV file whose first line says how they were made."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from paper_figs.style import replacing
from theory.loop import Loop
from theory.loop_file import to_mapping

DIGITS = 9
"""Significant digits written: more than any Monte Carlo error or any picture can show."""

PACKAGES = ("autophagy", "jax", "jaxlib", "numpy", "scipy")


@dataclass(frozen=True)
class Rows:
    """Records with the same keys, and where they come from.

    Attributes:
        provenance: loops, seed, seeds and package versions; no path, no date.
        records: one mapping per row; a value is a number, a word, or None where there is none.
    """

    provenance: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...]

    def where(self, **values: Any) -> Rows:
        """The rows that have these values."""
        kept = (row for row in self.records if all(row[key] == value for key, value in values.items()))
        return Rows(self.provenance, tuple(kept))

    def column(self, key: str) -> list[Any]:
        """The values of one column."""
        return [row[key] for row in self.records]

    def __bool__(self) -> bool:
        return bool(self.records)

    def description(self) -> str:
        """The provenance as one line of JSON."""
        return json.dumps(self.provenance, sort_keys=True)

    def to_csv(self) -> str:
        """The file's text."""
        text = io.StringIO()
        text.write(f"# {self.description()}\n")
        writer = csv.DictWriter(text, list(self.records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _written(value) for key, value in row.items()} for row in self.records)
        return text.getvalue()

    def write(self, path: str | Path) -> Path:
        """Write the CSV file, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            unfinished.write_text(self.to_csv())
        return path


def read(path: str | Path) -> Rows:
    """The rows of a CSV file that `Rows.write` made."""
    with Path(path).open(newline="") as file:
        provenance = json.loads(file.readline().removeprefix("#"))
        records = tuple({key: _read(value) for key, value in row.items()} for row in csv.DictReader(file))
    return Rows(provenance, records)


def provenance(loops: Mapping[str, Loop], seed: int, seeds: int) -> dict[str, Any]:
    """How rows are made: the loops by name, the seed, how many replicates, with what."""
    return {
        "loops": {name: to_mapping(loop) for name, loop in loops.items()},
        "seed": seed,
        "seeds": seeds,
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        raise ValueError(f"a row holds {value}: leave it out, or say None")
    return f"{value + 0.0:.{DIGITS}g}"  # so that -0.0 is written 0


def _read(text: str) -> Any:
    if text == "":
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "e" not in text else number


def merged(parts: Iterable[Iterable[Mapping[str, Any]]]) -> tuple[Mapping[str, Any], ...]:
    """The records of several parts, one after another."""
    return tuple(row for part in parts for row in part)
