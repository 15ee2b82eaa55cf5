"""What a replicate of the exact engine remembers of a recipe in d dimensions: parts in a moving frame.

A point is origin + N diag(e^h) y, N lower triangular with a unit diagonal, and the first peer's newest model
is the standard normal of y. What collapses, collapses with the frame, every direction at its own rate (as in
`jaxsim.replace.space`), and what decides the next covariance keeps its digits at any depth. A generation that
takes real points is lived in the open frame, whose coordinates are the source's. Own derivation.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxsim.recipes.frame import Part
from jaxsim.recipes.normals import Normals
from jaxsim.triangular import solve_lower


class State(NamedTuple):
    """What later fits can read.

    Attributes:
        origin: the frame's, from the source's mean, in units of the source's length.
        shape: N.
        scales: h.
        models: [lag][peer], the newest first, in the frame.
        batches: [lag][peer][part], in the frame.
        pools: [peer], in the frame.
        sets: in the source's units, from its mean.
    """

    origin: Any
    shape: Any
    scales: Any
    models: tuple[tuple[Normals, ...], ...]
    batches: tuple[tuple[tuple[Part, ...], ...], ...]
    pools: tuple[Part, ...]
    sets: tuple[Part, ...]


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


def times(shape: Any, scales: Any, lower: Any) -> tuple[Any, Any]:
    """(N', h') with N' diag(e^h') = N diag(e^h) L: N' = N B, B_kj = e^(h_k - h_j) L_kj / L_jj."""
    pivots = jnp.diag(lower)
    below = jnp.tri(len(pivots), k=-1, dtype=bool)
    scale = jnp.exp(jnp.where(below, scales[:, None] - scales, 0))
    factor = jnp.where(below, scale * lower / pivots, 0)
    return shape + shape @ factor, scales + jnp.log(pivots)


def opened(state: State) -> State:
    """In the frame whose origin is kept and whose coordinates are the source's."""
    root = state.shape * jnp.exp(state.scales)
    ones = jnp.eye(len(root), dtype=root.dtype)
    moved = _moved(state, lambda vectors: root @ vectors)
    return moved._replace(shape=ones, scales=jnp.zeros_like(state.scales))


def reframed(state: State) -> State:
    """In the frame of the first peer's newest model."""
    mean, lower = state.models[0][0]
    root = state.shape * jnp.exp(state.scales)
    shape, scales = times(state.shape, state.scales, lower)
    moved = _moved(state, lambda vectors: solve_lower(lower, vectors), mean)
    return moved._replace(origin=state.origin + root @ mean, shape=shape, scales=scales)


def _moved(state: State, linear: Callable, origin: Any = 0) -> State:
    """With every model, batch and pool seen from `origin` under a linear map of columns; real sets stand."""

    def move(part: Any) -> Any:
        mean = linear((part.mean - origin)[:, None])[:, 0]
        if isinstance(part, Normals):
            return Normals(mean, linear(part.factor))
        half = linear(part.spread)
        return Part(mean, linear(half.T))

    return state._replace(
        models=tuple(tuple(map(move, peers)) for peers in state.models),
        batches=tuple(tuple(tuple(map(move, parts)) for parts in peers) for peers in state.batches),
        pools=tuple(map(move, state.pools)),
    )
