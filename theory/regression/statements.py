"""What L1 to L8 state about regression, as SymPy expressions, and what the recursion says.

n points a generation, t generations, D = d + 1, tau = sigma^2 eta the risk of one fit (eta = d / (n - d - 1),
or n / (d - n - 1) for minimum norm), B = |w*|^2. The tests prove each statement from the recursion.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import sympy as sp

from theory.replace.closure import Monomial
from theory.replace.solution import solve

N, D, T = sp.symbols("n d t", positive=True)
SIGMA = sp.Symbol("sigma", positive=True)
NOISE = SIGMA**2
B = sp.Symbol("B", nonnegative=True)
TAU = sp.Symbol("tau", positive=True)
W = sp.Symbol("w", positive=True)
G = sp.Symbol("g", positive=True)
GAIN, SQUARE, ETA = sp.symbols("a b eta", positive=True)
P = sp.Symbol("p_2", positive=True)

ONE, OVERLAP, RISK = (0, 0, 0), (0, 0, 1), (0, 0, 2)  # places of 1, c, R in a solution


def solution(
    gain: sp.Expr,
    square: sp.Expr,
    forcing: sp.Expr,
    memory: sp.Expr,
    *,
    signal: sp.Expr = B,
    same: Callable[[object, object], bool] = operator.eq,
) -> sp.Expr:
    """R_t from R_0 = c_0 = 0, by the recursion of `theory.regression.step`.

    Args:
        gain: al.
        square: be.
        forcing: s^2 eta, what noise adds to R.
        memory: m, the weight of the old model in the labels.
        signal: B.
        same: whether two rates are equal.
    """
    rows: dict[Monomial, dict[Monomial, sp.Expr]] = {
        ONE: {ONE: sp.Integer(1)},
        OVERLAP: {ONE: -(1 - gain) * signal, OVERLAP: gain * memory},
        RISK: {
            ONE: (1 - 2 * gain + square) * signal + forcing,
            OVERLAP: -2 * (gain - square) * memory,
            RISK: square * memory**2,
        },
    }
    begin = {ONE: sp.Integer(1), OVERLAP: sp.Integer(0), RISK: sp.Integer(0)}
    terms = solve(rows, begin, same)[RISK].terms
    return sum((rate**T * sum(c * T**k for k, c in enumerate(p)) for rate, p in terms.items()), sp.Integer(0))


def replace() -> sp.Expr:
    """L1: R_t, least squares, fresh or the same covariates."""
    return T * NOISE * D / (N - D - 1)


def accumulate_same() -> sp.Expr:
    """L2: R_t."""
    i = sp.Symbol("i", integer=True, positive=True)
    return TAU * sp.Sum(1 / i**2, (i, 1, T))


def accumulate_term() -> sp.Expr:
    """L3: what generation t adds to R."""
    return NOISE * D / (T * (T * N - D - 1))


def accumulate_fresh() -> sp.Expr:
    """L3: R_t."""
    x = (D + 1) / N
    return NOISE * D / (D + 1) * (
        sp.digamma(T + 1 - x) - sp.digamma(1 - x) - sp.digamma(T + 1) - sp.EulerGamma
    )  # fmt: skip


def accumulate_fresh_limit() -> sp.Expr:
    """L3: R at t -> inf."""
    return NOISE * D / (D + 1) * (-sp.EulerGamma - sp.digamma(1 - (D + 1) / N))


def refitted_noise() -> sp.Expr:
    """L4: E sigma_t^2, maximum likelihood, replace."""
    return NOISE * (1 - D / N) ** T


def refitted() -> sp.Expr:
    """L4: R_t, maximum likelihood, replace."""
    return NOISE * N / (N - D - 1) * (1 - (1 - D / N) ** T)


def mixed() -> sp.Expr:
    """L5: the stationary R of mixed labels, least squares."""
    return TAU * (W**2 + (1 - W) ** 2) / (W * (2 - W))


def minimum_norm() -> sp.Expr:
    """L6: R_t, minimum norm, fresh covariates, replace; g = n / d."""
    return ((1 - G) * B + TAU) * (1 - G**T) / (1 - G)


def minimum_norm_mixed() -> sp.Expr:
    """L6: the stationary R of mixed labels, minimum norm, fresh covariates."""
    return ((1 - G) * B + TAU * (W**2 + (1 - W) ** 2)) / (1 - G * (1 - W) ** 2)


def minimum_norm_weight() -> sp.Expr:
    """L6: the weight that minimises it."""
    k = 2 + G * (1 + (1 - G) * B / TAU)
    return 1 - (k - sp.sqrt(k**2 - 4 * G)) / (2 * G)


def ridge() -> sp.Expr:
    """L8: R_t, ridge, fresh covariates, replace; a = E tr A / d, b = E tr A^2 / d."""
    return B * (1 - 2 * GAIN**T + SQUARE**T) + NOISE * ETA * (1 - SQUARE**T) / (1 - SQUARE)


def shifted() -> sp.Expr:
    """L10: rho, exact: the share of |delta|^2 that one pooled fit keeps, n_2 = p_2 n."""
    scale = (N + 2) * (N - 1)
    alpha, beta = P * (N * (P * N + 1) - 2) / scale, P * (1 - P) * N / scale
    return alpha + beta * (N * D - 2) / (N - D - 1)


def shifted_expansion() -> sp.Expr:
    """L10: rho up to O(1 / n^2)."""
    return P**2 + P * (1 - P) * (D + 1) / N
