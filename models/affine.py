"""The diffusion model whose score is that of a normal: fitted by two moments, sampled like a network.

E[x_0 | x] of N(m, S) is affine in x and diagonal in the axes of S, so that a sampler is one map on the
variance of each axis (`theory.diffusion.sampler_map`). It is what a denoising loss converges to among affine
functions.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from models.diffusion import affine, sample
from models.ensemble import mapped
from models.points import Points, Pool
from models.sampling import BLOCK, Sampling, keyed, noise
from models.schedule import levels
from models.training import weights
from theory.generator import Diffusion
from theory.loop import Sampler, Unbiased


class Normal(NamedTuple):
    """A normal in its own axes.

    Attributes:
        mean: of the flattened points.
        axes: columns.
        variances: along them.
    """

    mean: Float[Array, " size"]
    axes: Float[Array, "size size"]
    variances: Float[Array, " size"]


def fitted(pool: Pool, divisor: Float[Array, ""]) -> Normal:
    """The weighted moments of one replicate's pool; the covariance is divided by `divisor`."""
    each = weights(pool)
    flat = pool.values.reshape(len(each), -1)
    mean = each @ flat
    centred = (flat - mean) * jnp.sqrt(each)[:, None]
    variances, axes = jnp.linalg.eigh(centred.T @ centred / divisor)
    return Normal(mean, axes, jnp.maximum(variances, 0.0))


def fit(pool: Pool, count: int, estimator: Any) -> Normal:
    """The normals of all replicates: divisor 1, or 1 - 1 / count if the estimator is unbiased."""
    divisor = 1 - 1 / count if isinstance(estimator, Unbiased) else 1.0
    divisors = np.full(len(pool.values), divisor, np.float32)
    return _fitted(jax.tree.map(jnp.asarray, pool), divisors)


_fitted = mapped(fitted)


@lru_cache(maxsize=8)
def sampling(generator: Diffusion, sampler: Sampler, shape: tuple[int, ...]) -> Sampling:
    """How points are drawn; each in the axes of its normal."""
    draw, taken = noise(sampler), levels(generator.schedule, generator.steps)
    size = math.prod(shape)

    def block(key: Array, model: Normal) -> Array:
        denoise = affine(jnp.zeros(size), model.variances)
        inside = sample(denoise, key, (BLOCK, size), taken, generator.sampler, eta=generator.eta, draw=draw)
        return model.mean + inside @ model.axes.T

    drawn = mapped(block)

    def run(keys: Array, models: Normal, count: int) -> Points:
        parts = [
            np.asarray(drawn(keyed(keys, np.full(len(keys), index)), models))
            for index in range(math.ceil(count / BLOCK))
        ]
        values = np.concatenate(parts, axis=1)[:, :count].reshape(len(keys), count, *shape)
        return Points(values, np.zeros((len(keys), count), int))

    return run
