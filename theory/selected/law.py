"""The law of one selected point of a normal model, as its weight on the model's density.

In units of the model, z = (x - mu) / sigma is standard normal before selection and has density w(z) phi(z)
after it. With U(z) the probability that another point scores lower,

    best fraction q            w = 1[U > 1 - q] / q
    best n of m = ceil(n / q)  w = (m / n) P(Binomial(m - 1, 1 - U) <= n - 1)
    best of K                  w = K U^{K-1}
    one of K, odds e^{b z}     w = K int g(y - b z) F(y)^{K-1} dy,   b = beta sigma,
    linear tilt                w ~ e^{b z}
    quadratic tilt             w ~ e^{-beta (x - c)^2 / 2}
    verifier                   w ~ 1[|x - c| <= r]

where g is Gumbel's density and F the law of b z plus a Gumbel variable: to choose with odds e^{b z} is to
choose the largest such sum. U = Phi(u z) for a linear score along u = 1 or -1, 2 Phi(-|z|) for typicality.

A score that only orders points, as in the first three, moves with the model: z has one law whatever mu and
sigma are. Own derivations.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from scipy import special

from theory.loop import LoopError
from theory.selection import (
    LINEAR,
    POOL,
    TYPICALITY,
    BestOf,
    BradleyTerry,
    Rule,
    Tilt,
    TopFraction,
    Verifier,
)

REACH = 9.5  # standard deviations beyond which a normal density is below 1e-20
STEEPEST = 50.0  # b = beta sigma up to which the integrals over Gumbel variables are resolved


class SelectedMoments(NamedTuple):
    """The mean of z after selection, and its second, third and fourth central moments."""

    mean: float
    variance: float
    third: float
    fourth: float


class Points(NamedTuple):
    """A quadrature of the law of z: `E f(z) = sum(probability * f(z))`."""

    z: np.ndarray
    probability: np.ndarray


def sign(rule: TopFraction | BestOf | BradleyTerry | Tilt) -> float:
    """The unit vector u = 1 or -1 of a linear score on the line."""
    return math.copysign(1.0, rule.direction)


def drawn(rule: TopFraction, n: int) -> int:
    """The points drawn to keep n, m = ceil(n / q); q as the decimal it is written with."""
    return math.ceil(n / Fraction(repr(rule.fraction)))


def selected_moments(
    rule: Rule, *, mean: float = 0.0, variance: float = 1.0, n: int | None = None
) -> SelectedMoments:
    """The moments of z = (x - mu) / sigma for one selected point of N(mu, sigma^2).

    Args:
        rule: about values, on the line.
        mean: mu; only tilts and verifiers with a centre notice it.
        variance: sigma^2; likewise, and Bradley-Terry.
        n: the points kept together; needed for a threshold of the pool alone.
    """
    if isinstance(rule, Tilt):
        return _tilted(rule, mean, variance)
    points = selected_points(rule, mean=mean, variance=variance, n=n)
    centre = points.probability @ points.z
    error = points.z - centre
    return SelectedMoments(float(centre), *(float(points.probability @ error**k) for k in (2, 3, 4)))


def _tilted(rule: Tilt, mean: float, variance: float) -> SelectedMoments:
    """A tilted normal is normal: (b, 1) or ((c - mu) beta sigma, 1) / (1 + beta sigma^2)."""
    gain = rule.strength * variance
    if rule.reward == LINEAR:
        return SelectedMoments(sign(rule) * rule.strength * math.sqrt(variance), 1.0, 0.0, 3.0)
    kept = 1 / (1 + gain)
    return SelectedMoments((rule.centre - mean) / math.sqrt(variance) * gain * kept, kept, 0.0, 3 * kept**2)


def selected_points(rule: Rule, *, mean: float = 0.0, variance: float = 1.0, n: int | None = None) -> Points:
    """A quadrature of the law of z."""
    match rule:
        case TopFraction(threshold=threshold):
            if threshold == POOL:
                if n is None:
                    raise LoopError("selection.threshold", POOL, "how many points are kept must be said")
                return _pool(rule, n, drawn(rule, n))
            return _best_fraction(rule)
        case BestOf():
            return _best_of(rule)
        case BradleyTerry():
            return _gumbel(rule, math.sqrt(variance))
        case Verifier():
            width = math.sqrt(variance)
            low, high = ((rule.centre + s * rule.radius - mean) / width for s in (-1, 1))
            return _between(low, high)
        case Tilt():
            moments = _tilted(rule, mean, variance)
            points = _normal(-REACH, REACH, 400)
            return Points(moments.mean + math.sqrt(moments.variance) * points.z, points.probability)
    raise LoopError("selection", rule.rule, "it is blind to values")


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def interval(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss's rule with 20 nodes on each of the panels that make at least `count` nodes."""
    ends = np.linspace(low, high, -(-count // 20) + 1)
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half * (1 + _NODES)).ravel(), (half * _WEIGHTS).ravel()


def _normal(low: float, high: float, count: int) -> Points:
    """The standard normal between two ends; not normalised."""
    z, weights = interval(low, high, count)
    return Points(z, weights * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))


def _between(low: float, high: float) -> Points:
    """The standard normal restricted to an interval, however far out; normalised."""
    nearest = min(max(low, 0.0), high)
    reach = math.sqrt(nearest**2 + REACH**2)
    z, weights = interval(max(low, -reach), min(high, reach), 400)
    density = weights * np.exp((nearest - z) * (nearest + z) / 2)
    return Points(z, density / density.sum())


def _mirrored(points: Points, rule: TopFraction | BestOf | BradleyTerry) -> Points:
    return Points(sign(rule) * points.z, points.probability)


