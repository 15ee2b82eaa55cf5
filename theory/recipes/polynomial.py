"""Polynomials as dictionaries from exponents to coefficients of any ring."""

from __future__ import annotations

from typing import Any

Polynomial = dict[tuple[int, ...], Any]


def constant(value: Any, variables: int) -> Polynomial:
    """A number."""
    return {(0,) * variables: value}


def variable(place: int, variables: int, one: Any) -> Polynomial:
    """One of the variables."""
    return {tuple(int(i == place) for i in range(variables)): one}


def plus(left: Polynomial, right: Polynomial) -> Polynomial:
    """The sum."""
    total = dict(left)
    for key, value in right.items():
        total[key] = total[key] + value if key in total else value
    return total


def scaled(polynomial: Polynomial, factor: Any) -> Polynomial:
    """The polynomial times a number; without terms if that is 0."""
    return {key: value * factor for key, value in polynomial.items()} if factor != 0 else {}


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product."""
    total: Polynomial = {}
    for i, x in left.items():
        for j, y in right.items():
            key = tuple(map(sum, zip(i, j, strict=True)))
            total[key] = total[key] + x * y if key in total else x * y
    return total


def power(polynomial: Polynomial, exponent: int, one: Polynomial) -> Polynomial:
    """The polynomial to a power; `one` is the polynomial 1."""
    result = one
    for _ in range(exponent):
        result = times(result, polynomial)
    return result
