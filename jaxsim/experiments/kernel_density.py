"""The law of the points of kernel density loops, measured by functions of them: densities, cosines, moments.

Every experiment is (parameters, seeds, seed) -> values [replicate, *axes]. The parameters common to them:

    mean, variance     of the source
    n, generation      points a generation, and which one's points are looked at
    width              h of the kernel x -> x + h z; or
    shrink             a of the step x -> a x + sqrt(1 - a^2) z, a diffusion stopped early
    share              probability that a point is fresh
    accumulate         whether the points of all generations stay
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.experiments.replicates import replicates


def _points(given: Mapping[str, Any], key: Any) -> Array:
    """The points that the model of the generation is made of."""
    n, shrink = given["n"], given.get("shrink", 1.0)
    width = given["width"] if shrink == 1 else np.sqrt(1 - shrink**2)

    def real(key: Any) -> Array:
        return given["mean"] + np.sqrt(given["variance"]) * jax.random.normal(key, (n,))

    def drawn(g: Any, points: Array) -> Array:
        parents, noise, coins, fresh = jax.random.split(jax.random.fold_in(key, g), 4)
        parent = points[jax.random.randint(parents, (n,), 0, len(points))]
        new = shrink * parent + width * jax.random.normal(noise, (n,))
        if given.get("share", 0.0) > 0:
            new = jnp.where(jax.random.uniform(coins, (n,)) < given["share"], real(fresh), new)
        return new

    points = real(jax.random.fold_in(key, 0))
    last = given["generation"]
    if not given.get("accumulate", False):
        return lax.fori_loop(2, last + 1, drawn, points)
    for g in range(2, last + 1):
        points = jnp.concatenate([points, drawn(g, points)])
    return points


def _measured(name: str, look: Callable, given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    label = f"{name} {sorted(given.items())}"
    return replicates(lambda key: look(_points(given, key)), label, seeds, seed)


def profile(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The kernel density of the generation at the places `at`: [replicate, place]."""
    width, at = given["width"], jnp.array(given["at"])

    def look(x: Array) -> Array:
        return jnp.exp(-((at[:, None] - x) ** 2) / (2 * width**2)).mean(1) / np.sqrt(2 * np.pi * width**2)

    return _measured("kernel profile", look, given, seeds, seed)


def cosine(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The mean of cos(w x) over the points, at every `frequency` w: [replicate, frequency]."""
    frequency = jnp.array(given["frequency"])
    look = lambda x: jnp.cos(frequency[:, None] * x).mean(1)  # noqa: E731
    return _measured("kernel cosine", look, given, seeds, seed)


def hermite(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The means of He_1(x), ..., He_4(x) over the points: [replicate, 4]."""

    def look(x: Array) -> Array:
        return jnp.stack([x, x**2 - 1, x**3 - 3 * x, x**4 - 6 * x**2 + 3]).mean(1)

    return _measured("kernel hermite", look, given, seeds, seed)


KERNEL_EXPERIMENTS = {
    "kernel_profile": profile,
    "kernel_cosine": cosine,
    "kernel_hermite": hermite,
}
