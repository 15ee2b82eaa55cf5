"""Selected synthetic points beside real ones: stationary models and their thresholds, at n = inf.

A share a of every training set is real, b = 1 - a synthetic and selected. With (mu_s, v_s) the mean and
variance of the selected points, the moments of the mixture are

    m' = b m_s,        s' = a s_0 + b v_s + a b m_s^2,        m_s = mu_s - mu_0,

population statements: nothing of this is closed at finite n, where the spread between the means feeds ever
higher moments into the variance. What is exact at finite n is second moments under rules that are, to second
order, linear: typicality (a bias v), a detector, a correction (`theory.selected.recipe`). Own derivations,
unless a docstring says otherwise; 0 < a < 1.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.selected.gaussian import population_step
from theory.selection import Rule

Expr = Any  # a number, or a SymPy expression
ROOT = Fraction(1, 2)


def mixture_step(rule: Rule, real: float, offset: float, variance: float, source: float) -> tuple:
    """(m', s') from (m, s): the model refitted to the share `real` of real points and selected ones.

    Positions are relative to the source's mean, the rule's centre included; `source` is s_0.
    """
    shifted, kept = population_step(rule, offset, variance)
    synthetic = 1 - real
    return synthetic * shifted, real * source + synthetic * kept + real * synthetic * shifted**2


def tilt_threshold(real: Expr) -> Expr:
    """C6: a stationary model exists iff beta sigma_0 <= a / (2 sqrt b) (linear tilt; n = inf)."""
    return real / (2 * (1 - real) ** ROOT)


def tilt_stationary(strength: Expr, real: Expr, source: Expr) -> tuple[Expr, Expr]:
    """C6: s* = (1 - sqrt(1 - 4 b beta^2 s_0 / a^2)) a^2 / (2 b beta^2), m* = b beta s* / a (n = inf).

    The stable one of two stationary models, which meet at the threshold (a saddle-node): at s the Jacobian
    [[b, b beta], [2 b beta s, b + 2 b beta^2 s]] has determinant b^2 and 1 - trace + determinant = a^2 - 2 b
    beta^2 s, positive below the turning point s = a^2 / (2 b beta^2) and negative above. Beyond the threshold
    the reward runs away: m and s grow without bound.

    Raises:
        ArithmeticError: beyond the threshold, with its value.
    """
    b = 1 - real
    inside = 1 - 4 * b * strength**2 * source / real**2
    if not hasattr(inside, "free_symbols") and inside < 0:
        limit = tilt_threshold(real) / math.sqrt(source)
        raise ArithmeticError(f"reward runs away: the strength {strength:g} is above {limit:g}")
    s = 2 * source / (1 + inside**ROOT)  # the same root, without the 0/0 at beta = 0
    return b * strength * s / real, s


def quadratic_tilt_stationary(strength: Expr, real: Expr, source: Expr) -> Expr:
    """C7: the positive root of beta s^2 + s (1 - a beta s_0 - b) - a s_0 = 0, centre mu_0 (n = inf).

    From s = a s_0 + b s / (1 + beta s). The map increases and is concave, so the root is unique and
    attracts every start. For another centre the stationary model solves a cubic with m* = b (m + (c - m)
    beta s / (1 + beta s)), for which nothing simpler is known.
    """
    linear = real - real * strength * source  # 1 - b = a
    return 2 * real * source / (linear + (linear**2 + 4 * strength * real * source) ** ROOT)


def score_growth(h: Expr, v: Expr, real: Expr) -> Expr:
    """C14: b (v + h^2 / a), below 1 iff a stationary model exists."""
    return (1 - real) * (v + h**2 / real)


def score_stationary(h: Expr, v: Expr, real: Expr, source: Expr) -> tuple[Expr, Expr]:
    """C14: s* = a s_0 / (1 - b v - b h^2 / a), m* = b h sqrt(s*) / a (n = inf).

    It exists iff it attracts. In (m, sigma) the Jacobian at it is [[b, b h], [b h, b v + b h^2]], symmetric
    with determinant b^2 v: its larger eigenvalue is below 1 iff 1 - b (1 + v + h^2) + b^2 v = a (1 - b v -
    b h^2 / a) > 0. Selection with real data can inflate the variance: s* > s_0 iff v + h^2 / a > 1, since
    the mixture has two centres.

    Raises:
        ArithmeticError: where it does not exist, with the quantity that must be below 1.
    """
    growth = score_growth(h, v, real)
    if not hasattr(growth, "free_symbols") and growth >= 1:
        raise ArithmeticError(f"the selected loop diverges: b (v + h^2 / a) is {growth:g}, not below 1")
    s = real * source / (1 - growth)
    return (1 - real) * h * s**ROOT / real, s


def error_after(error: Expr, keep_correct: Expr, keep_wrong: Expr) -> Expr:
    """C9: p psi / (p psi + (1 - p) phi), the error rate p after a verifier (Feng et al., 2024).

    phi = P(keep | correct), psi = P(keep | wrong). The odds p / (1 - p) contract by psi / phi a round. About
    labels, not about a Gaussian; exact at n = inf, and for each kept point at any n.
    """
    return error * keep_wrong / (error * keep_wrong + (1 - error) * keep_correct)


def breakdown(keep_correct: Expr, keep_wrong: Expr) -> Expr:
    """C9: p* = 1 / (1 + psi / phi), the error rate brought to 1/2 (Feng et al., 2024, Thm 4.2)."""
    return 1 / (1 + keep_wrong / keep_correct)


def detected_share(real: Expr, true_positive: Expr, false_positive: Expr) -> Expr:
    """C10: a' = a tau / (a tau + b f), the share of real points after a detector (Bayes; each kept point)."""
    return real * true_positive / (real * true_positive + (1 - real) * false_positive)


def corrected_share(synthetic: Expr, gamma: Expr) -> Expr:
    """C11: b' = b / (1 + gamma), the synthetic share after a correction (Gillman et al., 2024).

    At n = inf m and s - s_0 + m^2 contract by b' a generation, for every gamma >= 0.
    """
    return synthetic / (1 + gamma)


def effective_mean_square(share: Expr, total: Expr, source: Expr) -> Expr:
    """X3 with the share b' that a detector or a correction leaves: s_0 / (N (1 - b'^2) + b'^2).

    Stationary E m^2 of N points, each synthetic with probability b', maximum likelihood, exact at finite N;
    E s = s_0 - E m^2.
    """
    return source / (total * (1 - share**2) + share**2)


def settle(rule: Rule, real: float, source: float, rounds: int) -> np.ndarray:
    """(m_g, s_g), g = 0, ..., `rounds`, from the source, by iterating `mixture_step`."""
    found = [(0.0, float(source))]
    for _ in range(rounds):
        found.append(mixture_step(rule, real, *found[-1], source))
    return np.array(found)
