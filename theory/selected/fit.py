"""One fit to n selected points, for rules that move with the model: the constants its expectations need.

In units of the model the fit has mean e = mean(z) and variance f = SS / c, SS = sum (z - e)^2. For
independent z with mean h, variance v, central moments k3 and k4,

    E e = h,   E e^2 = h^2 + v/n,   E f = (nu/c) v,   E f^2 = (nu/c)^2 [v^2 + (k4 - v^2 (n-3)/(n-1)) / n]

(textbook; nu = n - 1). Roots and logarithms follow from the Laplace transform of SS, one integral away
because n (y - e)^2 integrates out of sum (z - y)^2 = SS + n (y - e)^2:

    L(s) = E e^{-s SS} = sqrt(s n / pi) int M(s, y)^n dy,       M(s, y) = E e^{-s (z - y)^2},
    E sqrt(SS) = (1 / 2 sqrt pi) int_0^inf (1 - L(s)) s^{-3/2} ds,      E log SS = int (e^{-s} - L(s)) ds / s,
    E (e - h) sqrt(SS) = -(1 / 2 sqrt pi) int_0^inf s^{-3/2} sqrt(s n / pi) int M^{n-1} M_1 dy ds,

M_1 = E (z - h) e^{-s (z - y)^2}. In log s the trapezoidal rule converges geometrically; a chi-square of the
same mean is taken off first. Where the pool decides the threshold, points are independent given the best one
left out, whose upper quantile is Beta(n + 1, m - n): constants are averaged over it. Own derivation.

Errors seen, against twice the nodes and half the step, are under 1e-11 for n up to 300 and up to 1000
candidates. The rounding of log M is multiplied by n: against the chi-square, where nothing is selected, roots
are wrong by 5e-14 n.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import special

from theory.selected.law import (
    REACH,
    drawn,
    interval,
    selected_moments,
    sign,
)
from theory.selection import LINEAR, POOL, TYPICALITY, BestOf, TopFraction

STEP = 0.3  # in log s: the integrands are analytic for |arg s| < pi / 2, the error is e^{-pi^2 / STEP}


class FitConstants(NamedTuple):
    """Expectations over one fit: of e, e^2, f, f^2, e sqrt(f), sqrt(f), log f."""

    shift: float
    shift_square: float
    factor: float
    factor_square: float
    cross: float
    root: float
    logarithm: float


def plain_fit(n: int, divisor: float) -> FitConstants:
    """The constants of a fit to n points as they come: f = chi2_{n-1} / c, e ~ N(0, 1/n) (Cochran)."""
    nu = n - 1
    root = math.sqrt(2 / divisor) * math.exp(special.gammaln(n / 2) - special.gammaln(nu / 2))
    logarithm = special.digamma(nu / 2) + math.log(2 / divisor)
    return FitConstants(
        0.0, 1 / n, nu / divisor, nu * (nu + 2) / divisor**2, 0.0, float(root), float(logarithm)
    )


def selected_fit(rule: TopFraction | BestOf, n: int, divisor: float) -> FitConstants:
    """The constants of a fit to n selected points on the line."""
    if isinstance(rule, TopFraction) and rule.threshold == POOL:
        found = _of_pool(rule.fraction, rule.score, n, drawn(rule, n))
    elif isinstance(rule, TopFraction):
        found = _independent(TopFraction(rule.fraction, rule.score), n)
    else:
        found = _independent(BestOf(rule.candidates, rule.score), n)
    turn = sign(rule) if rule.score == LINEAR else 1.0
    return FitConstants(
        shift=turn * found.shift,
        shift_square=found.shift_square,
        factor=found.factor / divisor,
        factor_square=found.factor_square / divisor**2,
        cross=turn * found.cross / math.sqrt(divisor),
        root=found.root / math.sqrt(divisor),
        logarithm=found.logarithm - math.log(divisor),
    )


def _of_pool(fraction: float, score: str, n: int, m: int) -> FitConstants:
    """With divisor 1, averaged over the upper quantile Phi(-y) of the best point left out."""
    if m == n:
        return plain_fit(n, 1)
    q, density = quantile_of_pool(n, m)
    constants = [_independent(TopFraction(float(share), score), n) for share in q]
    return FitConstants(*(density @ np.array(constants)).tolist())


def quantile_of_pool(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and probabilities of q ~ Beta(n + 1, m - n): of m points, n lie beyond the best one left out."""
    low = -special.ndtri(special.betaincinv(n + 1, m - n, 1 - 1e-16))
    high = -special.ndtri(special.betaincinv(n + 1, m - n, 1e-18))
    y, weights = interval(low, high, 40)
    q = special.ndtr(-y)
    log_density = n * np.log(q) + (m - n - 1) * special.log_ndtr(y) - special.betaln(n + 1, m - n)
    density = weights * np.exp(log_density - y**2 / 2) / math.sqrt(2 * math.pi)
    return q, density


