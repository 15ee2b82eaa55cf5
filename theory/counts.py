"""Numbers of points: whole, not negative, and schedules of them over the generations."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theory.expression import Expression, ExpressionError
from theory.quantity import LARGEST_SAMPLE, LoopError, Number, is_symbolic

Count = Any  # an int, or a SymPy expression
Schedule = Any  # a Count, a tuple (entry t - 1 for generation t), or an Expression in t


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def check_count(key: str, value: object, least: int = 0) -> Count:
    """`value` as a whole number of at least `least`; symbols pass.

    Raises:
        LoopError: if it is not.
    """
    value = _plain(value)
    if is_symbolic(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise LoopError(key, value, "a whole number is needed")
    if value < least:
        raise LoopError(key, value, "it is negative" if least == 0 else f"at least {least} is needed")
    if value > LARGEST_SAMPLE:
        raise LoopError(key, value, f"more than {LARGEST_SAMPLE} points cannot be counted exactly")
    return value


def check_fit(key: str, value: Count) -> None:
    """Refuse a fit to fewer than 2 points."""
    if not is_symbolic(value) and value < 2:
        raise LoopError(key, value, "a fit of a variance needs at least 2 points")


def check_share(key: str, value: object) -> Number:
    """`value` as a weight greater than 0 and at most 1: a float, or a Fraction kept as it is."""
    value = _plain(value)
    if is_symbolic(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise LoopError(key, value, "a number is needed")
    if not 0 < value <= 1:
        raise LoopError(key, value, "a weight is greater than 0 and at most 1")
    return value if isinstance(value, Fraction) else float(value)


def check_schedule(key: str, value: object, first: int, later: int) -> Schedule:
    """`value` as a schedule: at least `first` points in generation 1, at least `later` after it."""
    if isinstance(value, str):
        try:
            value = Expression(value)
        except ExpressionError as error:
            raise LoopError(key, value, error.reason) from None
    value = _plain(value)
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, Expression):
        points(key, value, 1, first)
    elif isinstance(value, tuple):
        if not value:
            raise LoopError(key, [], "the list is empty")
        for t, entry in enumerate(value, 1):
            check_count(key, entry, first if t == 1 else later)
    else:
        value = check_count(key, value, max(first, later))
    return value


def points(key: str, schedule: Schedule, t: int, least: int = 0) -> Count:
    """What a schedule says for generation `t`.

    Raises:
        LoopError: if its list is too short, or its expression is not a whole number of at least `least`.
    """
    if isinstance(schedule, tuple):
        if t > len(schedule):
            raise LoopError(key, list(schedule), f"the list ends before generation {t}")
        return schedule[t - 1]
    if not isinstance(schedule, Expression):
        return schedule
    try:
        return check_count(key, schedule.at(t), least)
    except LoopError as error:
        raise LoopError(key, schedule.text, f"at t = {t} it is {error.value}, and {error.reason}") from None
    except ExpressionError as error:
        raise LoopError(key, schedule.text, error.reason) from None


def is_constant(schedule: Schedule) -> bool:
    """Whether every generation gets the same number."""
    return not isinstance(schedule, tuple | Expression)
