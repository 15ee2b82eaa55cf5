"""Independent counts under replacement: n points of rates theta sum to Poisson(n theta), theta' = sum / n.

Both engines: the exact one draws the sums, the literal one every point.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.binomial import poisson
from jaxsim.categorical.model import observe
from jaxsim.random import Key, draw_key
from theory.loop import Loop, sample_sizes


class Fixed(NamedTuple):
    """What does not depend on the generation: rates of the source and of model 0; the precision's number."""

    source: Any
    first: Any
    turn: Any


class Step(NamedTuple):
    """n of generation g, [generation]."""

    size: Any


def parameters(loop: Loop, generations: int, dtype: np.dtype) -> tuple[Fixed, Step]:
    """The arguments of the compiled program."""
    rates = (np.array(model.rates, float) for model in (loop.source, loop.first_model))
    sizes = np.array(sample_sizes(loop.data.n, generations), float)
    return Fixed(*rates, np.asarray(2.0**32, dtype)), Step(sizes)


def start(fixed: Fixed) -> Any:
    """Model 0."""
    return jnp.asarray(fixed.first)


def exact_step(fixed: Fixed, step: Step, key: Key, replicate: Any, rates: Any) -> Any:
    """One generation of one replicate: the sums."""
    own = draw_key(key, 0, replicate)
    places = jnp.arange(len(rates), dtype=jnp.uint32)
    return jax.vmap(lambda a, mean: poisson(own, a, mean))(places, step.size * rates) / step.size


def literal_step(fixed: Fixed, step: Step, key: Key, replicate: Any, rates: Any) -> Any:
    """One generation of one replicate: every point."""
    places = jnp.arange(len(rates), dtype=jnp.uint32)

    def add(point: Any, sums: Any) -> Any:
        own = draw_key(key, point.astype(jnp.uint32), replicate)
        return sums + jax.vmap(lambda a, mean: poisson(own, a, mean))(places, rates)

    total = lax.fori_loop(jnp.int32(0), step.size.astype(jnp.int32), add, jnp.zeros_like(rates))
    return total / step.size


def look(name: str, fixed: Fixed, step: Step, rates: Any) -> Any:
    """An observable of the shares of the rates; of none, once every rate is zero."""
    total = jnp.sum(rates)
    shares = rates / jnp.where(total > 0, total, 1.0)
    source = jnp.asarray(fixed.source)
    return observe(name, shares, source / jnp.sum(source), fixed.turn.dtype)
