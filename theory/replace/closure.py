"""The closure of moments under one fit of the replace loop.

Write m = mu - mu_0, sigma and l = log sigma^2 for the model. One fit multiplies and adds,

    m' = m + sigma e,    sigma'^2 = sigma^2 f,    l' = l + log f,

with (e, f) independent of the past: e = sqrt(lambda) Z / sqrt(n) and f = lambda chi2_{n-1} / c, independent
of each other, for normal samples. So every monomial m^i sigma^j l^k, j odd or negative included, has a finite
one-step expectation in monomials of the same family,

    E[m'^i sigma'^j l'^k] = sum_{a, b} C(i, a) C(k, b) E[e^a f^{j/2} log^b f]  m^{i-a} sigma^{j+a} l^{k-b}.

The weight i + j never changes, i and k never grow: the recursion is triangular, in blocks of a few monomials.
Arithmetic is whatever the law of the step brings: decimals, rational functions (own derivation).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import comb
from typing import Any, Protocol

Monomial = tuple[int, int, int]
"""Exponents (i, j, k) of m^i sigma^j l^k."""
Polynomial = dict[Monomial, Any]
Rows = dict[Monomial, Polynomial]
"""A linear map of expectations: the new value of each monomial from the old ones."""


class Step(Protocol):
    """The law of one fit."""

    def moment(self, a: int, j: int, b: int) -> Any:
        """E[e^a f^{j/2} log^b f], a even (e is symmetric given f)."""

    def is_finite(self, monomial: Monomial) -> bool:
        """Whether the monomial has an expectation after this fit."""


def one_step(monomial: Monomial, step: Step) -> Polynomial:
    """The conditional expectation of `monomial` after one fit, in monomials before it."""
    i, j, k = monomial
    return {
        (i - a, j + a, k - b): comb(i, a) * comb(k, b) * step.moment(a, j, b)
        for a in range(0, i + 1, 2)
        for b in range(k + 1)
    }


def closed(monomials: Iterable[Monomial]) -> tuple[Monomial, ...]:
    """All monomials that expectations of `monomials` are built from, each after those it depends on."""
    found = {
        (i - a, j + a, k - b)
        for i, j, k in monomials
        for a in range(0, i + 1, 2)
        for b in range(k + 1)
    }  # fmt: skip
    return tuple(sorted(found, key=lambda x: (x[0] + x[1], x[0] % 2, x[0], x[2])))


def rows(monomials: Iterable[Monomial], step: Step) -> Rows:
    """The one-step matrix over those of `monomials` (closed) that stay finite."""
    return {x: one_step(x, step) for x in monomials if step.is_finite(x)}


def composed(late: Rows, early: Rows) -> Rows:
    """The map `early` followed by `late`."""
    result = {}
    for x, row in late.items():
        if row.keys() <= early.keys():
            total: Polynomial = {}
            for y, outer in row.items():
                for z, inner in early[y].items():
                    total[z] = total[z] + outer * inner if z in total else outer * inner
            result[x] = total
    return result


def applied(matrix: Rows, values: Polynomial) -> Polynomial:
    """The expectations after `matrix`, from those before it."""
    return {
        x: sum(coefficient * values[y] for y, coefficient in row.items())
        for x, row in matrix.items()
        if row.keys() <= values.keys()
    }


def product(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product of two polynomials in m, sigma, 1/sigma and l."""
    total: Polynomial = {}
    for (i, j, k), x in left.items():
        for (p, q, r), y in right.items():
            key = (i + p, j + q, k + r)
            total[key] = total.get(key, 0) + x * y
    return total


def powers(polynomial: Polynomial, highest: int) -> list[Polynomial]:
    """The polynomial's powers 1, ..., `highest`."""
    result = [polynomial]
    while len(result) < highest:
        result.append(product(result[-1], polynomial))
    return result
