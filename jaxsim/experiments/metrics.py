"""The metrics, measured: samples are drawn and `jaxsim.metrics` computes what a generator is judged by.

Every experiment is (parameters, seeds, seed) -> values [replicate, *axes]; `real` and `fake` are sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxsim import metrics
from jaxsim.experiments.replicates import replicates

Parameters = Mapping[str, Any]


def _measured(name: str, given: Parameters, one: Any, seeds: int, seed: int, block: int = 256) -> np.ndarray:
    return replicates(one, f"{name} {sorted(given.items())}", seeds, seed, block)


def frechet_loop(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Distance of the models of a replace loop of diagonal normals to the source: [replicate, generation]."""
    source, n = jnp.array(given["variances"]), given["n"]
    zero = jnp.zeros_like(source)

    def one(key: Any) -> Array:
        mean, variance, found = zero, source, []
        for generation in range(1, max(given["generations"]) + 1):
            noise = jax.random.normal(jax.random.fold_in(key, generation), (n, len(source)))
            data = mean + jnp.sqrt(variance) * noise
            mean, variance = data.mean(0), data.var(0)
            if generation in given["generations"]:
                found.append(metrics.frechet(mean, jnp.diag(variance), zero, jnp.diag(source)))
        return jnp.stack(found)

    return _measured("frechet loop", given, one, seeds, seed)


def frechet_sample(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Distance of N(0, diag(variances)) to n of its own samples: [replicate]."""
    source, n = jnp.array(given["variances"]), given["n"]

    def one(key: Any) -> Array:
        fitted = metrics.moments(jnp.sqrt(source) * jax.random.normal(key, (n, len(source))))
        return metrics.frechet(*fitted, jnp.zeros_like(source), jnp.diag(source))

    return _measured("frechet sample", given, one, seeds, seed)


def pooled_loop(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Means of x^2 and x^4 over points of the last model of `copies` replace loops each: [replicate, 2]."""
    n, copies = given["n"], given["copies"]

    def one(key: Any) -> Array:
        mean, variance = jnp.zeros(copies), jnp.full(copies, given["variance"])
        for generation in range(1, given["generation"] + 1):
            noise = jax.random.normal(jax.random.fold_in(key, generation), (n, copies))
            data = mean + jnp.sqrt(variance) * noise
            mean, variance = data.mean(0), data.var(0)
        noise = jax.random.normal(jax.random.fold_in(key, 0), (given["draws"], copies))
        x = mean + jnp.sqrt(variance) * noise
        return jnp.stack([(x**2).mean(), (x**4).mean()])

    return _measured("pooled loop", given, one, seeds, seed)


def _pair(given: Parameters, key: Any) -> tuple[Array, Array]:
    """Isotropic normals: real ones around 0, fakes moved by `shift` along the first axis."""
    drawing, faking = jax.random.split(key)
    dimension = given["dimension"]
    real = jax.random.normal(drawing, (given["real"], dimension)) * np.sqrt(given["real_variance"])
    fake = jax.random.normal(faking, (given["fake"], dimension)) * np.sqrt(given["fake_variance"])
    return real, fake.at[:, 0].add(given.get("shift", 0.0))


def precision_recall(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Alpha-precision and beta-recall (beta = alpha) with the true centres: [replicate, 2]."""
    dimension, alpha = given["dimension"], given["alpha"]
    centre = jnp.zeros(dimension).at[0].set(given["shift"])

    def one(key: Any) -> Array:
        real, fake = _pair(given, key)
        precision = metrics.alpha_precision(real, fake, alpha, jnp.zeros(dimension))
        return jnp.stack([precision, metrics.beta_recall(real, fake, alpha, centre)])

    return _measured("precision recall", given, one, seeds, seed)


def neighbours(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Precision, recall, density, coverage of isotropic normals: [replicate, 4]."""

    def one(key: Any) -> Array:
        return jnp.stack(metrics.neighbours(*_pair(given, key), given["k"]))

    return _measured("neighbours", given, one, seeds, seed)


def uniform_neighbours(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """The same of uniform samples of one interval: [replicate, 4]."""

    def one(key: Any) -> Array:
        real, fake = jax.random.split(key)
        samples = (
            jax.random.uniform(part, (given[name], 1)) for part, name in ((real, "real"), (fake, "fake"))
        )
        return jnp.stack(metrics.neighbours(*samples, given["k"]))

    return _measured("uniform neighbours", given, one, seeds, seed)


def gaussian_vendi(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Of n normal points, Gaussian kernel: 1 / score of order 2, log score of order 1: [replicate, 2]."""
    scale = jnp.sqrt(jnp.array(given["variances"]))

    def one(key: Any) -> Array:
        x = scale * jax.random.normal(key, (given["n"], len(scale)))
        kernel = metrics.gaussian_similarity(x, given["scale"])
        return jnp.stack([1 / metrics.vendi(kernel, 2), jnp.log(metrics.vendi(kernel, 1))])

    return _measured("gaussian vendi", given, one, seeds, seed, block=64)


def categorical_vendi(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Of n draws of classes, the kernel 1 for equal classes: 1 / score of order 2, log score of order 1."""
    shares = jnp.log(jnp.array(given["shares"]))

    def one(key: Any) -> Array:
        drawn = jax.random.categorical(key, shares, shape=(given["n"],))
        kernel = (drawn[:, None] == drawn).astype(jnp.float32)
        return jnp.stack([1 / metrics.vendi(kernel, 2), jnp.log(metrics.vendi(kernel, 1))])

    return _measured("categorical vendi", given, one, seeds, seed, block=64)


def modes(given: Parameters, seeds: int, seed: int) -> np.ndarray:
    """Modes in a replace loop of labels: sum w^2, entropy, modes left: [replicate, 3, generation]."""
    n, count = given["n"], len(given["shares"])

    def one(key: Any) -> Array:
        weights, found = jnp.array(given["shares"]), []
        for generation in range(1, max(given["generations"]) + 1):
            drawn = jax.random.categorical(jax.random.fold_in(key, generation), jnp.log(weights), shape=(n,))
            weights = (drawn[:, None] == jnp.arange(count)).mean(0)
            if generation in given["generations"]:
                number = [metrics.effective_number(weights, order) for order in (2, 1, 0)]
                found.append(jnp.stack([1 / number[0], jnp.log(number[1]), number[2]]))
        return jnp.stack(found, axis=1)

    return _measured("modes", given, one, seeds, seed)


METRIC_EXPERIMENTS = {
    "metric frechet loop": frechet_loop,
    "metric frechet sample": frechet_sample,
    "metric pooled loop": pooled_loop,
    "metric precision recall": precision_recall,
    "metric neighbours": neighbours,
    "metric uniform neighbours": uniform_neighbours,
    "metric gaussian vendi": gaussian_vendi,
    "metric categorical vendi": categorical_vendi,
    "metric modes": modes,
}
