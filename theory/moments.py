"""Every moment of the replace loop derived from the law of one fit, in closed form in n, t and lambda.

`theory.replace.closure` says what one fit does to a monomial m^i sigma^j l^k, `theory.replace.recursion`
builds the recursion in symbols and solves it; here the result is named and written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import sympy as sp

from theory.discrete_source import Categorical
from theory.gaussian import bounded_below, collapse_below
from theory.loop import Gaussian, Loop, LoopError, Replace, is_symbolic
from theory.replace.closure import Monomial, closed
from theory.replace.fit_law import GaussianStep
from theory.replace.fits import Fit, constant_size, fit, require_replace
from theory.replace.limits import thresholds
from theory.replace.precision import context, step
from theory.replace.recursion import Kind, N, T, constants, expression, function_of_t, kind, solved

if TYPE_CHECKING:
    from theory.categorical.derivation import Derivation as CategoricalDerivation
    from theory.recipes.derivation import RecipeDerivation

MELLIN = ((0, 0, 1), (0, 0, 2), (0, 1, 0), (2, 1, 0), (0, -2, 0), (2, -2, 0))
"""Beside the polynomials: what log-variance, Wasserstein distance and the divergences are made of."""


def polynomials(weight: int) -> tuple[Monomial, ...]:
    """The moments m^i sigma^j, j even, i + j <= `weight`."""
    return closed((i, j, 0) for j in range(0, weight + 1, 2) for i in range(weight + 1 - j))


def moment(monomial: Monomial, kind: Kind) -> sp.Expr:
    """E[m^i sigma^j l^k] after t fits in closed form: m from the first model's mean, l = log sigma^2.

    Valid for t >= 1 and n > 1 - j (negative powers of sigma need more points); where lambda or n makes two
    rates coincide, the limit is meant.
    """
    terms = solved(kind, (monomial,)).solution[monomial]
    return function_of_t(terms, steps(kind), list(constants(kind).values()))


def steps(kind: Kind) -> sp.Expr:
    """How often the recursion has been applied after t fits."""
    return T - 1 if kind.late else T


def derive(loop: Loop, weight: int = 6) -> Derivation | RecipeDerivation | CategoricalDerivation:
    """The recursion of all polynomial moments up to `weight`, and of the logarithm and odd powers, solved.

    For any policy but replace, and behind a detector or a correction: the recursion of second moments. For
    categories under replacement: that of a share's moments up to the fourth.

    Numbers in the loop stay symbols: n, lambda and the first model's sigma_0; rates and thresholds in numbers
    appear beside.

    Raises:
        LoopError: if the source is not a Gaussian on the line.
    """
    if isinstance(loop.source, Gaussian) and (loop.selection or not isinstance(loop.data, Replace)):
        from theory.recipes.derivation import derive as derive_recipe

        return derive_recipe(loop)
    if isinstance(loop.source, Categorical):
        from theory.categorical.derivation import derive as derive_categorical

        return derive_categorical(loop)
    if not isinstance(loop.source, Gaussian) or not loop.source.is_scalar:
        reason = "the derivation is written for categories and for a Gaussian on the line"
        if isinstance(loop.source, Gaussian):
            raise LoopError("source", None, f"{reason}; this one has {loop.source.dimension} coordinates")
        raise LoopError("source.family", loop.source.family, reason)
    require_replace(loop)
    return Derivation(loop, kind(loop), weight)


@dataclass(frozen=True)
class Derivation:
    """The recursion of moments of one loop, and its solution.

    Attributes:
        loop: the loop it is about.
        kind: what decides its form.
        weight: polynomial moments m^i sigma^j with i + j up to this.
    """

    loop: Loop
    kind: Kind
    weight: int

    @cached_property
    def monomials(self) -> tuple[Monomial, ...]:
        """Exponents (i, j, k), each after those it depends on; odd i, whose moments vanish, are left out."""
        wanted = polynomials(self.weight) + (() if self.kind.truncated else MELLIN)
        return tuple(x for x in solved(self.kind, wanted).matrix if x[0] % 2 == 0)

    @property
    def matrix(self) -> sp.Matrix:
        """The expectations after one (later) fit, from those before it."""
        return self.matrix_in(list(constants(self.kind).values()))

    @property
    def solution(self) -> dict[Monomial, sp.Expr]:
        """E of each monomial after t fits of n points each."""
        return self.solution_in(list(constants(self.kind).values()))

    @property
    def eigenvalues(self) -> dict[int, sp.Expr]:
        """The rate lambda^{j/2} E[A^{j/2}] of each power sigma^j: the diagonal of the matrix."""
        return self.eigenvalues_in(list(constants(self.kind).values()))

    def matrix_in(self, names: Sequence[sp.Expr]) -> sp.Matrix:
        """The matrix with the constants of a fit written as `names`."""
        rows = solved(self.kind, self.monomials).matrix
        return sp.Matrix(
            [
                [expression(rows[x][y], names) if y in rows[x] else 0 for y in self.monomials]
                for x in self.monomials
            ]
        )

    def solution_in(self, names: Sequence[sp.Expr]) -> dict[Monomial, sp.Expr]:
        """The solution with the constants of a fit written as `names`."""
        terms = solved(self.kind, self.monomials).solution
        return {x: function_of_t(terms[x], steps(self.kind), names) for x in self.monomials}

    def eigenvalues_in(self, names: Sequence[sp.Expr]) -> dict[int, sp.Expr]:
        """The eigenvalues with the constants of a fit written as `names`."""
        rows = solved(self.kind, self.monomials).matrix
        return {j: expression(rows[i, j, k][i, j, k], names) for i, j, k in sorted(rows, key=lambda x: x[1])}

    @property
    def bounded_below(self) -> sp.Expr:
        """E sigma_t^2 stays bounded iff lambda is at most this, c/nu; for a truncated sampler: iff v is."""
        return bounded_below(self._plain)

    @property
    def collapse_below(self) -> sp.Expr:
        """sigma_t -> 0 almost surely iff lambda is below this, (c/2) exp(-psi(nu/2)) > c/nu."""
        return collapse_below(self._plain)

    @property
    def _plain(self) -> Fit:
        return Fit(N, N if self.kind.maximum_likelihood else N - 1, 1, None)

    def numbers(self) -> dict[str, float]:
        """Rates and thresholds in numbers, where n is a number."""
        n = constant_size(self.loop)
        if not isinstance(n, int) or any(map(is_symbolic, vars(self.loop.sampler).values())):
            return {}
        with context(30):
            later = fit(self.loop, 2, n)
            law = step(later)
            rates = {
                f"rate of sigma^{j}": float(law.moment(0, j, 0))
                for j in self.eigenvalues
                if j and law.is_finite((0, j, 0))
            }
            if not isinstance(law, GaussianStep):
                return rates
            bound, collapse = thresholds(later)
            return rates | {
                "drift of log sigma^2": float(law.moment(0, 0, 1)),
                "E[sigma^2] bounded iff lambda <=": float(bound),
                "collapse almost surely iff lambda <": float(collapse),
            }

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The derivation in plain text."""
        from theory.exposition import as_text

        return as_text(self)

    def latex(self) -> str:
        """The derivation as LaTeX."""
        from theory.exposition import as_latex

        return as_latex(self)
