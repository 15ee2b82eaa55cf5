"""A mixture of K normals in d dimensions on the device, how it is fitted and what is measured on it.

Lengths are in units of the source: its mean is 0, and a coordinate of it has variance 1 on average. A dead
component has weight 0; its mean is wherever it was last.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsim.triangular import right_rotation, solve_lower, trapezoid
from theory.source import Mixture

SINGULAR = 64  # a pivot of so many roundings of the trace is rounding itself


class Model(NamedTuple):
    """Components of one mixture.

    Attributes:
        weights: [component].
        means: [component, coordinate].
        factors: lower triangular, their covariances are F F^T, [component, coordinate, coordinate].
    """

    weights: Any
    means: Any
    factors: Any


class Frame(NamedTuple):
    """The units of a source: where its mean is, [coordinate], and the root of its mean variance."""

    origin: np.ndarray
    scale: float


def arrays(source: Mixture) -> Model:
    """The parameters of a mixture as they are written, covariances in the place of factors."""
    d = source.dimension
    variances = [np.asarray(v, float) for v in source.variances]
    matrices = [v if v.ndim == 2 else np.diag(np.broadcast_to(v, (d,))) for v in variances]
    weights = np.asarray(source.weights, float)
    means = np.asarray(source.means, float).reshape(-1, d)
    return Model(weights / weights.sum(), means, np.stack(matrices))


def frame(source: Mixture) -> Frame:
    """The units of a source."""
    weights, means, matrices = arrays(source)
    origin = weights @ means
    total = np.einsum("k,kii", weights, matrices) + weights @ ((means - origin) ** 2).sum(1)
    return Frame(origin, float(np.sqrt(total / source.dimension)))


def in_units(source: Mixture, units: Frame, dtype: Any) -> Model:
    """A mixture in these units, in one precision."""
    weights, means, matrices = arrays(source)
    factors = np.linalg.cholesky(matrices) / units.scale
    return Model(
        *(np.asarray(part, dtype) for part in (weights, (means - units.origin) / units.scale, factors))
    )


def factor(covariance: Float[Array, "d d"], alive: Array) -> Float[Array, "d d"]:
    """The lower triangular F with F F^T = covariance, the columns that are not alive being zero."""
    if covariance.shape[-1] == 1:
        return jnp.sqrt(jnp.maximum(covariance, 0))
    return trapezoid(covariance, alive & (jnp.trace(covariance) > 0))


def shaped(
    covariances: Float[Array, "k d d"], counts: Float[Array, " k"], kind: str
) -> Float[Array, "k d d"]:
    """Covariances as a fit of their kind takes them; tied ones are averaged by `counts`."""
    if kind == "full":
        return covariances
    d = covariances.shape[-1]
    if kind == "tied":
        shares = counts / jnp.maximum(jnp.sum(counts), 1)
        return jnp.broadcast_to(jnp.einsum("k,kij->ij", shares, covariances), covariances.shape)
    diagonal = jnp.diagonal(covariances, axis1=1, axis2=2)
    if kind == "spherical":
        diagonal = jnp.broadcast_to(jnp.mean(diagonal, axis=1, keepdims=True), diagonal.shape)
    return diagonal[:, :, None] * jnp.eye(d, dtype=covariances.dtype)


def whole(model: Model) -> tuple[Array, Array, Array]:
    """The mean of the mixture [coordinate], and the covariances within and between its components."""
    mean = model.weights @ model.means
    offset = model.means - mean
    within = jnp.einsum("k,kil,kjl->ij", model.weights, model.factors, model.factors)
    return mean, within, jnp.einsum("k,ki,kj->ij", model.weights, offset, offset)


POWERS = {
    "mean_error": 1,
    "mean_error_squared": 2,
    "variance": 2,
    "std": 1,
    "w2_squared": 2,
    "kl_to_source_gaussian": 0,
    "within": 2,
    "between": 2,
    "weights": 0,
    "components_alive": 0,
}
"""Observables, and the power of the unit of length that each is measured in."""


def observe(name: str, source: Float[Array, "d d"], scalar: bool, model: Model) -> Array:
    """An observable of a model, in the source's units; `source` is the factor of the source's covariance."""
    if name == "weights":
        return model.weights
    if name == "components_alive":
        return jnp.sum(model.weights > 0).astype(model.weights.dtype)
    mean, within, between = whole(model)
    if name == "mean_error":
        return mean[0] if scalar else mean
    if name == "mean_error_squared":
        return mean @ mean
    if name == "within":
        return jnp.trace(within)
    if name == "between":
        return jnp.trace(between)
    total = within + between
    if name == "variance":
        return jnp.trace(total)
    if name == "std":
        return jnp.sqrt(jnp.trace(total))
    return _compared(name, source, mean, total)


def _compared(name: str, source: Array, mean: Array, total: Array) -> Array:
    """W2^2 or KL to the Gaussian with the source's moments of the one with the model's."""
    d = len(mean)
    own = factor(total, jnp.ones(d, bool))
    if name == "w2_squared":
        gap = jnp.abs(source[0, 0] * own[0, 0]) if d == 1 else jnp.sum(right_rotation(source.T @ own)[0])
        return mean @ mean + jnp.trace(total) + jnp.sum(source**2) - 2 * gap
    white, error = solve_lower(source, own), solve_lower(source, mean[:, None])
    pivots = jnp.diag(white) ** 2
    lost = pivots <= SINGULAR * d * jnp.finfo(mean.dtype).eps * jnp.sum(white**2) if d > 1 else pivots <= 0
    logarithm = jnp.where(lost, -jnp.inf, jnp.log(jnp.where(lost, 1, pivots)))
    return (jnp.sum(white**2) + jnp.sum(error**2) - d - jnp.sum(logarithm)) / 2
