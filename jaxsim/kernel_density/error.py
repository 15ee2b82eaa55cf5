"""What a kernel density gets wrong, given its points: its integrated squared error and its cross-entropy.

Both take all points at each point, or at each node of a rule: for the generations that are looked at, never
in the loop.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.mixture.model import Model

REACH = 8.5  # standard deviations of the source that the rule spans: 1e-17 lies beyond
LARGEST_RULE = 4096


def integrated(state: Array, size: Any, width: Any, source: Model) -> Array:
    """The integral of (KDE - p)^2, p the mixture `source`, normal densities integrated in pairs.

    sum_ij phi(x_i - x_j; 2 h^2) / n^2 - (2/n) sum_ik w_k phi(x_i - mu_k; s_k + h^2) + int p^2. The points are
    the first `size` of `state`, two a complex number.
    """
    means, spreads = source.means[:, 0], source.factors[:, 0, 0] ** 2
    there = _there(state, size)
    count = jnp.asarray(size).astype(width.dtype)

    def near(i: Array, total: Array) -> Array:
        one = state[i]
        for x, kept in ((one.real, 2 * i < size), (one.imag, 2 * i + 1 < size)):
            row = (
                _phi(state.real - x, 2 * width**2) * there[0] + _phi(state.imag - x, 2 * width**2) * there[1]
            )
            total = total + jnp.where(kept, jnp.sum(row), 0)
        return total

    own = lax.fori_loop(0, len(state), near, jnp.zeros_like(width) * state[0].real) / count**2
    cross = sum(
        source.weights[k] * jnp.sum(_phi(part - means[k], spreads[k] + width**2) * kept)
        for k in range(len(means))
        for part, kept in zip((state.real, state.imag), there, strict=True)
    )
    gap = means[:, None] - means
    truth = source.weights @ _phi(gap, spreads[:, None] + spreads) @ source.weights
    return own - 2 * cross / count + truth


def cross_entropy(state: Array, size: Any, width: Any, source: Model, nodes: int) -> Array:
    """-int p ln KDE dx, by the trapezoidal rule about each component of p."""
    there = _there(state, size)
    count = jnp.asarray(size).astype(width.dtype)
    step = 2 * REACH / (nodes - 1)

    def at(i: Array, total: Array) -> Array:
        z = -REACH + step * i.astype(width.dtype)
        for k in range(len(source.weights)):
            x = source.means[k, 0] + source.factors[k, 0, 0] * z
            squares = [
                jnp.where(kept > 0, -((part - x) ** 2) / (2 * width**2), -jnp.inf)
                for part, kept in zip((state.real, state.imag), there, strict=True)
            ]
            top = jnp.maximum(jnp.max(squares[0]), jnp.max(squares[1]))
            inside = jnp.sum(jnp.exp(squares[0] - top) + jnp.exp(squares[1] - top))
            logarithm = top + jnp.log(inside / count) - jnp.log(2 * jnp.pi * width**2) / 2
            total = total - source.weights[k] * step * _phi(z, jnp.ones_like(z)) * logarithm
        return total

    return lax.fori_loop(0, nodes, at, jnp.zeros_like(width) * state[0].real)


def nodes_for(width: float) -> int:
    """Nodes of the rule for kernels of this width, in the source's standard deviations.

    ln KDE has its singularities at a distance of pi h^2 / gap from the line, a gap being that of neighbouring
    points, and the rule's error falls like exp(-2 pi distance / step).
    """
    return int(np.clip(2 * REACH * 2 / width**2, 256, LARGEST_RULE))


def _there(state: Array, size: Any) -> tuple[Array, Array]:
    pair = jnp.arange(len(state), dtype=jnp.uint32)
    size = jnp.asarray(size).astype(jnp.uint32)
    return (2 * pair < size).astype(state.real.dtype), (2 * pair + 1 < size).astype(state.real.dtype)


def _phi(x: Array, variance: Any) -> Array:
    return jnp.exp(-x * x / (2 * variance)) / jnp.sqrt(2 * np.pi * variance)
