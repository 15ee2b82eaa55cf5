"""Least squares on real and synthetic points side by side: fresh covariates, every point the same weight.

With n_1 real and n_2 synthetic points, n = n_1 + n_2, the labels of the second part belong to w* + e, and

    e' = M e + S^{-1} X' noise,    M = S^{-1} S_2,    S = S_1 + S_2.

U = S^{-1/2} S_2 S^{-1/2} is independent of S, a Beta matrix whose second moments E U A U = alpha A + beta
tr(A) I (A symmetric) follow by comparing E S_2 A S_2 = n_2 (n_2 + 1) A + n_2 tr(A) I with E S^{1/2} U S^{1/2}
A S^{1/2} U S^{1/2}:

    alpha = n_2 (n (n_2 + 1) - 2) / (n (n + 2)(n - 1)),    beta = n_1 n_2 / (n (n + 2)(n - 1)).

tr S is independent of S / tr S, hence E tr S tr S^{-1} = d (n d - 2) / (n - d - 1), and

    E |M e|^2 = rho |e|^2,                  rho = alpha + beta (n d - 2) / (n - d - 1),
    R' = rho R + (n_1 sigma^2 + n_2 v) / n * d / (n - d - 1)
    c' v' = (n_1 sigma^2 + n_2 v)(1 - d / n) + R (n_2 - n (alpha + beta d)),

c' the divisor of the residual sum of squares: exact for n >= d + 2 (own derivation). One shot from labels
shifted by delta this is sigma^2 d / (n - d - 1) + rho |delta|^2, of which the usual expansion keeps rho =
p_2^2 + p_1 p_2 (d + 1) / n + O(1 / n^2), p_i = n_i / n (the setting of Dohmatob et al.
2024, arXiv:2410.04840).
With iid composition n_2 is binomial and rho, alpha, beta are averaged over it.
"""

from __future__ import annotations

from typing import NamedTuple

from theory.loop import Number


class Blend(NamedTuple):
    """How two parts of one sample are blended: E tr and E |.| of what is left of e.

    Attributes:
        error: rho.
        residual: (n_2 - n (alpha + beta d)): what |e|^2 adds to the residual sum of squares.
    """

    error: Number
    residual: Number


def blend(real: Number, synthetic: Number, d: Number) -> Blend:
    """Stratified composition: exact counts."""
    n = real + synthetic
    return _blend(n, synthetic, synthetic * synthetic, d)


def iid_blend(n: Number, share: Number, d: Number) -> Blend:
    """Each of n points is synthetic with probability `share`."""
    mean = n * share
    return _blend(n, mean, mean * (1 - share) + mean * mean, d)


def _blend(n: Number, mean: Number, square: Number, d: Number) -> Blend:
    """From E n_2 and E n_2^2."""
    scale = n * (n + 2) * (n - 1)
    alpha = (n * square + (n - 2) * mean) / scale
    beta = (n * mean - square) / scale
    return Blend(alpha + beta * (n * d - 2) / (n - d - 1), mean - n * (alpha + beta * d))


def strong_collapse(real: Number, synthetic: Number, d: Number, noise: Number, shift: Number) -> Number:
    """L10, the asymptotic form: one shot from real and shifted labels, up to O(1 / n^2)."""
    n = real + synthetic
    p1, p2 = real / n, synthetic / n
    return p2**2 * shift + noise * d / (n - d - 1) + p1 * p2 * (d + 1) * shift / n