def _best_fraction(rule: TopFraction) -> Points:
    q = rule.fraction
    if q == 1:
        return _normal(-REACH, REACH, 400)
    if rule.score == TYPICALITY:
        edge = math.sqrt(2) * special.erfinv(q)
        return _between(-edge, edge)
    return _mirrored(_between(-special.ndtri(q), math.inf), rule)


def _best_of(rule: BestOf) -> Points:
    K = rule.candidates
    if rule.score == TYPICALITY:
        top = min(REACH, -special.ndtri(math.exp(-(REACH**2) / 2 / K) / 2))
        half = _normal(0.0, top, 400)
        probability = half.probability * K * (2 * special.ndtr(-half.z)) ** (K - 1)
        return Points(np.r_[-half.z[::-1], half.z], np.r_[probability[::-1], probability])
    points = _normal(-REACH, REACH, 400)
    weight = K * np.exp((K - 1) * special.log_ndtr(points.z))
    return _mirrored(Points(points.z, points.probability * weight), rule)


def _pool(rule: TopFraction, n: int, m: int) -> Points:
    count = 400 + 20 * math.isqrt(m)
    points = _normal(0.0 if rule.score == TYPICALITY else -REACH, REACH, count)
    better = 1 - 2 * special.ndtr(-points.z) if rule.score == TYPICALITY else special.ndtr(-points.z)
    weight = np.ones(count) if m == n else m / n * special.betaincc(n, m - n, better)
    kept = Points(points.z, points.probability * weight)
    if rule.score == LINEAR:
        return _mirrored(kept, rule)
    return Points(np.r_[-kept.z[::-1], kept.z], np.r_[kept.probability[::-1], kept.probability])


def _gumbel(rule: BradleyTerry, width: float) -> Points:
    b, K = rule.strength * width, rule.candidates
    if b > STEEPEST:
        raise LoopError("selection.strength", rule.strength, f"times sigma it is more than {STEEPEST:g}")
    points = _normal(-REACH, REACH, 300 + int(60 * b))
    step = 0.25
    y = np.arange(-REACH * b - 5, REACH * b + 45, step)
    gap = np.subtract.outer(points.z * b, y)  # b z - y
    decay = np.exp(-np.exp(np.minimum(gap, 50.0)))
    law = points.probability @ decay
    weight = K * step * (np.exp(np.minimum(gap, 50.0)) * decay) @ law ** (K - 1)
    return _mirrored(Points(points.z, points.probability * weight), rule)


def top(q: float) -> tuple[float, float]:
    """Mean and variance of the best fraction q of a standard normal, by a linear score.

    al = Phi^{-1}(1 - q), h = phi(al) / q, v = 1 + al h - h^2: the inverse Mills ratio, classical (C1).
    """
    if q == 1:
        return 0.0, 1.0
    edge = -special.ndtri(q)
    h = math.exp(-(edge**2) / 2) / math.sqrt(2 * math.pi) / q
    return h, 1 + edge * h - h * h


def top_higher(q: float) -> tuple[float, float]:
    """Third and fourth central moments of the best fraction, h' = h (h - al) being dh/dal (own derivation).

    h (2 h^2 - 3 al h + al^2 - 1) and 3 + al h (3 + al^2) - h^2 (2 + 4 al^2 ) + 6 al h^3 - 3 h^4, by
    E z^3 = (al^2 + 2) h, E z^4 = 3 + (al^3 + 3 al) h.
    """
    if q == 1:
        return 0.0, 3.0
    edge = -special.ndtri(q)
    h, _ = top(q)
    third = h * (2 * h * h - 3 * edge * h + edge * edge - 1)
    fourth = 3 + edge * h * (3 + edge**2) - h**2 * (2 + 4 * edge**2) + 6 * edge * h**3 - 3 * h**4
    return third, fourth


def central(q: float, dimension: int = 1) -> float:
    """The variance factor of keeping the most typical fraction q in d dimensions, in every direction.

    v = P(chi2_{d+2} <= x) / q, P(chi2_d <= x) = q: E |z|^2 1[|z|^2 <= x] / d is that probability. In one
    dimension 1 - 2 c phi(c) / q with c = Phi^{-1}((1 + q) / 2), S2's v (own derivation).
    """
    if q == 1:
        return 1.0
    x = 2 * special.gammaincinv(dimension / 2, q)
    return float(special.gammainc(dimension / 2 + 1, x / 2) / q)


BEST_OF_TWO = (1 / math.sqrt(math.pi), 1 - 1 / math.pi)
"""Mean and variance of the larger of two standard normals (C3, classical)."""
BEST_OF_THREE = (
    1.5 / math.sqrt(math.pi),
    1 + math.sqrt(3) / (2 * math.pi) - 9 / (4 * math.pi),
)
"""Of the largest of three."""


def preference_shift(strength: float, variance: float) -> float:
    """The shift h = E[(D/2) tanh(beta D / 2)], D ~ N(0, 2 s): how far a preferred point of two is up (C12).

    The winner is S/2 + (D/2) e with S the sum, e the sign of its win: S is independent of (D, e), and
    E[e | D] = tanh(beta D / 2). So E x^2 = s/2 + s/2 is unchanged and the variance is s - h^2 exactly
    (own derivation).
    """
    b = strength * math.sqrt(variance / 2)  # beta D / 2 = b z, D / 2 = sqrt(s / 2) z
    points = _normal(-REACH, REACH, 300 + int(60 * b))
    return float(math.sqrt(variance / 2) * (points.probability @ (points.z * np.tanh(b * points.z))))
