"""What was found of a loop's observables as a table for a reader: values rounded, reasons below.

Files and JSON hold every digit; a table shows six, and 0 for what is no more than rounding.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np

from autophagy.output import number, table
from theory.observable import PASSAGES

WIDTH = 110
"""Of text that is wrapped."""
WIDEST = 120
"""Of a table; vectors in a wider one are taken apart, an entry a row."""
MOST_ENTRIES = 8
"""Of a vector that is shown, in one row or in several."""
POWERS = {"mean_error": 1, "mean_error_squared": 2, "mean_error_fourth": 4, "mean_variance_product": 2}
"""Of the mean's error, in what is small because the mean is near the source's."""
ABOUT = "~"
"""Before what is asymptotic: the error is said below the table."""


def observable_table(content: dict[str, Any], columns: tuple[str, ...]) -> str:
    """A payload as text: a line for each generation and observable; below it what has no numbers, and why."""
    several = isinstance(content["generation"], list)
    heading = [*(["generation"] if several else []), "observable", *columns]
    found = table([heading, *_rows(content, columns, apart=False)])
    if max(map(len, found.splitlines())) > WIDEST:
        found = table([heading, *_rows(content, columns, apart=True)])
    body = [] if found.count("\n") < 2 else [found]
    late = [
        wrapped(
            f"{name}: {entry['censored']} of {content['seeds']} replicates had not passed when given up,"
            " so there is no mean; --max-generations gives them longer"
        )
        for name, entry in content["observables"].items()
        if entry.get("censored")
    ]
    return "\n".join([*body, *_notes(content["observables"]), *late])


def _rows(content: dict[str, Any], columns: tuple[str, ...], apart: bool) -> list[list[str]]:
    """A row for each observable and generation; with `apart`, for each entry of a short vector."""
    generations = content["generation"]
    several = isinstance(generations, list)
    dust = resolution(content["loop"]["source"])
    rows = []
    for name, entry in content["observables"].items():
        if entry.get("status") == "none" and "mean" not in entry:
            continue
        steps = list(enumerate(generations)) if several else [(0, generations)]
        for index, generation in [(0, "")] if name in PASSAGES else steps:
            values = [_at(entry.get(column), index, generations) for column in columns]
            if entry.get("status") == "none":  # known at some generations; the note says at which
                if not isinstance(_at(entry["mean"], index, generations), float):
                    continue
                values = ["see below" if value == "none" else value for value in values]
            if "mean" in columns:
                place = columns.index("mean")
                values[place] = rounded(values[place], dust.get(name, 0.0))
            first = [number(generation)] if several else []
            for label, cells in _entries(name, values) if apart else [(name, values)]:
                shown = [_cell(entry, *pair) for pair in zip(columns, cells, strict=True)]
                rows.append([*first, label, *shown])
    return rows


def _at(value: Any, index: int, generations: Any) -> Any:
    """A statistic at one of the generations."""
    timed = isinstance(generations, list) and isinstance(value, list) and len(value) == len(generations)
    return value[index] if timed else value


def _cell(entry: dict[str, Any], column: str, value: Any) -> str:
    shown = number(value)
    asymptotic = column == "mean" and entry.get("status") == "asymptotic" and shown
    return ABOUT + shown if asymptotic else shown


def _entries(name: str, values: list[Any]) -> list[tuple[str, list[Any]]]:
    """A row of vectors as a row for each entry, numbered from 1."""
    lengths = {len(value) for value in values if isinstance(value, list)}
    if len(lengths) != 1 or not 1 < (size := lengths.pop()) <= MOST_ENTRIES:
        return [(name, values)]
    return [
        (f"{name}[{k + 1}]", [value[k] if isinstance(value, list) else value for value in values])
        for k in range(size)
    ]


def _notes(observables: dict[str, dict]) -> list[str]:
    """Why there is no number, or none to rely on, each reason once."""
    reasons: dict[str, list[str]] = {}
    for name, entry in observables.items():
        said = {"none": "", "infinite": "infinite: ", "asymptotic": f"{ABOUT} "}.get(entry.get("status", ""))
        if said is not None and entry.get("reason"):
            reasons.setdefault(said + entry["reason"], []).append(name)
    return [wrapped(f"{', '.join(names)}: {reason}") for reason, names in reasons.items()]


def wrapped(text: str) -> str:
    """A note on several lines."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def resolution(source: dict[str, Any]) -> dict[str, float]:
    """Below what an observable is no more than rounding, by name, for the table of a source.

    A mean of the size |mu_0| + sigma_0 is held to eps times that, u; powers of its error to powers of u, and
    the product with the variance to u^2 sigma_0^2. What is not about the mean has no such scale.
    """
    known = {"gaussian": ("mean", "variance"), "mixture": ("means", "variances")}.get(source["family"])
    if known is None:
        return {}
    largest, spread = (float(np.max(np.abs(np.asarray(_flat(source[key]), float)))) for key in known)
    unit = np.finfo(float).eps * (largest + math.sqrt(spread))
    found = {name: unit**power for name, power in POWERS.items()}
    return found | {"mean_variance_product": unit**2 * spread}


def _flat(value: Any) -> list[Any]:
    return [x for item in value for x in _flat(item)] if isinstance(value, list) else [value]


def rounded(value: Any, dust: float) -> Any:
    """A number, or each of a list, 0 where it is less than `dust`."""
    if isinstance(value, list):
        return [rounded(item, dust) for item in value]
    return 0.0 if isinstance(value, float) and abs(value) < dust else value
