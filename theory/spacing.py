"""The values of an axis: a list, or numbers spaced evenly between two ends."""

from __future__ import annotations

import json
import math
from typing import Any

from theory.loop import LoopError

MOST_VALUES = 10**6
SPACINGS = {"linear": 15, "log": 13}  # digits kept, so that typing a value gives the same loop


def axis_values(where: str, given: Any, repeat: bool = False) -> tuple[Any, ...]:
    """An axis's values: a list as it is, or {linear = [a, b, k]} or {log = [a, b, k]}, both ends included."""
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, dict):
        values = spaced(where, given)
    elif isinstance(given, list | tuple):
        values = list(given)
    else:
        raise LoopError(where, given, "an axis is a list, {linear = [a, b, k]} or {log = [a, b, k]}")
    if not values:
        raise LoopError(where, given, "the list is empty")
    if not repeat:
        refuse_repeats(where, values)
    return tuple(values)


def refuse_repeats(where: str, values: list[Any]) -> None:
    """Refuse an axis that has a value twice: its points would be the same loop."""
    seen: set[str] = set()
    for value in values:
        text = json.dumps(value, sort_keys=True, default=str)
        if text in seen:
            raise LoopError(where, value, "this value is given twice")
        seen.add(text)


def spaced(where: str, given: dict[str, Any]) -> list[Any]:
    """Numbers from a to b, both included: k of them, evenly spaced, or evenly in the logarithm.

    With `whole = true` they are rounded to whole numbers, as sample sizes need. Otherwise they are rounded to
    15 digits (13 in the logarithm), and between whole ends what comes out whole is a whole number.
    """
    kinds = [key for key in given if key in SPACINGS]
    if len(kinds) != 1 or set(given) - {*SPACINGS, "whole"}:
        raise LoopError(
            where, given, "write {linear = [a, b, k]} or {log = [a, b, k]}, whole = true if need be"
        )
    kind, whole = kinds[0], given.get("whole", False)
    if not isinstance(whole, bool):
        raise LoopError(f"{where}.whole", whole, "true or false is needed")
    where = f"{where}.{kind}"
    bounds = given[kind]
    if not isinstance(bounds, list | tuple) or len(bounds) != 3:
        raise LoopError(where, bounds, "three numbers are needed: first, last, how many")
    a, b, k = bounds
    for end in (a, b):
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
            raise LoopError(where, end, "a finite number is needed")
        if kind == "log" and end <= 0:
            raise LoopError(where, end, "a logarithm needs numbers greater than 0")
    whole_number(where, k, 2, MOST_VALUES)
    values = [a, *(_between(kind, a, b, i / (k - 1)) for i in range(1, k - 1)), b]
    if whole:
        return [round(value) for value in values]
    if isinstance(a, int) and isinstance(b, int):
        return [int(value) if float(value).is_integer() else value for value in values]
    return [float(value) for value in values]


def _between(kind: str, a: float, b: float, fraction: float) -> float:
    if kind == "log":
        a, b = math.log(a), math.log(b)
    value = a * (1 - fraction) + b * fraction
    value = math.exp(value) if kind == "log" else value
    # a power such as 10 ** 2 comes out of exp(log) a few units in the last digits away
    return float(f"{value:.{SPACINGS[kind]}g}")


def whole_number(key: str, value: Any, low: int, high: int) -> int:
    """`value`, if it is a whole number in the range."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LoopError(key, value, f"a whole number from {low} to {high} is needed")
    return value
