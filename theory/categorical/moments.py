"""Moments of all orders of categorical loops, by a closure of polynomials in the shares.

Falling factorials of multinomial counts have expectations that are monomials, E prod (S_i)_{b_i} = (n)_{|b|}
prod q_i^{b_i}. So the expectation of a product of powers of new shares is a polynomial of no higher degree in
the old ones,

    E prod_i x_i'^{a_i} = n^{-|a|} sum_{b <= a} prod_i S(a_i, b_i) (n)_{|b|} prod_i x_i^{b_i}      (replace),

S Stirling's numbers of the second kind: triangular, with eigenvalues lambda_k = (n)_k / n^k (Feller 1951).
Categories enter symmetrically, so a monomial is a sum over distinct categories of prod x^a y^v z^w, with x
the state, y the inflow (`theory.categorical.course`) and z the source; at the end it is a polynomial in power
sums of the initial shares. Steps that keep old points or mix in new ones have the same form with more terms
(own derivation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from math import comb, factorial
from typing import Any

from theory.categorical.course import Step

Exponents = tuple[int, int, int]
"""Powers of x, y and z for one category."""
Monomial = tuple[Exponents, ...]
"""One entry for each of several distinct categories, sorted."""
Polynomial = dict[Monomial, Any]


@cache
def stirling(k: int, j: int) -> int:
    """Stirling's number of the second kind."""
    if k == j:
        return 1
    return 0 if j == 0 or j > k else j * stirling(k - 1, j) + stirling(k - 1, j - 1)


def power(x: Any, k: int) -> Any:
    """x^k, 1 at k = 0 whatever x is (decimals do not raise 0 to it)."""
    return x**k if k else 1


def falling(n: Any, k: int) -> Any:
    """(n)_k = n (n - 1) ... (n - k + 1)."""
    result = 1
    for j in range(k):
        result = result * (n - j)
    return result


class OneStep:
    """Conditional expectations after one generation.

    Args:
        step: its points, in any ring: decimals, fractions, symbols.
        merged: whether the inflow is the source, so that powers of y count as powers of z.
    """

    def __init__(self, step: Step, merged: bool):
        self.step, self.merged = step, merged
        self._total = step.total
        self._factors: dict[int, dict] = {}
        self._rows: dict[Monomial, Polynomial] = {}

    def row(self, monomial: Monomial) -> Polynomial:
        """The expectation of `monomial`, in monomials of the generation before."""
        if monomial not in self._rows:
            self._rows[monomial] = self._expanded(monomial)
        return self._rows[monomial]

    def _expanded(self, monomial: Monomial) -> Polynomial:
        one = self._total**0
        partial: dict[tuple[int, int, Monomial], Any] = {(0, 0, ()): one}
        for a, v, w in monomial:
            grown: dict[tuple[int, int, Monomial], Any] = {}
            for (b, c, sofar), coefficient in partial.items():
                for (db, dc, x, y), term in self._factor(a).items():
                    last = (x, v, w + y) if self.merged else (x, v + y, w)
                    key = (b + db, c + dc, tuple(sorted((*sofar, last))))
                    grown[key] = grown.get(key, 0) + coefficient * term
            partial = grown
        result: Polynomial = {}
        for (b, c, found), coefficient in partial.items():
            value = coefficient * falling(self.step.synthetic, b) * falling(self.step.real, c)
            result[found] = result.get(found, 0) + value
        return result

    def _factor(self, a: int) -> dict[tuple[int, int, int, int], Any]:
        """x'^a for one category: coefficients of (S)_b (R)_c x^i y^j, keyed (b, c, i, j)."""
        if a in self._factors:
            return self._factors[a]
        kept, real, _, shrink = self.step
        found: dict[tuple[int, int, int, int], Any] = {}
        one = self._total**0
        for s in range(a + 1):
            for r in range(a - s + 1):
                g = a - s - r
                if (g and kept == 0) or (r and real == 0):
                    continue
                outer = one * factorial(a) / (factorial(s) * factorial(r) * factorial(g))
                outer = outer * power(kept, g) / self._total**a
                for b, c in product(range(s + 1), range(r + 1)):
                    inner = stirling(s, b) * stirling(r, c)
                    if not inner:
                        continue
                    for j in range(b + 1 if shrink != 0 else 1):
                        mix = comb(b, j) * power(1 - shrink, b - j) * power(shrink, j)
                        key = (b, c, g + b - j, c + j)
                        found[key] = found.get(key, 0) + outer * inner * mix
        self._factors[a] = found
        return found

    def eigenvalue(self, degree: int) -> Any:
        """The factor that monomials of this degree in x keep."""
        kept, _, synthetic, shrink = self.step
        return sum(
            comb(degree, s)
            * power(1 - shrink, s)
            * falling(synthetic, s)
            * power(kept, degree - s)
            / self._total**degree
            for s in range(degree + 1)
            if degree == s or kept != 0
        )


def closed(monomials: Iterable[Monomial], steps: Sequence[OneStep]) -> list[Monomial]:
    """All monomials that expectations of `monomials` are built from under any of these steps."""
    found = dict.fromkeys(monomials)
    waiting = list(found)
    while waiting:
        monomial = waiting.pop()
        for step in steps:
            for other in step.row(monomial):
                if other not in found:
                    found[other] = None
                    waiting.append(other)
    return list(found)


def distinct_sum(monomial: Monomial, power_sum: Callable[[Exponents], Any]) -> Any:
    """A monomial, summed over distinct categories, from power sums over all of them."""

    @cache
    def value(entries: Monomial) -> Any:
        if not entries:
            return 1
        first, rest = entries[0], entries[1:]
        total = power_sum(first) * value(rest)
        for place, other in enumerate(rest):
            joined = tuple(i + j for i, j in zip(first, other, strict=True))
            total = total - value((*rest[:place], joined, *rest[place + 1 :]))
        return total

    return value(monomial)


def anchored(monomial: Monomial, source: OneStep) -> Polynomial:
    """The expectation of a monomial with x = y, a set of real points: in monomials of z alone, written as x.

    Args:
        monomial: in x, y and z.
        source: the step that draws the set from the source.
    """
    drawn = source.row(tuple(sorted((x + y, 0, z) for x, y, z in monomial)))
    return drawn
