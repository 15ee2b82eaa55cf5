"""What the literal engine knows of a source: how a point is drawn, counted and fitted. Pure functions.

A family is a triple of functions of one replicate; whoever runs them adds the axes. A model is any pytree.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array


class Family(NamedTuple):
    """A source's kind.

    Attributes:
        draw: (model, noise, factor) -> a point; the noise is a standard normal (truncated, if it must be),
            the factor acts on the variance of what is generated.
        tally: (point, reference) -> a statistic whose sums over points are all that a fit needs; the
            reference is a model near the points, so that nothing cancels.
        fit: (reference, portions, between) -> a model.
    """

    draw: Callable[[Any, Array, Array], Array]
    tally: Callable[[Array, Any], Any]
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


def _draw(model: Normal, noise: Array, factor: Array) -> Array:
    return model.mean + jnp.sqrt(factor * model.variance) * noise


def _tally(point: Array, reference: Normal) -> tuple[Array, Array]:
    deviation = point - reference.mean
    return deviation, deviation * deviation


def moments(model: Normal, reference: Normal) -> tuple[Array, Array]:
    """A model's own moments as the statistic of one point, for a portion of count and divisor 1."""
    deviation = model.mean - reference.mean
    return deviation, deviation * deviation + model.variance


def _fit(reference: Normal, portions: Sequence[Portion], between: bool) -> Normal:
    """Weighted averages of the portions' means and variances; with the spread `between` them, or without."""
    means = [first / count for _, count, _, (first, _) in portions]
    within = [
        (second - first * mean) / divisor
        for (_, _, divisor, (first, second)), mean in zip(portions, means, strict=True)
    ]
    weights = [portion.weight for portion in portions]
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    variance = sum(w * v for w, v in zip(weights, within, strict=True))
    if between and len(portions) > 1:
        variance = variance + sum(w * (m - mean) ** 2 for w, m in zip(weights, means, strict=True))
    # points that coincide in this precision stand for a distance below its resolution
    least = jnp.finfo(variance.dtype).eps ** 2 * reference.variance
    return Normal(reference.mean + mean, jnp.maximum(variance, least))


LINE = Family(_draw, _tally, _fit)
