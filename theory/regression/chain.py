"""Generation by generation: which fit a loop on linear labels takes, and the expectations it leaves.

The arithmetic of one fit is in `theory.regression.step`, `theory.regression.pooled` and
`theory.regression.same_covariates`; here a loop's policy, estimator, start and sampler say what is put into
it. Labels are synthetic, and their noise variance multiplied by the sampler's bias, under the conventions of
every other loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt

import numpy as np

from theory.counts import points
from theory.linear import Final, LeastSquares
from theory.loop import Loop, LoopError, Replace
from theory.policy import OPTIMAL, Accumulate, Fresh
from theory.regression import same_covariates as same
from theory.regression.design import Design, least_squares, ridge
from theory.regression.pooled import Blend, blend, iid_blend
from theory.regression.step import (
    State,
    fitted,
    mixed_noise,
    mixed_residual,
    pooled,
    pooled_residual,
)

GOLDEN = (sqrt(5) - 1) / 2


def models(loop: Loop) -> Iterator[State]:
    """The states of generations 1, 2, ..., endlessly; `final` replaces the fit of each by its own."""
    if loop.source.covariates == "same":
        yield from _same(loop)
        return
    t, pool, state = 0, 0, State(loop.first_model.shift, 0.0, loop.first_model.noise)
    while True:
        t += 1
        before, state = state, _step(loop, t, pool, state)
        if isinstance(loop.data, Accumulate):
            pool += points("data.n", loop.data.n, t)
        final = loop.estimator.final
        yield state if final is None else finish(loop, final, t, before)


def label_bias(loop: Loop, t: int) -> float:
    """The factor on the noise variance of the labels that generation t is fitted to."""
    synthetic = t > 1 or loop.start is not None or loop.sampler.applies_to_source
    return loop.sampler.bias if synthetic else 1.0


def real_noise(loop: Loop) -> float:
    """The noise variance of real labels."""
    return loop.source.noise * (loop.sampler.bias if loop.sampler.applies_to_source else 1.0)


def design_of(loop: Loop, n: int) -> Design:
    """What a fit to n points does."""
    estimator, d = loop.estimator, loop.source.dimension
    return least_squares(n, d) if isinstance(estimator, LeastSquares) else ridge(n, d, estimator.penalty)


def divisor(loop: Loop, n: int) -> int:
    """What a residual sum of squares over n points is divided by."""
    return n - loop.source.dimension if loop.estimator.noise == "unbiased" else n


def optimal_weight(loop: Loop) -> float:
    """The weight of real labels that minimises the stationary risk of mixed labels, for least squares.

    With minimum norm, g = n / d, and fresh covariates it is 1 - [k - sqrt(k^2 - 4g)] / (2g), k = 2 + g (1 +
    (1 - g) B / (sigma^2 eta)); with the same covariates, or n >= d + 2, it is the inverse golden ratio (Garg
    et al. 2025, arXiv:2509.22341, for a fixed design; the rest own derivation).
    """
    source, n = loop.source, loop.data.real
    if not isinstance(loop.estimator, LeastSquares) or loop.estimator.noise != "known":
        raise LoopError("data.weight", loop.data.weight, "known for least squares with known noise only")
    if loop.sampler.bias != 1:
        raise LoopError("data.weight", loop.data.weight, "known for a sampler without bias only")
    if n >= source.dimension or source.covariates == "same":
        return GOLDEN
    if source.noise == 0:
        return 1.0
    g, noise = n / source.dimension, source.noise * least_squares(n, source.dimension).noise
    k = 2 + g * (1 + (1 - g) * source.signal / noise)
    return 1 - 2 / (k + sqrt(k * k - 4 * g))


def weight_at(loop: Loop, t: int) -> float:
    """The weight of real labels in generation t."""
    weight = loop.data.weight
    if weight == OPTIMAL:
        return optimal_weight(loop)
    return points("data.weight", weight, t)


def _step(loop: Loop, t: int, pool: int, state: State) -> State:
    """Generation t on fresh covariates."""
    source, data, known = loop.source, loop.data, loop.estimator.noise == "known"
    d, label = source.dimension, label_bias(loop, t) * state.noise
    if isinstance(data, Replace):
        n = points("data.n", data.n, t)
        new = fitted(state, design_of(loop, n), 1.0, label, source.signal)
        noise = label * (n - d) / divisor(loop, n)
    elif isinstance(data, Accumulate):
        n = points("data.n", data.n, t)
        after = pool + n
        new = pooled(state, label, n / after, d * least_squares(after, d).noises[0])
        divisors = (divisor(loop, pool) if pool else 0, divisor(loop, after))
        noise = 0.0 if known else pooled_residual(state, label, n, n / after, d, divisors)
    elif data.weight is not None:
        n, weight, real = data.real, weight_at(loop, t), real_noise(loop)
        variance = mixed_noise(weight, real, label)
        new = fitted(state, design_of(loop, n), 1 - weight, variance, source.signal)
        noise = 0.0 if known else mixed_residual(weight, real, label, state.risk, n, d)
    else:
        new, noise = _side_by_side(loop, t, state, label)
    return new._replace(noise=source.noise if known else noise)


def _side_by_side(loop: Loop, t: int, state: State, label: float) -> tuple[State, float]:
    data, d = loop.data, loop.source.dimension
    real, synthetic = points("data.real", data.real, t), points("data.synthetic", data.synthetic, t)
    n = real + synthetic
    eta = least_squares(n, d).noise
    if eta == inf:
        return State(inf, 0.0, 0.0), inf
    blended = blended_parts(data, real, synthetic, d)
    total = real * real_noise(loop) + synthetic * label
    noise = (total * (1 - d / n) + state.risk * blended.residual) / divisor(loop, n)
    return State(blended.error * state.risk + total / n * eta, 0.0, 0.0), noise


def blended_parts(data: Fresh, real: int, synthetic: int, d: int) -> Blend:
    """How real and synthetic points that lie side by side are blended."""
    if data.composition == "stratified":
        return blend(real, synthetic, d)
    return iid_blend(real + synthetic, synthetic / (real + synthetic), d)


def finish(loop: Loop, final: Final, t: int, before: State) -> State:
    """Generation t fitted by the estimator's `final` to samples of the model before."""
    source = loop.source
    n = points("data.n", loop.data.n, t) if final.n is None else final.n
    design = ridge(n, source.dimension, final.penalty)
    new = fitted(before, design, 1.0, label_bias(loop, t) * before.noise, source.signal)
    return new._replace(noise=source.noise)


