"""Real generators: the tables [generator] and [training] of a loop. Vocabulary only.

What a neural generator is fitted by is its training; the estimator of the loop names the principle, the
likelihood, of which a denoising loss is a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.counts import check_count
from theory.quantity import LoopError, Number, is_symbolic, one_of, positive, real, settle

AFFINE, MLP, UNET = "affine", "mlp", "unet"
LINEAR, COSINE, EDM = "linear", "cosine", "edm"
DDIM, DDPM, HEUN = "ddim", "ddpm", "heun"
ADAM, ADAMW = "adam", "adamw"
LINEAR_STEPS = 1000


@dataclass(frozen=True)
class Diffusion:
    """A diffusion model: the generator `diffusion`.

    Attributes:
        network: `affine`: the score of the normal with the training set's mean and covariance, exact, nothing
            is trained; `mlp`: residual multilayer perceptron; `unet`: convolutions, for images.
        schedule: noise levels. `linear`: betas from 1e-4 to 0.02 in 1,000 steps, strided (Ho et al. 2020,
            arXiv:2006.11239); `cosine`: abar_t = cos^2(pi t / 2); `edm`: sigma from 80 to 0.002, rho = 7
            (Karras et al. 2022, arXiv:2206.00364).
        steps: T, the transitions of the sampler.
        sampler: `ddim` (Song et al. 2021, arXiv:2010.02502), `ddpm` (ancestral, variance beta_t, no noise in
            the last transition), `heun` (Karras et al. 2022, algorithm 1).
        eta: of `ddim`: the share of the ancestral noise; 1 is ancestral sampling with the posterior variance.
        width: features of the network (of its widest images); not for `affine`.
        depth: residual blocks (a resolution, in a `unet`); not for `affine`.
    """

    network: str
    schedule: str
    steps: int
    sampler: str
    eta: Number = 0.0
    width: int | None = None
    depth: int | None = None
    kind: ClassVar[str] = "diffusion"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "network": (AFFINE, MLP, UNET),
        "schedule": (LINEAR, COSINE, EDM),
        "sampler": (DDIM, DDPM, HEUN),
    }

    def __post_init__(self):
        for key, words in self.choices.items():
            one_of(key, getattr(self, key), words)
        settle(self, steps=check_count("steps", self.steps, 2), eta=real("eta", self.eta))
        if not is_symbolic(self.eta) and not 0 <= self.eta <= 1:
            raise LoopError("eta", self.eta, "a number from 0 to 1 is needed")
        if self.eta != 0 and self.sampler != DDIM:
            raise LoopError("eta", self.eta, f"the sampler {self.sampler} has none")
        if self.sampler == HEUN and self.schedule == COSINE:
            raise LoopError("sampler", self.sampler, "the cosine schedule starts from infinite sigma")
        if self.schedule == LINEAR and self.steps > LINEAR_STEPS:
            raise LoopError("steps", self.steps, f"the linear schedule has {LINEAR_STEPS}")
        for key in ("width", "depth"):
            value = getattr(self, key)
            if self.network == AFFINE and value is not None:
                raise LoopError(key, value, "an affine score has none")
            if self.network != AFFINE:
                if value is None:
                    raise LoopError(key, None, "it is missing")
                settle(self, **{key: check_count(key, value, 1)})
        if self.network != AFFINE and self.width % 8:
            raise LoopError("width", self.width, "a multiple of 8 is needed")


@dataclass(frozen=True)
class Training:
    """How a network is fitted: the table `training`.

    Attributes:
        optimiser: `adam` or `adamw` (decoupled decay of 1e-4 per unit of the rate).
        rate: the learning rate at its highest; it rises over the first 5% of the steps and falls to zero
            along a half cosine.
        steps: minibatches.
        batch: points of one.
        ema: the decay of the running average of the weights, from which is sampled; it warms up as
            (1 + step) / (10 + step).
        clip: the largest norm of a gradient; None: gradients are not clipped.
        context_dropout: the share of points whose class is hidden, so that one network is conditional and
            unconditional (Ho and Salimans 2022, arXiv:2207.12598); None: classes are not used.
    """

    optimiser: str
    rate: Number
    steps: int
    batch: int
    ema: Number
    clip: Number | None = None
    context_dropout: Number | None = None
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"optimiser": (ADAM, ADAMW)}

    def __post_init__(self):
        one_of("optimiser", self.optimiser, self.choices["optimiser"])
        settle(
            self,
            rate=real("rate", self.rate),
            steps=check_count("steps", self.steps, 1),
            batch=check_count("batch", self.batch, 1),
            ema=_share("ema", self.ema),
        )
        positive("rate", self.rate)
        if self.clip is not None:
            settle(self, clip=real("clip", self.clip))
            positive("clip", self.clip)
        if self.context_dropout is not None:
            settle(self, context_dropout=_share("context_dropout", self.context_dropout))


def _share(key: str, value: object) -> Any:
    value = real(key, value)
    if not is_symbolic(value) and not 0 <= value < 1:
        raise LoopError(key, value, "a number from 0, and less than 1, is needed")
    return value


GENERATORS = {part.kind: part for part in (Diffusion,)}


def check_training(generator: object, training: Training | None) -> None:
    """Refuse a network without its training, and a training without a network.

    Raises:
        LoopError: naming the table.
    """
    trained = generator is not None and getattr(generator, "network", None) != AFFINE
    if trained and training is None:
        raise LoopError("training", None, "the table [training] is missing: the generator is a network")
    if training is not None and not trained:
        raise LoopError("training", None, "there is no network to train")
