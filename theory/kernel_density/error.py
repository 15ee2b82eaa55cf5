"""How far a kernel density under replacement is from the truth: its mean integrated squared error (K1, K2).

Model g has n_g points and a kernel N(0, h^2); a point has passed g - 1 kernels, so that, with p the law that
generation 1 is drawn from, E KDE_g = p * N(0, g h^2) for every n. Two of its points descend from one point
j generations back with probability c_j = (1/n_{g-j}) prod_{i<j} (1 - 1/n_{g-i}), and then differ by
N(0, 2 j h^2); otherwise they are independent draws of p with g - 1 kernels each. Hence, phi(x; v) the normal
density,

    E int KDE_g^2 = phi(0; 2 h^2) / n_g + (1 - 1/n_g) [ sum_{j<g} c_j phi(0; 2 (j + 1) h^2)
                    + (1 - sum c_j) sum_kl w_k w_l phi(mu_k - mu_l; s_k + s_l + 2 g h^2) ],

    MISE = that - 2 sum_kl w_k v_l phi(mu_k - nu_l; s_k + r_l + g h^2)
           + sum_kl v_k v_l phi(nu_k - nu_l; r_k + r_l)

for p = sum w_k N(mu_k, s_k) and the source sum v_l N(nu_l, r_l). Own derivation, by Kingman's coalescent
(1982). The cross-entropy -E int p_0 ln KDE_g is at least -int p_0 ln E KDE_g, by Jensen's inequality.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import integrate, stats

from theory.mixture.parts import Parts


def overlap(first: Parts, second: Parts, width_squared: float = 0.0) -> float:
    """sum_kl w_k v_l phi(mu_k - nu_l; s_k + r_l + width_squared): the integral of their product."""
    gap = first.means - second.means.T
    variance = first.variances + second.variances.T + width_squared
    density = np.exp(-(gap**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return float(first.weights @ density @ second.weights)


def mean_squared_error(source: Parts, first: Parts, sizes: Sequence[int], width: float) -> float:
    """MISE of the model after len(sizes) fits (K2).

    Args:
        source: on the line.
        first: what generation 1 is drawn from.
        sizes: n_1, ..., n_g.
        width: h.
    """
    g, square = len(sizes), width**2
    *before, last = sizes
    apart, met = 1.0, 0.0
    for back, n in enumerate(reversed(before), 1):
        met += apart / n * _peak(2 * (back + 1) * square)
        apart *= 1 - 1 / n
    pairs = met + apart * overlap(first, first, 2 * g * square)
    own = _peak(2 * square) / last + (1 - 1 / last) * pairs
    return own - 2 * overlap(first, source, g * square) + overlap(source, source)


def _peak(variance: float) -> float:
    return float((2 * np.pi * variance) ** -0.5)


def expected_density(first: Parts, generation: int, width: float, x: np.ndarray) -> np.ndarray:
    """E KDE_g(x) = (p * N(0, g h^2))(x), whatever the sample sizes (K1)."""
    spread = np.sqrt(first.variances[:, 0] + generation * width**2)
    return stats.norm.pdf(np.asarray(x, float)[..., None], first.means[:, 0], spread) @ first.weights


def least_cross_entropy(source: Parts, first: Parts, generation: int, width: float) -> float:
    """-int p_0 ln E KDE_g, below the expected negative log-likelihood of real data (K2).

    For one normal on each side 0.5 ln(2 pi S) + (s_0 + (mu - mu_0)^2) / (2 S), S = s + g h^2.
    """
    if len(source.weights) == len(first.weights) == 1:
        s = first.variances[0, 0] + generation * width**2
        gap = first.means[0, 0] - source.means[0, 0]
        return float(np.log(2 * np.pi * s) / 2 + (source.variances[0, 0] + gap**2) / (2 * s))

    def integrand(z: float, k: int) -> float:
        x = source.means[k, 0] + np.sqrt(source.variances[k, 0]) * z
        return float(stats.norm.pdf(z) * -np.log(expected_density(first, generation, width, np.array(x))))

    terms = [
        integrate.quad(integrand, -12, 12, args=(k,), epsabs=1e-12, limit=400)[0]
        for k in range(len(source.weights))
    ]
    return float(source.weights @ terms)
