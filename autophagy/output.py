"""Results as JSON, tables and files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autophagy.files import write
from theory.loop_file import to_mapping

if TYPE_CHECKING:
    import xarray as xr

    from theory.loop import Loop

DATA_ENDINGS = (".csv", ".nc", ".json")
WORDS = {1.0: "agrees", 0.0: "not testable", -1.0: "disagrees"}
"""Verdicts as a data set of numbers holds them, and as a table does."""


def plain(value: Any) -> Any:
    """Nested lists of what JSON can hold: infinities as "inf" and "-inf", the unknown as null."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
    return value


def payload(
    loop: Loop, generations: list[float], observables: dict[str, dict], **rest: Any
) -> dict[str, Any]:
    """The JSON object every command prints: the loop, the generation or generations, the observables."""
    shown = [g if math.isinf(g) else int(g) for g in generations]
    return plain(
        {
            "loop": to_mapping(loop),
            "generation": shown[0] if len(shown) == 1 else shown,
            "observables": observables,
            **rest,
        }
    )


def statistics(dataset: xr.Dataset, names: tuple[str, ...]) -> dict[str, dict]:
    """For each observable its statistics `names` and its attributes; what is unknown everywhere is left out.

    A single generation is given as a value, several as a list over them.
    """
    entries = {}
    for observable, variable in dataset.data_vars.items():
        entry: dict[str, Any] = {}
        for name in names:
            if name not in variable.coords["statistic"]:
                continue
            values = np.asarray(variable.sel(statistic=name).values, dtype=float)
            if np.isnan(values).all():
                if variable.attrs.get("censored"):
                    entry[name] = None
                continue
            entry[name] = values[0] if "generation" in variable.dims and len(values) == 1 else values
        entry |= {
            key: variable.attrs[key]
            for key in ("status", "claim", "reason", "almost_surely", "censored")
            if variable.attrs.get(key) is not None
        }
        if isinstance(entry.get("almost_surely"), float | np.ndarray):
            entry["almost_surely"] = np.squeeze(entry["almost_surely"])[()]
        entries[str(observable)] = entry
    return entries


def number(value: Any, digits: int = 6) -> str:
    """A number, or a short vector, as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple | np.ndarray):
        items = list(value)
        if len(items) > 8 or any(isinstance(item, list | tuple | np.ndarray) for item in items):
            return f"[{'x'.join(map(str, np.shape(items)))} numbers]"
        digits = 6 if len(items) <= 4 else 3
        return "[" + " ".join(number(item, digits) for item in items) + "]"
    return value if isinstance(value, str) else f"{value:.{digits}g}"


def table(rows: list[list[str]]) -> str:
    """Left-aligned columns, the first row a heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def print_json(content: dict[str, Any]) -> None:
    """Print exactly one JSON object."""
    print(json.dumps(plain(content), allow_nan=False))


def write_result(path: str, content: dict[str, Any], dataset: xr.Dataset) -> None:
    """Write a result as its file's ending says."""
    fills = {
        ".json": lambda draft: draft.write_text(json.dumps(plain(content), allow_nan=False) + "\n"),
        ".csv": lambda draft: draft.write_text(_csv(dataset)),
        ".nc": lambda draft: _netcdf(draft, dataset),
    }
    write(path, fills[Path(path).suffix])


def _csv(dataset: xr.Dataset) -> str:
    """Tidy rows: observable, coordinates, a column a statistic; last a closed form's status and claim."""
    import pandas as pd

    frames = []
    for name, variable in dataset.data_vars.items():
        if "statistic" not in variable.dims:
            continue
        columns = variable.to_dataset(dim="statistic")
        if columns.dims:
            frame = columns.to_dataframe().reset_index()
        else:  # a first passage has no axis
            frame = pd.DataFrame({key: [column.item()] for key, column in columns.items()})
        for column in frame.columns.intersection(dataset.attrs.get("verdicts", ())):
            frame[column] = frame[column].map(WORDS)
        for key in ("status", "claim"):
            if "status" in variable.attrs:
                frame[key] = variable.attrs.get(key)
        frame.insert(0, "observable", name)
        frames.append(frame)
    together = pd.concat(frames, ignore_index=True)
    last = [key for key in ("status", "claim") if key in together]
    return together[[*together.columns.drop(last), *last]].to_csv(index=False)


def _netcdf(draft: Path, dataset: xr.Dataset) -> None:
    dataset.to_netcdf(draft, engine="h5netcdf")
