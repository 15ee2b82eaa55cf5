r"""From generation 1 alone: how a generator samples and how much it has learnt, and what must follow.

In direction j a model was trained on points of variance a_j and made points of variance b_j. With the known
map g of the sampler (`theory.diffusion.sampler_map`, in the units in which the network is trained: variances
over the mean variance of the training set), n training points and their covariance S,

    ln lambda_j = ln(b_j / a_j),        ln c_j = ln b_j - ln g((1 - 1/n) S)_jj,

c_j being what neither the sampler nor the size of the training set explains: the network. Under `replace`
what is made is what the next generation is trained on, so that the log variance x obeys

    x'_j = r^k ln c_j + ln g((1 - 1/n) S)_jj + w_j z        in the k-th generation after the first.

w_j^2 is the sampling variance (kappa_j - 1) / n, times how much more the replicates differ than that:
retraining. What a network cannot represent it removes, and what is removed is not there to be removed again;
generation 1 cannot say how much is left, so the persistence r is uniform on (0, 1). Where c_j is 1 it does
not matter. The control keeps lambda_j constant. Intervals are quantiles of simulated paths (`models.paths`).

Directions are the principal ones of the real points; for images, of their features in the hidden layer of
the classifier. A feature is linear where noise is small: white noise of variance v on the image moves it by
v |grad|^2, so the unit of a feature's variance is that of a pixel's times the mean of |grad|^2, and a linear
feature w x has the variance w' Sigma w / |w|^2 in the units of the sampler. Own derivation, after
`theory.diffusion.forecast`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import truncnorm

from models.generation import Generation
from models.judging import FEATURE, Judge
from models.paths import Map, Sampler, Step, constant, shaped, variances
from models.real import Real
from models.scores import LEVEL, Draws, Truth, scored
from theory import generator as words
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.diffusion.forecast import Estimate, inverse_effective_size, mean_discrepancy, useful_horizon
from theory.generator import AFFINE, Diffusion
from theory.loop import Loop, LoopError, Replace
from theory.loop import Sampler as LoopSampler
from theory.replacement import sample_sizes

DIRECTIONS = 16
"""Directions forecast: those in which the real points vary most."""

DEAD = 1e-9
"""The share of the variance below which a direction counts as one in which nothing varies."""

SURE = 3.0
"""Standard errors beyond which c differs from 1."""


class Reference(NamedTuple):
    """Real points that were not trained on, the same for every replicate.

    Attributes:
        mean: theirs, [direction].
        count: how many they are.
        pool: how many training sets are drawn from, without replacement; infinite for a law.
    """

    mean: np.ndarray
    count: int
    pool: float = np.inf


class Learnt(NamedTuple):
    """What generation 1 says, direction by direction.

    Attributes:
        log_bias: ln lambda, and its error over replicates.
        log_network: ln c, and its error.
        spread: w, the standard deviation of one generation's noise in one replicate.
        freedom: degrees of freedom behind the spread.
        inverse_size: 1 / n_eff, and its error.
    """

    log_bias: Estimate
    log_network: Estimate
    spread: np.ndarray
    freedom: float
    inverse_size: Estimate

    def step(self, bias: Estimate) -> Step:
        """What moves a log variance whose unexplained drift is `bias`."""
        return Step(bias.value, bias.error, self.spread, self.freedom)

    @property
    def of_network(self) -> np.ndarray:
        """Whether a direction's c differs from 1 beyond its error."""
        return np.abs(self.log_network.value) > SURE * self.log_network.error

    @property
    def horizon(self) -> float:
        """Generations until the unknown part of ln lambda has grown to order one, in the median direction.

        That part is its standard error and, where c is the network's, ln c: nobody knows how long it lasts.
        """
        unknown = np.where(self.of_network, self.log_network.value, 0.0)
        return float(np.median(useful_horizon(Estimate(unknown, np.hypot(self.log_bias.error, unknown)))))


