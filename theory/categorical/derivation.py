"""The triangular recursion of one category's moments, built and solved by SymPy (C1, C2).

E[x'^k | x] = n^-k sum_j S(k, j) (n)_j x^j under replacement: falling factorials are eigenfunctions, and the
eigenvalues lambda_k = (n)_k / n^k stand on the diagonal. A monomial is therefore a sum of eigenfunctions f_k,
monic of degree k, E f_k(x_t) = lambda_k^t f_k(p), and every moment a combination of the powers lambda_1^t,
..., lambda_k^t.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from theory.categorical.course import Step
from theory.categorical.moments import OneStep
from theory.counts import is_constant
from theory.loop import Loop, LoopError, MaximumLikelihood, Replace

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

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The recursion, the eigenvalues with their eigenfunctions, and the moments, as text."""
        lines = ["x is a category's share, p its share in model 0; a prime marks the next generation.", ""]
        for k in range(len(self.moments)):
            terms = (f"({self.matrix[k, j]}) E[x^{j + 1}]" for j in range(k + 1) if self.matrix[k, j] != 0)
            lines.append(f"    E[(x^{k + 1})'] = {' + '.join(terms)}")
        lines += ["", "Its eigenvalues (n)_k / n^k, and the functions of p that they multiply:"]
        for k, (rate, shape) in enumerate(zip(self.eigenvalues, self.eigenfunctions, strict=True), 1):
            lines.append(f"    lambda_{k} = {rate}: {shape}")
        lines += ["", "The solution after t fits:"]
        lines += [f"    E[x^{k}] = {value}" for k, value in enumerate(self.moments, 1)]
        lines += [
            "",
            "H = 1 - sum x^2 over all categories: E[H] = H_0 (1 - 1/n)^t falls to 0 for every n.",
        ]
        return "\n".join(lines) + "\n"

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


def derive(loop: Loop, order: int = 4) -> Derivation:
    """The derivation for a categorical loop, n a symbol.

    Raises:
        LoopError: unless it is plain replacement at constant n, fitted by maximum likelihood.
    """
    plain = isinstance(loop.data, Replace) and is_constant(loop.data.n) and not loop.sampler.given
    if not plain or loop.estimator != MaximumLikelihood() or loop.selection is not None:
        reason = "for categories the derivation is written for plain replacement at constant n; predict it"
        raise LoopError("data.policy", loop.data.policy, reason)
    return derivation(order)