@cache
def _independent(rule: TopFraction | BestOf, n: int) -> FitConstants:
    """With divisor 1 and direction 1."""
    h, v, third, fourth = selected_moments(rule)
    nu = n - 1
    square = nu**2 * (v * v + (fourth - v * v * (n - 3) / nu) / n)
    root, logarithm, cross = _roots(rule, n, h, v, third)
    return FitConstants(h, h * h + v / n, nu * v, square, h * root + cross, root, logarithm)


def _roots(
    rule: TopFraction | BestOf, n: int, h: float, v: float, third: float
) -> tuple[float, float, float]:
    """E sqrt(SS), E log SS, E (e - h) sqrt(SS), as what a chi-square gives and the difference."""
    nu = n - 1
    s = np.exp(np.arange(math.log(1e-5 / (n * v)), math.log(1e11 / v), STEP))
    laplace, insertion = np.array([_transforms(rule, n, x, h, v) for x in s]).T
    like = (1 + 2 * v * s) ** (-nu / 2)
    gap = like - laplace  # s^2 at 0, s^{-nu/2} at infinity
    root = math.sqrt(2 * v) * math.exp(special.gammaln(n / 2) - special.gammaln(nu / 2))
    root += STEP * _sum(gap / np.sqrt(s), 1.5, -n / 2) / (2 * math.sqrt(math.pi))
    logarithm = math.log(2 * v) + special.digamma(nu / 2) + STEP * _sum(gap, 2.0, -nu / 2)
    slope, power = third * nu / n, nu / 2 + 2  # Cov(e, SS) = k3 nu / n
    leading = slope * special.beta(0.5, power - 0.5) / math.sqrt(2 * v)
    rest = -insertion - slope * s * (1 + 2 * v * s) ** -power
    cross = (leading + STEP * _sum(rest / np.sqrt(s), 1.5, -n / 2)) / (2 * math.sqrt(math.pi))
    return float(root), float(logarithm), float(cross)


def _sum(values: np.ndarray, rise: float, fall: float) -> float:
    """The trapezoidal sum of what grows as s^rise below the grid and falls as s^fall above it."""
    below = values[0] / math.expm1(rise * STEP)
    above = values[-1] / math.expm1(min(-fall * STEP, 700.0))
    return float(values.sum() + below + above)


def _transforms(rule: TopFraction | BestOf, n: int, s: float, h: float, v: float) -> tuple[float, float]:
    """L(s), and its like with (e - h) inserted."""
    width = math.sqrt((1 + 2 * s * v) / (2 * s * n))
    scan = np.linspace(h - 12 * width - 1, h + 12 * width + 1, 81)
    level, _ = _mixture(rule, s, scan, h)
    kept = np.flatnonzero(n * (level - level.max()) > -80)
    low, high = scan[max(kept[0] - 1, 0)], scan[min(kept[-1] + 1, 80)]
    y, weights = _grid(low, high, _edges(rule), 1 / math.sqrt(1 + 2 * s))
    level, first = _mixture(rule, s, y, h)
    mass = weights * np.exp(n * level) * math.sqrt(s * n / math.pi)
    return float(mass.sum()), float(mass @ first)


