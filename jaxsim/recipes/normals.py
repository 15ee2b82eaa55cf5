"""What the literal engine knows of a source: how a point is drawn, counted and fitted. Pure functions.

A family is a tuple of functions of one replicate; whoever runs them adds the axes. A model is any pytree.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsim.triangular import trapezoid


class Family(NamedTuple):
    """A source's kind.

    Attributes:
        draw: (model, noise, factor) -> a point; the noise is standard normal (truncated, if it must be), the
            factor acts on the variance of what is generated.
        tally: (point, reference) -> a statistic whose sums over points are all that a fit needs; the
            reference is a model near the points, so that nothing cancels.
        moments: (model, reference) -> a model's own moments as the statistic of one point, for a portion of
            count and divisor 1.
        fit: (reference, portions, between) -> a model.
    """

    draw: Callable[[Any, Array, Array], Array]
    tally: Callable[[Array, Any], Any]
    moments: Callable[[Any, Any], Any]
    fit: Callable[[Any, Sequence["Portion"], bool], Any]


class Portion(NamedTuple):
    """What a fit takes as one: all of it, or one share of a weighted fit.

    Attributes:
        weight: its share, the shares sum to 1.
        count: points.
        divisor: of the sum of squares.
        statistic: the sum of tallies.
    """

    weight: Array
    count: Array
    divisor: Array
    statistic: Any


class Normal(NamedTuple):
    """A model on the line, in the source's units."""

    mean: Array
    variance: Array


class Normals(NamedTuple):
    """A model in d dimensions, in units of the source's length: covariance F F^T, F lower triangular."""

    mean: Float[Array, " d"]
    factor: Float[Array, "d d"]


def _draw(model: Normal, noise: Array, factor: Array) -> Array:
    return model.mean + jnp.sqrt(factor * model.variance) * noise


def _tally(point: Array, reference: Any) -> tuple[Array, Array]:
    deviation = point - reference.mean
    return deviation, square(deviation)


def _moments(model: Normal, reference: Normal) -> tuple[Array, Array]:
    first, second = _tally(model.mean, reference)
    return first, second + model.variance


def square(deviation: Array) -> Array:
    """The square of a number, the outer product of a vector with itself."""
    return deviation[:, None] * deviation if deviation.ndim else deviation * deviation


def averages(
    weights: Sequence[Array], means: Sequence[Array], shares: Sequence[Array], between: bool
) -> tuple[Array, Array]:
    """Mean and variance of a weighted fit; with the spread `between` its portions, or without.

    Args:
        weights: of the portions; they sum to 1.
        means: of the portions.
        shares: variances of the portions, each times its weight.
        between: whether the spread between the means is added.
    """
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    variance = sum(shares)
    if between and len(means) > 1:
        variance = variance + sum(w * square(m - mean) for w, m in zip(weights, means, strict=True))
    return mean, variance


def _averages(portions: Sequence[Portion], between: bool) -> tuple[Array, Array]:
    """The same of portions of points, from the sums of their tallies."""
    weights = [portion.weight for portion in portions]
    means = [portion.statistic[0] / portion.count for portion in portions]
    shares = [
        weight * ((statistic[1] - count * square(mean)) / divisor)
        for (weight, count, divisor, statistic), mean in zip(portions, means, strict=True)
    ]
    return averages(weights, means, shares, between)


def _fit(reference: Normal, portions: Sequence[Portion], between: bool) -> Normal:
    mean, variance = _averages(portions, between)
    # points that coincide in this precision stand for a distance below its resolution
    least = jnp.finfo(variance.dtype).eps ** 2 * reference.variance
    return Normal(reference.mean + mean, jnp.maximum(variance, least))


LINE = Family(_draw, _tally, _moments, _fit)


def _draw_vector(model: Normals, noise: Array, factor: Array) -> Array:
    return model.mean + jnp.sqrt(factor) * (noise @ model.factor.T)


def _moments_vector(model: Normals, reference: Normals) -> tuple[Array, Array]:
    first, second = _tally(model.mean, reference)
    return first, second + model.factor @ model.factor.T


def _fit_vector(reference: Normals, portions: Sequence[Portion], between: bool) -> Normals:
    mean, covariance = _averages(portions, between)
    return fitted(reference.mean + mean, covariance)


def fitted(mean: Array, covariance: Array) -> Normals:
    """The model in d dimensions of these moments."""
    return Normals(mean, trapezoid(covariance, jnp.ones(len(mean), bool)))


SPACE = Family(_draw_vector, _tally, _moments_vector, _fit_vector)