def sampler_map(generator: Diffusion, bias: float = 1.0) -> Map:
    """The map of theory on the variance of a direction, with the exact score.

    Args:
        generator: its schedule and sampler.
        bias: the variance of the noise that is drawn; that of what an affine score makes is multiplied by it.
    """
    exact = _exact_map(generator)
    return lambda s: bias * exact(s)


def _exact_map(generator: Diffusion) -> Map:
    match generator.schedule:
        case words.LINEAR:
            schedule = diffusion_schedule.linear(generator.steps)
        case words.COSINE:
            schedule = diffusion_schedule.cosine(generator.steps)
        case words.EDM:
            schedule = diffusion_schedule.edm(generator.steps)
        case other:
            raise LoopError("generator.schedule", other, "no map is known for it")
    match generator.sampler:
        case words.HEUN:
            return lambda s: diffusion.heun(schedule, s)
        case words.DDPM:
            return lambda s: diffusion.ddpm(schedule, s, "beta", last_noise=False)
        case words.DDIM:
            return lambda s: diffusion.ddim_with_noise(schedule, s, generator.eta)
        case other:
            raise LoopError("generator.sampler", other, "no map is known for it")


def forecast(
    loop: Loop, real: Real, judge: Judge, generations: list[Generation], *, pixels: bool = False
) -> dict[str, Any]:
    """Forecast generations 2 to T of a run from its first, and say how it came out.

    Args:
        loop: of the policy `replace` with as many points in every generation.
        real: its real points.
        judge: what measured them.
        generations: 1 to T of the run; only the first is used for the forecast.
        pixels: whether images are looked at along principal directions of their pixels, not features.

    Returns:
        What generation 1 says, per direction; under `forecast` and `constant` (the control) coverage, width
        and scores as `models.paths.scored` gives them.

    Raises:
        LoopError: for another policy, a run kept without what is needed, or if no direction varies.
    """
    foreseen = foresee(loop, real, judge, generations[0], len(generations) - 1, pixels=pixels)
    learnt, paths = foreseen.learnt, foreseen.paths
    truth = foreseen.truth(generations[1:])
    return {
        "space": "features" if foreseen.features else "coordinates",
        "directions": len(foreseen.directions),
        "log_bias": _pair(learnt.log_bias),
        "log_network": _pair(learnt.log_network),
        "inverse_effective_size": _pair(learnt.inverse_size),
        "useful_horizon": learnt.horizon,
        "level": LEVEL,
        **{name: scored(found, truth) for name, found in paths.items()},
        "median": np.exp(np.median(paths["forecast"], axis=0).mean(axis=0)).tolist(),
        "truth": np.exp(truth.mean(axis=0)).tolist(),
    }


class Foreseen(NamedTuple):
    """What generation 1 foresees, before any later one is looked at.

    Attributes:
        learnt: what it says, direction by direction.
        directions: those forecast.
        features: whether they are of the feature space.
        paths: log variances of the generations to come, by the `forecast` and by its control, `constant`.
    """

    learnt: Learnt
    directions: np.ndarray
    features: bool
    paths: dict[str, Draws]

    def truth(self, later: list[Generation]) -> Truth:
        """Log variances of the generations that came, in the same directions."""
        moments = [_moments(generation, self.features) for generation in later]
        found = [moment["loop_variance"][:, self.directions] for moment in moments]
        empty = np.zeros((self.paths["forecast"].shape[1], 0, len(self.directions)))
        return np.log(np.stack(found, axis=1)) if found else empty


