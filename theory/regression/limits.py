"""Where the risk of regression on its own labels goes: fixed points, and the sums that have a closed form.

    replace, least squares    linear growth with known noise; with v' = r v, r = lambda (n - d) / c < 1, the
                              noise runs out and R -> |shift|^2 + eta s_1^2 / (1 - r)
    accumulate                sum 1 / (k (k n - D)) = (-gamma_E - psi(1 - D / n)) / D with D = d + 1 and fresh
                              covariates, sum 1 / k^2 = pi^2 / 6 with the same ones
    everything else           the fixed point of an affine map, where it is stable; else infinity

(own derivation; pi^2 / 6: Gerstgrasser et al. 2024, arXiv:2404.01413).
"""

from __future__ import annotations

from math import inf, nan, pi

import numpy as np

from theory.linear import LeastSquares
from theory.loop import Loop, Replace
from theory.policy import Accumulate, Fresh
from theory.regression import same_covariates as same
from theory.regression.chain import (
    blended_parts,
    design_of,
    divisor,
    finish,
    label_bias,
    real_noise,
    weight_at,
)
from theory.regression.design import least_squares
from theory.regression.step import State, fitted, mixed_noise, times


def limit(loop: Loop) -> tuple[float, float]:
    """R and v as t -> inf, constant counts and weights; nan where there is no closed form."""
    source, data, estimator = loop.source, loop.data, loop.estimator
    counts = (data.real, data.synthetic, data.weight) if hasattr(data, "real") else (data.n,)
    if any(isinstance(count, tuple) or hasattr(count, "text") for count in counts):
        return nan, nan
    if isinstance(data, Accumulate):
        return _accumulated(loop)
    if estimator.noise != "known":
        if isinstance(data, Replace):
            return _finished(loop, State(*_replaced(loop)))
        return _fixed_point(loop, data)
    if source.covariates == "same":
        return _same(loop), source.noise
    return _finished(loop, _fresh(loop))


def _finished(loop: Loop, state: State) -> tuple[float, float]:
    """R and v, the last fit being the estimator's `final` if there is one."""
    final = loop.estimator.final
    if final is not None:
        state = finish(loop, final, 2, state)
    return state.risk, state.noise


def _accumulated(loop: Loop) -> tuple[float, float]:
    source, n, d = loop.source, loop.data.n, loop.source.dimension
    if loop.estimator.noise != "known" or not isinstance(loop.estimator, LeastSquares) or n < d + 2:
        return nan, nan
    first, later = label_bias(loop, 1) * loop.first_model.noise, label_bias(loop, 2) * source.noise
    one = least_squares(n, d).noise
    if source.covariates == "same":
        tail = one * (pi**2 / 6 - 1)
    else:
        from scipy.special import digamma

        tail = d / (d + 1) * float(-np.euler_gamma - digamma(1 - (d + 1) / n)) - one
    return loop.first_model.shift + first * one + later * tail, source.noise


def _replaced(loop: Loop) -> tuple[float, float, float]:
    """Least squares with a fitted noise variance, replace."""
    n, d = loop.data.n, loop.source.dimension
    rate = label_bias(loop, 2) * (n - d) / divisor(loop, n)
    first = label_bias(loop, 1) * loop.first_model.noise
    bias = label_bias(loop, 2)
    noise = 0.0 if rate < 1 else inf if rate > 1 else first / bias
    if rate >= 1:
        return inf if first else loop.first_model.shift, 0.0, noise if first else 0.0
    return loop.first_model.shift + times(first, least_squares(n, d).noise) / (1 - rate), 0.0, noise


def _fixed_point(loop: Loop, data: Fresh) -> tuple[float, float]:
    """(R, v) of least squares on real and synthetic labels with a fitted noise variance."""
    d, real = loop.source.dimension, real_noise(loop)
    bias = label_bias(loop, 2)
    if data.weight is None:
        n = data.real + data.synthetic
        eta, c = least_squares(n, d).noise, divisor(loop, n)
        blended = blended_parts(data, data.real, data.synthetic, d)
        part = data.synthetic * bias
        matrix = [[blended.error, part / n * eta], [blended.residual / c, part * (1 - d / n) / c]]
        offset = [data.real * real / n * eta, data.real * real * (1 - d / n) / c]
        if loop.source.covariates == "same" or eta == inf:
            return nan, nan
    else:
        n, w = data.real, weight_at(loop, 2)
        eta, free = least_squares(n, d).noise, (n - d) / n
        if eta == inf:
            return inf, nan
        old = bias * (1 - w) ** 2
        seen = 1.0 if loop.source.covariates == "fresh" else d / (n * eta)  # E |X e|^2 / n over R
        matrix = [[(1 - w) ** 2, old * eta], [w * (1 - w) * seen, w * (1 - w) * bias + old * free]]
        offset = [w**2 * real * eta, w * (1 - w) * real + w**2 * real * free]
    if max(abs(np.linalg.eigvals(np.array(matrix)))) >= 1:
        return inf, inf
    solution = np.linalg.solve(np.eye(2) - np.array(matrix), np.array(offset))
    return float(solution[0]), float(solution[1])


def _fresh(loop: Loop) -> State:
    """The state with known noise and fresh covariates."""
    source, data = loop.source, loop.data
    label, signal = label_bias(loop, 2) * source.noise, source.signal
    if isinstance(data, Replace):
        n, memory, noise = data.n, 1.0, label
    elif data.weight is None:
        n = data.real + data.synthetic
        eta = least_squares(n, source.dimension).noise
        if eta == inf:
            return State(inf, 0.0, source.noise)
        total = (data.real * real_noise(loop) + data.synthetic * label) / n * eta
        error = blended_parts(data, data.real, data.synthetic, source.dimension).error
        return State(total / (1 - error) if error < 1 else inf, 0.0, source.noise)
    else:
        weight = weight_at(loop, 2)
        n, memory, noise = data.real, 1 - weight, mixed_noise(weight, real_noise(loop), label)
    design = design_of(loop, n)
    if design.square * memory**2 == 1:
        risk = inf if times(noise, design.noise) else loop.first_model.shift
        return State(risk, 0.0, source.noise)
    gain = design.gain
    overlap = -(1 - gain) * signal / (1 - gain * memory)
    forced = fitted(State(0.0, overlap, 0.0), design, memory, noise, signal).risk
    return State(forced / (1 - design.square * memory**2), overlap, source.noise)


def _same(loop: Loop) -> float:
    """R with known noise and the same covariates."""
    source, data = loop.source, loop.data
    label = label_bias(loop, 2) * source.noise
    if isinstance(data, Replace):
        n, weight, noise = data.n, 0.0, label
    else:
        n, weight = data.real, weight_at(loop, 2)
        noise = mixed_noise(weight, real_noise(loop), label)
    design = design_of(loop, n)
    gains = np.array(design.gains, float)
    factor, kept = gains * (1 - weight), np.ones_like(gains)
    steady = factor == 1
    np.divide(gains * weight, 1 - factor, out=kept, where=~steady)
    spread = np.where(steady, inf if noise else 0.0, noise)
    np.divide(noise, 1 - factor**2, out=spread, where=~steady)
    start = np.where(steady, loop.first_model.shift / source.dimension, 0.0)
    return float(same.risk(design, same.Directions(kept, spread, start, source.noise), source.signal))
