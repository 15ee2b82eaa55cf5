"""What is measured on the models of a recipe: of one that stands for all, or of each, side by side."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsim.recipes.space_frame import root, times
from jaxsim.replace import line, space
from jaxsim.schedule import unit_length
from jaxsim.triangular import solve_lower
from theory.loop import Loop
from theory.observable import LINE, SPACE
from theory.peers import Peers


@lru_cache(maxsize=16)
def exact_observer(models: int | None) -> Any:
    """(name, fixed, step, state) -> an observable of a state of `jaxsim.recipes.exact`."""

    def observe(name: str, fixed: Any, step: Any, state: Any) -> Any:
        frame = state.frame
        peers = [(frame.origin + m * frame.unit, s + 2 * frame.log_unit) for m, s in state.models[0]]
        return _seen(name, peers, models)

    return observe


@lru_cache(maxsize=16)
def literal_observer(models: int | None) -> Any:
    """(name, fixed, step, state) -> an observable of a state of `jaxsim.recipes.literal`."""

    def observe(name: str, fixed: Any, step: Any, state: Any) -> Any:
        return _seen(name, [(m, jnp.log(v)) for m, v in state.models[0]], models)

    return observe


@lru_cache(maxsize=16)
def literal_space_observer(models: int | None) -> Any:
    """(name, fixed, step, state) -> an observable of a state of `jaxsim.recipes.literal` in d dimensions."""

    def observe(name: str, fixed: Any, step: Any, state: Any) -> Any:
        def look(mean: Any, factor: Any) -> Any:
            pivots = jnp.diag(factor)
            return in_space(name, fixed, step.reciprocal, mean, factor / pivots, jnp.log(pivots))

        return _of_each(look, state.models[0], models)

    return observe


@lru_cache(maxsize=16)
def exact_space_observer(models: int | None) -> Any:
    """(name, fixed, step, state) -> an observable of a state of `jaxsim.recipes.space_exact`."""

    def observe(name: str, fixed: Any, step: Any, state: Any) -> Any:
        frame = state.frame
        outward = root(frame)

        def look(mean: Any, factor: Any) -> Any:
            shape, scales = times(frame.shape, frame.scales, factor)
            return in_space(name, fixed, step.reciprocal, frame.origin + outward @ mean, shape, scales)

        return _of_each(look, state.models[0], models)

    return observe


def in_space(name: str, fixed: Any, reciprocal: Any, error: Any, shape: Any, scales: Any) -> Any:
    """An observable of `jaxsim.replace.space` of a model with this mean error and root N diag(e^h).

    Seen from a model 0 that is the standard normal.
    """
    zero, all_alive = jnp.zeros_like(scales), jnp.ones(len(scales), bool)
    identity = jnp.eye(len(scales), dtype=scales.dtype)
    whiten = solve_lower(fixed.source, identity)
    volume = -2 * jnp.sum(jnp.log(jnp.diag(fixed.source)))
    view = space.Fixed(
        factor=identity,
        source=fixed.source,
        whiten=whiten,
        reach=fixed.source,
        offset=zero,
        reach_offset=zero,
        turn=fixed.turn,
        mass=(),
        rows=(),
    )
    stage = dict.fromkeys(space.Step._fields) | {
        "after": zero,
        "alive": all_alive,
        "log_volume": volume,
        "reciprocal": reciprocal,
    }
    state = space.State(error, shape, 2 * scales)
    if name == "lyapunov":
        start = jnp.diag(fixed.root)
        return (state.deviation - 2 * jnp.log(start)) * reciprocal
    return space.observe(name, view, space.Step(**stage), state)


def names(loop: Loop) -> tuple[str, ...]:
    """What is measured on a model of a recipe."""
    source: Any = loop.source
    if not source.is_scalar:
        return tuple(name for name in SPACE if name != "log_pseudo_det")
    return (*LINE, "between_models") if isinstance(loop.data, Peers) else LINE


def default(loop: Loop) -> tuple[str, ...]:
    """Those given unasked: in many dimensions not the costly ones."""
    found, source = names(loop), loop.source
    if source.is_scalar or source.dimension <= space.LARGEST_CHEAP:
        return found
    return tuple(name for name in found if name not in space.COSTLY)


def unit(name: str, loop: Loop, generations: int) -> tuple[np.ndarray, float]:
    """(shift [1 + generation], factor): an observable is shift + factor * (what is observed)."""
    source: Any = loop.source
    length = unit_length(source)
    if name == "log_variance":
        return np.full(generations + 1, np.log(source.variance)), 1.0
    if name == "log_det":
        return np.full(generations + 1, 2 * source.dimension * np.log(length)), 1.0
    if name == "between_models":
        return np.zeros(generations + 1), length**2
    power = (line if source.is_scalar else space).OBSERVABLES[name][1]
    return np.zeros(generations + 1), length**power


def _seen(name: str, peers: list[tuple[Any, Any]], models: int | None) -> Any:
    if name == "between_models":
        return _between(jnp.stack([mean for mean, _ in peers]))
    return _of_each(partial(_look, name), peers, models)


def _of_each(look: Any, peers: Sequence[tuple[Any, Any]], models: int | None) -> Any:
    """What is seen of the first peer, where one stands for all; else [peer, ...]."""
    if models is None:
        return look(*peers[0])
    return jax.vmap(look)(*(jnp.stack(column) for column in zip(*peers, strict=True)))


def _look(name: str, error: Any, log_variance: Any) -> Any:
    return log_variance if name == "log_variance" else line.OBSERVABLES[name][0](error, log_variance)


def _between(means: Any) -> Any:
    """The variance between the models' means, divisor K - 1; 0 for one model."""
    error = means - jnp.mean(means)
    return jnp.sum(error * error) / max(len(means) - 1, 1)
