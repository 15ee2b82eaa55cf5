r"""What k-nearest-neighbour precision, recall, density and coverage are worth on known laws.

Definitions: Kynkaanniemi et al. 2019, arXiv:1904.06991, and Naeem et al. 2020, arXiv:2002.09797; N real
points, M fakes, balls to the k-th neighbour. The ball of a real point x holds a share U ~ Beta(k, N - k) of
the real law whatever that law is, hence for isotropic normals N(0, v) and N(0, v') in any dimension

    E coverage = 1 - E (1 - G)^M,      E density = (N / k) E G,

G the share of the fake law in the ball that holds U of the real one around x: exact, by quadrature (own
derivation). Precision and recall on the line approach 1 - 4^-k whatever the laws, and density 1 (which
is its mean at any size where the laws are equal): only coverage sees a variance that collapses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, roots_genlaguerre
from scipy.stats import ncx2

from theory.metrics.distances import beta_nodes

Array = NDArray[np.float64]

REACH, LINE_NODES = 8.5, 401
RADIAL_NODES = 80


def coverage_of_equals(real: int, fake: int, k: int) -> float:
    """E coverage where both laws are the same, 1 - prod_{i=1}^k (N - i) / (N + M - i), for any law.

    (Naeem et al. 2020, proposition 1; the first k of the N + M - 1 neighbours of a real point must be real.)
    """
    i = np.arange(1, k + 1)
    return float(1 - np.prod((real - i) / (fake + real - i)))


def precision_of_uniforms(real: int, k: int) -> float:
    r"""E precision where both laws are uniform on one interval, for any number of fakes, real >= 2 k + 1.

    A fake is missed on one side if the gap to its neighbour there exceeds the next k gaps together,
    D_1 >= D_2 + ... + D_{k+1}: probability 2^-k where there are as many, 0 with 1 to k neighbours, 1 with
    none. The gaps are exchangeable and the fake's rank is uniform, so that

        1 - [2^{1-k} + (N - 2k - 1) 4^-k] / (N + 1)      (own derivation).

    Recall is the same with the number of fakes for N.

    Raises:
        ValueError: for fewer points.
    """
    if real < 2 * k + 1:
        raise ValueError(f"real is {real}: at least {2 * k + 1} points are needed")
    return 1 - (2.0 ** (1 - k) + (real - 2 * k - 1) * 4.0**-k) / (real + 1)


def precision_limit(k: int) -> float:
    """The limit of k-NN precision and recall on the line, 1 - 4^-k, for any two densities on one support."""
    return 1 - 4.0**-k


def ball_shares(
    dimension: int, real: float, fake: float, sizes: tuple[int, int], k: int
) -> tuple[Array, Array, Array]:
    """Nodes of a real point and of the share U of its ball: G [point, ball], weights of either.

    Args:
        dimension: d.
        real: the variance of each coordinate of the real law.
        fake: of the fake law.
        sizes: N and M.
        k: neighbours.
    """
    held, ball_weights = beta_nodes(k, sizes[0] - k)
    square, point_weights = radial_nodes(dimension)
    radius = _radius(dimension, square[:, None], held)
    shares = _share(dimension, real / fake * square[:, None], radius * np.sqrt(real / fake))
    return shares, point_weights, ball_weights


def radial_nodes(dimension: int) -> tuple[Array, Array]:
    """Nodes of |z|^2 of a standard normal z, and weights that sum to 1.

    On the line the trapezoidal rule, which is exact to exp(-2 pi^2 / spacing^2); else Gauss-Laguerre.
    """
    if dimension == 1:
        z = np.linspace(-REACH, REACH, LINE_NODES)
        square, weights = z**2, np.exp(-(z**2) / 2)
    else:
        square, weights = roots_genlaguerre(RADIAL_NODES, dimension / 2 - 1)
        square = 2 * square
    # far out the probabilities underflow, and so does what they weigh
    kept = weights > np.finfo(float).eps ** 2 * weights.max()
    return square[kept], weights[kept] / weights.sum()


def _share(dimension: int, square: Array, radius: Array) -> Array:
    """P(|z - x| <= radius) of a standard normal z, |x|^2 = square."""
    if dimension == 1:
        x = np.sqrt(square)
        # the difference of upper tails keeps its digits where both are small
        return ndtr(radius - x) - ndtr(-radius - x)
    return ncx2.cdf(radius**2, dimension, square)


def _radius(dimension: int, square: Array, held: Array) -> Array:
    """The radius of the ball around x that holds a share, by bisection in the logarithm."""
    low = np.full(np.broadcast_shapes(square.shape, held.shape), np.log(1e-12))
    high = np.full_like(low, np.log(60.0)) + np.log1p(np.sqrt(square))
    for _ in range(60):
        middle = (low + high) / 2
        short = _share(dimension, square, np.exp(middle)) < held
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.exp((low + high) / 2)


def coverage(dimension: int, real: float, fake: float, sizes: tuple[int, int], k: int) -> float:
    """E coverage of isotropic normals with a common mean; arguments of `ball_shares`."""
    shares, points, balls = ball_shares(dimension, real, fake, sizes, k)
    return float(1 - points @ np.exp(sizes[1] * np.log1p(-shares)) @ balls)


def density(dimension: int, real: float, fake: float, sizes: tuple[int, int], k: int) -> float:
    """E density of the same: (N / k) E G."""
    shares, points, balls = ball_shares(dimension, real, fake, sizes, k)
    return float(sizes[0] / k * points @ shares @ balls)


def coverage_limit(dimension: int, real: float, fake: float, ratio: float, k: int) -> float:
    """E coverage for N, M -> inf with M / N = ratio: 1 - E_f (1 + ratio g(x) / f(x))^-k (own derivation).

    The ball then holds Gamma(k) / N of f and g(x) / f(x) times that of g. By quadrature in |x|^2.
    """
    square, weights = radial_nodes(dimension)
    quotient = (real / fake) ** (dimension / 2) * np.exp(-square / 2 * (real / fake - 1))
    return float(1 - weights @ (1 + ratio * quotient) ** -k)
