"""First passages of the Wright-Fisher loop: total collapse, the first loss, at most r categories left.

With K categories, collapse by generation t is the disjoint union of K fixations, and "all categories of a set
S are gone" is the extinction of one category of mass y_S. Both need binary chains only. With Q the chain
among the interior counts and a(p) = sum_t E[x_t; 0 < x_t < 1] (p itself at t = 0),

    E T_collapse = sum_i a(p_i),    E T_loss = sum over S, neither empty nor all, of (-1)^{|S|+1} a(1 - y_S),

because 1 - sum_i P(fixed) = sum_i E[x_i; interior] and P(S gone by t) = (1 - y_S) - E[1 - x_S; interior].
Binomial moments E C(T, r) are the same sums with Q^{r-2} (I - Q)^{-r} in the place of (I - Q)^{-1}. (Own
assembly; the diffusion values are Kimura and Ohta's 1969, Watterson's, Ewens' 2004 and Littler's 1975.)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lu_factor, lu_solve, solve_banded

from theory.categorical.wright_fisher import binomial_rows, half_width, neutral_chain
from theory.result import central

MOST_SUBSETS = 2**16
"""Sets of categories that inclusion and exclusion runs over; their signs cancel 2^-53 times as much."""

DENSE = 1200  # below, a dense factorisation is the quicker one


class InteriorTime:
    """Sums over time of interior functions of one category's count, at one n."""

    def __init__(self, n: int):
        self.n = n
        self.interior = neutral_chain(n)[1:n, 1:n]
        self._solve = self._solver()

    def _solver(self) -> Callable[[NDArray], NDArray]:
        size, h = self.n - 1, half_width(self.n) + 1
        if size < DENSE:
            factors = lu_factor(np.eye(size) - self.interior.toarray())
            return lambda right: lu_solve(factors, right)
        band = np.zeros((2 * h + 1, size))
        entries = self.interior.tocoo()
        row, column = entries.coords
        band[h + row - column, column] = -entries.data
        band[h] += 1
        return lambda right: solve_banded((h, h), band, right)

    def binomial_moments(self, highest: int) -> list[NDArray[np.float64]]:
        """(I - Q)^{-1} g, then Q^{r-2} (I - Q)^{-r} g, r = 2, ..., `highest`; g(x) = x at interior counts."""
        found = []
        now = np.arange(1, self.n) / self.n
        for r in range(1, highest + 1):
            now = self._solve(now)
            if r >= 3:
                now = self.interior @ now
            found.append(now)
        return found

    def of(self, share: ArrayLike, values: NDArray) -> NDArray[np.float64]:
        """The same from generation 1, for each source share."""
        padded = np.concatenate([[0.0], values, [0.0]])
        return binomial_rows(self.n, share) @ padded


def collapse_time(n: int, shares: ArrayLike, highest: int = 2) -> list[float]:
    """Mean and central moments up to `highest` of the generation at which one category has everything."""
    p = np.asarray(shares, float)
    return _moments(n, {share: float(count) for share, count in Counter(p[p > 0]).items()}, highest)


def first_loss_time(n: int, shares: ArrayLike, highest: int = 2) -> list[float]:
    """Mean and central moments up to `highest` of the generation at which the first category is gone.

    Raises:
        ValueError: with more than log2(`MOST_SUBSETS`) distinct sets of categories.
    """
    weights = Counter()
    for (size, mass), count in subset_masses(shares).items():
        if 0 < mass < 1:
            weights[1 - mass] += (-1) ** (size + 1) * count
    return _moments(n, weights, highest)


def time_until(n: int, shares: ArrayLike, left: int, highest: int = 2) -> list[float]:
    """Mean and central moments of the generation from which at most `left` categories remain.

    P(more than r left) is the probability that fewer than K - r are gone: by inclusion and exclusion, with s
    categories left out of S, weights (-1)^{r-s} C(K-1-s, r-s) over the sets of s categories that hold
    everything.
    """
    p = np.asarray(shares, float)
    categories, weights = len(p), Counter()
    for (size, mass), count in subset_masses(p, range(1, left + 1)).items():
        weights[mass] += (-1) ** (left - size) * math.comb(categories - 1 - size, left - size) * count
    return _moments(n, weights, highest)


