"""The literal engine: draws every sample and fits it; the reference that keeps the exact engine honest.

Samples are drawn in standardised coordinates and reduced in the same pass; they never exist in memory all
at once. Sums are taken about the mean of the first few samples, so that nothing cancels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt32

from jaxsim.random import Key, normal_pair, threefry, truncated_normal
from jaxsim.replace import line, space
from jaxsim.triangular import right_rotation, trapezoid

ROWS = 64  # vectors drawn at a time, in d dimensions


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

    def draw(pair: Array) -> tuple[Array, Array, Array]:
        """Two samples, and whether the second is one of the n (n may be odd)."""
        words = threefry(key, (replicate, pair))
        z = normal_pair(words, fixed.turn.dtype.type(2.0**32))
        if truncating:
            cut = (truncated_normal(word, fixed.mass) for word in words)
            z = tuple(jnp.where(step.truncated, c, free) for c, free in zip(cut, z, strict=True))
        return z[0], z[1], 2 * pair + 1 < step.size

    def add(pair: Array, sums: Array) -> Array:
        """Add the deviations from the first two samples' mean; and their squares, as the imaginary part."""
        a, b, both = draw(pair)
        a, b = a - about, jnp.where(both, b - about, 0)
        return sums + lax.complex(a + b, a * a + b * b)

    zero = jnp.zeros((), fixed.turn.dtype)
    size = step.size.astype(zero.dtype)
    a, b, _ = draw(jnp.uint32(0))
    about = (a + b) / 2
    sums = lax.complex(zero * about, zero * about)
    sums = lax.fori_loop(jnp.uint32(0), (step.size - 1) // 2 + 1, add, sums)
    first, second = sums.real, sums.imag
    # samples that coincide in this precision stand for a distance below its resolution
    squares = jnp.maximum(second - first * (first / size), jnp.finfo(zero.dtype).eps ** 2)
    normal = (about + first / size) * jnp.sqrt(size)
    return line.advance(state, step.log_noise, normal, jnp.log(squares / (size - 1)) - step.centre)


def space_step(
    fixed: space.Fixed,
    step: space.Step,
    key: Key,
    replicate: UInt32[Array, ""],
    state: space.State,
    *,
    truncating: bool,
) -> space.State:
    """One generation of one replicate: n vectors, their mean and scatter matrix, a fit.

    The samples are y in mu + F y, F the model's triangular factor. A truncated sample is z in the principal
    axes of the covariance, mu + (U S) z with F = U S V^T, hence y = V z.
    """
    d = len(fixed.offset)
    axes = _principal_axes(fixed, step, state) if truncating else None

    def draw(chunk: Array) -> tuple[Array, Array]:
        """Samples [ROWS, d] and which of them are among the n."""
        row = chunk * ROWS + jnp.arange(ROWS, dtype=jnp.uint32)
        width = (d + 1) // 2
        pair = row[:, None] * np.uint32(width) + jnp.arange(width, dtype=jnp.uint32)
        words = threefry(key, (replicate, pair))
        y = jnp.concatenate(normal_pair(words, fixed.turn.dtype.type(2.0**32)), axis=1)[:, :d]
        if axes is not None:
            z = jnp.concatenate([truncated_normal(word, fixed.mass) for word in words], axis=1)[:, :d]
            y = jnp.where(step.truncated, z @ axes.T, y)
        return y, (row < step.size)[:, None]

    def total(chunk: Array, about: Array) -> tuple[Array, Array]:
        y, kept = draw(chunk)
        difference = jnp.where(kept, y - about, 0)
        return jnp.sum(difference, axis=0), difference.T @ difference

    size = step.size.astype(fixed.turn.dtype)
    y, kept = draw(jnp.uint32(0))
    about = jnp.sum(jnp.where(kept, y, 0), axis=0) / jnp.minimum(size, ROWS)
    first, second = lax.fori_loop(
        jnp.uint32(0),
        (step.size - 1) // ROWS + 1,
        lambda k, sums: jax.tree.map(jnp.add, sums, total(k, about)),
        (about * 0, about[:, None] * about * 0),
    )
    scatter = second - first[:, None] * (first / size)
    normal = (about + first / size) * jnp.sqrt(size)
    lower = trapezoid(scatter, step.alive)
    pivot = jnp.where(step.alive, jnp.diag(lower), 1)
    return space.advance(step, state, normal, 2 * jnp.log(pivot) - step.log_pivot, lower)


def _principal_axes(fixed: space.Fixed, step: space.Step, state: space.State) -> Array:
    """V of F = U S V^T, F the factor of the model that is sampled; columns that are zero in F stay apart."""
    h = step.before + state.deviation / 2
    h = h - jnp.max(jnp.where(step.living, h, -jnp.inf))
    scaled = fixed.factor @ (state.shape * jnp.where(step.living, jnp.exp(h), 0))
    return right_rotation(scaled)[1]
