"""The moving frame in d dimensions.

A point is origin + N diag(e^h) y, N lower triangular with a unit diagonal, and the first peer's newest model
is the standard normal of y. What collapses, collapses with the frame, every direction at its own rate (as in
`jaxsim.replace.space`), and what decides the next covariance keeps its digits at any depth. A generation that
takes real points is lived in the open frame, whose coordinates are the source's. Own derivation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxsim.recipes.normals import Normals
from jaxsim.recipes.parts import Part, State, moved
from jaxsim.triangular import solve_lower


class Frame(NamedTuple):
    """Where the numbers of a state are measured from, and in what.

    Attributes:
        origin: from the source's mean, in units of the source's length.
        shape: N.
        scales: h.
    """

    origin: Any
    shape: Any
    scales: Any


def open_frame(origin: Any) -> Frame:
    """The frame whose coordinates are the source's."""
    return Frame(origin, jnp.eye(len(origin), dtype=origin.dtype), jnp.zeros_like(origin))


def root(frame: Frame) -> Any:
    """The map of a frame's coordinates to the source's."""
    return frame.shape * jnp.exp(frame.scales)


def times(shape: Any, scales: Any, lower: Any) -> tuple[Any, Any]:
    """(N', h') with N' diag(e^h') = N diag(e^h) L: N' = N B, B_kj = e^(h_k - h_j) L_kj / L_jj."""
    pivots = jnp.diag(lower)
    below = jnp.tri(len(pivots), k=-1, dtype=bool)
    scale = jnp.exp(jnp.where(below, scales[:, None] - scales, 0))
    factor = jnp.where(below, scale * lower / pivots, 0)
    return shape + shape @ factor, scales + jnp.log(pivots)


def opened(state: State) -> State:
    """In the frame whose origin is kept and whose coordinates are the source's."""
    outward = root(state.frame)
    return _mapped(state, open_frame(state.frame.origin), lambda vectors: outward @ vectors)


def reframed(state: State) -> State:
    """In the frame of the first peer's newest model."""
    frame, (mean, lower) = state.frame, state.models[0][0]
    near = Frame(frame.origin + root(frame) @ mean, *times(frame.shape, frame.scales, lower))
    return _mapped(state, near, lambda vectors: solve_lower(lower, vectors), mean)


def _mapped(state: State, frame: Frame, linear: Callable, origin: Any = 0) -> State:
    """In a frame seen from `origin` under a linear map of columns."""

    def centred(mean: Any) -> Any:
        return linear((mean - origin)[:, None])[:, 0]

    def stored(part: Part) -> Part:
        half = linear(part.spread)
        return Part(centred(part.mean), linear(half.T))

    def fitted(model: Normals) -> Normals:
        return Normals(centred(model.mean), linear(model.factor))

    return moved(state, frame, stored, fitted)
