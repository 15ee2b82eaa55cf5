"""Heterozygosity, squared error and chi-squared of categorical loops: mean to fourth central moment, any K.

Each is a sum over categories of a polynomial f(x_i, z_i), so the m-th power is a sum over the ways to group m
factors by category, and its expectation follows from `theory.categorical.moments`. Where steps do not change
with t, raw moments are c_0 + sum_k c_k theta_k^t with the eigenvalues theta_k of degrees up to 2m; the
constants are found from as many exact values. Arithmetic is in decimals, because a fourth central moment
keeps only the digits beyond n^-2.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.categorical.course import Course, Step
from theory.categorical.moments import Monomial, OneStep, Polynomial, anchored, closed, distinct_sum, power
from theory.replace.precision import context
from theory.result import central

Terms = dict[tuple[int, int, int], Any]
"""A polynomial in x, y and z of one category; z may have the power -1."""

FUNCTIONS: dict[str, Terms] = {
    "heterozygosity": {(2, 0, 0): 1},
    "l2_squared": {(2, 0, 0): 1, (1, 0, 1): -2, (0, 0, 2): 1},
    "chi_squared": {(2, 0, -1): 1, (1, 0, 0): -2, (0, 0, 1): 1},
}
"""What is summed over categories; heterozygosity is 1 minus it."""

NOTHING = 1e-40
"""What a limit of 0 may come out as, in 60 digits."""


def central_moments(
    course: Course, name: str, generations: Sequence[float], highest: int = 2
) -> NDArray[np.float64]:
    """Mean and central moments up to `highest` of one observable, [moment, generation].

    Args:
        course: the loop.
        name: of `FUNCTIONS`.
        generations: increasing, at least 1; inf is answered where steps are constant, else nan.
        highest: 1 to 4.
    """
    with context(_digits(course)):
        raw = _Raw(course, name, highest)
        rows = [central(list(_signed(name, found))) for found in raw.at(generations)]
        found = np.array([[float(x) for x in row] for row in rows]).T.reshape(highest, -1)
    ended = np.array(generations) == math.inf
    found[:, ended & (np.abs(found) < NOTHING).all(0)] = 0.0
    return found


def _digits(course: Course) -> int:
    """Digits: 4 central orders lose n^2, and solving for constants whose rates are 1/n apart n^8."""
    step = course.step(course.initial + 1)
    size = max(int(step.total), len(course.source), course.anchor or 0)
    return 60 + 12 * len(str(size))


def _signed(name: str, raw: Sequence[Any]) -> Iterator[Any]:
    """Raw moments of 1 - F from those of F."""
    if name != "heterozygosity":
        yield from raw
        return
    full = [1, *raw]
    for m in range(1, len(full)):
        yield sum(comb(m, k) * (-1) ** k * full[k] for k in range(m + 1))


class _Raw:
    """E S^m of a sum S over categories, generation by generation."""

    def __init__(self, course: Course, name: str, highest: int):
        self.course, self.name, self.highest = course, name, highest
        self.merged = course.inflow == course.source and course.anchor is None
        self._cached: tuple[Step, OneStep] | None = None

    def at(self, generations: Sequence[float]) -> list[list[Any]]:
        """[generation][m - 1]."""
        finite = [int(g) for g in generations if g < math.inf]
        course, last = self.course, max((int(g) for g in generations if g < math.inf), default=0)
        settled = None
        if course.constant_from is not None:
            settled = max(course.constant_from, course.initial + 1) + 1
            needed = settled + 2 * self.highest
            if last > needed or len(finite) < len(generations):
                return self._spectral(generations, settled, needed)
        found = self._stepped(finite)
        nan = [Decimal("nan")] * self.highest
        return [found[int(g)] if g < math.inf else nan for g in generations]

    def _spectral(self, generations: Sequence[float], settled: int, needed: int) -> list[list[Any]]:
        early = self._stepped(range(1, needed + 1))
        step = self._one_step(settled + 1)
        rates = [step.eigenvalue(degree) for degree in range(2 * self.highest + 1)]
        found = []
        for g in generations:
            if g <= needed:
                found.append(early[int(g)])
                continue
            row = []
            for m in range(1, self.highest + 1):
                distinct = _distinct(rates[: 2 * m + 1])
                values = [early[settled + k][m - 1] for k in range(len(distinct))]
                constants = _vandermonde(distinct, values)
                row.append(
                    sum(
                        c * (rate ** (int(g) - settled) if g < math.inf else int(rate == 1))
                        for c, rate in zip(constants, distinct, strict=True)
                    )
                )
            found.append(row)
        return found

    def _stepped(self, generations: Sequence[int]) -> dict[int, list[Any]]:
        """Exact values at increasing generations, step by step."""
        course = self.course
        last = max(generations, default=0)
        targets = {g: self._targets(g) for g in generations}
        wanted = {monomial for target in targets.values() for poly in target for monomial in poly}
        kinds = [self._one_step(t) for t in range(course.initial + 1, last + 1)][:3]
        monomials = closed(wanted, kinds)
        values = self._initial(monomials)
        found = {}
        for t in range(course.initial, last + 1):
            if t > course.initial:
                step = self._one_step(t)
                values = {
                    x: sum(coefficient * values[y] for y, coefficient in step.row(x).items())
                    for x in monomials
                }
            if t in targets:
                found[t] = [sum(c * values[x] for x, c in poly.items()) for poly in targets[t]]
        return found

    def _one_step(self, t: int) -> OneStep:
        step = Step(*map(_number, self.course.step(t)))
        if self._cached is None or self._cached[0] != step:
            self._cached = step, OneStep(step, self.merged)
        return self._cached[1]

    def _targets(self, t: int) -> list[Polynomial]:
        """S^m, m = 1, ..., in monomials of the state of generation t."""
        shrink = _number(self.course.shrink(t))
        terms = _read_off(FUNCTIONS[self.name], shrink, self.merged)
        powers = [{(0, 0, 0): Decimal(1)}]
        for _ in range(self.highest):
            powers.append(_times(powers[-1], terms))
        return [_grouped(m, powers) for m in range(1, self.highest + 1)]

    def _initial(self, monomials: Iterable[Monomial]) -> dict[Monomial, Any]:
        course = self.course
        start = course.start if course.anchor is None else course.source
        kept = Counter(
            shares for shares in zip(start, course.inflow, course.source, strict=True) if self._counts(shares)
        )
        totals = [sum(map(_number, shares)) for shares in (start, course.inflow, course.source)]
        numbers = [
            (tuple(_number(share) / total for share, total in zip(shares, totals, strict=True)), count)
            for shares, count in kept.items()
        ]

        @cache
        def power_sum(exponents: tuple[int, int, int]) -> Any:
            return sum(
                count * prod(power(share, e) for share, e in zip(shares, exponents, strict=True))
                for shares, count in numbers
            )

        if course.anchor is None:
            return {monomial: distinct_sum(monomial, power_sum) for monomial in monomials}
        drawn = OneStep(Step(0, 0, Decimal(course.anchor)), False)
        return {
            monomial: sum(c * distinct_sum(x, power_sum) for x, c in anchored(monomial, drawn).items())
            for monomial in monomials
        }

    def _counts(self, shares: tuple[Any, Any, Any]) -> bool:
        """Whether a category enters: one that the source does not have is no part of chi-squared."""
        return any(shares) and (self.name != "chi_squared" or shares[2] > 0)


def _number(value: Any) -> Any:
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / value.denominator
    return Decimal(value)


def _read_off(terms: Terms, shrink: Any, merged: bool) -> Terms:
    """F of the model (1 - m) x + m y, as a polynomial of the state."""
    if shrink == 0:
        return {key: Decimal(c) for key, c in terms.items()}
    found: Terms = {}
    for (a, v, w), c in terms.items():
        for k in range(a + 1):
            key = (k, v, w + a - k) if merged else (k, v + a - k, w)
            found[key] = found.get(key, 0) + c * comb(a, k) * power(1 - shrink, k) * power(shrink, a - k)
    return found


def _times(left: Terms, right: Terms) -> Terms:
    found: Terms = {}
    for first, c in left.items():
        for second, d in right.items():
            key = tuple(i + j for i, j in zip(first, second, strict=True))
            found[key] = found.get(key, 0) + c * d
    return found


def _grouped(m: int, powers: Sequence[Terms]) -> Polynomial:
    """S^m as a sum over the ways to group its m factors by category."""
    found: Polynomial = {}
    for blocks, ways in _set_partitions(m).items():
        partial: Polynomial = {(): Decimal(ways)}
        for size in blocks:
            grown: Polynomial = {}
            for sofar, c in partial.items():
                for key, d in powers[size].items():
                    monomial = tuple(sorted((*sofar, key)))
                    grown[monomial] = grown.get(monomial, 0) + c * d
            partial = grown
        for monomial, c in partial.items():
            found[monomial] = found.get(monomial, 0) + c
    return found


def _set_partitions(m: int) -> Counter:
    """How many partitions of m things have blocks of these sizes."""
    found = Counter({(): 1})
    for _ in range(m):
        grown: Counter = Counter()
        for blocks, ways in found.items():
            grown[tuple(sorted((*blocks, 1)))] += ways
            for place in range(len(blocks)):
                enlarged = (*blocks[:place], blocks[place] + 1, *blocks[place + 1 :])
                grown[tuple(sorted(enlarged))] += ways
        found = grown
    return found


def _distinct(rates: Sequence[Any]) -> list[Any]:
    """Those that are not zero, each once."""
    found: list[Any] = []
    for rate in rates:
        if rate != 0 and rate not in found:
            found.append(rate)
    return found


def _vandermonde(nodes: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """C with sum_k c_k nodes_k^j = values_j."""
    rows = [[node**j for node in nodes] + [value] for j, value in enumerate(values)]
    size = len(nodes)
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(size):
            if i != k:
                factor = rows[i][k]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]
