"""What P and X state about fixed mixtures of real and synthetic data, as the claims are written.

Functions of a loop and a generation, exact where the loop's numbers are (fractions in, fractions out): s_0
the source's variance, a and b the shares of real and synthetic points, N = n_r + n_s, c the divisor. The
tests hold them against `theory.provenance`, which derives the same numbers from the recipe alone.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from theory.loop import Loop, MaximumLikelihood
from theory.provenance import rational


def source(loop: Loop) -> Fraction:
    """s_0."""
    return rational(loop.source.variance)


def shares(loop: Loop) -> tuple[int, Fraction, Fraction]:
    """N, a and b of real and synthetic points."""
    total = loop.data.real + loop.data.synthetic
    return total, Fraction(loop.data.real, total), Fraction(loop.data.synthetic, total)


def divisor(loop: Loop, n: int) -> int:
    """The divisor c."""
    return n if isinstance(loop.estimator, MaximumLikelihood) else n - 1


def begin(loop: Loop) -> tuple[Fraction, Fraction]:
    """m_0 and v_0 of model 0."""
    first = loop.first_model
    return rational(first.mean) - rational(loop.source.mean), rational(first.variance)


def fresh(loop: Loop, t: int) -> tuple[Fraction, Fraction]:
    """X1: E m_t^2 and E sigma_t^2, stratified or iid; the bias acts where samples are synthetic."""
    n, a, b = shares(loop)
    s0, c, (m, v) = source(loop), divisor(loop, n), begin(loop)
    square, bias = m**2, rational(loop.sampler.bias)
    for generation in range(1, t + 1):
        biased = generation > 1 or loop.start is not None or loop.sampler.applies_to_source
        lam = bias if biased else Fraction(1)
        real = s0 * (bias if loop.sampler.applies_to_source else 1)
        if loop.data.composition == "stratified":
            square, v = (
                b**2 * (square + lam * v / loop.data.synthetic) + a**2 * real / loop.data.real,
                ((n - 1) * (a * real + b * lam * v) + n * a * b * square) / c,
            )
        else:
            total = a * real + b * lam * v + a * b * square
            square, v = b**2 * square + total / n, Fraction(n - 1, c) * total
    return square, v


def stratified(loop: Loop, t: float) -> Fraction:
    """X2: E m_t^2 = s_0 (1 - kappa^t)/(N (1 - kappa)), kappa = b^2 - b/N; at rest s_0/(n_r (1 + b) + b)."""
    n, _, b = shares(loop)
    if t == math.inf:
        return source(loop) / (loop.data.real * (1 + b) + b)
    kappa = b**2 - b / n
    return source(loop) * (1 - kappa**t) / (n * (1 - kappa))


def iid(loop: Loop, t: float) -> Fraction:
    """X3: E m_t^2 = s_0 (1 - k^t) / (N (1 - b^2) + b^2), k = b^2 (1 - 1/N)."""
    n, _, b = shares(loop)
    rest = source(loop) / (n * (1 - b**2) + b**2)
    return rest if t == math.inf else rest * (1 - (b**2 * Fraction(n - 1, n)) ** t)


def unbiased(loop: Loop, t: float) -> tuple[Fraction, Fraction]:
    """X4: at rest E m^2 = s_0 / (N (1 - b^2 N/(N-1))), E s = s_0 [1 + b / ((N-1)(1-b^2) - b^2)]."""
    n, _, b = shares(loop)
    if t < math.inf:
        return fresh(loop, int(t))
    square = source(loop) / (n * (1 - b**2 * Fraction(n, n - 1)))
    return square, source(loop) * (1 + b / ((n - 1) * (1 - b**2) - b**2))


def threshold(loop: Loop) -> Fraction:
    """X5: lambda* = c (1 + b) / (b (1 + b)(N - 1) + b^2)."""
    n, _, b = shares(loop)
    return divisor(loop, n) * (1 + b) / (b * (1 + b) * (n - 1) + b**2)


def bias_floor(loop: Loop) -> Fraction:
    """X6: a s_0 / (1 - b lambda), n -> inf."""
    _, a, b = shares(loop)
    return a * source(loop) / (1 - b * rational(loop.sampler.bias))


def admissible(bias: Fraction, dimension: int = 1) -> Fraction:
    """X6b: n_s* = [4 (2 - l) + (d + 1)(2 - l^2) - (3 d + 7)(1 - l) / 2] / (1 - l)^2, to first order in 1/n_r.

    With l = lambda, b = n_s/n_r, Sigma = 1 + X at rest: E |m|^2 = d [1 - (2 - l) b] / n_r, E tr (X - E X)^2 =
    d (d + 1) [1 - (2 - l^2) b] / n_r, but E X = -(1/n_r + (1 - l) b), whose square and whose product with
    that spread enter E W_2^2 = E |m|^2 + E tr (X^2/4 - X^3/8 + ...) at the same order b/n_r (own derivation).
    """
    helped = 4 * (2 - bias) + (dimension + 1) * (2 - bias**2)
    return (helped - (3 * dimension + 7) * (1 - bias) / 2) / (1 - bias) ** 2


def fixed(loop: Loop, t: float) -> Fraction:
    """X7, maximum likelihood: E s = V_r N (1 - b^2) / (N (1 - b^2) + b) at rest, E V_r = s_0 (1 - 1/n_r).

    Before: d_g = E (mu_g - xbar_r)^2 with d_1 = 0, E sigma_1^2 = V_r follows d' = b^2 (d + s/n_s), s' =
    V_r - d', which conserves s + d.
    """
    n, _, b = shares(loop)
    kept = source(loop) * (1 - Fraction(1, loop.data.real))
    if t == math.inf:
        return kept * n * (1 - b**2) / (n * (1 - b**2) + b)
    away = Fraction(0)
    for _ in range(int(t) - 1):
        away = b**2 * (away + (kept - away) / loop.data.synthetic)
    return kept - away


def weighted(loop: Loop, t: float) -> Fraction:
    """X8, X8b: E m'^2 = u^2 (E m^2 + s_0/n_s) + w^2 s_0/n_r, at rest s_0 (w^2 + k u^2)/(n_r w (2-w))."""
    s0, data = source(loop), loop.data
    if t == math.inf:
        w, k = rational(repr(data.weight)), Fraction(data.real, data.synthetic)
        return s0 / data.real * (w**2 + k * (1 - w) ** 2) / (w * (2 - w))
    square = begin(loop)[0] ** 2
    for generation in range(1, int(t) + 1):
        given: Any = data.weight
        w = rational(repr(given[generation - 1] if isinstance(given, tuple) else given))
        square = (1 - w) ** 2 * (square + s0 / data.synthetic) + w**2 * s0 / data.real
    return square


