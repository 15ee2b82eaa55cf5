"""The moving frame on the line.

The frame's origin is the first peer's newest model, its unit the standard deviation of the widest of the
newest models. What collapses, collapses with the frame, and the distances between batches that decide the
next variance keep their digits at any depth. While a generation takes real points the unit is at least the
source's standard deviation. Own derivation.
"""

from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxsim.recipes.parts import Part, State, moved

FAR = 1e300  # distances in the frame stop here, or short of the largest number there is


class Frame(NamedTuple):
    """Where the numbers of a state are measured from, and in what.

    Attributes:
        origin: from the source's mean, in the source's standard deviations.
        unit: 0 where it is too small to be written.
        log_unit: its logarithm.
    """

    origin: Any
    unit: Any
    log_unit: Any


def widened(state: State) -> tuple[State, Any]:
    """In a frame whose unit is at least the source's standard deviation; the old unit in the new."""
    frame = state.frame
    unit = jnp.maximum(frame.unit, 1)
    factor = frame.unit / unit
    log_unit = jnp.maximum(frame.log_unit, 0)
    wide = Frame(frame.origin, unit, log_unit)
    return _scaled(state, factor, frame.log_unit - log_unit, wide), factor


def reframed(state: State) -> State:
    """In the frame of the newest models, whose variances come as they are and leave as logarithms."""
    frame, newest = state.frame, state.models[0]
    widest = reduce(jnp.maximum, (variance for _, variance in newest))
    root, shift = jnp.sqrt(widest), newest[0].mean
    step = jnp.log(widest) / 2

    def shifted(part: Part) -> Part:
        return part._replace(mean=part.mean - shift)

    logged = tuple(Part(mean, jnp.log(variance)) for mean, variance in newest)
    near = frame._replace(origin=frame.origin + shift * frame.unit)
    state = moved(state._replace(models=(logged, *state.models[1:])), near, shifted, shifted)
    return _scaled(state, 1 / root, -step, Frame(near.origin, frame.unit * root, frame.log_unit + step))


def _scaled(state: State, factor: Any, log_factor: Any, frame: Frame) -> State:
    """In a frame of the same origin and another unit, `factor` of which are the present one."""
    square = factor * factor

    def stored(part: Part) -> Part:
        return Part(_near(part.mean * factor), part.spread * square)

    def fitted(model: Part) -> Part:
        return Part(_near(model.mean * factor), model.spread + 2 * log_factor)

    return moved(state, frame, stored, fitted)


def _near(distance: Any) -> Any:
    far = min(FAR, float(jnp.finfo(distance.dtype).max) / 1e8)
    return jnp.clip(distance, -far, far)
