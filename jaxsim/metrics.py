"""How far apart two samples are, and how varied one is: the estimators that generators are judged by.

Every function takes one pair of samples [sample, feature] and is `vmap`ped over replicates. Their expected
values on Gaussians are in `theory.metrics.distances`; nothing is shared with it but the definitions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxsim.decompositions import eigenvalues, eigh, singular_values, triangle

ROWS = 256
"""Rows of a distance matrix held at once: memory is ROWS x samples x features at most."""


class Moments(NamedTuple):
    """Mean [feature] and covariance [feature, feature] of a sample."""

    mean: Float[Array, " feature"]
    covariance: Float[Array, "feature feature"]


class Neighbours(NamedTuple):
    """Fidelity and variety by k nearest neighbours.

    Attributes:
        precision: share of fakes inside the ball of some real point.
        recall: share of reals inside the ball of some fake.
        density: balls of real points around a fake, over k.
        coverage: share of reals whose ball holds a fake.
    """

    precision: Float[Array, ""]
    recall: Float[Array, ""]
    density: Float[Array, ""]
    coverage: Float[Array, ""]


def moments(x: Float[Array, "sample feature"]) -> Moments:
    """The sample's mean and covariance, with divisor n - 1 as public Frechet distances have it."""
    mean = x.mean(0)
    centred = x - mean
    return Moments(mean, centred.T @ centred / (len(x) - 1))


def frechet(
    mean_a: Float[Array, " feature"],
    covariance_a: Float[Array, "feature feature"],
    mean_b: Float[Array, " feature"],
    covariance_b: Float[Array, "feature feature"],
) -> Float[Array, ""]:
    """Squared Frechet distance |m_a - m_b|^2 + tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2 of two Gaussians.

    The last trace is the sum of the singular values of A^1/2 B^1/2, which are non-negative and, unlike the
    eigenvalues of A B, real however the matrices were rounded. Singular covariances are served, with an
    error of order sqrt(epsilon) in their null directions; `frechet_between` has none.
    (Dowson and Landau 1982, doi:10.1016/0047-259X(82)90077-X; Heusel et al. 2017, arXiv:1706.08500.)
    """
    common = _nuclear(_root(covariance_a) @ _root(covariance_b))
    distance = jnp.sum((mean_a - mean_b) ** 2) + jnp.trace(covariance_a) + jnp.trace(covariance_b)
    return jnp.maximum(distance - 2 * common, 0)


def frechet_between(a: Float[Array, "sample feature"], b: Float[Array, "other feature"]) -> Float[Array, ""]:
    """Squared Frechet distance of the Gaussians fitted to two samples (divisors n - 1).

    From the triangular factors of the centred samples, X = Q R: A = R'R / (n - 1), and the trace is the sum
    of the singular values of R_a R_b'. No covariance is formed and no root taken, so that it stays accurate
    to rounding where there are fewer samples than features.
    """
    mean_a, factor_a = _factor(a)
    mean_b, factor_b = _factor(b)
    distance = jnp.sum((mean_a - mean_b) ** 2) + jnp.sum(factor_a**2) + jnp.sum(factor_b**2)
    return jnp.maximum(distance - 2 * _nuclear(factor_a @ factor_b.T), 0)


def _factor(x: Array) -> tuple[Array, Array]:
    mean = x.mean(0)
    return mean, triangle(x - mean) / jnp.sqrt(jnp.asarray(len(x) - 1, x.dtype))


def _root(covariance: Array) -> Array:
    values, vectors = eigh(covariance)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))) @ vectors.T


def _nuclear(matrix: Array) -> Array:
    return singular_values(matrix).sum()


def neighbours(
    real: Float[Array, "sample feature"], fake: Float[Array, "other feature"], k: int
) -> Neighbours:
    """Precision, recall (Kynkaanniemi et al. 2019, arXiv:1904.06991), density, coverage (Naeem et al. 2020).

    A point's ball reaches to its k-th nearest neighbour in its own sample, itself not counted; a point is
    inside if it is strictly nearer, as the package prdc has it (arXiv:2002.09797, section 3).

    Args:
        real: the reference.
        fake: what is judged.
        k: 1 <= k < the size of either sample.

    Raises:
        ValueError: if a sample has too few points for k.
    """
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k is {k}: it is at least 1 and below the size of both samples")
    real_radius = _rows(lambda x: _kth_smallest(_squared_distances(x, real), k + 1), real)
    fake_radius = _rows(lambda x: _kth_smallest(_squared_distances(x, fake), k + 1), fake)

    def around_real(point: Array, radius: Array) -> tuple[Array, Array]:
        distances = _squared_distances(point, fake)
        return jnp.any(distances < fake_radius), distances.min() < radius

    def around_fake(point: Array) -> Array:
        return jnp.sum(_squared_distances(point, real) < real_radius)

    recalled, covered = _rows(around_real, real, real_radius)
    balls = _rows(around_fake, fake)
    return Neighbours(
        precision=_share(balls > 0, real.dtype),
        recall=_share(recalled, real.dtype),
        density=balls.astype(real.dtype).mean() / k,
        coverage=_share(covered, real.dtype),
    )


