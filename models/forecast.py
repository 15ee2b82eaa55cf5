r"""From generation 1 alone: how a generator samples and how much it has learnt, and what must follow.

In direction j a model was trained on points of variance a_j and made points of variance b_j. With the known
map g of the sampler (`theory.diffusion.sampler_map`, in the units in which the network is trained: variances
over the mean variance of the training set) and n training points,

    ln lambda_j = ln(b_j / a_j),        ln c_j = ln lambda_j - ln(g(a_j) / a_j) - ln(1 - 1/n),

c_j being what neither the sampler nor the size of the training set explains: the network. Under `replace`
what is made is what the next generation is trained on, so that the log variance x obeys

    x' = r^(k-1) ln c_j + ln g(e^x) + ln(1 - 1/n) + w_j z        in the k-th generation after the first.

w_j^2 is the sampling variance (kappa_j - 1) / n, times how much more the replicates differ than that:
retraining. What a network cannot represent it removes, and what is removed is not there to be removed again;
generation 1 cannot say how much is left, so the persistence r is uniform on (0, 1). Where c_j is 1 it does
not matter. The control keeps lambda_j constant. Intervals are quantiles of simulated paths. Own derivation,
after `theory.diffusion.forecast`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from models.generation import Generation
from models.judging import Judge
from models.real import Real
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.diffusion.forecast import Estimate, inverse_effective_size, mean_discrepancy, useful_horizon
from theory.generator import AFFINE, COSINE, DDPM, HEUN, LINEAR, Diffusion
from theory.loop import Loop, LoopError, Replace
from theory.replacement import sample_sizes

DIRECTIONS = 16
"""Directions forecast: those in which the real points vary most."""

DEAD = 1e-9
"""The share of the variance below which a direction counts as one in which nothing varies."""

LEVEL = 0.9
DRAWS = 1000
"""Simulated paths behind an interval."""

SURE = 3.0
"""Standard errors beyond which c differs from 1."""

Map = Callable[[Any], np.ndarray]


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


class Path(NamedTuple):
    """Log variances at generations 2, ..., T, each [replicate, generation, direction].

    Attributes:
        centre: medians.
        low: lower ends of the intervals.
        high: their upper ends.
    """

    centre: np.ndarray
    low: np.ndarray
    high: np.ndarray


def sampler_map(generator: Diffusion) -> Map:
    """The map of theory on the variance of a direction, with the exact score."""
    if generator.schedule == LINEAR:
        schedule = diffusion_schedule.linear(generator.steps)
    elif generator.schedule == COSINE:
        schedule = diffusion_schedule.cosine(generator.steps)
    else:
        schedule = diffusion_schedule.edm(generator.steps)
    if generator.sampler == HEUN:
        return lambda s: diffusion.heun(schedule, s)
    if generator.sampler == DDPM:
        return lambda s: diffusion.ddpm(schedule, s, "beta", last_noise=False)
    return lambda s: diffusion.ddim_with_noise(schedule, s, generator.eta)


def forecast(loop: Loop, real: Real, judge: Judge, generations: list[Generation]) -> dict[str, Any]:
    """Forecast generations 2 to T of a run from its first, and say how it came out.

    Args:
        loop: of the policy `replace` with as many points in every generation.
        real: its real points.
        judge: what measured them.
        generations: 1 to T of the run; only the first is used for the forecast.

    Returns:
        What generation 1 says, per direction; coverage and errors of the forecast and of the control.

    Raises:
        LoopError: for another policy, or if no direction varies.
    """
    count = len(generations)
    if not isinstance(loop.data, Replace) or len(set(sample_sizes(loop.data.n, count))) > 1:
        raise LoopError("--forecast", loop.data.policy, "it is known for replace with a constant n")
    first = generations[0].spectrum
    total = first["eaten_variance"].sum(axis=1, keepdims=True)
    least = np.minimum(first["loop_variance"], first["eaten_variance"])
    chosen = np.flatnonzero((least > DEAD * total).all(axis=0))[:DIRECTIONS]
    if not len(chosen):
        raise LoopError("--forecast", None, "generation 1 varies in no direction")
    to = sampler_map(loop.generator)
    unit = _unit(loop, real, first["eaten_variance"])
    made = sample_sizes(loop.data.n, 1)[0]
    reference = judge.held_out_mean(), len(real.held_out[0])
    learnt = learn(to, first, chosen, unit, made, reference)
    truth = np.zeros((len(total), count - 1, len(chosen)))
    for place, generation in enumerate(generations[1:]):
        truth[:, place] = np.log(generation.spectrum["loop_variance"][:, chosen])
    start = np.log(first["loop_variance"][:, chosen])
    unit = _unit(loop, real, first["loop_variance"])
    shaped = _simulated(to, start, learnt, unit, made, count - 1)
    constant = _simulated(None, start, learnt, unit, made, count - 1)
    found = {
        "directions": len(chosen),
        "log_bias": _pair(learnt.log_bias),
        "log_network": _pair(learnt.log_network),
        "inverse_effective_size": _pair(learnt.inverse_size),
        "useful_horizon": float(np.median(useful_horizon(learnt.log_bias))),
        "level": LEVEL,
        "forecast": _scored(shaped, truth),
        "constant": _scored(constant, truth),
        "median": np.exp(shaped.centre.mean(axis=0)).tolist(),
        "truth": np.exp(truth.mean(axis=0)).tolist(),
    }
    return found


def _unit(loop: Loop, real: Real, variances: np.ndarray) -> np.ndarray:
    """The variance that is 1 to the sampler: the mean variance of a coordinate; 1 for an affine score."""
    if loop.generator.network == AFFINE:
        return np.ones((len(variances), 1))
    return variances.sum(axis=1, keepdims=True) / np.prod(real.shape)


def learn(
    to: Map,
    first: dict[str, np.ndarray],
    chosen: np.ndarray,
    unit: np.ndarray,
    made: int,
    reference: tuple[np.ndarray, int],
) -> Learnt:
    """What generation 1 says.

    Args:
        to: the sampler's map.
        first: its spectrum.
        chosen: directions.
        unit: of the training set's variances, [replicate, 1].
        made: points behind the variances.
        reference: the mean of real points that were not trained on, and how many they are.
    """
    eaten, loop = first["eaten_variance"][:, chosen], first["loop_variance"][:, chosen]
    replicates = len(eaten)
    log_bias = np.log(loop / eaten)
    log_network = log_bias - np.log(to(eaten / unit) / (eaten / unit)) - np.log1p(-1 / made)
    sampling = (first["loop_kurtosis"][:, chosen].mean(axis=0) - 1) / made
    excess, freedom = 1.0, np.inf
    if replicates > 1:
        freedom = float((replicates - 1) * len(chosen))
        excess = float(np.mean(log_network.var(axis=0, ddof=1) / sampling))
    spread = np.sqrt(sampling * excess)
    error = spread / np.sqrt(replicates)
    held_out, known = reference
    gaps = [
        mean_discrepancy(mean, 0.0, variance)
        for mean, variance in zip(first["loop_mean"][:, chosen] - held_out[chosen], eaten, strict=True)
    ]
    size = inverse_effective_size(
        float(np.mean(gaps)), float(np.exp(log_bias.mean())), made, known, len(chosen) * replicates
    )
    return Learnt(
        Estimate(log_bias.mean(axis=0), error),
        Estimate(log_network.mean(axis=0), error),
        spread,
        freedom,
        size,
    )


def _simulated(
    to: Map | None, start: np.ndarray, learnt: Learnt, unit: np.ndarray, made: int, later: int
) -> Path:
    """Paths of the log variance after generation 1, and their medians and intervals.

    Args:
        to: the sampler's map; None keeps lambda constant.
        start: x of generation 1, [replicate, direction].
        learnt: what generation 1 says.
        unit: of the variances, [replicate, 1]; it shrinks as the variances do.
        made: n.
        later: generations after the first.
    """
    rng = np.random.default_rng(0)
    shape = (DRAWS, *start.shape)
    heavy = 1.0 if np.isinf(learnt.freedom) else rng.chisquare(learnt.freedom, (DRAWS, 1, 1)) / learnt.freedom
    spread = learnt.spread / np.sqrt(heavy)
    centre = learnt.log_bias if to is None else learnt.log_network
    bias = centre.value + spread / learnt.spread * centre.error * rng.standard_normal(
        (DRAWS, 1, len(start[0]))
    )
    persistence = rng.random((DRAWS, 1, 1))
    x, left = np.broadcast_to(start, shape), 1.0
    paths = []
    for _ in range(later):
        noise = spread * rng.standard_normal(shape)
        if to is None:
            x = x + bias + noise
        else:
            left = left * persistence
            before = x
            relative = np.exp(x) / unit
            x = left * bias + np.log(to(relative)) + np.log(unit) + np.log1p(-1 / made) + noise
            unit = unit * np.exp(x).sum(-1, keepdims=True) / np.exp(before).sum(-1, keepdims=True)
        tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        paths.append(np.quantile(x, (0.5, *tails), axis=0))
    empty = np.zeros((3, len(start), 0, start.shape[1]))
    return Path(*(np.stack(paths, axis=2) if paths else empty))


def _scored(path: Path, truth: np.ndarray) -> dict[str, Any]:
    """Coverage of the intervals, and the root mean square error of the log variance, by generation."""
    if not truth.size:
        return {"coverage": None, "coverage_by_generation": [], "error_by_generation": []}
    inside = (path.low <= truth) & (truth <= path.high)
    error = np.sqrt(((truth - path.centre) ** 2).mean(axis=(0, 2)))
    return {
        "coverage": float(inside.mean()),
        "coverage_by_generation": inside.mean(axis=(0, 2)).tolist(),
        "error_by_generation": error.tolist(),
        "width_by_generation": (path.high - path.low).mean(axis=(0, 2)).tolist(),
    }


def _pair(estimate: Estimate) -> dict[str, Any]:
    return {"value": np.asarray(estimate.value).tolist(), "error": np.asarray(estimate.error).tolist()}


def told(found: dict[str, Any]) -> list[str]:
    """The forecast in sentences."""
    bias, network = (
        (np.array(found[key]["value"]), np.array(found[key]["error"])) for key in ("log_bias", "log_network")
    )
    size = found["inverse_effective_size"]
    lines = [
        f"forecast from generation 1, {found['directions']} directions: effective bias "
        f"{np.exp(bias[0].mean()):.3f} (from {np.exp(bias[0].min()):.3f} to {np.exp(bias[0].max()):.3f}), "
        f"1/n_eff {size['value']:.2g} +- {size['error']:.1g}, useful for about "
        f"{found['useful_horizon']:.0f} generations"
    ]
    shaped, constant = found["forecast"], found["constant"]
    if shaped["coverage"] is not None:
        lines.append(
            f"its {found['level']:.0%} intervals held {shaped['coverage']:.0%} of the later log variances "
            f"(with a constant bias {constant['coverage']:.0%}); error at the last generation "
            f"{shaped['error_by_generation'][-1]:.3f} (with a constant bias "
            f"{constant['error_by_generation'][-1]:.3f})"
        )
    apart = np.abs(network[0]) > SURE * network[1]
    if apart.mean() > 0.5:
        lines.append(
            f"the bias is in the network: in {apart.sum()} of {len(apart)} directions the sampler does not "
            f"explain it (network's share {np.exp(network[0].mean()):.3f})"
        )
    expanding = bias[0] + SURE * bias[1] > 0
    if expanding.any():
        lines.append(
            f"generation 1 cannot certify stability: in {expanding.sum()} directions the bias may exceed 1"
        )
    return lines
