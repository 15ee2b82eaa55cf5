"""What M1 to M7 state about the replace loop in d dimensions, as SymPy expressions of t.

Symbols: n points a fit, nu = n - 1, divisor c, sampling bias lambda (1 where it does not occur). What the
recursions of `theory.wishart.words` derive is compared with these, symbol by symbol, in the tests.
"""

from __future__ import annotations

import sympy as sp

N, NU, C, D, T, LAMBDA = sp.symbols("n nu c d t lambda", positive=True)
I = sp.Symbol("i", integer=True, positive=True)
TRACE = sp.Symbol("tr", positive=True)  # tr Sigma_0
SQUARE, TRACE_SQUARED = sp.symbols("x_0 y_0", positive=True)  # tr Sigma_0^2, (tr Sigma_0)^2


def trace() -> sp.Expr:
    """M1: E tr Sigma_t at lambda = 1; every entry of E Sigma_t carries the same factor."""
    return (NU / C) ** T * TRACE


def mean_error_squared() -> sp.Expr:
    """M1: E |mu_t - mu_0|^2 at lambda = 1; t tr Sigma_0 / n in the limit c = nu."""
    return TRACE / N * (1 - (NU / C) ** T) / (1 - NU / C)


def log_det_rate() -> sp.Expr:
    """M2: L_d, what one fit adds to E log det Sigma."""
    return sp.Sum(sp.digamma((NU - I + 1) / 2), (I, 1, D)) + D * sp.log(2 / C)


def log_det_variance_rate() -> sp.Expr:
    """M2: what one fit adds to Var log det Sigma."""
    return sp.Sum(sp.polygamma(1, (NU - I + 1) / 2), (I, 1, D))


def traces_of_squares() -> tuple[sp.Expr, sp.Expr]:
    """M3: x_t = E tr Sigma_t^2 and y_t = E (tr Sigma_t)^2."""
    q = NU / C**2
    a, b = (2 * SQUARE + TRACE_SQUARED) / 3, (SQUARE - TRACE_SQUARED) / 3
    slow, fast = (q * (NU + 2)) ** T, (q * (NU - 1)) ** T
    return a * slow + b * fast, a * slow - 2 * b * fast


def lyapunov() -> sp.Expr:
    """M4: the i-th exponent."""
    return sp.digamma((NU - I + 1) / 2) + sp.log(2 * LAMBDA / C)


def kl_to_source(rate: sp.Expr) -> sp.Expr:
    """M7: E KL(N_t || N_0) from the source, L_d = `rate`."""
    second = (NU / C) ** T + (1 - (NU / C) ** T) / (N * (1 - NU / C))
    return (D * second - D - T * rate) / 2


def kl_from_source(rate: sp.Expr, r: sp.Expr) -> sp.Expr:
    """M7: E KL(N_0 || N_t) from the source, L_d = `rate`, r = c / (nu - d - 1); n > d + 2."""
    return (D * r**T + D * r / N * (r**T - 1) / (r - 1) - D + T * rate) / 2
