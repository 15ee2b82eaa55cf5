"""A loop's generator as the triple every loop consists of: draw (`models.real`), fit and sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from models import affine
from models import sampling as networks
from models.network import network
from models.points import Pool
from models.real import Real
from models.sampling import Sampling
from models.training import Model, fit, trainer
from theory.generator import AFFINE, UNET
from theory.loop import Loop, LoopError, MaximumLikelihood, Unbiased

Progress = Callable[[int, int], None]


class Generator(NamedTuple):
    """Pure functions of stacked replicates; the first axis of every array is the replicate.

    Attributes:
        fit: (keys, pool, points in it, models to go on from or None, share of the training, progress) ->
            models and, for networks, the losses at the end of training.
        sample: (keys, models, points) -> points.
        template: the structure of the models; its leaves mean nothing.
    """

    fit: Callable[..., tuple[Any, np.ndarray | None]]
    sample: Sampling
    template: Any


def generator(loop: Loop, real: Real) -> Generator:
    """What fits and samples the models of a loop.

    Args:
        loop: with a generator.
        real: its real points, whose shape and classes the models have.

    Raises:
        LoopError: for a network that does not suit the points, or an estimator or bias it does not have.
    """
    kind, training = loop.generator, loop.training
    if kind.network == AFFINE:
        if not isinstance(loop.estimator, MaximumLikelihood | Unbiased):
            raise LoopError("estimator.name", loop.estimator.name, "an affine score takes plain moments")
        if loop.sampler.guidance is not None:
            raise LoopError("sampler.guidance", loop.sampler.guidance, "an affine score knows no classes")

        def fit_affine(keys, pool: Pool, count, start, share, progress):
            return affine.fit(pool, count, loop.estimator), None

        template = affine.Normal(mean=0, axes=0, variances=0)
        return Generator(fit_affine, affine.sampling(kind, loop.sampler, real.shape), template)
    _check_network(loop, real)
    classes = 0 if training.context_dropout is None else real.classes
    made = trainer(kind, training, real.shape, classes)

    def fit_network(keys, pool: Pool, count, start, share, progress):
        steps = math.ceil(training.steps * share)
        told = None if progress is None else lambda done, of, loss: progress(done, of)
        return fit(made, keys, pool, steps, start=start, progress=told)

    parameters = jax.eval_shape(network(kind, real.shape, classes)[0], jax.random.key(0))
    template = Model(parameters, mean=0, scale=0, frequencies=0)
    return Generator(fit_network, networks.sampling(kind, loop.sampler, real.shape, classes), template)


def _check_network(loop: Loop, real: Real) -> None:
    kind, training = loop.generator, loop.training
    if not isinstance(loop.estimator, MaximumLikelihood):
        raise LoopError("estimator.name", loop.estimator.name, "a network is fitted by its training")
    if training.context_dropout is not None and not real.classes:
        raise LoopError("training.context_dropout", training.context_dropout, "the source has no classes")
    if kind.network == UNET and (len(real.shape) != 3 or any(side % 4 for side in real.shape[:2])):
        raise LoopError(
            "generator.network", UNET, f"points have the shape {real.shape}: sides must be multiples of 4"
        )
