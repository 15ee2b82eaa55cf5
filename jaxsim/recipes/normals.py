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


def _tally(point: Array, reference: Normal) -> tuple[Array, Array]:
    deviation = point - reference.mean
    return deviation, deviation * deviation


def _moments(model: Normal, reference: Normal) -> tuple[Array, Array]:
    deviation = model.mean - reference.mean
    return deviation, deviation * deviation + model.variance


def _averages(portions: Sequence[Portion], between: bool, square: Callable) -> tuple[Any, Any]:
    """Weighted averages of the portions' means and variances; with the spread `between` them, or without."""
    means = [first / count for _, count, _, (first, _) in portions]
    within = [
        (second - count * square(mean)) / divisor
        for (_, count, divisor, (_, second)), mean in zip(portions, means, strict=True)
    ]
    weights = [portion.weight for portion in portions]
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    variance = sum(w * v for w, v in zip(weights, within, strict=True))
    if between and len(portions) > 1:
        variance = variance + sum(w * square(m - mean) for w, m in zip(weights, means, strict=True))
    return mean, variance


def _fit(reference: Normal, portions: Sequence[Portion], between: bool) -> Normal:
    mean, variance = _averages(portions, between, lambda m: m * m)
    # points that coincide in this precision stand for a distance below its resolution
    least = jnp.finfo(variance.dtype).eps ** 2 * reference.variance
    return Normal(reference.mean + mean, jnp.maximum(variance, least))


LINE = Family(_draw, _tally, _moments, _fit)


def _draw_vector(model: Normals, noise: Array, factor: Array) -> Array:
    return model.mean + jnp.sqrt(factor) * (noise @ model.factor.T)


def _tally_vector(point: Array, reference: Normals) -> tuple[Array, Array]:
    deviation = point - reference.mean
    return deviation, jnp.outer(deviation, deviation)


def _moments_vector(model: Normals, reference: Normals) -> tuple[Array, Array]:
    deviation = model.mean - reference.mean
    return deviation, jnp.outer(deviation, deviation) + model.factor @ model.factor.T


def _fit_vector(reference: Normals, portions: Sequence[Portion], between: bool) -> Normals:
    mean, covariance = _averages(portions, between, lambda m: jnp.outer(m, m))
    return Normals(reference.mean + mean, trapezoid(covariance, jnp.ones(len(mean), bool)))


SPACE = Family(_draw_vector, _tally_vector, _moments_vector, _fit_vector)
