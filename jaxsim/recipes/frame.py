"""What a replicate of the exact engine remembers of a recipe: parts in a moving frame.

The frame's origin is the first peer's newest model, its unit the standard deviation of the widest of the
newest models. What collapses, collapses with the frame, and the distances between batches that decide the
next variance keep their digits at any depth. While a generation takes real points the unit is at least the
source's standard deviation. Own derivation.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp

FAR = 1e300  # distances in the frame stop here, or short of the largest number there is


class Part(NamedTuple):
    """A mean in the frame, and the sum of squares about it; or the log variance of a model."""

    mean: Any
    spread: Any


class State(NamedTuple):
    """What later fits can read.

    Attributes:
        origin: the frame's, from the source's mean, in the source's standard deviations.
        unit: the frame's, 0 where it is too small to be written.
        log_unit: its logarithm.
        models: [lag][peer], the newest first; in the frame, the variance as a logarithm.
        batches: [lag][peer][part], in the frame.
        pools: [peer], in the frame.
        sets: in the source's units, from its mean.
    """

    origin: Any
    unit: Any
    log_unit: Any
    models: tuple[tuple[Part, ...], ...]
    batches: tuple[tuple[tuple[Part, ...], ...], ...]
    pools: tuple[Part, ...]
    sets: tuple[Part, ...]


def merged(pieces: Sequence[tuple[Any, Part]]) -> Part:
    """Pieces (count, part) as one."""
    if len(pieces) == 1:
        return pieces[0][1]
    total = reduce(jnp.add, (count for count, _ in pieces))
    mean = sum((count / total) * part.mean for count, part in pieces)
    spread = sum(part.spread + count * (part.mean - mean) ** 2 for count, part in pieces)
    return Part(mean, spread)


def widened(state: State) -> tuple[State, Any]:
    """In a frame whose unit is at least the source's standard deviation; the old unit in the new."""
    unit = jnp.maximum(state.unit, 1)
    factor = state.unit / unit
    log_unit = jnp.maximum(state.log_unit, 0)
    return _scaled(state, factor, state.log_unit - log_unit, unit, log_unit), factor


def reframed(state: State, variances: Sequence[Any]) -> State:
    """In the frame of the newest models, whose variances in the present frame are given."""
    widest = reduce(jnp.maximum, variances)
    root, shift = jnp.sqrt(widest), state.models[0][0].mean
    step = jnp.log(widest) / 2

    def moved(part: Part) -> Part:
        return part._replace(mean=part.mean - shift)

    state = state._replace(
        origin=state.origin + shift * state.unit,
        models=tuple(tuple(map(moved, peers)) for peers in state.models),
        batches=tuple(tuple(tuple(map(moved, parts)) for parts in peers) for peers in state.batches),
        pools=tuple(map(moved, state.pools)),
    )
    return _scaled(state, 1 / root, -step, state.unit * root, state.log_unit + step)


def _scaled(state: State, factor: Any, log_factor: Any, unit: Any, log_unit: Any) -> State:
    """In another unit, `factor` of which are the present one."""
    square = factor * factor

    def stored(part: Part) -> Part:
        return Part(_near(part.mean * factor), part.spread * square)

    def fitted(part: Part) -> Part:
        return Part(_near(part.mean * factor), part.spread + 2 * log_factor)

    return state._replace(
        unit=unit,
        log_unit=log_unit,
        models=tuple(tuple(map(fitted, peers)) for peers in state.models),
        batches=tuple(tuple(tuple(map(stored, parts)) for parts in peers) for peers in state.batches),
        pools=tuple(map(stored, state.pools)),
    )


def _near(distance: Any) -> Any:
    far = min(FAR, float(jnp.finfo(distance.dtype).max) / 1e8)
    return jnp.clip(distance, -far, far)
