"""Published statements as objects: evaluated over a grid, beside the exact value.

A statement either bounds something, says what it equals, expands it in a small parameter, or says that
something is needed or enough. Each is compared with a closed form of this project at every point of its grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Point = Mapping[str, Any]
Kind = Literal["upper bound", "lower bound", "equality", "expansion"]

ROUNDING = 1e-9
"""Of a value that is computed by another route in floats: cancellations lose up to half the digits."""
FINER = 4
"""By how much the large parameter grows when the order of an expansion's error is measured."""


@dataclass(frozen=True)
class Published:
    """One statement of the literature.

    Attributes:
        name: for tables.
        statement: what is said, in LaTeX.
        source: authors, year, identifier.
        seen: what of the source was read.
        kind: what is claimed: a bound, an equality, an expansion.
        grid: where it is evaluated.
        value: what the statement says there.
        exact: what is true there.
        finer: of an expansion: the same point with the large parameter `FINER` times as large.
        power: of an expansion: the power of the small parameter that its error is said to have.
    """

    name: str
    statement: str
    source: str
    seen: str
    kind: Kind
    grid: tuple[Point, ...]
    value: Callable[[Point], float]
    exact: Callable[[Point], float]
    finer: Callable[[Point], Point] | None = None
    power: float = 2.0

    def at(self, point: Point) -> Reading:
        """The statement beside the truth at one point."""
        value, exact = float(self.value(point)), float(self.exact(point))
        return Reading(self, point, value, exact, self._holds(point, value, exact))

    def readings(self) -> tuple[Reading, ...]:
        """At every point of the grid."""
        return tuple(self.at(point) for point in self.grid)

    def _holds(self, point: Point, value: float, exact: float) -> bool:
        return self._is_of_order(point) if self.kind == "expansion" else self.holds(value, exact)

    def holds(self, value: float, exact: float) -> bool:
        """Whether the truth is as a bound or an equality says."""
        if math.isinf(value) or math.isinf(exact):
            near = value == exact
        else:
            near = abs(value - exact) <= ROUNDING * max(abs(value), abs(exact))
        if self.kind == "equality":
            return near
        return near or (exact < value if self.kind == "upper bound" else exact > value)

    def _is_of_order(self, point: Point) -> bool:
        """Whether the error falls at least like the stated power, to the nearest half."""
        assert self.finer is not None
        far = self.finer(self.finer(point))  # beyond where the next term could still cancel
        error, beyond = (abs(float(self.value(x)) - float(self.exact(x))) for x in (far, self.finer(far)))
        return beyond == 0 or round(2 * math.log(error / beyond) / math.log(FINER)) >= 2 * self.power


@dataclass(frozen=True)
class Reading:
    """A statement at one point.

    Attributes:
        of: the statement.
        point: where.
        value: what it says.
        exact: what is true.
        holds: whether the truth is as stated; of an expansion, whether its error has the stated order.
    """

    of: Published
    point: Point
    value: float
    exact: float
    holds: bool

    @property
    def tightness(self) -> float:
        """The ratio of what is said to what is true: 1 is tight; nan where both vanish or are infinite."""
        if self.exact == 0 or (math.isinf(self.value) and math.isinf(self.exact)):
            return math.nan
        return self.value / self.exact
