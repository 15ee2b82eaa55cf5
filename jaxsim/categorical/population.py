"""Replacement among many categories: the n points themselves, each with a parent in the generation before.

Maximum likelihood on n points, sampled n times, is drawing n parents uniformly from those points: one word
and one look-up a point, no cumulative sums, whatever the number of categories (the Wright-Fisher model as
Wright 1931, doi:10.1093/genetics/16.2.97, described it). Counts are made only where something is measured.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.categorical.model import observe
from jaxsim.multinomial import labels, resampled
from jaxsim.random import Key, draw_key
from theory.loop import Loop, MaximumLikelihood, Replace

POINTS_A_CATEGORY = 48  # with more points than so many a category, halving is faster
LARGEST_POPULATION = 2**20


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
    """(fixed) -> no points yet."""
    return lambda fixed: jnp.zeros(points, jnp.int32)


@lru_cache(maxsize=64)
def stepper(points: int) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""

    def step(fixed: Fixed, step: Step, key: Key, replicate: Any, state: Any) -> Any:
        own = draw_key(key, 0, replicate)
        return lax.cond(
            step.first,
            lambda population: labels(own, points, jnp.asarray(fixed.first)),
            lambda population: resampled(own, population),
            state,
        )

    return step


def look(name: str, fixed: Fixed, step: Step, state: Any) -> Any:
    """An observable of the shares of these points."""
    counts = jnp.zeros(len(fixed.source), jnp.int32).at[state].add(1, mode="promise_in_bounds")
    return observe(name, counts.astype(jnp.float64) / len(state), fixed.source, fixed.turn.dtype)
