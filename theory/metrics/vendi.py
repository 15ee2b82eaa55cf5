r"""What the Vendi score of normal samples is worth, and the effective number of modes.

The score is exp of the entropy of the eigenvalues of K / n (Friedman and Dieng 2023, arXiv:2210.02410). With
the kernel exp(-|x - y|^2 / (2 l^2)) and N(mu, diag(s)) those eigenvalues tend to products of geometric
sequences, (1 - B) B^k in each direction with (1 + B) / (1 - B) = sqrt(1 + 4 s / l^2) (spectrum: Zhu et al.
1998; Rasmussen and Williams 2006, section 4.3; its use here: own).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.categorical import wright_fisher

Array = NDArray[np.float64]


def ratio(variances: ArrayLike, scale: float) -> Array:
    """B of every direction, in [0, 1)."""
    root = np.sqrt(1 + 4 * np.asarray(variances, float) / scale**2)
    return (root - 1) / (root + 1)


def vendi(variances: ArrayLike, scale: float, order: float = 1) -> float:
    """The population's score: a product over directions.

    Order 1: exp(-ln(1 - B) - B ln B / (1 - B)). Order q: sum_k ((1 - B) B^k)^q = (1 - B)^q / (1 - B^q), to
    the power 1 / (1 - q); order 2 is sqrt(1 + 4 s / l^2), order inf 1 / (1 - B).

    Raises:
        ValueError: for order 0: there are infinitely many eigenvalues.
    """
    b = ratio(variances, scale)
    if order <= 0:
        raise ValueError(f"order is {order}: it must be positive")
    if order == np.inf:
        return float(np.prod(1 / (1 - b)))
    if order == 1:
        logarithm = np.log(np.where(b > 0, b, 1.0))
        return float(np.exp(np.sum(-np.log1p(-b) - b * logarithm / (1 - b))))
    return float(np.prod(((1 - b) ** order / (1 - b**order)) ** (1 / (1 - order))))


def mean_square_similarity(variances: ArrayLike, scale: float, n: int) -> float:
    """E of 1 / (score of order 2) for n points, exact: 1/n + (1 - 1/n) prod_j (1 + 4 s_j / l^2)^{-1/2}."""
    pair = float(np.prod(1 / np.sqrt(1 + 4 * np.asarray(variances, float) / scale**2)))
    return 1 / n + (1 - 1 / n) * pair


def modes_in_loop(shares: ArrayLike, n: int, generations: Sequence[int]) -> Array:
    """E of sum w^2, of the entropy and of the number of modes left, [3, generation].

    The weights of modes that keep apart are a categorical loop: sum w^2 = 1 - (1 - F_0)(1 - 1/n)^g, and the
    others follow from binary chains. 1 / sum w^2, exp(entropy) and the count are the effective numbers of
    modes of orders 2, 1 and 0; a Vendi score with a kernel that tells modes apart and nothing else.
    """
    p = np.asarray(shares, float)
    g = np.asarray(generations)
    squares = 1 - (1 - (p**2).sum()) * (1 - 1 / n) ** g
    return np.stack(
        [squares, wright_fisher.entropy(n, p, generations), wright_fisher.support(n, p, generations)]
    )
