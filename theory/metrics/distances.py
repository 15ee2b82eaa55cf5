r"""What distances, precision and recall are worth on normal samples, in a loop and at a finite sample size.

Frechet distance is the squared 2-Wasserstein distance of normals. Alpha-precision is the share of fakes in
the ball that holds a share alpha of the reals, beta-recall the share of reals in the ball that holds a share
beta of the fakes (Alaa et al. 2022, arXiv:2102.08921), the balls around known centres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import gammaln
from scipy.stats import chi2, ncx2

Array = NDArray[np.float64]


def shrinkage(n: ArrayLike) -> Array:
    """c_n = E sqrt(chi2_{n-1} / n) = sqrt(2 / n) Gamma(n / 2) / Gamma((n - 1) / 2)."""
    n = np.asarray(n, float)
    return np.sqrt(2 / n) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))


def frechet_in_loop(variances: ArrayLike, n: int, generations: ArrayLike) -> Array:
    """E of the distance to the source under replacement, maximum likelihood, diagonal covariances.

    2 sum_j s_j (1 - c_n^g): the means' drift and the variances' loss add to a constant, and what remains is
    the loss of the standard deviations, E sigma_g = sigma_0 c_n^g. (Own derivation.)
    """
    return 2 * np.sum(variances) * (1 - shrinkage(n) ** np.asarray(generations, float))


def frechet_of_sample(variances: ArrayLike, n: int) -> float:
    r"""E of the distance between N(mu, Sigma) and n of its own samples to order 1/n: the estimator's bias.

    [tr Sigma + sum_{ij} s_i s_j (1 + [i = j]) / (2 (s_i + s_j))] / n, s the eigenvalues, by expanding
    tr (Sigma^1/2 S Sigma^1/2)^1/2 to second order; (d + d (d + 1) / 4) / n for the identity. The divisor of
    S changes order n^-2 only. (Own derivation.)
    """
    s = np.asarray(variances, float)
    pairs = s[:, None] * s * (1 + np.eye(len(s))) / (2 * (s[:, None] + s))
    return float((s.sum() + pairs.sum()) / n)


def pooled_moments(variance: float, n: int, generation: int) -> tuple[float, float]:
    """E x^2 and E x^4 of a generated point, its mean and variance averaged over runs too; centred source.

    Replacement, maximum likelihood. With A = E m^4, B = E m^2 v, C = E v^2 over the models of a generation,
    E x^4 = A + 6 B + 3 C, where A' = A + 6 B / n + 3 C / n^2, B' = (B + C / n)(1 - 1/n), C' = C (1 - 1/n^2).
    E x^2 = variance throughout: pooled over runs the tails grow while every run collapses. (Own derivation.)
    """
    a, b, c = 0.0, 0.0, float(variance) ** 2
    for _ in range(generation):
        a, b, c = a + 6 * b / n + 3 * c / n**2, (b + c / n) * (1 - 1 / n), c * (1 - 1 / n**2)
    return float(variance), a + 6 * b + 3 * c


def inside(dimension: int, share: ArrayLike, own: float, other: float, shift: float = 0.0) -> Array:
    """The share of N(shift, other) in the ball around 0 that holds `share` of N(0, own), isotropic.

    F(F^-1_{chi2_d}(share) own / other), F of chi2_d, non-central by |shift|^2 / other. With own = v_r and
    other = v_g this is alpha-precision, swapped it is beta-recall.

    Args:
        dimension: d.
        share: alpha, of any shape.
        own: the variance of each coordinate of the law whose ball it is.
        other: of the law that is counted.
        shift: the distance of their means.
    """
    radius = chi2.ppf(share, dimension) * own / other
    return ncx2.cdf(radius, dimension, shift**2 / other) if shift else chi2.cdf(radius, dimension)


def inside_sampled(
    dimension: int, share: float, own: float, other: float, sizes: tuple[int, int], shift: float = 0.0
) -> tuple[float, float]:
    """Mean and variance of the same share between finite samples, the centre of the ball known.

    The ball reaches to the k-th of N own points, k = ceil(share N), so that it holds U ~ Beta(k, N + 1 - k)
    of its own law and p(U) of the other: E p, and Var p + E p (1 - p) / M for M counted points (own
    derivation, by Gauss-Jacobi quadrature).
    """
    size, counted = sizes
    k = math.ceil(share * size * (1 - 1e-12))  # a whole number but for rounding stays one
    held, weights = beta_nodes(k, size + 1 - k)
    p = inside(dimension, held, own, other, shift)
    mean = weights @ p
    return float(mean), float(weights @ (p - mean) ** 2 + weights @ (p * (1 - p)) / counted)


BETA_NODES = 60


def beta_nodes(a: float, b: float, nodes: int = BETA_NODES) -> tuple[Array, Array]:
    """Gauss-Jacobi nodes of Beta(a, b) and weights that sum to 1; smooth functions are averaged to rounding.

    By the eigenvalues of the recursion's matrix (Golub and Welsch 1969, doi:10.2307/2004418), which serves
    any a and b without a gamma function.
    """
    j = np.arange(nodes)
    total = a + b - 2 + 2 * j
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = ((a - 1) ** 2 - (b - 1) ** 2) / (total * (total + 2))
        k, t = j[1:], total[1:]
        side = 4 * k * (k + b - 1) * (k + a - 1) * (k + a + b - 2) / (t**2 * (t + 1) * (t - 1))
    middle[0] = (a - b) / (a + b)
    # its factors k + a + b - 2 and t - 1 are equal, and may vanish together
    side[0] = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    x, vectors = eigh_tridiagonal(middle, np.sqrt(side))
    return (1 + x) / 2, vectors[0] ** 2
