"""Expectations of orthogonal invariants along the loop, in decimals, with the logarithm of det W as a tilt.

The monomials of `theory.wishart.words` obey E y_t = M(nu_t, s_t, w_t) y_{t-1}, with s = lambda / c and
w = lambda / n. Central moments are small differences of large ones, so the arithmetic is decimal with digits
to spare (`theory.replace.precision`).

Products with powers of D = sum_u (log det W_u - E log det W_u) follow from the same recursion: weighting the
law of W ~ Wishart(nu) by det(W)^theta makes it Wishart(nu + 2 theta), so for any invariant f of the path

    E[f e^{theta D}] = E[e^{theta D}] E_{nu + 2 theta}[f],

and the powers of theta are read off a Taylor series carried along (own derivation).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from theory.replace.fits import Fit
from theory.wishart.fits import Path
from theory.wishart.words import Monomial, closed, one_step

Decimals = NDArray[np.object_]


def expectations(
    targets: tuple[Monomial, ...], path: Path, initial: Callable[[Monomial], Decimals], order: int = 0
) -> Decimals:
    """E of the invariants `targets` at the path's stops: [stop, power of theta, target, start].

    Args:
        targets: invariants in the letters s, v, B.
        path: the fits.
        initial: values of an invariant at generation 0, as an array over starts.
        order: the highest power of theta.
    """
    chart = _map(targets)
    values = np.full((order + 1, len(chart.monomials), *np.shape(initial(targets[0]))), Decimal(0), object)
    for i, one in enumerate(chart.monomials):
        values[0, i] = initial(one)
    found = {0: values[:, : len(targets)]}
    numbers: dict[Fit, Decimals] = {}
    t = 0
    for one, count in path.runs:
        if one not in numbers:
            numbers[one] = chart.numbers(one, order)
        end = t + count
        for stop in sorted({x for x in path.stops if t < x < end} | {end}):
            values = _advanced(chart, numbers[one], values, stop - t)
            t = stop
            found[t] = values[:, : len(targets)]
    reached = [found[stop] for stop in path.stops]
    return np.array(reached, object).reshape(len(reached), *found[0].shape)


class _Map:
    """The one-step map on the closure of some monomials: where its entries are, and their numbers."""

    def __init__(self, targets: tuple[Monomial, ...]):
        self.monomials = closed(targets)
        place = {x: i for i, x in enumerate(self.monomials)}
        entries = [(x, y, c) for x in self.monomials for y, c in one_step(x).items()]
        self.columns = np.array([place[y] for _, y, _ in entries])
        self.rows = np.array([place[x] for x, _, _ in entries])
        self.starts = np.flatnonzero(np.diff(self.rows, prepend=-1))
        self._letters = [sum(word.count("s") for word in x) for x, _, _ in entries]
        self._coefficients = [tuple(c.items()) for _, _, c in entries]

    def numbers(self, fit: Fit, order: int) -> Decimals:
        """Taylor coefficients in theta of the entries at nu + 2 theta: [power of theta, entry]."""
        nus, noises, scales = (_powers(x) for x in (Decimal(fit.nu), fit.noise, fit.scale))
        table = np.empty((order + 1, len(self.columns)), object)
        for j in range(order + 1):
            for i, (letters, coefficient) in enumerate(zip(self._letters, self._coefficients, strict=True)):
                terms = [
                    c * comb(nu, j) * 2**j * nus[nu - j] * noises[w] for (nu, w), c in coefficient if nu >= j
                ]
                table[j, i] = scales[letters] * sum(terms, Decimal(0))
        return table

    def apply(self, numbers: Decimals, values: Decimals) -> Decimals:
        """One step of [power of theta, monomial, start]."""
        new = np.empty_like(values)
        for j in range(len(values)):
            parts = sum(numbers[i][:, None] * values[j - i][self.columns] for i in range(j + 1))
            new[j] = np.add.reduceat(parts, self.starts)
        return new

    def dense(self, numbers: Decimals) -> Decimals:
        """The step as a matrix, without powers of theta."""
        matrix = np.full((len(self.monomials),) * 2, Decimal(0), object)
        matrix[self.rows, self.columns] = numbers[0]
        return matrix


_map = cache(_Map)


def _powers(x: Decimal, highest: int = 12) -> list[Decimal]:
    result = [Decimal(1)]
    while len(result) <= highest:
        result.append(result[-1] * x)
    return result


def _advanced(chart: _Map, numbers: Decimals, values: Decimals, steps: int) -> Decimals:
    """The values after `steps` equal fits, by repeated squaring where that is less work."""
    squaring = 2 * steps.bit_length() * len(chart.monomials) ** 3
    if len(values) > 1 or steps * len(chart.columns) <= squaring:
        for _ in range(steps):
            values = chart.apply(numbers, values)
        return values
    power, vector = chart.dense(numbers), values[0]
    while True:
        if steps & 1:
            vector = power @ vector
        steps >>= 1
        if not steps:
            return vector[None]
        power = power @ power