def _same(loop: Loop) -> Iterator[State]:
    """Generations on the same covariates."""
    source, data, known = loop.source, loop.data, loop.estimator.noise == "known"
    n = data.real if isinstance(data, Fresh) else data.n if isinstance(data.n, int) else data.n.at(1)
    d, design = source.dimension, design_of(loop, n)
    gains, t = np.array(design.gains, float), 0
    now = same.begun(design, loop.first_model.noise, loop.first_model.shift)
    while True:
        t += 1
        label = label_bias(loop, t) * now.noise
        if isinstance(data, Replace):
            new = same.fitted(now, gains, 0.0, label)
            noise = label * (n - d) / divisor(loop, n)
        elif isinstance(data, Accumulate):
            new = same.fitted(now, 1 - 1 / t + gains / t, 0.0, label / t**2)
            divisors = (divisor(loop, n * (t - 1)) if t > 1 else 0, divisor(loop, n * t))
            old = State(0.0, 0.0, now.noise)
            noise = 0.0 if known else pooled_residual(old, label, n, 1 / t, d, divisors)
        else:
            weight, real = weight_at(loop, t), real_noise(loop)
            new = same.fitted(now, gains * (1 - weight), gains * weight, mixed_noise(weight, real, label))
            prediction = d / n * float(now.spread[0])
            noise = 0.0 if known else mixed_residual(weight, real, label, prediction, n, d)
        now = new._replace(noise=source.noise if known else noise)
        yield State(float(same.risk(design, now, source.signal)), 0.0, now.noise)
