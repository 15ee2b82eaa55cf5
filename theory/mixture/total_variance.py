"""The total variance of a mixture: one law for hard labels, soft EM and a single Gaussian (G1).

A fit that sees its data only through responsibilities r_ik >= 0 with sum_k r_ik = 1 (0 or 1 for hard
labels; after any number >= 1 of M-steps for EM) sets w_k = mean r_ik, mu_k and S_k to the weighted moments,
so that

    sum_k w_k mu_k = sample mean,    sum_k w_k (S_k + mu_k mu_k^T) = sample second moment:

the fitted mixture has the mean and the covariance (divisor n) of the sample, whatever K and d: the whole
matrix for full and tied covariances, its diagonal for diagonal ones, its trace for spherical ones. The second
moments of such a loop are therefore those of a Gaussian one under the same recipe (`theory.provenance`), as
long as sampling is unbiased: E V_t = V_0 (1 - 1/n)^t under replacement, and E V_t + E (m_t - m_0)^2 = V_0
under every recipe. A share w_k of hard labels is the mean of an indicator, of variance w_k (1 - w_k), and
obeys the same law. A floor eps added to every covariance makes E V' = (1 - 1/n) E V + eps. Own derivation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theory.meal import Recipe
from theory.provenance import Provenance


def second_moments(
    recipe: Recipe,
    generations: int,
    variance: np.ndarray,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """E of the mean's error, of its square, and of the variance, [generation, 3, ...], for every coordinate.

    Args:
        recipe: what every fit eats.
        generations: how many.
        variance: of the source's coordinates (or of labels' indicators).
        start: the error of model 0's mean, and its variance, where it is not the source.
    """
    columns = []
    for place, one in enumerate(np.atleast_1d(variance)):
        begin = None if start is None else (float(start[0][place]), float(start[1][place]))
        engine = Provenance(recipe, variance=float(one), start=begin)
        columns.append([engine.advance()[0] for _ in range(generations)])
    return np.moveaxis(np.array(columns, float), 0, -1)


def floored(variance: Any, n: Any, floor: Any, t: int) -> Any:
    """E V_t with a floor eps added to every fitted covariance: (1 - 1/n)^t (V_0 - n eps) + n eps."""
    return (1 - 1 / n) ** t * (variance - n * floor) + n * floor


def split_stationary(variance: Any, real: int, synthetic: int) -> tuple[Any, Any]:
    """(V, D) at t = inf under `fresh`: D = V_0 / (n (1 - (1 - m)^2) + 1 - m), V = V_0 - D, m = real / n."""
    n = real + synthetic
    m = real / n
    error = variance / (n * (1 - (1 - m) ** 2) + 1 - m)
    return variance - error, error


def share_moments(share: float, sizes: Sequence[int]) -> np.ndarray:
    """Mean, variance, third and fourth central moments of a label's share, [fit, 4], under replacement.

    E[x'^k | x] = n^-k sum_j S(k, j) (n)_j x^j, S the Stirling numbers of the second kind (C2).
    """
    raw = np.array([share**k for k in range(1, 5)], float)
    found = []
    for n in sizes:
        falling = [float(n), float(n) * (n - 1), float(n) * (n - 1) * (n - 2)]
        falling.append(falling[2] * (n - 3))
        step = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 3, 1, 0], [1, 7, 6, 1]], float) * falling
        raw = (step / float(n) ** np.arange(1, 5)[:, None]) @ raw
        a, b, c, d = raw
        found.append([a, b - a**2, c - 3 * a * b + 2 * a**3, d - 4 * a * c + 6 * a**2 * b - 3 * a**4])
    return np.array(found)