def _share(inside: Array, dtype: jnp.dtype) -> Array:
    return inside.astype(dtype).mean()


def _rows(of_one: object, *rows: Array) -> Array:
    return lax.map(lambda row: of_one(*row), rows, batch_size=min(ROWS, len(rows[0])))


def _squared_distances(point: Array, others: Array) -> Array:
    # differences, not |x|^2 + |y|^2 - 2 x.y: near neighbours cancel there
    return jnp.sum((others - point) ** 2, axis=-1)


def _kth_smallest(values: Array, k: int) -> Array:
    # dropping the smallest k - 1 times: on a CPU, an eighth of the time of lax.top_k at k = 6
    def drop(_: int, left: Array) -> Array:
        return left.at[jnp.argmin(left)].set(jnp.inf)

    return lax.fori_loop(0, k - 1, drop, values).min()


def vendi(similarity: Float[Array, "sample sample"], order: float = 1) -> Float[Array, ""]:
    """Effective number of different samples: exp of the Renyi entropy of the eigenvalues of K / n.

    Args:
        similarity: a positive semi-definite kernel K with ones on its diagonal.
        order: 1 is the von Neumann entropy (Friedman and Dieng 2023, arXiv:2210.02410), `inf` the largest
            eigenvalue, others Pasarkar and Dieng 2023, arXiv:2310.12952. Eigenvalues within rounding of zero
            count as zero, which matters for orders below 1.
    """
    if order == 2:
        return 1 / jnp.mean(similarity**2)
    return effective_number(_spectrum(similarity / len(similarity)), order)


def vendi_cosine(features: Float[Array, "sample feature"], order: float = 1) -> Float[Array, ""]:
    """The Vendi score of cosine similarities, from the [feature, feature] matrix: linear in the samples."""
    unit = features / jnp.linalg.norm(features, axis=1, keepdims=True)
    return effective_number(_spectrum(unit.T @ unit / len(unit)), order)


def gaussian_similarity(x: Float[Array, "sample feature"], scale: float) -> Float[Array, "sample sample"]:
    """The kernel exp(-|x - y|^2 / (2 scale^2))."""
    return jnp.exp(-jax.vmap(lambda point: _squared_distances(point, x))(x) / (2 * scale**2))


def effective_number(shares: Float[Array, " mode"], order: float = 1) -> Float[Array, ""]:
    """Hill number of non-negative shares that sum to 1: as many equal shares have the same Renyi entropy.

    Args:
        shares: of modes, categories or eigenvalues.
        order: 0 counts those alive, 1 is exp of Shannon's entropy, 2 is 1 / sum p^2, `inf` 1 / max p
            (Hill 1973, doi:10.2307/1934352).
    """
    if order == jnp.inf:
        return 1 / shares.max()
    present = shares > 0
    safe = jnp.where(present, shares, 1)
    if order == 1:
        return jnp.exp(-jnp.sum(safe * jnp.log(safe)))
    total = jnp.sum(jnp.where(present, safe**order, 0))
    return total ** (1 / (1 - order))


def _spectrum(matrix: Array) -> Array:
    values = eigenvalues(matrix)
    rounding = len(matrix) * jnp.finfo(matrix.dtype).eps * values[-1]
    return jnp.where(values > rounding, values, 0)


def alpha_precision(
    real: Float[Array, "sample feature"],
    fake: Float[Array, "other feature"],
    alpha: float,
    centre: Float[Array, " feature"] | None = None,
) -> Float[Array, ""]:
    """Share of fakes in the ball that holds a share alpha of the reals (Alaa et al. 2022, arXiv:2102.08921).

    Args:
        real: the reference; the ball is as large as its ceil(alpha n)-th smallest distance from the centre.
        fake: what is judged.
        alpha: in (0, 1].
        centre: of the balls; None takes the mean of `real`.

    Raises:
        ValueError: if alpha is not in (0, 1].
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha}: a share is above 0 and at most 1")
    middle = real.mean(0) if centre is None else centre
    inner = math.ceil(alpha * len(real) * (1 - 1e-12))  # a whole number but for rounding stays one
    radius = jnp.sort(_squared_distances(middle, real))[inner - 1]
    return _share(_squared_distances(middle, fake) <= radius, real.dtype)


def beta_recall(
    real: Float[Array, "sample feature"],
    fake: Float[Array, "other feature"],
    beta: float,
    centre: Float[Array, " feature"] | None = None,
) -> Float[Array, ""]:
    """Share of reals in the ball that holds the share beta of the fakes: `alpha_precision`, swapped."""
    return alpha_precision(fake, real, beta, centre)
