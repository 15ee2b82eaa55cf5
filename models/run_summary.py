"""A run in numbers: means over replicates with standard errors, the control's beside them, and tidy rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models.generation import Generation

ORDER = ("confidence", "classifier_accuracy", "class_entropy", "frechet", "precision", "recall", "density",
         "coverage", "vendi", "variance", "mean_error_squared", "memorised", "nearest_distance", "largest",
         "loss")  # fmt: skip


def summary(generations: Sequence[Generation], real: dict[str, float]) -> dict[str, dict[str, Any]]:
    """For every metric lists over generations (`mean`, `standard_error`), the same of `control`, and `real`.

    Args:
        generations: of one run.
        real: the metrics of real points.
    """
    measured = generations[0].measures
    found = {}
    for name in (*(m for m in ORDER if m in measured), *(m for m in measured if m not in ORDER)):
        entry = _over_replicates([g.measures[name] for g in generations])
        if name in generations[0].control:
            entry["control"] = _over_replicates([g.control[name] for g in generations])
        if name in real:
            entry["real"] = real[name]
        found[name] = entry
    return found


def _over_replicates(values: list[np.ndarray]) -> dict[str, Any]:
    stacked = np.array(values, float)
    count = stacked.shape[1]
    error = stacked.std(axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.full(len(stacked), np.nan)
    return {"mean": stacked.mean(axis=1).tolist(), "standard_error": error.tolist()}


def rows(generations: Sequence[Generation], real: dict[str, float]) -> Iterator[dict[str, Any]]:
    """One row a number: generation, whose it is (`loop`, `control`, `real`), replicate, metric, value."""
    for name, value in real.items():
        yield {"generation": 0, "whose": "real", "replicate": 0, "metric": name, "value": value}
    for g in generations:
        for whose, table in (("loop", g.measures), ("control", g.control)):
            for name, values in table.items():
                for replicate, value in enumerate(values):
                    yield {
                        "generation": g.number,
                        "whose": whose,
                        "replicate": replicate,
                        "metric": name,
                        "value": float(value),
                    }


def to_csv(generations: Sequence[Generation], real: dict[str, float]) -> str:
    """The rows as a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["generation", "whose", "replicate", "metric", "value"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows(generations, real))
    return text.getvalue()


def lost(found: dict[str, dict[str, Any]], name: str) -> tuple[float, float, float] | None:
    """How much less of a metric there is in the last generation than in the real data.

    Returns:
        What the control lost, what the loop lost beyond it, and the standard error of the latter; None if the
        metric has no control.
    """
    entry = found.get(name)
    if entry is None or "control" not in entry or "real" not in entry:
        return None
    control, loop = entry["control"]["mean"][-1], entry["mean"][-1]
    error = np.hypot(entry["control"]["standard_error"][-1], entry["standard_error"][-1])
    return entry["real"] - control, control - loop, float(error)
