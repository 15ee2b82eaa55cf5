"""Mixtures, measured where no loop is: selected pools, one filtering step, fits with a floor.

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
from jaxsim.mixture.expectation_maximisation import Piece, fit
from jaxsim.mixture.model import Model, whole

GRID = 2**20


def nearest_of_pool(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Mean square and divisor-n variance of the `n` of `pool` standard normals nearest 0: [replicate, 2]."""
    n, pool = given["n"], given["pool"]

    def one(key: Any) -> Array:
        z = jax.random.normal(key, (pool,))
        kept = z[jnp.argsort(jnp.abs(z))[:n]]
        return jnp.stack([jnp.mean(kept**2), jnp.var(kept)])

    return replicates(one, f"nearest of pool {sorted(given.items())}", seeds, seed)


def filtered_mixture(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """What is kept of `points` samples, those of density at least tau: [replicate, 2, component].

    The share of the kept that each component has, and that times their mean square about its mean; both are
    divided by the probability `fraction` of being kept instead of the number kept, so that they have no bias.
    tau is the quantile of the mixture's density on a fine grid.
    """
    weights, means, variances = (np.array(given[key]) for key in ("weights", "means", "variances"))
    fraction, points = given["fraction"], given["points"]
    level = _log_level(weights, means, variances, fraction)
    scales = jnp.sqrt(jnp.array(variances))

    def one(key: Any) -> Array:
        labels, normals = jax.random.split(key)
        label = jax.random.choice(labels, len(weights), (points,), p=jnp.array(weights))
        gap = scales[label] * jax.random.normal(normals, (points,))
        kept = _log_density(jnp.array(means)[label] + gap, weights, means, variances) >= level
        mine = (label[:, None] == jnp.arange(len(weights))) & kept[:, None]
        return jnp.stack([mine.sum(0), (mine * gap[:, None] ** 2).sum(0)]) / (points * fraction)

    return replicates(one, f"filtered mixture {sorted(given.items())}", seeds, seed)


def _log_density(x: Any, weights: np.ndarray, means: np.ndarray, variances: np.ndarray) -> Any:
    parts = jnp.log(weights / np.sqrt(2 * np.pi * variances)) - (x[:, None] - means) ** 2 / (2 * variances)
    return jax.nn.logsumexp(parts, axis=1)


def _log_level(weights: np.ndarray, means: np.ndarray, variances: np.ndarray, fraction: float) -> float:
    reach = 9 * np.sqrt(variances)
    x = np.linspace((means - reach).min(), (means + reach).max(), GRID)
    spread = np.sqrt(2 * np.pi * variances)
    density = (weights / spread * np.exp(-((x[:, None] - means) ** 2) / (2 * variances))).sum(1)
    falling = np.sort(density)[::-1]
    mass = np.cumsum(falling) * (x[1] - x[0])
    return float(np.log(falling[np.searchsorted(mass, fraction)]))


def floored_mixture(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The total variance of a soft-EM mixture with a floor: [replicate, generation].

    Every M-step adds `floor` to the variances, as scikit-learn's `reg_covar` does.
    """
    n, floor = given["n"], given["floor"]
    first = Model(
        jnp.array(given["weights"]),
        jnp.array(given["means"])[:, None],
        jnp.sqrt(jnp.array(given["variances"]))[:, None, None],
    )

    def one(key: Any) -> Array:
        model, seen = first, []
        for g in range(given["generations"]):
            labels, normals = jax.random.split(jax.random.fold_in(key, g))
            label = jax.random.choice(labels, len(model.weights), (n,), p=model.weights)
            x = model.means[label, 0] + model.factors[label, 0, 0] * jax.random.normal(normals, (n,))
            model = fit((Piece(x[None], None),), n, model, given["iterations"], "full", floor=floor)
            _, within, between = whole(model)
            seen.append((within + between)[0, 0])
        return jnp.stack(seen)

    return replicates(one, f"floored mixture {sorted(given.items())}", seeds, seed)


MIXTURE_EXPERIMENTS = {
    "nearest_of_pool": nearest_of_pool,
    "filtered_mixture": filtered_mixture,
    "floored_mixture": floored_mixture,
}
