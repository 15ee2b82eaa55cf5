"""Denoising networks fitted to a pool of points, an ensemble of replicates at once.

Everything is written for one replicate; `models.ensemble` adds the axis. Points are standardised with the
pool's own mean (per coordinate) and one scale (the root of the mean variance), so that the preconditioning of
`models.diffusion` holds in every generation, however far a loop has collapsed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from models.diffusion import loss
from models.ensemble import mapped, on_cpu
from models.network import network
from models.points import Pool
from theory.generator import ADAMW, UNET, Diffusion, Training

WARM_UP = 0.05
DECAY = 1e-4
CHUNK = 250
"""Steps between two looks at the loss, and at the clock."""


class Model(NamedTuple):
    """A trained denoiser.

    Attributes:
        parameters: the running average of the weights.
        mean: of the points it was fitted to.
        scale: one number, their spread.
        frequencies: of the classes among them.
    """

    parameters: Any
    mean: Float[Array, "*shape"]
    scale: Float[Array, ""]
    frequencies: Float[Array, " classes"]


class Fit(NamedTuple):
    """A training under way: `count` of `total` steps."""

    model: Model
    parameters: Any
    optimiser: Any
    key: Array
    count: Array
    total: Array


class Trainer(NamedTuple):
    """How networks are fitted: one replicate, or with a leading axis all of them.

    Attributes:
        begin: (key, pool, total steps) -> Fit, from scratch.
        resume: (key, pool, total steps, model) -> Fit, from the weights of a model.
        advance: (Fit, pool) -> (Fit, mean loss), `stride` steps.
        stride: see there.
    """

    begin: Callable[..., Fit]
    resume: Callable[..., Fit]
    advance: Callable[[Fit, Pool], tuple[Fit, Array]]
    stride: int


@lru_cache(maxsize=8)
def trainer(generator: Diffusion, training: Training, shape: tuple[int, ...], classes: int) -> Trainer:
    """How all replicates of one kind of network are fitted to points of one shape.

    Args:
        generator: the network.
        training: how.
        shape: of one point.
        classes: how many, 0 if they are not used.
    """
    one = single(generator, training, shape, classes)
    unrolled = _outside(generator)
    begin, resume, advance = (mapped(f, unrolled=unrolled) for f in (one.begin, one.resume, one.advance))
    return Trainer(begin, resume, advance, one.stride)


def _outside(generator: Diffusion) -> bool:
    """Whether steps are called from Python: XLA on a CPU is slow at convolutions inside loops."""
    return generator.network == UNET and on_cpu()


def single(generator: Diffusion, training: Training, shape: tuple[int, ...], classes: int) -> Trainer:
    """How one replicate is fitted, as plain functions; the arguments are those of `trainer`."""
    start, apply = network(generator, shape, classes)
    transform = _transform(training)
    stride = 1 if _outside(generator) else min(CHUNK, training.steps)

    def begun(key, pool, total, parameters):
        mean, scale = standard(pool)
        model = Model(parameters, mean, scale, frequencies(pool, classes))
        count = jnp.zeros((), jnp.int32)
        return Fit(model, parameters, transform.init(parameters), key, count, total)

    def begin(key, pool, total):
        return begun(jax.random.fold_in(key, 1), pool, total, start(jax.random.fold_in(key, 0)))

    def resume(key, pool, total, model):
        return begun(jax.random.fold_in(key, 1), pool, total, model.parameters)

    def objective(parameters, key, values, labels):
        hidden, drawn = jax.random.split(key)
        if classes:
            dropped = jax.random.uniform(hidden, labels.shape) < training.context_dropout
            labels = jnp.where(dropped, classes, labels)

        def one(key, x0, label):
            return loss(lambda x, c, s: apply(parameters, x, c, s, label), key, x0, generator.schedule)

        return jax.vmap(one)(jax.random.split(drawn, len(values)), values, labels).mean()

    def moved(fit: Fit, pool: Pool):
        here = jax.random.fold_in(fit.key, fit.count)
        drawing, training_key = jax.random.split(here)
        taken = jnp.searchsorted(
            pool.cumulative, jax.random.uniform(drawing, (training.batch,)), side="right"
        )
        taken = jnp.minimum(taken, len(pool.cumulative) - 1)
        values = (pool.values[taken] - fit.model.mean) / fit.model.scale
        value, gradient = jax.value_and_grad(objective)(
            fit.parameters, training_key, values, pool.labels[taken]
        )
        updates, optimiser = transform.update(gradient, fit.optimiser, fit.parameters)
        rate = training.rate * progress_factor(fit.count, fit.total)
        parameters = jax.tree.map(lambda p, u: p - rate * u, fit.parameters, updates)
        decay = jnp.minimum(training.ema, (1 + fit.count) / (10 + fit.count))
        average = jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, fit.model.parameters, parameters)
        model = fit.model._replace(parameters=average)
        return Fit(model, parameters, optimiser, fit.key, fit.count + 1, fit.total), value

    def advance(fit: Fit, pool: Pool):
        if stride == 1:
            return moved(fit, pool)
        fit, values = jax.lax.scan(lambda fit, _: moved(fit, pool), fit, length=stride)
        return fit, values.mean()

    return Trainer(begin, resume, advance, stride)


def progress_factor(count: Array, total: Array) -> Array:
    """The learning rate over its highest: up over the first 5% of the steps, then a half cosine to zero."""
    done = count / total
    return jnp.minimum(jnp.minimum(1.0, (done + 1 / total) / WARM_UP), (1 + jnp.cos(jnp.pi * done)) / 2)


def _transform(training: Training) -> optax.GradientTransformation:
    parts = [] if training.clip is None else [optax.clip_by_global_norm(training.clip)]
    parts.append(optax.scale_by_adam())
    if training.optimiser == ADAMW:
        parts.append(optax.add_decayed_weights(DECAY))
    return optax.chain(*parts)


def weights(pool: Pool) -> Float[Array, " capacity"]:
    """What each point weighs; for one replicate."""
    return jnp.diff(pool.cumulative, prepend=0.0)


def standard(pool: Pool) -> tuple[Array, Array]:
    """The mean and the scale of one replicate's pool: sqrt(mean over coordinates of the variance)."""
    each = weights(pool)
    mean = jnp.tensordot(each, pool.values, 1)
    variance = jnp.tensordot(each, (pool.values - mean) ** 2, 1).mean()
    tiny = jnp.finfo(variance.dtype).tiny
    return mean, jnp.sqrt(jnp.maximum(variance, tiny))


