"""Samplers and selections on categories: temperature, nucleus, top-k, curation, as maps of shares.

Deterministic maps (infinite n), what they do to a rare class and to the count of two categories, and the
diffusion approximations of what becomes of a category (own derivations; Kimura 1962; setting of the curation:
Ferbach et al. 2024, arXiv:2407.09499). Every map acts on all draws, those from the source included.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.optimize import brentq

Vector = NDArray[np.float64]


def tempered(share: ArrayLike, temperature: float) -> Vector:
    """The first of two categories under p^(1/T): x^{1/T} / (x^{1/T} + (1-x)^{1/T})."""
    x = np.asarray(share, float)
    larger = np.maximum(x, 1 - x)
    first, second = (x / larger) ** (1 / temperature), ((1 - x) / larger) ** (1 / temperature)
    return first / (first + second)


def tempered_shares(shares: ArrayLike, temperature: float, generations: int) -> Vector:
    """Shares after `generations` draws of infinitely many points: proportional to p^(T^-t)."""
    logs = np.log(np.asarray(shares, float)) * temperature**-generations
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def nucleus(share: ArrayLike, kept: float) -> Vector:
    """The first of two categories where the most probable are kept, as few as make up P > 1/2 together."""
    x = np.asarray(share, float)
    reached = kept - 2.0**-51  # a share that misses the probability by its rounding has reached it
    return np.where(x >= reached, 1.0, np.where(1 - x >= reached, 0.0, x))


def likelier(share: ArrayLike) -> Vector:
    """The first of two categories where the more probable one alone is kept; the first, of equal ones."""
    return np.where(np.asarray(share, float) >= 0.5, 1.0, 0.0)


def nucleus_shares(shares: ArrayLike, kept: float) -> Vector:
    """Any shares under the same rule; equal shares in order."""
    p = np.asarray(shares, float)
    order = np.argsort(-p, kind="stable")
    rounding = len(p) * 2.0**-53  # of the running sum: what is reached exactly is reached
    count = int(np.searchsorted(np.cumsum(p[order]), kept * p.sum() - rounding)) + 1
    result = np.zeros_like(p)
    result[order[:count]] = p[order[:count]]
    return result / result.sum()


def uniform_nucleus(categories: int, kept: float) -> int:
    """Categories left of K equal ones: ceil(P K), so that K (1 - P) < 1 absorbs."""
    return math.ceil(round(kept * categories, 9))


def geometric_nucleus(ratio: float, categories: float, kept: float) -> int:
    """Categories left of k with shares proportional to r^i: ceil(ln(1 - P (1 - r^k)) / ln r)."""
    return math.ceil(round(math.log1p(-kept * (1 - ratio**categories)) / math.log(ratio), 9))


def top_shares(shares: ArrayLike, kept: int) -> Vector:
    """Shares under top-k; equal shares in order."""
    p = np.asarray(shares, float)
    result = np.zeros_like(p)
    best = np.argsort(-p, kind="stable")[:kept]
    result[best] = p[best]
    return result / result.sum()


def best_of(share: ArrayLike, candidates: int) -> Vector:
    """The better of two categories where the best of K points is kept: 1 - (1 - x)^K."""
    return -np.expm1(candidates * np.log1p(-np.minimum(np.asarray(share, float), 1 - 2.0**-53)))


def curated(share: ArrayLike, candidates: int, gap: float) -> Vector:
    """One of K points chosen with odds e^reward, r being the gap between the two rewards.

    E[J e^r / (J e^r + K - J)], J ~ Bin(K, x).
    """
    x = np.atleast_1d(np.asarray(share, float))
    j = np.arange(candidates + 1)
    ways = np.array([math.comb(candidates, k) for k in j], float)
    law = ways * x[:, None] ** j * (1 - x[:, None]) ** (candidates - j)
    odds = j * math.exp(gap)
    return (law @ (odds / (odds + candidates - j))).reshape(np.shape(share))


def tilted(share: ArrayLike, gap: float) -> Vector:
    """The limit of many candidates: the odds multiplied by e^r."""
    x = np.asarray(share, float)
    return x * math.exp(gap) / (1 + x * math.expm1(gap))


def tilted_equilibrium(gap: float, real: float, source: float) -> float:
    """The share that m real points and odds times e^r leave unchanged, n infinite.

    The root in [0, 1] of (e-1) p^2 + p (1 - (1-m) e - m pi (e-1)) - m pi = 0, e = e^r.
    """
    e = math.exp(gap)
    linear = 1 - (1 - real) * e - real * source * (e - 1)
    if e == 1:
        return source
    root = math.sqrt(linear**2 + 4 * (e - 1) * real * source)
    return 2 * real * source / (linear + root) if linear > 0 else (root - linear) / (2 * (e - 1))


def kimura_fixation(n: float, share: float, advantage: float) -> float:
    """P(fixation) with reproductive odds 1 + s: (1 - e^{-2nsp}) / (1 - e^{-2ns}) (Kimura 1962, haploid n).

    Of order s in error; ln(1 + s) in the place of s is better at larger s. At s = 0 it is p.
    """
    if advantage == 0:
        return share
    return math.expm1(-2 * n * advantage * share) / math.expm1(-2 * n * advantage)


def tempered_fixation(n: float, share: float, temperature: float) -> float:
    """P(fixation) of one of two categories at temperature T, n points: int_0^p w / int_0^1 w.

    w(x) = e^{2 n s h(x)}, h the binary entropy, s = 1/T - 1: a diffusion, with an error of order s.
    """
    s = 1 / temperature - 1

    def weight(x: float) -> float:
        return math.exp(2 * n * s * (_entropy(x) - (math.log(2) if s > 0 else 0)))

    upper = quad(weight, 0, share, limit=500)[0]
    return upper / (upper + quad(weight, share, 1, limit=500)[0])


def nucleus_time(n: float, share: float, kept: float) -> float:
    """Mean time until one of two categories is gone under nucleus P: about 2n (h(p) - h(1 - P))."""
    return 2 * n * (_entropy(share) - _entropy(1 - kept))


def nucleus_survival(share: float, kept: float) -> float:
    """P(the first of two categories is the one that stays): about (p - (1-P)) / (2P - 1)."""
    return (share - (1 - kept)) / (2 * kept - 1)


def tempered_stationary_mean(n: float, source: float, temperature: float, real: float) -> float:
    """Mean share of one of two categories, temperature T and m real points: a diffusion's stationary law.

    Density proportional to e^{-2 n s h(x)} x^{2nm pi - 1} (1-x)^{2nm(1-pi) - 1}, s = 1/T - 1.
    """
    s, a, b = 1 / temperature - 1, 2 * n * real * source, 2 * n * real * (1 - source)
    level = min(0.0, 2 * n * s * math.log(2))

    def part(power: int) -> float:
        return quad(
            lambda x: x**power * math.exp(-2 * n * s * _entropy(x) + level), 0, 1,
            weight="alg", wvar=(a - 1, b - 1), limit=500, epsabs=0,
        )[0]  # fmt: skip

    return part(1) / part(0)


def stable_temperature(real: float) -> float:
    """The least temperature at which uniform shares stay, beside a real share m: 1 - m, for any K.

    At infinite n; a local statement: for K >= 3 shares far from uniform can be stable as well.
    """
    return 1 - real


def tempered_with_real(
    shares: ArrayLike, source: ArrayLike, temperature: float, real: float, generations: int
) -> Vector:
    """Shares after `generations` of p' = m pi + (1 - m) tempered(p), n infinite."""
    p, pi = np.asarray(shares, float), np.asarray(source, float)
    for _ in range(generations):
        p = real * pi + (1 - real) * tempered_shares(p, temperature, 1)
    return p


def dominant_equilibrium(categories: int, temperature: float, real: float) -> float:
    """The largest share of a fixed point of `tempered_with_real` beside uniform shares, one ahead."""

    def excess(x: float) -> float:
        others = (1 - x) / (categories - 1)
        weights = np.array([x] + [others] * (categories - 1))
        return real / categories + (1 - real) * tempered_shares(weights, temperature, 1)[0] - x

    grid = np.linspace(1 - 1e-9, 1 / categories, 4001)
    values = [excess(x) for x in grid]
    for high, low, f, g in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True):
        if f <= 0 < g:
            return float(brentq(excess, low, high, xtol=1e-15))
    return 1 / categories


def _entropy(x: float) -> float:
    return -sum(y * math.log(y) for y in (x, 1 - x) if y > 0)