def foresee(
    loop: Loop, real: Real, judge: Judge, generation: Generation, later: int, *, pixels: bool = False
) -> Foreseen:
    """Paths of the `later` generations that follow generation 1; arguments and errors as in `forecast`."""
    if not isinstance(loop.data, Replace) or len(set(sample_sizes(loop.data.n, later + 1))) > 1:
        raise LoopError("--forecast", loop.data.policy, "it is known for replace with a constant n")
    features = not pixels and judge.feature_axes is not None
    first = _moments(generation, features)
    total = first["eaten_variance"].sum(axis=1, keepdims=True)
    least = np.minimum(first["loop_variance"], first["eaten_variance"])
    chosen = np.flatnonzero((least > DEAD * total).all(axis=0))[:DIRECTIONS]
    if not len(chosen):
        raise LoopError("--forecast", None, "generation 1 varies in no direction")
    to = sampler_map(loop.generator, _noise(loop.sampler))
    shrinking = loop.generator.network != AFFINE
    made = sample_sizes(loop.data.n, 1)[0]
    response = judge.response()[chosen] if features else np.ones(len(chosen))
    eaten, unit = (
        _unit(loop, real, generation.spectrum[f"{whose}_variance"]) * response for whose in ("eaten", "loop")
    )
    reference = Reference(judge.held_out_mean(features), len(real.held_out[0]), real.most or np.inf)
    learnt = learn(Sampler(to, eaten, made, shrinking), first, chosen, reference)
    start = first["loop_covariance"][:, chosen][:, :, chosen]
    paths = {
        "forecast": shaped(Sampler(to, unit, made, shrinking), start, learnt.step(learnt.log_network), later),
        "constant": constant(np.log(first["loop_variance"][:, chosen]), learnt.step(learnt.log_bias), later),
    }
    return Foreseen(learnt, chosen, features, paths)


def _moments(generation: Generation, features: bool) -> dict[str, np.ndarray]:
    """A generation's moments by the names they have outside the feature space."""
    known = generation.spectrum
    if not features:
        return known
    found = {name.replace(FEATURE, ""): moment for name, moment in known.items() if FEATURE in name}
    if not found:
        raise LoopError("--forecast", None, "the run was kept without moments in the feature space")
    return found


def _noise(sampler: LoopSampler) -> float:
    """The variance of what the sampler draws in the place of a standard normal (`models.sampling.noise`)."""
    if sampler.truncate is not None:
        return float(truncnorm.var(-float(sampler.truncate), float(sampler.truncate)))
    return float(sampler.bias if sampler.temperature is None else sampler.temperature)


def _unit(loop: Loop, real: Real, variances: np.ndarray) -> np.ndarray:
    """The variance that is 1 to the sampler: the mean variance of a coordinate; 1 for an affine score."""
    if loop.generator.network == AFFINE:
        return np.ones((len(variances), 1))
    return variances.sum(axis=1, keepdims=True) / np.prod(real.shape)


def learn(sampler: Sampler, first: dict[str, np.ndarray], chosen: np.ndarray, reference: Reference) -> Learnt:
    """What generation 1 says.

    Args:
        sampler: what it explains, in the units of the training set.
        first: moments of generation 1.
        chosen: directions.
        reference: what means are compared with.
    """
    eaten, loop = first["eaten_variance"][:, chosen], first["loop_variance"][:, chosen]
    replicates = len(eaten)
    log_bias = np.log(loop / eaten)
    explained = variances(sampler.root(first["eaten_covariance"][:, chosen][:, :, chosen]))
    log_network = np.log(loop / explained)
    sampling = (first["loop_kurtosis"][:, chosen].mean(axis=0) - 1) / sampler.made
    excess, freedom = 1.0, np.inf
    if replicates > 1:
        freedom = float((replicates - 1) * len(chosen))
        excess = float(np.mean(log_network.var(axis=0, ddof=1) / sampling))
    spread = np.sqrt(sampling * excess)
    error = spread / np.sqrt(replicates)
    gaps = [
        mean_discrepancy(mean, 0.0, variance)
        for mean, variance in zip(first["loop_mean"][:, chosen] - reference.mean[chosen], eaten, strict=True)
    ]
    size = inverse_effective_size(
        float(np.mean(gaps)),
        float(np.exp(log_bias.mean())),
        sampler.made,
        reference.count,
        len(chosen),
        replicates,
        reference.pool,
    )
    return Learnt(
        Estimate(log_bias.mean(axis=0), error),
        Estimate(log_network.mean(axis=0), error),
        spread,
        freedom,
        size,
    )


def _pair(estimate: Estimate) -> dict[str, Any]:
    return {"value": np.asarray(estimate.value).tolist(), "error": np.asarray(estimate.error).tolist()}