def _edges(rule: TopFraction | BestOf) -> tuple[float, ...]:
    """Where the density jumps."""
    if isinstance(rule, BestOf) or rule.fraction == 1:
        return () if isinstance(rule, TopFraction) or rule.score == LINEAR else (0.0,)
    if rule.score == LINEAR:
        return (-special.ndtri(rule.fraction),)
    edge = math.sqrt(2) * special.erfinv(rule.fraction)
    return (-edge, edge)


def _grid(low: float, high: float, edges: tuple[float, ...], scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes on [low, high]; near an edge they are as fine as `scale`: y = edge + scale sinh(x)."""
    inside = [edge for edge in edges if low < edge < high]
    if not inside:
        return interval(low, high, 160)
    ends = [low, *((a + b) / 2 for a, b in pairwise(inside)), high]
    pieces = []
    for edge, (left, right) in zip(inside, pairwise(ends), strict=True):
        span = (math.asinh((left - edge) / scale), math.asinh((right - edge) / scale))
        x, weights = interval(*span, 20 * math.ceil(1.5 * (span[1] - span[0]) + 3))
        pieces.append((edge + scale * np.sinh(x), weights * scale * np.cosh(x)))
    return np.concatenate([y for y, _ in pieces]), np.concatenate([w for _, w in pieces])


def _mixture(rule: TopFraction | BestOf, s: float, y: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
    """The logarithm of M(s, y), and M_1 / M.

    phi(z) e^{-s (z - y)^2} is a normal again, and w is averaged over it.
    """
    precision = 1 + 2 * s
    centre, width = 2 * s * y / precision, 1 / math.sqrt(precision)
    common = -s * y**2 / precision - math.log(precision) / 2
    if isinstance(rule, TopFraction) and rule.fraction < 1:
        low, high = _ends(rule)
        a, b = (low - centre) / width, (high - centre) / width
        mass = _log_mass(a, b)
        tilt = _density_ratio(a, mass) - _density_ratio(b, mass)
        return common + mass - math.log(rule.fraction), centre + width * tilt - h
    if isinstance(rule, BestOf) and rule.score == TYPICALITY:
        x, probability = _standard_broken(-centre / width, rule.candidates)
        z = centre[:, None] + width * x
        weight = rule.candidates * (2 * special.ndtr(-np.abs(z))) ** (rule.candidates - 1) * probability
    else:
        x, probability = _standard_broken(
            np.zeros(1), 1 if isinstance(rule, TopFraction) else rule.candidates
        )
        z = centre[:, None] + width * x
        power = 0 if isinstance(rule, TopFraction) else rule.candidates - 1
        weight = (power + 1) * np.exp(power * special.log_ndtr(z)) * probability
    total = np.maximum(weight.sum(1), 1e-300)
    return common + np.log(total), (weight * z).sum(1) / total - h


def _standard_broken(bend: np.ndarray, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a quadrature of the standard normal that is broken at `bend`; finer for more candidates."""
    x, weights = interval(0.0, 1.0, 80 + 20 * candidates.bit_length())
    bend = np.clip(bend, -REACH, REACH)[:, None]
    nodes = np.concatenate([-REACH + (bend + REACH) * x, bend + (REACH - bend) * x], 1)
    weights = np.concatenate([(bend + REACH) * weights, (REACH - bend) * weights], 1)
    return nodes, weights * np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi)


def _ends(rule: TopFraction) -> tuple[float, float]:
    edges = _edges(rule)
    return (edges[0], math.inf) if len(edges) == 1 else (edges[0], edges[1])


def _log_mass(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The logarithm of P(a < Z < b), from the tail that loses no digits."""
    flip = a + b > 0
    low, high = np.where(flip, -b, a), np.where(flip, -a, b)
    with np.errstate(divide="ignore"):
        return special.log_ndtr(high) + np.log1p(-np.exp(special.log_ndtr(low) - special.log_ndtr(high)))


def _density_ratio(x: np.ndarray, log_mass: np.ndarray) -> np.ndarray:
    """phi(x) / e^{log_mass}."""
    exponent = -(x**2) / 2 - np.maximum(log_mass, -1e300)
    return np.exp(np.minimum(exponent, 700.0)) / math.sqrt(2 * math.pi)
