"""What a replicate of an exact engine remembers of a recipe: parts in a moving frame.

Merging parts of n_i points with means m_i and squares S_i about them,

    m = sum n_i m_i / n,    S = sum S_i + n_i (m_i - m)(m_i - m)^T,    n = sum n_i.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxsim.recipes.normals import square
from jaxsim.recipes.plan import Shape


class Part(NamedTuple):
    """A mean, and the sum of squares about it, in d dimensions the scatter matrix."""

    mean: Any
    spread: Any


class State(NamedTuple):
    """What later fits can read.

    Attributes:
        frame: in which it is written.
        models: [lag][peer], the newest first.
        batches: [lag][peer][part].
        pools: [peer].
        sets: in the source's units, from its mean, whatever the frame.
    """

    frame: Any
    models: tuple[tuple[Any, ...], ...]
    batches: tuple[tuple[tuple[Part, ...], ...], ...]
    pools: tuple[Part, ...]
    sets: tuple[Part, ...]


def begun(shape: Shape, frame: Any, models: tuple[Any, ...], empty: Part) -> State:
    """Generation 0: the models numbered 0, [peer], and nothing stored yet."""
    batch = ((empty,) * shape.parts,) * shape.peers
    pools = (empty,) * (shape.peers if shape.pooled else 0)
    return State(frame, (models,) * shape.models, (batch,) * shape.batches, pools, (empty,) * shape.sets)


def moved(state: State, frame: Any, part: Callable[[Part], Part], model: Callable[[Any], Any]) -> State:
    """The state in another frame, in which a part and a model are what two functions say."""
    return state._replace(
        frame=frame,
        models=tuple(tuple(map(model, peers)) for peers in state.models),
        batches=tuple(tuple(tuple(map(part, parts)) for parts in peers) for peers in state.batches),
        pools=tuple(map(part, state.pools)),
    )


def merged(pieces: Sequence[tuple[Any, Part]]) -> Part:
    """Pieces (count, part) as one."""
    if len(pieces) == 1:
        return pieces[0][1]
    total = reduce(jnp.add, (count for count, _ in pieces))
    mean = sum((count / total) * part.mean for count, part in pieces)
    spread = sum(part.spread + count * square(part.mean - mean) for count, part in pieces)
    return Part(mean, spread)
