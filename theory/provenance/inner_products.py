"""Inner products E[x y] of random variables, each a combination of earlier ones plus something new."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple


class Vector(NamedTuple):
    """sum_i terms[i] x_i + e, with e orthogonal to every variable so far and E e^2 = noise."""

    terms: dict[Any, Any]
    noise: Any


def combined(parts: list[tuple[Any, Vector]]) -> Vector:
    """sum_p c_p v_p of vectors whose new parts are orthogonal to one another."""
    terms: dict[Any, Any] = {}
    for factor, vector in parts:
        for key, coefficient in vector.terms.items():
            terms[key] = terms[key] + factor * coefficient if key in terms else factor * coefficient
    return Vector(terms, sum(factor * factor * vector.noise for factor, vector in parts))


class InnerProducts:
    """The Gram matrix of the variables that are alive, by name.

    Args:
        tidy: applied to every product that is kept; simplification for symbols.
    """

    def __init__(self, tidy: Callable[[Any], Any]):
        self._tidy = tidy
        self._rows: dict[Hashable, dict[Hashable, Any]] = {}

    def __getitem__(self, pair: tuple[Hashable, Hashable]) -> Any:
        first, second = pair
        return self._rows[first][second]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def define(self, name: Hashable, vector: Vector) -> None:
        """Add a variable, or replace the one of that name, which the vector may mention."""
        row = {other: self._tidy(self._with(vector, other)) for other in self._rows if other != name}
        square = self._tidy(self.square(vector))
        if name in self._rows:
            self.forget(name)
        for other, value in row.items():
            self._rows[other][name] = value
        self._rows[name] = row | {name: square}

    def assign(self, first: Hashable, second: Hashable, value: Any) -> None:
        """Overwrite E x y."""
        self._rows[first][second] = self._rows[second][first] = value

    def square(self, vector: Vector) -> Any:
        """E v^2."""
        return sum(c * self._with(vector, key) for key, c in vector.terms.items()) + vector.noise

    def forget(self, name: Hashable) -> None:
        """Drop a variable."""
        del self._rows[name]
        for row in self._rows.values():
            del row[name]

    def _with(self, vector: Vector, other: Hashable) -> Any:
        row = self._rows[other]
        return sum(c * row[key] for key, c in vector.terms.items())
