"""Equilibria of categorical loops with pseudo-counts or real data: mutation and migration.

Every generation a share m of the model's points is real, or smoothing pulls the model to pi by m = A / (n +
A). With F = sum p^2 and Pi = sum pi^2 the stationary mean of F has the form

    E F = (1 + theta Pi) / (1 + theta)

of a Dirichlet(theta pi) law, with an exact theta that depends on how the points come (own; the forms for
large n are Wright's 1931):

    smoothing       theta = n [(1-m)^-2 - 1] = 2A + A^2 / n, almost independent of n
    iid mix         theta = (n-1) (1 - (1-m)^2)
    split           theta = n (1 - (1-m)^2) - m

A fixed real set of N points (Seddik et al. 2024, arXiv:2404.05090) leaves E|p_t - p_1|^2 = D_t with D' = a^2
[D (1-1/n) + (1 - E F_1)/n], a = n / (N + n).
"""

from __future__ import annotations

import math

from theory.categorical.extinction_exponent import immigration_limit

__all__ = [
    "accumulated_error_step",
    "anchored_distance",
    "anchored_equilibrium",
    "decay_rate",
    "equilibrium",
    "iid_concentration",
    "immigration_limit",
    "l1_bound",
    "smoothed_concentration",
    "split_concentration",
]


def equilibrium(concentration: float, source_square: float) -> float:
    """The stationary E F = (1 + theta Pi) / (1 + theta); heterozygosity is 1 minus it."""
    if math.isinf(concentration):
        return source_square
    return (1 + concentration * source_square) / (1 + concentration)


def smoothed_concentration(n: float, pseudo_count: float) -> float:
    """Theta = 2A + A^2 / n under additive smoothing with A pseudo-counts in all."""
    return 2 * pseudo_count + pseudo_count**2 / n


def iid_concentration(n: float, real: float) -> float:
    """Theta = (n-1) (1 - (1-m)^2) where each of n points is real with probability m."""
    return (n - 1) * (1 - (1 - real) ** 2)


def split_concentration(n: float, real: float) -> float:
    """Theta = n (1 - (1-m)^2) - m where exactly m n of n points are real."""
    return n * (1 - (1 - real) ** 2) - real


def anchored_distance(real: int, synthetic: int, source_square: float, generation: int) -> float:
    """E|p_g - p_1|^2 beside a fixed real set of N points, to which generation 1 is fitted; 0 at g = 1."""
    share = synthetic / (real + synthetic)
    spread = (1 - source_square) * (1 - 1 / real)
    rate = share**2 * (1 - 1 / synthetic)
    return share**2 * spread / synthetic * (1 - rate ** (generation - 1)) / (1 - rate)


def anchored_equilibrium(real: int, synthetic: int, source_square: float) -> float:
    """Its limit a^2 (1 - E F_1) / n / (1 - a^2 (1 - 1/n)), E F_1 = Pi + (1 - Pi)/N."""
    share = synthetic / (real + synthetic)
    spread = (1 - source_square) * (1 - 1 / real)
    return share**2 * spread / synthetic / (1 - share**2 * (1 - 1 / synthetic))


def l1_bound(categories: int, square: float) -> float:
    """E|p - q|_1 <= sqrt(K E|p - q|_2^2), by Cauchy and Schwarz, then Jensen."""
    return math.sqrt(categories * square)


def accumulated_error_step(
    error: float, heterozygosity: float, pool: int, real: int, synthetic: int
) -> float:
    """E|p - pi|^2 after n_r real and n_s synthetic points have joined a pool of M.

    D' = [((M + n_s)^2 - n_s) D + n H(pi)] / (M + n)^2, n = n_r + n_s.
    """
    n = real + synthetic
    return (((pool + synthetic) ** 2 - synthetic) * error + n * heterozygosity) / (pool + n) ** 2


def decay_rate(real: float) -> float:
    """D_t ~ t^-min(2r, 1) in a pool with real share r: the rate stops growing at a half."""
    return min(2 * real, 1.0)
