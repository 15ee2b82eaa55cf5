"""Values as a part of a loop holds them, and the complaint about one that makes no sense."""

from __future__ import annotations

import math
from dataclasses import is_dataclass
from typing import Any

Number = Any  # a float, or a SymPy expression

LARGEST_SAMPLE = 2**53  # sample sizes stay exact in a float64


class LoopError(ValueError):
    """A value of a loop that makes no sense: the key's path, the value, the reason."""

    def __init__(self, key: str, value: object, reason: str):
        super().__init__(key, value, reason)
        self.key, self.value, self.reason = key, value, reason

    def __str__(self) -> str:
        key = self.key if self.key.isprintable() else repr(self.key)
        value = _word(self.value)
        if value is None:
            return f"{_short(key)}: {self.reason}"
        return f"{_short(key)} is {_short(repr(value))}: {self.reason}"

    def under(self, table: str) -> LoopError:
        """The same complaint, its key seen from the table above."""
        return type(self)(f"{table}.{self.key}", self.value, self.reason)


def _word(value: object) -> object:
    """A value as it is said: of a part of a loop its name in a file, or nothing; an expression as text."""
    if isinstance(value, list | tuple) and any(map(_is_part, value)):
        return None
    if not _is_part(value):
        return value
    words = (getattr(value, key, None) for key in ("family", "policy", "rule", "kind", "text", "name"))
    return next((word for word in words if isinstance(word, str)), None)


def _is_part(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


class UnavailableError(LoopError):
    """Something the vocabulary names that this version cannot yet do."""


def is_symbolic(value: object) -> bool:
    """Whether `value` is a SymPy expression (recognised without importing SymPy)."""
    return hasattr(value, "free_symbols")


def real(key: str, value: object) -> Number:
    """`value` as a finite float; symbols pass.

    Raises:
        LoopError: if it is no number, or not finite.
    """
    if is_symbolic(value):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LoopError(key, value, "a number is needed")
    try:
        value = float(value)
    except OverflowError:
        raise LoopError(key, value, "the number is too large") from None
    if not math.isfinite(value):
        raise LoopError(key, str(value), "a finite number is needed")
    return value


def array(key: str, value: object, depth: int) -> Number:
    """Nested tuples of reals, at most `depth` deep, rectangular.

    Raises:
        LoopError: if it is not that.
    """
    if hasattr(value, "tolist") and getattr(value, "ndim", 0):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return real(key, value)
    if depth == 0 or not value:
        raise LoopError(key, value, "an array of this shape is not understood")
    rows = tuple(array(key, item, depth - 1) for item in value)
    if len({len(row) if isinstance(row, tuple) else None for row in rows}) > 1:
        raise LoopError(key, value, "its rows differ in length")
    return rows


def positive(key: str, value: Number) -> None:
    """Refuse a number that is not greater than 0; symbols pass."""
    if not is_symbolic(value) and value <= 0:
        raise LoopError(key, value, "it must be greater than 0")


def one_of(key: str, value: object, words: tuple[str, ...]) -> None:
    """Refuse what is none of `words`."""
    if value not in words:
        raise LoopError(key, value, f"one of {', '.join(words)} is needed")


def flag(key: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise LoopError(key, value, "true or false is needed")


def settle(part: object, **values: object) -> None:
    """Fields of a frozen dataclass that is being made, as checked."""
    for key, value in values.items():
        object.__setattr__(part, key, value)