def subset_masses(shares: ArrayLike, sizes: Iterable[int] | None = None) -> Counter:
    """How many sets of categories there are of each (size, mass), equal masses together up to rounding.

    Raises:
        ValueError: if there are more than `MOST_SUBSETS` of them.
    """
    p = [float(share) for share in np.asarray(shares, float)]
    sizes = range(1, len(p) + 1) if sizes is None else sizes
    groups = Counter(p)
    largest = max(sizes, default=0)
    found: Counter = Counter({(0, 0.0): 1})
    for share, count in groups.items():
        merged: Counter = Counter()
        for (size, mass), ways in found.items():
            for k in range(min(count, largest - size) + 1):
                merged[size + k, _rounded(mass + k * share)] += ways * math.comb(count, k)
        if len(merged) > MOST_SUBSETS:
            raise ValueError(f"{len(p)} categories have more than {MOST_SUBSETS} sets of different mass")
        found = merged
    return Counter({key: ways for key, ways in found.items() if key[0] in set(sizes)})


def _rounded(mass: float) -> float:
    return min(round(mass, 14), 1.0)


def _moments(n: int, weights: Mapping[float, float], highest: int) -> list[float]:
    """Central moments of T from sum_S weight a_r(mass); more than one category is left at t = 0."""
    time = InteriorTime(n)
    masses = np.array(list(weights))
    factor = np.array(list(weights.values()), float)
    binomial = [math.fsum(factor * time.of(masses, values)) for values in time.binomial_moments(highest)]
    binomial[0] += math.fsum(factor * masses)  # generation 0
    return central_from_binomial(binomial)


def central_from_binomial(binomial: Sequence[float]) -> list[float]:
    """Mean and central moments from E C(T, r), r = 1, ..."""
    return [float(x) for x in central(_raw(binomial))]


def _raw(binomial: Sequence[float]) -> list[float]:
    """E T^r from E C(T, r)."""
    stirling = ((1,), (1, 2), (1, 6, 6), (1, 14, 36, 24))
    return [
        math.fsum(coefficient * binomial[k] for k, coefficient in enumerate(row))
        for row in stirling[: len(binomial)]
    ]


def conditional_time(n: int, share: float) -> tuple[float, float]:
    """E[T | fixation] and E[T | extinction] of one category, by Doob's transform of the interior chain.

    E[T; fixed] = sum_t (p - P(fixed by t)) = sum_t E[x_t; interior], from t = 0 on, and likewise with 1 - x.
    """
    time = InteriorTime(n)
    (values,) = time.binomial_moments(1)
    fixed = share + float(time.of([share], values)[0])
    lost = 1 - share + float(time.of([1 - share], values)[0])
    return fixed / share, lost / (1 - share)


def diffusion_collapse_time(n: float, shares: ArrayLike) -> float:
    """-2n sum_i (1 - p_i) ln(1 - p_i), with a relative error of order 1/n."""
    return float(2 * n * _entropy_terms(1 - np.asarray(shares, float)).sum())


def diffusion_first_loss_time(n: float, shares: ArrayLike) -> float:
    """2n sum_S (-1)^{|S|} y_S ln y_S over sets that are not empty."""
    sets = subset_masses(shares)
    return (
        2 * n * math.fsum((-1) ** (size + 1) * ways * _entropy(mass) for (size, mass), ways in sets.items())
    )


def diffusion_time_until(n: float, shares: ArrayLike, left: int) -> float:
    """-2n sum_{s<=r} (-1)^{r-s} C(K-1-s, r-s) sum_{|S|=s} (1-y_S) ln(1-y_S) (Littler 1975)."""
    categories = len(np.asarray(shares))
    sets = subset_masses(shares, range(1, left + 1))
    return (
        2
        * n
        * math.fsum(
            (-1) ** (left - size) * math.comb(categories - 1 - size, left - size) * ways * _entropy(1 - mass)
            for (size, mass), ways in sets.items()
        )
    )


def diffusion_conditional_time(n: float, share: float) -> tuple[float, float]:
    """-2n ((1-p)/p) ln(1-p) given fixation, -2n (p/(1-p)) ln p given extinction (Kimura and Ohta 1969)."""
    p, q = share, 1 - share
    return -2 * n * q / p * math.log(q), -2 * n * p / q * math.log(p)


def collapse_tail(n: float, heterozygosity: float, generation: float) -> float:
    """P(T > t) ~ 3 H_0 (1 - 1/n)^t for t >> n: the quasi-stationary share is nearly uniform."""
    return 3 * heterozygosity * math.exp(generation * math.log1p(-1 / n))


def collapse_tail_bound(n: int, heterozygosity: float, generation: float) -> float:
    """P(T > t) <= H_0 (1 - 1/n)^t n^2 / (2 (n - 1)): Markov's, the least positive H being 2(n-1)/n^2."""
    return collapse_tail(n, heterozygosity, generation) * n**2 / (6 * (n - 1))


def _entropy_terms(share: NDArray) -> NDArray:
    return np.array([_entropy(float(x)) for x in share])


def _entropy(share: float) -> float:
    return -share * math.log(share) if share > 0 else 0.0
