"""What no observable of a Gaussian loop tells: two models compared, fractional powers, shrinking kernels.

Every experiment is (parameters, seeds, seed) -> values [replicate, *axes].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxsim.experiments.replicates import replicates


def beating_first(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Whether a later fit of the mean is nearer the truth than the first: [replicate, generation 2, 3, ...].

    Each mean is that of `sizes` points about the mean before; the variance is known.
    """
    sizes = given["sizes"]

    def one(key: Any) -> Array:
        mean, errors = jnp.zeros(()), []
        for g, n in enumerate(sizes):
            mean = mean + jnp.mean(jax.random.normal(jax.random.fold_in(key, g), (n,)))
            errors.append(jnp.abs(mean))
        return (jnp.stack(errors[1:]) < errors[0]).astype(float)

    return replicates(one, f"beating the first fit {sorted(given.items())}", seeds, seed)


def variance_power(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """(sigma_t^2 / sigma_0^2)^`power` of `n` points a fit with that `divisor`: [replicate, generation]."""
    n, divisor, power = given["n"], given["divisor"], given["power"]

    def one(key: Any) -> Array:
        variance, seen = jnp.ones(()), []
        for g in range(given["generations"]):
            points = jax.random.normal(jax.random.fold_in(key, g), (n,))
            variance = variance * jnp.sum((points - jnp.mean(points)) ** 2) / divisor
            seen.append(variance**power)
        return jnp.stack(seen)

    return replicates(one, f"power of the variance {sorted(given.items())}", seeds, seed)


def shrinking_kernels(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The mean square of a pool's points, of standard normals at first: [replicate, generation].

    Every generation draws n points of a kernel density of the whole pool of M points, of width
    c M^(-1/5), and keeps them.
    """
    n, factor = given["n"], given["factor"]

    def one(key: Any) -> Array:
        pool = jax.random.normal(jax.random.fold_in(key, 0), (n,))
        seen = [jnp.mean(pool**2)]
        for g in range(1, given["generations"]):
            parents, noise = jax.random.split(jax.random.fold_in(key, g))
            parent = pool[jax.random.randint(parents, (n,), 0, len(pool))]
            width = factor * len(pool) ** -0.2
            pool = jnp.concatenate([pool, parent + width * jax.random.normal(noise, (n,))])
            seen.append(jnp.mean(pool**2))
        return jnp.stack(seen)

    return replicates(one, f"shrinking kernels {sorted(given.items())}", seeds, seed)


GAUSSIAN_EXPERIMENTS = {
    "beating the first fit": beating_first,
    "power of the variance": variance_power,
    "shrinking kernels": shrinking_kernels,
}
"""Experiment -> (parameters, seeds, seed) -> values [replicate, *axes]."""
