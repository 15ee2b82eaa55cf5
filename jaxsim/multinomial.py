"""Exact multinomial counts: by halving with binomials, or by drawing every point.

With K categories and n points the first costs about K binomials whatever n is, the second n uniforms and
their search; `cheaper` says which to take. Both are written for one vector of counts; `jax.vmap` makes many.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxsim.binomial import binomial
from jaxsim.random import Key, threefry, unit

Method = Literal["halving", "points"]

POINTS_A_CATEGORY = 16  # a binomial costs as much as drawing so many points


def cheaper(points: int, categories: int) -> Method:
    """The faster method for so many points of so many categories."""
    return "points" if points < POINTS_A_CATEGORY * categories else "halving"


def multinomial(
    key: Key, n: Any, weights: Float[Array, " category"], method: Method, most: int = 0
) -> Float[Array, " category"]:
    """Counts of n points that fall on categories with probabilities proportional to `weights`.

    Args:
        key: two words, this vector's own.
        n: points, a whole number in float64, up to `jaxsim.binomial.LARGEST`.
        weights: not negative, not all zero unless n is 0; a weight of 0 is never drawn.
        method: "halving" or "points".
        most: for "points", the largest n there may be.
    """
    if method == "points":
        places = labels(key, most, weights)
        kept = jnp.where(jnp.arange(most) < n, places, len(weights))
        return jnp.zeros_like(weights).at[kept].add(1.0, mode="drop")
    return halved(key, n, weights)


def halved(key: Key, n: Any, weights: Float[Array, " category"]) -> Float[Array, " category"]:
    """Counts by recursive halving: a binomial says how many points of a node are in its left half.

    Node k of the tree has children 2k and 2k + 1 and its own address; level by level, from the root. Sums of
    weights are pairwise, a half without weight gets nothing.
    """
    depth = max(len(weights) - 1, 0).bit_length()
    padded = jnp.zeros(2**depth, weights.dtype).at[: len(weights)].set(weights)
    levels = [padded]
    while len(levels[-1]) > 1:
        levels.append(levels[-1].reshape(-1, 2).sum(1))
    counts = jnp.reshape(jnp.asarray(n, jnp.float64), (1,))
    for level in reversed(levels[:-1]):
        left, right = level.reshape(-1, 2).T
        share = jnp.where(left > 0, left / jnp.where(left > 0, left + right, 1.0), 0.0)
        address = jnp.arange(len(counts), 2 * len(counts), dtype=jnp.uint32)
        lefts = jax.vmap(lambda a, n, p: binomial(key, a, n, p))(address, counts, share)
        counts = jnp.stack([lefts, counts - lefts], axis=1).reshape(-1)
    return counts[: len(weights)]


def labels(key: Key, count: int, weights: Float[Array, " category"]) -> Array:
    """The categories of `count` points, by inversion of the cumulative weights at 53-bit uniforms."""
    words = threefry(key, (jnp.arange(count, dtype=jnp.uint32), jnp.uint32(0)))
    cumulative = jnp.cumsum(weights)
    return category_at(unit(words), cumulative)


def category_at(uniform: Any, cumulative: Float[Array, " category"]) -> Array:
    """The category in whose interval of the cumulative weights a uniform number of [0, 1) falls."""
    total = cumulative[-1]
    found = passed(uniform * total, cumulative)
    # a product rounded up to the total belongs to the last category that has weight
    last = jnp.searchsorted(cumulative, total, side="left").astype(jnp.int32)
    return jnp.minimum(found, last)


def passed(value: Any, cumulative: Float[Array, " category"]) -> Array:
    """How many entries of an increasing array are at most `value` (an array), by halving."""
    depth = len(cumulative).bit_length()
    floating = jnp.issubdtype(cumulative.dtype, jnp.floating)
    most = jnp.inf if floating else jnp.iinfo(cumulative.dtype).max
    padded = jnp.full(2**depth, most, cumulative.dtype).at[: len(cumulative)].set(cumulative)

    def step(level: Any, found: Any) -> Any:
        half = jnp.int32(2 ** (depth - 1)) >> level
        below = padded.at[found + half - 1].get(mode="promise_in_bounds") <= value
        return found + jnp.where(below, half, 0)

    # a loop, not a chain: XLA would compute the words again for every step of a chain
    return lax.fori_loop(jnp.int32(0), jnp.int32(depth), step, jnp.zeros(jnp.shape(value), jnp.int32))
