"""What selection does to a normal model when the sample is infinite: maps of (mu, s), s = sigma^2.

Every map here is a population statement: the model is refitted, by moments, to the whole selected law, which
is not normal after a threshold or a preference. At finite n they are the limit n -> inf of one generation,
with an error of order 1/n; `theory.selected.replace` has what is exact at finite n.

    best fraction, best of K     mu' = mu + h sigma,              s' = v s                          C1, C3
    most typical                 mu' = mu,                        s' = v s                          S2
    linear tilt                  mu' = mu + beta s,               s' = s                            C4
    quadratic tilt               mu' - c = (mu - c) s'/s,         1/s' = 1/s + beta                 C5
    preference, two points       mu' = mu + h(beta, s),           s' = s - h^2                      C12
    verifier                     mean and variance of the normal within |x - c| <= r                V1

Own derivations; the tilt is the limit K -> inf of the curation of Ferbach et al.
(2024, arXiv:2407.09499), the verifier the mechanism of Yi et al. (2025, arXiv:2510.16657).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from scipy import special

from theory.selected.law import (
    BEST_OF_THREE,
    BEST_OF_TWO,
    central,
    preference_shift,
    selected_moments,
    sign,
    top,
)
from theory.selection import LINEAR, TYPICALITY, BestOf, BradleyTerry, Rule, Tilt, TopFraction, Verifier

Expr = Any  # a number, or a SymPy expression
ROOT = Fraction(1, 2)


def constants(rule: TopFraction | BestOf) -> tuple[float, float]:
    """The shift h (signed) and the variance factor v of a score rule on the line: closed, or by quadrature.

    Closed for a fraction, and for the best of two and of three; at n = inf the two thresholds are one.
    """
    if isinstance(rule, TopFraction):
        if rule.score == TYPICALITY:
            return 0.0, central(rule.fraction)
        h, v = top(rule.fraction)
        return sign(rule) * h, v
    if rule.score == LINEAR and rule.candidates in (2, 3):
        h, v = BEST_OF_TWO if rule.candidates == 2 else BEST_OF_THREE
        return sign(rule) * h, v
    moments = selected_moments(rule)
    return (0.0 if rule.score == TYPICALITY else moments.mean), moments.variance


def population_step(rule: Rule, mean: float, variance: float) -> tuple[float, float]:
    """(mu, s) of the model refitted to everything that `rule` keeps of N(mean, variance)."""
    match rule:
        case TopFraction() | BestOf():
            h, v = constants(rule)
            return mean + h * math.sqrt(variance), v * variance
        case BradleyTerry(candidates=2):
            h = preference_shift(rule.strength, variance)
            return mean + sign(rule) * h, variance - h * h
        case BradleyTerry() | Tilt():
            moments = selected_moments(rule, mean=mean, variance=variance)
            return mean + moments.mean * math.sqrt(variance), moments.variance * variance
        case Verifier():
            return verified(mean, variance, rule.centre, rule.radius)
    raise ValueError(f"{rule.rule} depends on where a point is from, not on its value")


def population(rule: Rule, mean: float, variance: float, generations: int) -> list[tuple[float, float]]:
    """(mu_g, s_g), g = 0, ..., of the replace loop whose every sample is selected, the source's included.

    Where the source's are not, generation 1 is the source, and this is generation g + 1.
    """
    found = [(mean, variance)]
    for _ in range(generations):
        found.append(population_step(rule, *found[-1]))
    return found


def score_replace(h: Expr, v: Expr, mean: Expr, variance: Expr, t: Expr) -> tuple[Expr, Expr]:
    """C1, C3: mu_t = mu_0 + h sigma_0 (1 - v^{t/2}) / (1 - sqrt v), s_t = v^t s_0 (v < 1; n = inf)."""
    root = v**ROOT
    return mean + h * variance**ROOT * (1 - root**t) / (1 - root), v**t * variance


def score_replace_limit(h: Expr, v: Expr, mean: Expr, variance: Expr) -> Expr:
    """C1, C3: mu_inf = mu_0 + h sigma_0 / (1 - sqrt v), the total gain of selection (v < 1; n = inf)."""
    return mean + h * variance**ROOT / (1 - v**ROOT)


def linear_tilt_replace(strength: Expr, mean: Expr, variance: Expr, t: Expr) -> tuple[Expr, Expr]:
    """C4: mu_t = mu_0 + t beta s_0, s_t = s_0 (n = inf): no variance is lost, the mean runs away linearly."""
    return mean + t * strength * variance, variance


def quadratic_tilt_replace(
    strength: Expr, centre: Expr, mean: Expr, variance: Expr, t: Expr
) -> tuple[Expr, Expr]:
    """C5: s_t = 1 / (1/s_0 + t beta), mu_t - c = (mu_0 - c) / (1 + t beta s_0) (n = inf): loss as 1/t."""
    decay = 1 + t * strength * variance
    return centre + (mean - centre) / decay, variance / decay


def preference_decay(candidates: int, strength: float) -> float:
    """C12: t s_t -> K^2 / ((K - 1) beta^2), of the replace loop (n = inf, t -> inf).

    For small b = beta sigma the weight of a point among K is 1 + b (z - zbar) + (b^2/2) [(z - zbar)^2 -
    mean (z_j - zbar)^2] + O(b^3), so E z = b (K - 1)/K + O(b^3) and E z^2 = 1 + b^2 (K - 1)(K - 2)/K^2 +
    O(b^4), whence s' = s - (K - 1) (beta s / K)^2 + O(s^3). K = 2 makes it 4 / beta^2; every
    finite K loses variance, K = inf (the tilt) none (own derivation).
    """
    return candidates**2 / ((candidates - 1) * strength**2)


def small_preference(candidates: int, strength: float, variance: float) -> tuple[float, float]:
    """C12 as b = beta sigma -> 0: the shift beta s (K - 1)/K (1 + O(b^2)), and s' of `preference_decay`."""
    K, gain = candidates, strength * variance
    return gain * (K - 1) / K, variance - (K - 1) * (gain / K) ** 2


