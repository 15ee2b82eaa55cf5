"""What is measured on the models of a recipe: the observables of `jaxsim.line`, one model or side by side."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsim import line
from theory.loop import Loop


@lru_cache(maxsize=16)
def exact_observer(models: int | None) -> Any:
    """(name, fixed, step, state) -> an observable of a state of `jaxsim.recipe_exact`."""

    def observe(name: str, fixed: Any, step: Any, state: Any) -> Any:
        peers = [(state.origin + m * state.unit, s + 2 * state.log_unit) for m, s in state.models[0]]
        return _seen(name, peers, models)

    return observe


@lru_cache(maxsize=16)
def literal_observer(models: int | None) -> Any:
    """(name, fixed, step, state) -> an observable of a state of `jaxsim.recipe_literal`."""

    def observe(name: str, fixed: Any, step: Any, state: Any) -> Any:
        return _seen(name, [(m, jnp.log(v)) for m, v in state.models[0]], models)

    return observe


def unit(name: str, loop: Loop, generations: int) -> tuple[np.ndarray, float]:
    """(shift [1 + generation], factor): an observable is shift + factor * (what is observed)."""
    source: Any = loop.source
    if name == "log_variance":
        return np.full(generations + 1, np.log(source.variance)), 1.0
    return np.zeros(generations + 1), float(source.variance) ** (line.OBSERVABLES[name][1] / 2)


def _seen(name: str, peers: list[tuple[Any, Any]], models: int | None) -> Any:
    """Of the first peer, where one stands for all; else [peer]."""
    if models is None:
        return _look(name, *peers[0])
    means, logs = (jnp.stack(column) for column in zip(*peers, strict=True))
    return jax.vmap(lambda e, l: _look(name, e, l))(means, logs)


def _look(name: str, error: Any, log_variance: Any) -> Any:
    return log_variance if name == "log_variance" else line.OBSERVABLES[name][0](error, log_variance)
