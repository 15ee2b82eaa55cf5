"""Points from trained denoisers, an ensemble of replicates at once, in blocks of fixed size."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from models.diffusion import Denoiser, Draw, advance, begin, guided, preconditioned, sample, transitions
from models.ensemble import mapped, on_cpu
from models.network import Network, network
from models.points import Points
from models.schedule import levels
from models.training import Model
from theory.generator import UNET, Diffusion
from theory.loop import LoopError, Sampler

BLOCK = 512
"""Points sampled together. Fixed, so that a longer sample extends a shorter one."""

Sampling = Callable[[Array, Model, int], Points]
"""(keys, models, points of each) -> points."""


def noise(sampler: Sampler) -> Draw:
    """The normal that sampling draws from, biased as asked.

    `bias` and `temperature` multiply the variance of every normal that is drawn, which with an affine score
    multiplies the variance of what is generated; `truncate` keeps |z| < c in every coordinate, the truncation
    of Brock et al. (2019), arXiv:1809.11096.

    Raises:
        LoopError: on a bias that a diffusion model does not have.
    """
    for key in ("top_k", "nucleus"):
        if getattr(sampler, key) is not None:
            raise LoopError(f"sampler.{key}", getattr(sampler, key), "a diffusion model has no categories")
    if sampler.truncate is not None:
        bound = sampler.truncate
        return lambda key, shape, dtype: jax.random.truncated_normal(key, -bound, bound, shape, dtype)
    factor = math.sqrt(sampler.bias if sampler.temperature is None else sampler.temperature)
    return lambda key, shape, dtype: factor * jax.random.normal(key, shape, dtype)


def denoiser(apply: Network, parameters: Any, labels: Array, classes: int, weight: float) -> Denoiser:
    """The denoiser of a batch of points with these classes, guided by `weight`."""
    over = jax.vmap(apply, (None, 0, None, None, 0))
    hidden = jnp.full(labels.shape, classes, labels.dtype)
    conditional, unconditional = (
        preconditioned(lambda x, cos, sin, told=told: over(parameters, x, cos, sin, told))
        for told in (labels, hidden)
    )
    return guided(conditional, unconditional, weight)


keyed = mapped(jax.random.fold_in)
"""(keys, numbers) -> keys."""


@lru_cache(maxsize=8)
def sampling(generator: Diffusion, sampler: Sampler, shape: tuple[int, ...], classes: int) -> Sampling:
    """How points are drawn from one kind of network.

    Classes are drawn with the frequencies they had among the points the model was fitted to.

    Args:
        generator: the network, the noise levels and the sampler.
        sampler: the bias of the loop.
        shape: of one point.
        classes: how many, 0 if they are not used.

    Raises:
        LoopError: if there is guidance without classes.
    """
    weight = sampler.guidance or 0.0
    if weight and not classes:
        raise LoopError("sampler.guidance", weight, "it needs classes: give training.context_dropout")
    _, apply = network(generator, shape, classes)
    draw, taken, steps = noise(sampler), levels(generator.schedule, generator.steps), generator.steps
    block = (BLOCK, *shape)

    def labelled(key, model):
        if not classes:
            return jnp.zeros(BLOCK, jnp.int32)
        chances = jnp.log(model.frequencies)
        return jax.random.categorical(jax.random.fold_in(key, 0), chances, shape=(BLOCK,)).astype(jnp.int32)

    def values(key):
        return jax.random.fold_in(key, 1)

    def whole(key, model):
        labels = labelled(key, model)
        denoise = denoiser(apply, model.parameters, labels, classes, weight)
        x = sample(denoise, values(key), block, taken, generator.sampler, eta=generator.eta, draw=draw)
        return model.mean + model.scale * x, labels

    def first(key, model):
        return begin(values(key), block, taken, draw, jnp.float32), labelled(key, model)

    def onward(key, model, labels, x, number):
        to = jax.tree.map(lambda part: part[number - 1], transitions(taken))
        denoise = denoiser(apply, model.parameters, labels, classes, weight)
        return advance(denoise, values(key), x, number, to, generator.sampler, generator.eta, draw)

    def last(model, x):
        return model.mean + model.scale * x

    outside = generator.network == UNET and on_cpu()
    if not outside:
        at_once = mapped(whole)

        def drawn(keys, models):
            return at_once(keys, models)

    else:
        start, move, end = (mapped(f, unrolled=True) for f in (first, onward, last))

        def drawn(keys, models):
            x, labels = start(keys, models)
            for number in range(1, steps + 1):
                x = move(keys, models, labels, x, np.full(len(keys), number))
            return end(models, x), labels

    def run(keys: Array, models: Model, count: int) -> Points:
        parts = [
            tuple(map(np.asarray, drawn(keyed(keys, np.full(len(keys), index)), models)))
            for index in range(math.ceil(count / BLOCK))
        ]
        return Points(*(np.concatenate(arrays, axis=1)[:, :count] for arrays in zip(*parts, strict=True)))

    return run
