"""Closed forms in t of triangular linear recursions: sums of (polynomial in t) x rate^t.

x_r(t+1) = d_r x_r(t) + (terms solved before): each forcing p(t) rho^t is answered by Q(t) rho^t with
rho Q(t+1) - d Q(t) = p(t), the degree of Q being one higher than p's where rho = d (resonance); the initial
value fixes the multiple of d^t. Whether two rates are equal is decided by the arithmetic (equality of
rational functions, or agreement of decimals to nearly all digits): coinciding rates are a case, never a
division by zero.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import comb
from typing import Any

from theory.replace.closure import Monomial, Polynomial, Rows


@dataclass(frozen=True)
class ExponentialPolynomial:
    """sum over rates of (coefficients of 1, t, t^2, ...) x rate^t; a ring, closed under + - *.

    Attributes:
        terms: the coefficients of each rate.
    """

    terms: Mapping[Any, tuple]

    def __add__(self, other: ExponentialPolynomial) -> ExponentialPolynomial:
        total = dict(self.terms)
        for rate, p in other.terms.items():
            total[rate] = tuple(x + y for x, y in zip_longest(total.get(rate, ()), p, fillvalue=0))
        return ExponentialPolynomial(total)

    def __sub__(self, other: ExponentialPolynomial) -> ExponentialPolynomial:
        return self + -1 * other

    def __mul__(self, other: Any) -> ExponentialPolynomial:
        if not isinstance(other, ExponentialPolynomial):
            return ExponentialPolynomial(
                {rate: tuple(x * other for x in p) for rate, p in self.terms.items()}
            )
        total = ExponentialPolynomial({})
        for rate, p in self.terms.items():
            for tau, q in other.terms.items():
                r = [0] * (len(p) + len(q) - 1)
                for e, x in enumerate(p):
                    for f, y in enumerate(q):
                        r[e + f] = r[e + f] + x * y
                total = total + ExponentialPolynomial({rate * tau: tuple(r)})
        return total

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> ExponentialPolynomial:
        return self if exponent == 1 else self ** (exponent - 1) * self


def solve(
    matrix: Rows, initial: Polynomial, same: Callable[[Any, Any], bool] = operator.eq
) -> dict[Monomial, ExponentialPolynomial]:
    """The solution x(t), x(0) = `initial`, of x(t+1) = `matrix` x(t).

    Args:
        matrix: rows in an order in which each uses only itself and earlier ones.
        initial: the value of every monomial at t = 0.
        same: whether two rates are equal.
    """
    solution: dict[Monomial, ExponentialPolynomial] = {}
    for x, row in matrix.items():
        own = row[x]
        forcing = ExponentialPolynomial({})
        for y, coefficient in row.items():
            if y != x:
                forcing = forcing + solution[y] * coefficient
        answer = {
            rate: _answer(p, rate, None if same(rate, own) else own) for rate, p in forcing.terms.items()
        }
        homogeneous = initial[x] - sum(p[0] for p in answer.values())
        solution[x] = ExponentialPolynomial(answer) + ExponentialPolynomial({own: (homogeneous,)})
    return solution


def _answer(p: tuple, rate: Any, own: Any | None) -> tuple:
    """Q with rate Q(t+1) - own Q(t) = p(t); with own = None, rate (Q(t+1) - Q(t)) = p(t) and Q(0) = 0."""
    resonant = own is None
    degree = len(p) - 1 + resonant
    q: list[Any] = [0] * (degree + 1)
    for e in range(len(p) - 1, -1, -1):
        higher = sum(comb(f, e) * q[f] for f in range(e + 1 + resonant, degree + 1))
        rest = p[e] - rate * higher
        if resonant:
            q[e + 1] = rest / (rate * (e + 1))
        else:
            q[e] = rest / (rate - own)
    return tuple(q)
