"""Kernel density loops at constant sample sizes, in closed form (K1, K3, K4, K5).

Model g holds points that have passed g - 1 kernels; the formulas below count t = g - 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def replace_variance(variance: Any, n: Any, width: Any, g: Any) -> Any:
    """E v_g = (1 - 1/n)^g s_0 + h^2 (n - 1) (1 - (1 - 1/n)^(g-1)): it saturates at (n - 1) h^2 (K1)."""
    rate = 1 - 1 / n
    return rate**g * variance + width**2 * (n - 1) * (1 - rate ** (g - 1))


def replace_marginal(variance: Any, width: Any, g: Any) -> Any:
    """E v_g + E (mean - mu_0)^2 = s_0 + (g - 1) h^2: the variance of a point over all runs (K1)."""
    return variance + (g - 1) * width**2


def rule_of_thumb_variance(variance: Any, n: Any, factor: Any, g: Any) -> Any:
    """E v_g = (1 - 1/n) s_0 [(1 - 1/n)(1 + c^2 n^(-2/5))]^(g-1), for h = c n^(-1/5) sd (K3)."""
    rate = 1 - 1 / n
    return rate * variance * (rate * (1 + factor**2 * n**-0.4)) ** (g - 1)


def corrected_bias(n: Any, factor: Any) -> Any:
    """The lambda that undoes the widening, 1 / (1 + c^2 n^(-2/5)): then E v_g = (1 - 1/n)^g s_0 (K3)."""
    return 1 / (1 + factor**2 * n**-0.4)


def accumulate_marginal(variance: float, width: float, g: int, ratio: float = 1.0) -> float:
    """s_0 + h^2 [psi(r + g) - psi(r + 1)]: the variance of a random point of the pool of model g (K4).

    The pool began with r n real points and has grown by n a generation; at r = 1 this is h^2 (H_g - 1), which
    grows like h^2 ln g.
    """
    return variance + width**2 * float(special.digamma(ratio + g) - special.digamma(ratio + 1))


def accumulate_kernels(g: int) -> np.ndarray:
    """The law of the number of kernels that a random point of the pool of model g has passed, [number] (K4).

    A point of the batch added t generations after the real one has passed 1 + sum_{j=2}^{t} Bernoulli(1/j) of
    them; the pool is an even mixture of its batches (n_0 = n).
    """
    pool = np.zeros(g)
    pool[0] = 1.0
    for size in range(1, g):  # a new batch of 1/(size + 1) of the pool is the pool before, shifted by one
        pool = (size * pool + np.concatenate([[0.0], pool[:-1]])) / (size + 1)
    return pool


def fresh_marginal(variance: Any, width: Any, share: Any) -> Any:
    """s_0 + h^2 (1 - m) / m: the stationary variance of a training point, a share m being fresh (K5)."""
    return variance + width**2 * (1 - share) / share


def fresh_characteristic(variance: Any, width: Any, share: Any, frequency: Any) -> Any:
    """E cos(w (x - mu_0)) = m e^(-s_0 w^2/2) / (1 - (1 - m) e^(-h^2 w^2/2)): of the same law (K5).

    It is the geometric mixture m sum_k (1 - m)^k p_0 * N(0, k h^2); compare Khelifa et al. (2026,
    arXiv:2602.16601).
    """
    real = np.exp(-variance * frequency**2 / 2)
    return share * real / (1 - (1 - share) * np.exp(-(width**2) * frequency**2 / 2))


def stopped_early(coefficient: Any, share: Any, shrink: Any, k: Any) -> Any:
    """M c_k / (1 - (1 - m) a^k): stationary Hermite coefficients under x -> a x + sqrt(1 - a^2) z (K5).

    He_k is an eigenfunction of that step, of eigenvalue a^k: a diffusion stopped early, in the place of the
    kernel, is a low-pass filter.
    """
    return share * coefficient / (1 - (1 - share) * shrink**k)
