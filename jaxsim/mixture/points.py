"""Mixtures fitted by soft EM: every point is drawn, kept for the iterations, and those of a pool for longer.

A part of a meal is drawn in two halves, the first and the second of each pair of normals; a half is an array
of fixed length with a mask that says which of its points there are in this generation.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.mixture.expectation_maximisation import Piece, fit
from jaxsim.mixture.labels import ELSEWHERE, Fixed, _either
from jaxsim.mixture.menu import Menu, Slots
from jaxsim.mixture.model import Model
from jaxsim.random import Key, normal_pair, threefry

LANES = 32


class State(NamedTuple):
    """The model, and what is kept: halves of the fixed set and of the pool, with their masks."""

    model: Model
    anchor: tuple[Piece, ...]
    pool: tuple[Piece, ...]


def _half(points: int) -> int:
    """Points of a half, whole rows of lanes."""
    return -(-points // (2 * LANES)) * LANES


def _blank(points: int, d: int, dtype: Any) -> tuple[Piece, ...]:
    if not points:
        return ()
    shape = (points // LANES, LANES)
    return (
        Piece(
            jnp.zeros(shape if d == 1 else (points, d), dtype), jnp.zeros(shape if d == 1 else points, dtype)
        ),
    )


@lru_cache(maxsize=64)
def start(slots: Slots, generations: int) -> Callable:
    """(fixed) -> the state of generation 0; the pool has room for so many generations."""

    def begin(fixed: Fixed) -> State:
        d, dtype = fixed.first.means.shape[1], fixed.turn.dtype
        joined = _half(slots.pool_real) + _half(slots.pool_model)
        return State(
            Model(*map(jnp.asarray, fixed.first)),
            _blank(2 * _half(slots.anchor), d, dtype),
            _blank(2 * joined * generations, d, dtype),
        )

    return begin


@lru_cache(maxsize=64)
def stepper(slots: Slots, iterations: int, covariance: str, always_full: bool) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate.

    Args:
        slots: what there is to eat.
        iterations: EM steps a fit.
        covariance: its kind.
        always_full: whether every fit takes the same number of points, drawn for it alone.
    """

    def step(fixed: Fixed, step: Menu, key: Key, replicate: Any, state: State) -> State:
        def draw(place: int, most: int, count: Any, model: Model, scale: Any) -> tuple[Piece, ...]:
            own = threefry(key, (jnp.uint32(place), jnp.uint32(ELSEWHERE)))
            stretched = model._replace(factors=jnp.sqrt(scale) * model.factors)
            return drawn(own, replicate, most, count, stretched, fixed.turn)

        anchor, pool = state.anchor, state.pool
        if slots.anchor:
            fresh = draw(0, slots.anchor, step.anchor, fixed.source, step.real_factor)
            anchor = (_chosen(step.anchor > 0, _joined(fresh), anchor[0]),)
        added = ()
        if slots.pool_real:
            added += draw(1, slots.pool_real, step.pool_real, fixed.source, step.real_factor)
        if slots.pool_model:
            added += draw(2, slots.pool_model, step.pool_model, state.model, step.model_factor)
        if added:
            pool = (_written(pool[0], _joined(added), step.turn),)
        eaten = anchor + pool
        if slots.real:
            eaten += draw(3, slots.real, step.real, fixed.source, step.real_factor)
        if slots.model and slots.mixed:
            both = _either(fixed, step, state.model)
            eaten += draw(4, slots.model, step.model, both, jnp.ones_like(step.share))
        elif slots.model:
            eaten += draw(4, slots.model, step.model, state.model, step.model_factor)
        if always_full and slots.model % (2 * LANES) == 0:
            eaten = tuple(piece._replace(kept=None) for piece in eaten)
        model = fit(eaten, step.total, state.model, iterations, covariance)
        return State(model, anchor, pool)

    return step


def _joined(pieces: tuple[Piece, ...]) -> Piece:
    return Piece(*(jnp.concatenate(parts) for parts in zip(*pieces, strict=True)))


def _chosen(condition: Any, a: Piece, b: Piece) -> Piece:
    return Piece(*(jnp.where(condition, x, y) for x, y in zip(a, b, strict=True)))


def _written(pool: Piece, added: Piece, turn: Any) -> Piece:
    """The pool with the batch of generation `turn` (from 0) in its place."""
    place = turn * len(added.kept)
    return Piece(*(lax.dynamic_update_slice_in_dim(a, b, place, 0) for a, b in zip(pool, added, strict=True)))


def drawn(key: Key, replicate: Any, most: int, count: Any, model: Model, turn: Any) -> tuple[Piece, ...]:
    """`count` points of a mixture in two halves, each with room for half of `most`."""
    d = model.means.shape[1]
    half = _half(most)
    index = jnp.arange(half, dtype=jnp.uint32)
    labels = threefry(key, (replicate, index * np.uint32(d + 1)))
    normals = [
        normal_pair(threefry(key, (replicate, index * np.uint32(d + 1) + np.uint32(1 + j))), turn)
        for j in range(d)
    ]
    return tuple(
        _points(index * 2 + np.uint32(side), labels[side], [z[side] for z in normals], count, model)
        for side in (0, 1)
    )


def _points(number: Array, word: Array, z: list[Array], count: Any, model: Model) -> Piece:
    dtype = z[0].dtype
    components, d = model.means.shape
    cumulative = jnp.cumsum(model.weights)
    if dtype == jnp.float64:
        uniform = word.astype(dtype) * dtype.type(2.0**-32)
    else:
        uniform = (word >> 8).astype(dtype) * dtype.type(2.0**-24)
    label = jnp.zeros_like(number, jnp.int32)
    for k in range(components - 1):
        label = label + (uniform >= cumulative[k] / cumulative[-1])
    kept = (number < count.astype(jnp.uint32)).astype(dtype)
    pick = lambda values: _picked(label, values, components)  # noqa: E731
    if d == 1:
        x = pick(model.means[:, 0]) + pick(model.factors[:, 0, 0]) * z[0]
        return Piece(x.reshape(-1, LANES), kept.reshape(-1, LANES))
    rows = [
        pick(model.means[:, i]) + sum(pick(model.factors[:, i, j]) * z[j] for j in range(i + 1))
        for i in range(d)
    ]
    return Piece(jnp.stack(rows, axis=1), kept)


def _picked(label: Array, values: Array, components: int) -> Array:
    found = jnp.broadcast_to(values[0], label.shape)
    for k in range(1, components):
        found = jnp.where(label == k, values[k], found)
    return found
