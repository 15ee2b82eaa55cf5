r"""A loop of perfect memorisers stopped early: every Hermite mode decays by itself.

The model returns a training point, noised by the last level it stopped at: x -> a x + sqrt(1 - a^2) z. That
multiplies E He_k by a^k (He_k the probabilists' Hermite polynomials). With a share m of fresh real data in
every training set, the law of a training point of generation g has

    E He_k = c_k [q^{g-1} + m (1 - q^{g-1}) / (1 - q)],     q = (1 - m) a^k,

for any sample size, since the loop is linear in the law; its limit m c_k / (1 - q) is a low-pass filter (own
derivation; the phenomenon: Khelifa, Turner and Venkataramanan 2026, arXiv:2602.16601).
"""

from __future__ import annotations

from math import comb, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.diffusion.affine import Normal

Array = NDArray[np.float64]


def hermite_mode(law: Normal, order: int) -> float:
    """E He_k(X) of a normal: sum_j (k choose 2j) (2j - 1)!! (s - 1)^j mu^{k - 2j}."""
    return sum(
        comb(order, 2 * j) * prod(range(1, 2 * j, 2)) * (law.variance - 1) ** j * law.mean ** (order - 2 * j)
        for j in range(order // 2 + 1)
    )


def kept(order: int, keep: float, real: float, generations: ArrayLike) -> Array:
    """By what E He_k of the training points of generation g >= 1 is multiplied; g may be infinite.

    Args:
        order: k.
        keep: a, in (0, 1).
        real: m, in (0, 1].
        generations: g.
    """
    g = np.asarray(generations, float)
    q = (1 - real) * keep**order
    left = np.where(g == 1, 1.0, q ** (g - 1))
    return left + real * (1 - left) / (1 - q)


def generated(order: int, keep: float, real: float, generations: ArrayLike) -> Array:
    """The same of what the model of generation g returns: a factor a^k more."""
    return keep**order * kept(order, keep, real, generations)
