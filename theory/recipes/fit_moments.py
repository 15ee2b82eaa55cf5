"""Moments of one fit given everything before it, as polynomials in the means and variances it was drawn from.

A portion of a fit has a mean y and a variance v about it (divisor n). Given the past, portions are
independent, and E y^a v^b is a polynomial:

    n points of N(m, l s):      y = m + e, e ~ N(0, l s / n);  v = l s chi2_{n-1} / n, independent (Cochran)
    n points of any one law:    with P_ab = E (sum x)^a (sum x^2)^b / (a! b!), the generating function of P
                                is the n-th power of one point's, f^n: P' f = n P f', term by term
    a model, or a stored pool:  y^a v^b itself

and with q = v + y^2 the fit mu = sum w y, sigma^2 = k (sum w q - mu^2) has E mu^i sigma^{2j} = k^j sum_l
C(j, l) (-1)^l E mu^{i+2l} (sum w q)^{j-l}. So E mu^i sigma^{2j}, i + 2j <= W, closes on moments of the
same weight or less (own derivation). Numbers are of any ring.
"""

from __future__ import annotations

from functools import cache
from math import comb, factorial, prod
from typing import Any

from theory.recipes.polynomial import Polynomial, constant, plus, power, scaled, times

Table = dict[tuple[int, int], Polynomial]
"""By (a, b), a + 2b <= W: an expectation with y^a and v^b (or q^b)."""


def places(weight: int) -> list[tuple[int, int]]:
    """All (a, b) with a + 2b <= weight."""
    return [(a, b) for b in range(weight // 2 + 1) for a in range(weight - 2 * b + 1)]


def of_normal(n: Any, mean: Polynomial, spread: Polynomial, weight: int) -> Table:
    """N points of a normal law: E y^a v^b."""
    one = _one(mean, spread)
    means = [one]
    for k in range(1, weight + 1):
        total: Polynomial = {}
        for r in range(k // 2 + 1):
            odd = prod(range(1, 2 * r, 2))
            term = times(power(mean, k - 2 * r, one), power(spread, r, one))
            total = plus(total, scaled(term, comb(k, 2 * r) * odd / _power(n, r)))
        means.append(total)
    spreads = [one]
    for j in range(1, weight // 2 + 1):
        spreads.append(scaled(times(spreads[-1], spread), (n - 3 + 2 * j) / n))
    return {(a, b): times(means[a], spreads[b]) for a, b in places(weight)}


def of_points(n: Any, points: list[Polynomial], weight: int) -> Table:
    """N independent points with E x^k = points[k], of any law: E y^a v^b."""

    @cache
    def sums(a: int, b: int) -> Any:
        if a == b == 0:
            return points[0]
        total: Polynomial = {}
        for u in range(a + 1):
            for v in range(b + 1):
                if u or v:
                    factor = n * u - (a - u) if a else n * v - (b - v)
                    term = times(points[u + 2 * v], sums(a - u, b - v))
                    total = plus(total, scaled(term, factor / _number(n, factorial(u) * factorial(v))))
        return scaled(total, 1 / _number(n, a or b))

    raw = {
        (a, b): scaled(sums(a, b), factorial(a) * factorial(b) / _power(n, a + b)) for a, b in places(weight)
    }
    return about_mean(raw)


def of_model(mean: Polynomial, spread: Polynomial, weight: int) -> Table:
    """Something that is there already."""
    one = _one(mean, spread)
    return {(a, b): times(power(mean, a, one), power(spread, b, one)) for a, b in places(weight)}


def rescaled(table: Table, mean: Any, spread: Any) -> Table:
    """E (x y)^a (z v)^b with x = `mean`, z = `spread`."""
    return {(a, b): scaled(p, _power(mean, a) * _power(spread, b)) for (a, b), p in table.items()}


def about_zero(table: Table) -> Table:
    """E y^a q^b, q = v + y^2, from E y^a v^b."""
    return _shifted(table, 1)


def about_mean(table: Table) -> Table:
    """E y^a v^b from E y^a q^b."""
    return _shifted(table, -1)


def together(first: Table, second: Table) -> Table:
    """Sums of independent pairs."""
    found = {}
    for a, b in first:
        total: Polynomial = {}
        for k in range(a + 1):
            for l in range(b + 1):
                ways = comb(a, k) * comb(b, l)
                total = plus(total, scaled(times(first[k, l], second[a - k, b - l]), ways))
        found[a, b] = total
    return found


def _shifted(table: Table, sign: int) -> Table:
    found = {}
    for a, b in table:
        total: Polynomial = {}
        for l in range(b + 1):
            total = plus(total, scaled(table[a + 2 * l, b - l], sign**l * comb(b, l)))
        found[a, b] = total
    return found


def _one(*polynomials: Polynomial) -> Polynomial:
    for polynomial in polynomials:
        for exponents, value in polynomial.items():
            return constant(1 + 0 * value, len(exponents))
    raise ValueError("nothing to take the number 1 from")


def _power(value: Any, exponent: int) -> Any:
    return value**exponent if exponent else 1 + 0 * value


def _number(like: Any, value: int) -> Any:
    return value + 0 * like
