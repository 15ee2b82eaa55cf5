"""What a biased sampler does to one model: truncation, temperature and guidance of normals, in SymPy.

Conventions differ between papers: here lambda multiplies the variance. StyleGAN's truncation psi shrinks
amplitudes, lambda = psi^2, and is not the resampling truncation |z| < c of BigGAN.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from theory.gaussian import Setting, geometric
from theory.replace.truncation import truncated_moments

Expr = Any  # a SymPy expression


def truncated_variance(cut: Expr) -> Expr:
    """v(c) = 1 - 2 c phi(c) / (2 Phi(c) - 1): the variance of a standard normal kept within |z| < c."""
    return truncated_moments(cut)(2)


def variance(s: Setting, t: Expr, v: Expr) -> Expr:
    """E sigma_t^2 = sigma_0^2 (v nu/c)^t: the sample variance is unbiased whatever the law (S2)."""
    return s.variance * (v * s.nu / s.divisor) ** t


def mean_error_squared(s: Setting, t: Expr, v: Expr) -> Expr:
    """E (mu_t - mu_0)^2 = (v sigma_0^2 / n) (1 - rho^t) / (1 - rho), rho = v nu/c (S2)."""
    return v * s.variance / s.n * geometric(v * s.nu / s.divisor, sp.Integer(1), t)


def variance_squared(s: Setting, t: Expr, v: Expr, mu4: Expr) -> Expr:
    """E sigma_t^4 = sigma_0^4 {[(mu4 - (n-3)/(n-1) v^2)/n + v^2] (nu/c)^2}^t (S2).

    One step is the textbook variance of a sample variance.
    """
    one = (mu4 - (s.n - 3) / (s.n - 1) * v**2) / s.n + v**2
    return s.variance**2 * (one * (s.nu / s.divisor) ** 2) ** t


def tempered(mean: Expr, variance: Expr, temperature: Expr) -> tuple[Expr, Expr]:
    """Mean and variance of the density p^{1/T} of a normal p: the variance times T (S3)."""
    return mean, variance * temperature


def guided(
    conditional: tuple[Expr, Expr], unconditional: tuple[Expr, Expr], guidance: Expr
) -> tuple[Expr, Expr]:
    """Mean and variance of p_c^{1+w} p_u^{-w}, normals given as (mean, variance): complete the square (S3).

    The precision (1+w)/s_c - w/s_u must be positive. A flat p_u leaves lambda = 1/(1+w), the convention of
    Alemohammad et al. (2023, arXiv:2307.01850) for classifier-free guidance.
    """
    (m_c, s_c), (m_u, s_u) = conditional, unconditional
    precision = (1 + guidance) / s_c - guidance / s_u
    return ((1 + guidance) * m_c / s_c - guidance * m_u / s_u) / precision, 1 / precision
