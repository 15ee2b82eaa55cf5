"""The literal engine: draws every sample and fits it; the reference that keeps the exact engine honest.

Samples are drawn in standardised coordinates, in chunks, and reduced in the same pass; they never exist
in memory all at once. Sums are taken about the mean of the first chunk, so nothing cancels: with a chunk or
less this is the two-pass formula.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, UInt32

from jaxsim import line
from jaxsim.random import Key, normal_pair, threefry, truncated_normal

PAIRS = 8  # pairs of samples a chunk


def line_step(
    fixed: line.Fixed,
    step: line.Step,
    key: Key,
    replicate: UInt32[Array, ""],
    state: line.State,
    *,
    truncating: bool,
) -> line.State:
    """One generation of one replicate: n samples, their mean and sum of squares, a fit.

    With z_i the standardised samples, the fitted mean moves by sigma sqrt(lambda) zbar and the log variance
    by log lambda + log(SS / c).
    """

    def draw(chunk: Array) -> list[tuple[Array, Array]]:
        """(sample, whether it is one of the n) for each sample of a chunk."""
        samples = []
        for k in range(PAIRS):
            pair = chunk * PAIRS + k
            words = threefry(key, (replicate, pair))
            z = normal_pair(words, fixed.turn)
            if truncating:
                cut = tuple(truncated_normal(word, fixed.mass) for word in words)
                z = tuple(jnp.where(step.truncated, c, free) for c, free in zip(cut, z, strict=True))
            samples += [(z[0], 2 * pair < step.size), (z[1], 2 * pair + 1 < step.size)]
        return samples

    def total(chunk: Array, about: Array) -> Array:
        """Sum of the deviations, and of their squares as the imaginary part."""
        first = second = jnp.zeros_like(about)
        for z, kept in draw(chunk):
            difference = jnp.where(kept, z - about, 0)
            first, second = first + difference, second + difference * difference
        return lax.complex(first, second)

    zero = jnp.zeros((), fixed.turn.dtype)
    size = step.size.astype(zero.dtype)
    about = sum(jnp.where(kept, z, 0) for z, kept in draw(jnp.uint32(0))) / jnp.minimum(size, 2 * PAIRS)
    chunks = (step.size - 1) // (2 * PAIRS) + 1
    sums = lax.fori_loop(
        jnp.uint32(0), chunks, lambda k, sums: sums + total(k, about), lax.complex(zero * about, zero * about)
    )
    first, second = sums.real, sums.imag
    squares = second - first * (first / size)
    normal = (about + first / size) * jnp.sqrt(size)
    return line.advance(state, step.log_noise, normal, jnp.log(squares / (size - 1)) - step.centre)
