r"""Simulated paths of a generator's variances after its first generation.

The covariance S of what a generation was trained on goes through the sampler as a matrix: its eigenvalues
through the map g, its eigenvectors as they are. In fixed directions this leaks variance from large ones into
small ones, g(S)_jj being no function of S_jj alone (the rotation leak of `theory.diffusion.leak`, there
to first order; own derivation). What is sampled has the correlations of a Wishart matrix, and in direction j
a log variance x' = ln g(S)_jj + bias + noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from models.scores import Draws

DRAWS = 1000
"""Simulated paths."""

Map = Callable[[Any], np.ndarray]
Covariances = Float[np.ndarray, "... direction direction"]


class Step(NamedTuple):
    """How a log variance moves in one generation, direction by direction.

    Attributes:
        bias: the drift that no sampler explains, [direction].
        error: its standard error.
        spread: the standard deviation of one replicate's noise in one generation.
        freedom: degrees of freedom behind the spread; it may be infinite.
    """

    bias: np.ndarray
    error: np.ndarray
    spread: np.ndarray
    freedom: float


class Sampler(NamedTuple):
    """What a sampler and a fit do to variances.

    Attributes:
        to: the sampler's map, in the units in which the network is trained.
        unit: the variance that is 1 to it, [replicate, direction].
        made: n, the points a generation is trained on.
        shrinking: whether the unit is the training set's own, and shrinks as the variances do.
    """

    to: Map
    unit: np.ndarray
    made: int
    shrinking: bool

    def root(self, covariance: Covariances) -> Covariances:
        """B, where B B' = g((1 - 1/n) S) is the covariance of what is made after training on S."""
        scale = np.sqrt(self.unit)[..., None]
        values, vectors = np.linalg.eigh(covariance / (scale * np.swapaxes(scale, -1, -2)))
        least = np.finfo(float).tiny ** 0.5
        return (
            scale * vectors * np.sqrt(self.to((1 - 1 / self.made) * np.maximum(values, least)))[..., None, :]
        )


def variances(root: Covariances) -> Float[np.ndarray, "... direction"]:
    """The diagonal of B B'."""
    return (root**2).sum(axis=-1)


def constant(start: Float[np.ndarray, "replicate direction"], step: Step, later: int) -> Draws:
    """Log variances after generation 1 if the bias stays as it is: the negative control.

    Args:
        start: log variances of generation 1.
        step: what moves them.
        later: generations after the first.
    """
    bias, noise = _drawn(np.random.default_rng(0), start.shape, step, later)
    return start[:, None] + np.cumsum(bias[:, :, None] + noise, axis=2)


def shaped(sampler: Sampler, start: Covariances, step: Step, later: int) -> Draws:
    """Log variances after generation 1, through the sampler; the bias fades at an unknown rate.

    Args:
        sampler: what it explains.
        start: covariances of generation 1, [replicate, direction, direction].
        step: what it does not.
        later: generations after the first.
    """
    rng = np.random.default_rng(0)
    bias, noise = _drawn(rng, start.shape[:-1], step, later)
    persistence, left = rng.random((DRAWS, 1, 1)), 1.0
    covariance = np.broadcast_to(start, (DRAWS, *start.shape))
    found = np.empty_like(noise)
    for place in range(later):
        left = left * persistence
        root = sampler.root(covariance)
        found[:, :, place] = np.log(variances(root)) + left * bias + noise[:, :, place]
        before, covariance = covariance, _sampled(rng, root, found[:, :, place], sampler.made)
        if sampler.shrinking:
            totals = (np.trace(each, axis1=-2, axis2=-1)[..., None] for each in (covariance, before))
            sampler = sampler._replace(unit=sampler.unit * np.divide(*totals))
    return found


def _drawn(
    rng: np.random.Generator, shape: tuple[int, ...], step: Step, later: int
) -> tuple[np.ndarray, np.ndarray]:
    """The bias and the noise of every path; what is not known of their size is drawn as well."""
    replicates, directions = shape
    larger = np.ones((DRAWS, 1, 1))
    if not np.isinf(step.freedom):
        larger = np.sqrt(step.freedom / rng.chisquare(step.freedom, (DRAWS, 1, 1)))
    bias = step.bias + larger * step.error * rng.standard_normal((DRAWS, 1, directions))
    noise = step.spread * rng.standard_normal((DRAWS, replicates, later, directions))
    return bias, larger[..., None] * noise


def _sampled(rng: np.random.Generator, root: Covariances, x: np.ndarray, made: int) -> Covariances:
    """Covariances of n points of the law with covariance B B', given their log variances x.

    The Wishart matrix by Bartlett's factor (1934): a lower triangle of normals below chi variables.
    """
    size = root.shape[-1]
    factor = np.tril(rng.standard_normal(root.shape), -1)
    freedom = np.maximum(made - 1 - np.arange(size), 1)
    factor[..., np.arange(size), np.arange(size)] = np.sqrt(rng.chisquare(freedom, root.shape[:-1]))
    half = root @ factor
    half = half * np.sqrt(np.exp(x) / variances(half))[..., None]
    return half @ np.swapaxes(half, -1, -2)
