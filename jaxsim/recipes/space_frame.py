"""What a replicate of the exact engine remembers of a recipe in d dimensions: parts in a moving frame.

The frame's origin is the first peer's newest model, its unit the root of the mean variance of the widest of
the newest models; its axes are the source's. What collapses as a whole collapses with the frame, as on the
line (`jaxsim.recipes.frame`). A direction narrower than 1e-16 of the widest is not resolved. Own derivation.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp

from jaxsim.recipes.frame import FAR, Part, State
from jaxsim.recipes.normals import Normals


def merged(pieces: Sequence[tuple[Any, Part]]) -> Part:
    """Pieces (count, mean and scatter matrix about it) as one: S = sum S_i + n_i (m_i - m)(m_i - m)^T."""
    if len(pieces) == 1:
        return pieces[0][1]
    total = reduce(jnp.add, (count for count, _ in pieces))
    mean = sum((count / total) * part.mean for count, part in pieces)
    scatter = sum(part.spread + count * square(part.mean - mean) for count, part in pieces)
    return Part(mean, scatter)


def square(vector: Any) -> Any:
    """The outer product of a vector with itself."""
    return vector[:, None] * vector


def widened(state: State) -> State:
    """In a frame whose unit is at least the source's."""
    unit = jnp.maximum(state.unit, 1)
    return _scaled(state, state.unit / unit, unit, jnp.maximum(state.log_unit, 0))


def reframed(state: State) -> State:
    """In the frame of the newest models."""
    shift = state.models[0][0].mean
    widest = reduce(jnp.maximum, (jnp.mean(jnp.sum(m.factor**2, axis=1)) for m in state.models[0]))
    root = jnp.sqrt(widest)
    state = state._replace(origin=state.origin + shift * state.unit)
    state = _moved(state, lambda part: part._replace(mean=part.mean - shift))
    return _scaled(state, 1 / root, state.unit * root, state.log_unit + jnp.log(root))


def _scaled(state: State, factor: Any, unit: Any, log_unit: Any) -> State:
    """In another unit, `factor` of which are the present one."""

    def scaled(part: Any) -> Any:
        mean = jnp.clip(part.mean * factor, -FAR, FAR)
        if isinstance(part, Normals):
            return Normals(mean, part.factor * factor)
        return Part(mean, part.spread * (factor * factor))

    return _moved(state, scaled)._replace(unit=unit, log_unit=log_unit)


def _moved(state: State, move: Callable) -> State:
    """With every model, batch and pool moved; real sets stand where they are."""
    return state._replace(
        models=tuple(tuple(map(move, peers)) for peers in state.models),
        batches=tuple(tuple(tuple(map(move, parts)) for parts in peers) for peers in state.batches),
        pools=tuple(map(move, state.pools)),
    )
