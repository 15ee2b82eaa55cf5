"""Independent replicates of a small experiment: one pure function of a key, vmapped in blocks."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BLOCK = 1024


def replicates(
    one: Callable[[Any], Any], label: str, seeds: int, seed: int, block: int = BLOCK
) -> np.ndarray:
    """Values of `one(key)` [replicate, *axes]; replicate i draws from fold_in(key, i).

    Args:
        one: key -> an array.
        label: of the experiment and its setting; different labels have different streams.
        seeds: how many replicates. Replicate i is the same whatever their number.
        seed: the master seed.
        block: replicates computed at once.
    """
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(label.encode()))
    run = jax.jit(
        lambda numbers: lax.map(lambda i: one(jax.random.fold_in(key, i)), numbers, batch_size=block)
    )
    padded = -(-seeds // block) * block
    return np.asarray(run(jnp.arange(padded, dtype=jnp.uint32)))[:seeds]
