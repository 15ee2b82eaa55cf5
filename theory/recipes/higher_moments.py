"""Higher moments of a loop under any policy, at the generations wanted and at rest.

Decimal numbers with digits to spare (`theory.replace.precision`), lengths in units of the source's standard
deviation. Where the map of one generation stays the same, its fixed point is the limit, if the map contracts
on moments of that weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from theory.loop import Loop
from theory.meal import Recipe
from theory.provenance.of_loop import recipe_of, sample_variance
from theory.recipes.closure import Closure, NotClosedError, Rows
from theory.replace.precision import UNTRUNCATED, context, digits, digits_needed
from theory.replace.truncation import truncated_moment
from theory.result import central
from theory.selected.recipe import corrected, detected
from theory.selection import Correction, Detector

RAW = {
    "mean_error": ((1, 0), (2, 0), (3, 0), (4, 0)),
    "mean_error_squared": ((2, 0), (4, 0), (6, 0), (8, 0)),
    "mean_error_fourth": ((4, 0), (8, 0)),
    "variance": ((0, 1), (0, 2), (0, 3), (0, 4)),
    "variance_squared": ((0, 2), (0, 4)),
    "mean_variance_product": ((2, 1), (4, 2)),
}
"""Exponents (i, j) of E mu^i sigma^{2j} in the powers of each observable, up to weight 8."""

LONGEST = {8: 400, 4: 5_000}
"""Generations that are followed one by one, by weight: seconds on one core where counts keep changing."""
LARGEST_SYSTEM = 60
NEARLY = 1e-6
"""Within this of 1 floats do not decide about a spectral radius."""


def recipe_for(loop: Loop) -> Recipe:
    """What every generation eats behind a detector or a correction, which turn a recipe into another.

    Raises:
        LoopError: if the rule does not act on this recipe.
    """
    made = recipe_of(loop)
    match loop.selection:
        case Detector():
            return detected(made, loop.selection)
        case Correction():
            return corrected(made, loop.selection)
    return made


class HigherMoments:
    """Central moments of what is polynomial in the mean and the variance.

    Args:
        loop: on the line, numbers throughout, weights numbers.
        wanted: generations, increasing; the last may be inf.
        highest: central moments up to this order.
        names: what is asked for.

    Raises:
        NotClosedError: if no finite recursion is known, with the reason.
    """

    def __init__(self, loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int):
        self.loop, self.wanted = loop, wanted
        last = int(max((g for g in wanted if g < math.inf), default=1))
        needed = max(i + 2 * j for name in names for i, j in RAW[name][:highest])
        weights = [w for w in (8, 4) if (w == 4 or needed > 4) and last <= LONGEST[w]]
        self.made = recipe_for(loop)
        refused = NotClosedError(f"higher moments are followed up to generation {LONGEST[4]} only")
        for weight in weights:
            try:
                self._walk(weight, last)
                return
            except NotClosedError as error:
                refused = error
        raise refused

    def _walk(self, weight: int, last: int) -> None:
        self.weight = weight
        with context(_digits(self.loop, self.made, last)):
            closure = _closure(self.loop, self.made, weight)
            found = {}
            for t in range(1, last + 1):
                closure.advance()
                if t in self.wanted:
                    found[t] = closure.values
            if math.inf in self.wanted:
                found[math.inf] = _at_rest(closure)
            self._values = [found[g] for g in self.wanted]
            self._size = closure._size

    def central(self, name: str, highest: int, peers: int) -> np.ndarray:
        """Mean and central moments [order, generation, peer] of an observable; nan where not known."""
        source: Any = self.loop.source
        found = np.full((4, len(self.wanted), peers), np.nan)
        raw = [x for x in RAW[name][:highest] if x[0] + 2 * x[1] <= self.weight]
        with context(_digits(self.loop, self.made, 1)):
            unit = Decimal(source.variance).sqrt() ** (RAW[name][0][0] + 2 * RAW[name][0][1])
            for place, values in enumerate(self._values):
                for peer in range(peers):
                    moments = [self._moment(values, i, j, peer) for i, j in raw]
                    if any(not m.is_finite() for m in moments):
                        infinite = next(k for k, m in enumerate(moments) if not m.is_finite())
                        found[infinite : len(moments), place, peer] = float(moments[infinite])
                        moments = moments[:infinite]
                    for order, x in enumerate(_rounded(central(moments), moments)):
                        found[order, place, peer] = float(x * unit ** (order + 1))
        return found

    def _moment(self, values: dict, i: int, j: int, peer: int) -> Decimal:
        exponents = [0] * self._size
        exponents[2 * peer : 2 * peer + 2] = i, j
        return values.get(tuple(exponents), Decimal(0))


def _rounded(moments: Sequence[Decimal], raw: Sequence[Decimal]) -> list[Decimal]:
    from theory.replace.statistics import rounded

    return rounded(moments, raw) if raw else []


def _digits(loop: Loop, made: Recipe, last: int) -> int:
    source, first = loop.source, loop.first_model
    largest = max(
        (portion.n or 2 for peer in range(made.peers) for meal in (made.at(1, peer), made.at(last, peer))
         for portion in (*meal.eats, *meal.adds) if getattr(portion, "n", None)),
        default=2,
    )  # fmt: skip
    largest = max(largest, *made.sets.values()) if made.sets else largest
    with context(30):
        unit = Decimal(source.variance).sqrt()
        offset = 1 + abs(Decimal(first.mean) - Decimal(source.mean)) / unit
        for target in made.targets or ():
            offset = max(offset, 1 + abs(Decimal(target)) / unit)
        return 20 + digits_needed(largest * max(last, 1), offset, Decimal(1))


def _closure(loop: Loop, made: Recipe, weight: int) -> Closure:
    """The closure of a loop, in units of its source, in decimals of the current context."""
    from dataclasses import replace

    source, first, sampler = loop.source, loop.first_model, loop.sampler
    unit = Decimal(source.variance).sqrt()
    start = None
    if loop.start is not None:
        offset = (Decimal(first.mean) - Decimal(source.mean)) / unit
        start = (offset, Decimal(first.variance) / Decimal(source.variance))
    if made.targets is not None:
        made = replace(made, targets=tuple(Decimal(target) / unit for target in made.targets))
    cut = sampler.truncate if sampler.truncate is not None and sampler.truncate < UNTRUNCATED else None

    def synthetic(order: int) -> Decimal:
        if cut is None:
            plain = Decimal(1 if sampler.truncate is not None else sample_variance(sampler))
            return math.prod(range(1, order, 2)) * (plain ** (order // 2) if order else Decimal(1))
        import mpmath

        with mpmath.workdps(digits()):
            return Decimal(mpmath.nstr(truncated_moment(cut, order), digits(), strip_zeros=False))

    def real(order: int) -> Decimal:
        return Decimal(math.prod(range(1, order, 2)))

    return Closure(
        made,
        weight,
        start,
        synthetic,
        synthetic if sampler.applies_to_source else real,
        cut is None,
        loop.estimator,
        _decimal,
    )


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / Decimal(value.denominator)
    return Decimal(value)


def _at_rest(closure: Closure) -> dict[tuple[int, ...], Decimal]:
    """The fixed point of a constant map; inf from the weight on at which it does not contract.

    Raises:
        NotClosedError: if the counts keep changing, or second moments have no fixed point that attracts.
    """
    made = closure.recipe
    if not made.constant or made.pooled:
        raise NotClosedError("higher moments at rest are known where the counts stay the same")
    while closure.generation <= made.settled:
        closure.advance()
    closure.generation += 1
    rows = closure.rows()
    known = {m: closure.values[m] for m, row in rows.items() if _is_kept(row, m)}
    found = dict(known)
    weight_of = {m: sum(e * (1 + k % 2) for k, e in enumerate(m)) for m in rows}
    for weight in range(1, closure.weight + 1):
        block = [m for m in rows if weight_of[m] == weight and m not in known]
        if not block:
            continue
        if len(block) > LARGEST_SYSTEM:
            raise NotClosedError("too many moments at once")
        radius = max(abs(np.linalg.eigvals([[float(rows[m].get(k, 0)) for k in block] for m in block])))
        lower = [sum((c * found[k] for k, c in rows[m].items() if k not in block), Decimal(0)) for m in block]
        if abs(radius - 1) < NEARLY or (weight <= 2 and radius > 1):
            raise NotClosedError(
                "moments at rest that grow, or remember their start, have no closed form here"
            )
        if radius > 1 or any(not x.is_finite() for x in lower):
            found |= dict.fromkeys(block, Decimal("Infinity"))
            continue
        found |= dict(zip(block, _solved(rows, block, lower), strict=True))
    return found


def _is_kept(row: dict, monomial: tuple[int, ...]) -> bool:
    return all(c == (key == monomial) for key, c in row.items()) and monomial in row


def _solved(rows: Rows, block: list, right: list[Decimal]) -> list[Decimal]:
    """(1 - A)^{-1} b, by elimination."""
    matrix = [[int(m == k) - rows[m].get(k, Decimal(0)) for k in block] + [b] for m, b in
              zip(block, right, strict=True)]  # fmt: skip
    size = len(block)
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(matrix[i][column]))
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for i in range(size):
            if i != column and matrix[i][column]:
                factor = matrix[i][column] / matrix[column][column]
                matrix[i] = [x - factor * y for x, y in zip(matrix[i], matrix[column], strict=True)]
    return [matrix[i][size] / matrix[i][i] for i in range(size)]
