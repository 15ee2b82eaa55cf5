"""The triangular recursion of one category's moments, built and solved by SymPy (C1, C2).

E[x'^k | x] = n^-k sum_j S(k, j) (n)_j x^j under replacement: falling factorials are eigenfunctions, and the
eigenvalues lambda_k = (n)_k / n^k stand on the diagonal. A monomial is therefore a sum of eigenfunctions f_k,
monic of degree k, E f_k(x_t) = lambda_k^t f_k(p), and every moment a combination of the powers lambda_1^t,
..., lambda_k^t.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from theory.categorical_course import Step
from theory.categorical_moments import OneStep

N, T, P = sp.Symbol("n", positive=True), sp.Symbol("t", nonnegative=True), sp.Symbol("p", positive=True)


@dataclass(frozen=True)
class Derivation:
    """Moments x, ..., x^k of one category's share, step by step and in closed form.

    Attributes:
        matrix: row i: the expectation of x^{i+1} after a generation, in x, ..., x^k before it.
        eigenvalues: lambda_1 = 1, ..., lambda_k.
        eigenfunctions: f_j(p), monic of degree j, multiplied by lambda_j in a generation.
        moments: E x_t^j in p, n and t.
    """

    matrix: sp.Matrix
    eigenvalues: tuple[sp.Expr, ...]
    eigenfunctions: tuple[sp.Expr, ...]
    moments: tuple[sp.Expr, ...]

    def latex(self) -> str:
        """The recursion, the eigenvalues and the moments."""
        order = len(self.moments)
        names = sp.Matrix([sp.Symbol(rf"\mathbb{{E}}x^{{{k}}}") for k in range(1, order + 1)])
        lines = [
            sp.latex(names) + r"_{t+1} = " + sp.latex(self.matrix) + sp.latex(names) + "_t",
            *(rf"\lambda_{{{k}}} = {sp.latex(value)}" for k, value in enumerate(self.eigenvalues, 1)),
            *(rf"\mathbb{{E}}x_t^{{{k}}} = {sp.latex(value)}" for k, value in enumerate(self.moments, 1)),
        ]
        return r" \\ ".join(lines)


def derivation(order: int, n: sp.Expr = N) -> Derivation:
    """The recursion and its solution for moments up to `order`, n constant."""
    step = OneStep(Step(sp.S.Zero, sp.S.Zero, n, sp.S.Zero), merged=True)
    matrix = sp.zeros(order, order)
    for k in range(1, order + 1):
        for monomial, coefficient in step.row(((k, 0, 0),)).items():
            matrix[k - 1, monomial[0][0] - 1] += coefficient
    matrix = matrix.applyfunc(sp.factor)
    rates = tuple(matrix[k, k] for k in range(order))
    left = _eigenvectors(matrix, rates)
    inverse = left.inv().applyfunc(sp.factor)
    powers = sp.Matrix([P**k for k in range(1, order + 1)])
    functions = tuple(sp.factor(value) for value in left * powers)
    moments = tuple(
        sum((inverse[k, j] * rates[j] ** T * functions[j] for j in range(k + 1)), sp.S.Zero)
        for k in range(order)
    )
    return Derivation(matrix, rates, functions, moments)


def _eigenvectors(matrix: sp.Matrix, rates: tuple[sp.Expr, ...]) -> sp.Matrix:
    """Row j: the coefficients of f_j, 1 at degree j, from v M = lambda_j v below the diagonal."""
    order = len(rates)
    rows = sp.zeros(order, order)
    for j in range(order):
        rows[j, j] = 1
        for i in range(j - 1, -1, -1):
            total = sum((rows[j, k] * matrix[k, i] for k in range(i + 1, j + 1)), sp.S.Zero)
            rows[j, i] = sp.factor(total / (rates[j] - rates[i]))
    return rows


def heterozygosity(n: sp.Expr = N) -> sp.Expr:
    """E H_t / H_0, from E p_t^2: (1 - 1/n)^t."""
    second = derivation(2, n).moments[1]
    return sp.simplify((P - second) / (P - P**2))