def frequencies(pool: Pool, classes: int) -> Float[Array, " classes"]:
    """How much each class weighs in one replicate's pool."""
    return jnp.zeros(classes).at[pool.labels].add(weights(pool)) if classes else jnp.zeros(0)


def fit(
    trainer: Trainer,
    keys: Array,
    pool: Pool,
    steps: int,
    *,
    start: Model | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> tuple[Model, Float[np.ndarray, " replicate"]]:
    """Train every replicate.

    Args:
        trainer: how.
        keys: one for each replicate.
        pool: of every replicate.
        steps: minibatches, rounded up to whole strides of the trainer.
        start: weights to go on from; None: from scratch.
        progress: told `(steps done, steps, loss)` now and then.

    Returns:
        The models, and the losses of the last stride.
    """
    strides = math.ceil(steps / trainer.stride)
    total = np.full(len(keys), strides * trainer.stride, np.int32)
    pool = jax.tree.map(jnp.asarray, pool)
    state = trainer.begin(keys, pool, total) if start is None else trainer.resume(keys, pool, total, start)
    every = max(CHUNK // trainer.stride, 1)
    recent: list[Array] = []
    for done in range(1, strides + 1):
        state, value = trainer.advance(state, pool)
        recent = [*recent, value][-every:]
        if progress is not None and (done % every == 0 or done == strides):
            progress(done * trainer.stride, strides * trainer.stride, float(jnp.mean(value)))
    return state.model, np.mean([np.asarray(value) for value in recent], axis=0)
