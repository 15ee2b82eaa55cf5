"""Fits to samples that are not normal: symmetric, with known moments, and the truncated normal among them.

Keeping |z| < c of a standard normal leaves, with (2 Phi(c) - 1) E z^{2k} = int_{-c}^{c} z^{2k} phi(z) dz and
integration by parts,

    E z^{2k} = (2k - 1) E z^{2k-2} - 2 c^{2k-1} phi(c) / (2 Phi(c) - 1),

so v(c) = 1 - 2 c phi(c) / (2 Phi(c) - 1). For numbers the same integral is a ratio of Kummer functions,
E z^{2k} = c^{2k} / (2k + 1) M(1, k + 3/2, c^2/2) / M(1, 3/2, c^2/2), which loses no digits for small c.

The mean and the sum of squares of n such samples are not independent, but their joint moments are polynomials
in n: with P(x, y) = E[(sum z)^x (sum z^2)^y] / (x! y!), the generating function of P is the n-th power of
that of one sample, and differentiating the power gives the recursion of `_power_sums` (own derivation).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import comb, factorial
from typing import Any

from theory.replace.closure import Monomial


class SymmetricStep:
    """A fit to n independent samples mu + sigma z of a symmetric law of z: e = mean of z, f = SS / c.

    SS = sum z^2 - (sum z)^2 / n. Only expectations polynomial in e and f are known.

    Args:
        n: the number of samples.
        divisor: c.
        moments: `moments(2k)` is E z^{2k}.
        one: the number 1, in the arithmetic wanted.
    """

    def __init__(self, n: Any, divisor: Any, moments: Callable[[int], Any], one: Any):
        self.n, self.divisor, self.one = n, divisor, one
        self._moments = cache(moments)
        self._power_sums = cache(self._power_sums)

    def is_finite(self, monomial: Monomial) -> bool:
        """Whether this is one of the moments known: even powers of sigma, no logarithm."""
        return monomial[1] >= 0 and monomial[1] % 2 == 0 and monomial[2] == 0

    def moment(self, a: int, j: int, b: int) -> Any:
        """E[e^a f^{j/2}], for b = 0 and even j."""
        if b or j % 2:
            raise ValueError("only polynomial moments of a truncated fit have a closed form")
        q = j // 2
        total = 0 * self.one
        for r in range(q + 1):
            sums = factorial(a + 2 * r) * factorial(q - r) * self._power_sums(a + 2 * r, q - r)
            total += (-1) ** r * comb(q, r) * sums / (self.n**r * self.one)
        return total / (self.n**a * self.divisor**q * self.one)

    def _term(self, u: int, v: int) -> Any:
        """E[z^u z^{2v}] / (u! v!)."""
        return self._moments(u + 2 * v) / (factorial(u) * factorial(v) * self.one) if u % 2 == 0 else 0

    def _power_sums(self, x: int, y: int) -> Any:
        """E[(sum z)^x (sum z^2)^y] / (x! y!), from P f' = n P f' term by term (f(0) = 1)."""
        if x == y == 0:
            return self.one
        total = 0 * self.one
        for u in range(0, x + 1, 2):
            for v in range(y + 1):
                if u or v:
                    weight = self.n * u - (x - u) if x else self.n * v - (y - v)
                    total += weight * self._term(u, v) * self._power_sums(x - u, y - v)
        return total / (x or y)


def truncated_moment(cut: float, order: int) -> Any:
    """E z^{order}, even, of a standard normal kept within |z| < cut, in mpmath's current precision."""
    import mpmath

    x = mpmath.mpf(cut) ** 2 / 2
    kummer = [mpmath.hyp1f1(1, mpmath.mpf(k + 3) / 2, x) for k in (order, 0)]
    return mpmath.mpf(cut) ** order / (order + 1) * kummer[0] / kummer[1]


def truncated_moments(cut: Any) -> Callable[[int], Any]:
    """E z^{2k} of a standard normal kept within |z| < cut, as SymPy expressions of a symbol `cut`."""
    import sympy as sp

    density = sp.exp(-(cut**2) / 2) / sp.sqrt(2 * sp.pi)
    edge = 2 * density / sp.erf(cut / sp.sqrt(2))

    def moment(order: int) -> sp.Expr:
        if order == 0:
            return sp.Integer(1)
        return (order - 1) * moment(order - 2) - cut ** (order - 1) * edge

    return moment