def weighted_spread(loop: Loop, t: float) -> Fraction:
    """X8: Var s = s_0^2 [2w^2/(n_r-1) + 2(1-w)^2/(n_s-1)] / [1 - (1-w)^2 (1 + 2/(n_s-1))] at rest."""
    s0, data = source(loop), loop.data
    w = rational(repr(data.weight))
    inherited = (1 - w) ** 2 * (1 + Fraction(2, data.synthetic - 1))
    new = s0**2 * (2 * w**2 / (data.real - 1) + 2 * (1 - w) ** 2 / (data.synthetic - 1))
    return new * (1 if t == math.inf else 1 - inherited ** int(t)) / (1 - inherited)


def together(loop: Loop, t: float) -> Fraction:
    """X9: E m^2 = s_0 (u^2/n_s + w^2/n_r)/(1 - u^2 + u^2/n_s) at rest, times 1 - (u^2 - u^2/n_s)^t before."""
    data = loop.data
    w = rational(repr(data.weight))
    u = 1 - w
    memory = u**2 - u**2 / data.synthetic
    rest = source(loop) * (u**2 / data.synthetic + w**2 / data.real) / (1 - memory)
    return rest if t == math.inf else rest * (1 - memory ** int(t))


def offset(loop: Loop, t: int) -> Fraction:
    """X10: E m_t = b^t m_0."""
    return shares(loop)[2] ** t * begin(loop)[0]


def total(loop: Loop, t: int) -> Fraction:
    """X10, X2: E s_t + E m_t^2 = s_0 + b^t (v_0 + m_0^2 - s_0)."""
    m, v = begin(loop)
    return source(loop) + shares(loop)[2] ** t * (v + m**2 - source(loop))


def gain(b: Fraction, models: int) -> Fraction:
    """P1: the gain of a filter over K previous models drawn anew, (K (1 - b) + b) / ((1 - b)(K + b))."""
    return (models * (1 - b) + b) / ((1 - b) * (models + b))


def peers_gain(b: Fraction, models: int) -> Fraction:
    """P1: the gain with K symmetric peers, 1 + b^2 / (K (1 - b^2))."""
    return 1 + b**2 / (models * (1 - b**2))


def at_rest(loop: Loop) -> Fraction:
    """P1, X13, E3: E m^2 = g s_0 / (N + b g)."""
    data = loop.data
    synthetic = data.per_model * data.models
    n, b = data.real + synthetic, Fraction(synthetic, data.real + synthetic)
    g = (gain if data.policy == "memory" else peers_gain)(b, data.models)
    return g * source(loop) / (n + b * g)
