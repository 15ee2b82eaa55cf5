"""Replacement among many categories: the n points themselves, each with a parent in the generation before.

Maximum likelihood on n points, sampled n times, is drawing n parents uniformly from those points: one word
and one look-up a point, no cumulative sums, whatever the number of categories (the Wright-Fisher model as
Wright 1931, doi:10.1093/genetics/16.2.97, described it). Counts are made only where something is measured.

The points lie in two rows, since a hash gives two words, and the replicates of a block last: point number i
is entry i of [side, pair] read row by row; of an odd number the last entry is no point.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.categorical.model import observe
from jaxsim.multinomial import labels
from jaxsim.random import Key, below, below_large, draw_key, packed, threefry, unpacked
from theory.loop import Loop, MaximumLikelihood, Replace

POINTS_A_CATEGORY = 48  # with more points than so many a category, halving is faster
LARGEST_POPULATION = 2**20
NARROW = 2**16  # points, up to which a parent takes one word


class Fixed(NamedTuple):
    """What does not depend on the generation: shares of the source and of model 0; the precision's number."""

    source: Any
    first: Any
    turn: Any


class Step(NamedTuple):
    """Whether generation g is the first, [generation]."""

    first: Any


def serves(loop: Loop) -> bool:
    """Whether a loop is of this kind, and this the fastest way."""
    n = loop.data.n if isinstance(loop.data, Replace) else None
    if not isinstance(n, int) or not isinstance(loop.estimator, MaximumLikelihood):
        return False
    if loop.sampler.given or loop.selection is not None:
        return False
    return n <= min(POINTS_A_CATEGORY * loop.source.categories, LARGEST_POPULATION)


def parameters(loop: Loop, generations: int, dtype: np.dtype) -> tuple[Fixed, Step]:
    """The arguments of the compiled program."""
    shares = (np.array(model.shares) for model in (loop.source, loop.first_model))
    first = np.arange(1, generations + 1) == 1
    return Fixed(*shares, np.asarray(2.0**32, dtype)), Step(first)


@lru_cache(maxsize=64)
def start(points: int) -> Callable:
    """(fixed) -> no points yet: [side, pair]."""
    return lambda fixed: jnp.zeros((2, (points + 1) // 2), jnp.int32)


@lru_cache(maxsize=64)
def ahead(points: int) -> Callable:
    """(key, replicates) -> each replicate's key, and its words of a generation."""

    def drawn(key: Key, replicates: Array) -> tuple[Key, Array]:
        own = jax.vmap(lambda replicate: draw_key(key, 0, replicate))(replicates)
        return own, words(own, points)

    return drawn


def words(own: Key, points: int) -> Array:
    """The words of the parents of so many points, under each replicate's key: [place, replicate]."""
    pairs = (points + 1) // 2
    places = jnp.arange(pairs if points <= NARROW else 2 * pairs, dtype=jnp.uint32)
    return packed(threefry(own, (places[:, None], jnp.uint32(0))))


def resampled(drawn: Array, points: int, state: Array) -> Array:
    """A population of the same size, every point's parent drawn uniformly from this one.

    The counts of its categories are multinomial with the shares this one has, without any cumulative sum.
    """
    if points > NARROW:
        parents = below_large(unpacked(drawn), np.uint32(points)).reshape(state.shape)
        return _points(state, parents)
    both = jnp.zeros_like(state)
    for side, word in enumerate(unpacked(drawn)):  # joined, each point would ask whose half it is of
        half = _points(state, below(word, np.uint32(points)))
        both = lax.dynamic_update_slice(both, half[None], (side, 0, 0))
    return both


@lru_cache(maxsize=64)
def stepper(points: int) -> Callable:
    """(fixed, step, (keys, words), replicates, state) -> state: one generation of a block of replicates."""

    def begun(fixed: Fixed, keys: Key, state: Array) -> Array:
        first = jax.vmap(lambda own: labels(own, points, jnp.asarray(fixed.first)), out_axes=-1)(keys)
        return jnp.concatenate([first, first[: points % 2]]).reshape(state.shape)

    def step(fixed: Fixed, step: Step, drawn: Any, replicates: Array, state: Array) -> Array:
        del replicates
        keys, made = drawn
        return lax.cond(
            step.first,
            lambda population: begun(fixed, keys, population),
            lambda population: resampled(made, points, population),
            state,
        )

    return step


def _points(state: Array, numbers: Array) -> Array:
    """Points by number, each of its own replicate."""
    width = state.shape[-1]
    place = numbers.astype(jnp.int32) * width + jnp.arange(width, dtype=jnp.int32)
    return state.reshape(-1).at[place].get(mode="promise_in_bounds")


@lru_cache(maxsize=64)
def looker(points: int) -> Callable:
    """(name, fixed, step, state) -> an observable of the shares of the points, replicates last."""

    def look(name: str, fixed: Fixed, step: Step, state: Array) -> Array:
        width, categories = state.shape[-1], len(fixed.source)
        place = state.reshape(-1, width)[:points] * width + jnp.arange(width, dtype=jnp.int32)
        counts = jnp.zeros(categories * width, jnp.int32).at[place].add(1, mode="promise_in_bounds")
        shares = counts.reshape(categories, width).astype(jnp.float64) / points
        return jax.vmap(lambda p: observe(name, p, fixed.source, fixed.turn.dtype), -1, -1)(shares)

    return look