def band_variance(ratio: float) -> float:
    """v(c) = 1 - 2 c phi(c) / (2 Phi(c) - 1): the variance of a standard normal within |z| <= c (S2, V1)."""
    return central(float(special.erf(ratio / math.sqrt(2))))


def verified(mean: float, variance: float, centre: float, radius: float) -> tuple[float, float]:
    """V1: mean and variance of N(mean, variance) within |x - centre| <= radius, the truncated normal's.

    With al, be the ends in units of sigma and D = Phi(be) - Phi(al): mu' = mu + sigma (phi(al) - phi(be))/D,
    s' = s [1 + (al phi(al) - be phi(be))/D - ((phi(al) - phi(be))/D)^2] (classical); by quadrature, which
    loses no digits in a far tail.
    """
    moments = selected_moments(Verifier(centre, radius), mean=mean, variance=variance)
    return mean + math.sqrt(variance) * moments.mean, variance * moments.variance


def verified_mean(mean: float, variance: float, centre: float, radius: float, generations: int) -> float:
    """V1 with a known variance, never refitted: the mean converges to the verifier's.

    mu_g -> theta_c, not mu_0, with linear rate v(r / sigma) = `band_variance` (n = inf): the derivative of a
    truncated normal's mean in mu is its variance over s.
    """
    for _ in range(generations):
        mean, _ = verified(mean, variance, centre, radius)
    return mean


def verified_variance(radius: float, generations: float) -> float:
    """V1 where the variance is refitted too, from mu = theta_c: s_t ~ r^2 / (2 log t) (n = inf, t -> inf).

    c = r / sigma obeys c' = c / sqrt(v(c)) = c + c^2 phi(c) + ..., so that e^{c^2/2} / c^3 ~ t / sqrt(2 pi),
    whose solution is put into r^2 / c^2. The variance is lost, though ever more slowly, and takes the force
    out of the verifier: see `frozen_mean` (own derivation).
    """
    square = 2 * math.log(generations)
    for _ in range(200):
        square = 2 * math.log(generations / math.sqrt(2 * math.pi)) + 3 * math.log(square)
    return radius**2 / square


def frozen_mean(mean: float, variance: float, centre: float, radius: float) -> float:
    """V1 where the variance is refitted too, once one end of the band alone is felt: where the mean stops.

    Off the centre, with k the distance of the mean from the nearer end, that end moves the mean by sigma
    phi(k / sigma) and takes k sigma phi(k / sigma) from s: dk = -ds / k, k^2 + 2 s is conserved, and as s
    -> 0 the mean stops at k = sqrt(k^2 + 2 s), short of theta_c. Both ends count while x = r m / s is small
    (m = mu - theta_c); dx / d(-log s) = x - tanh x > 0, so that every m other than 0 comes to rest off the
    verifier's belief. Asymptotic, n = inf, s -> 0 (own derivation).
    """
    side = math.copysign(1.0, mean - centre)
    near = radius - abs(mean - centre)
    return centre + side * (radius - math.sqrt(near**2 + 2 * variance))
