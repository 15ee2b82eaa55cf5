"""One generation of regression on its own labels: expectations after a fit from those before it.

e = w - w* is the model's error, B = |w*|^2, and

    R = E |e|^2,        c = E e.w*,        v = E (noise variance of the model).

A fit on fresh covariates to labels X (w* + m e) + noise of variance s^2 has, with A and H of
`theory.regression.design` independent of e,

    e' = m A e - (I - A) w* + noise
    c' = al m c - (1 - al) B
    R' = be m^2 R - 2 (al - be) m c + (1 - 2 al + be) B + s^2 eta.

Replace: m = 1, s^2 = v. Labels w y_real + (1 - w) y_synthetic: m = 1 - w, s^2 = w^2 sigma^2 + (1 - w)^2 v.

Least squares on a growing pool, of which the new share is p = n / N: e' = e + G^{-1} X' noise, G the pool's
Gram matrix, so that R' = R + s^2 E tr G^{-1} S G^{-1} = R + s^2 p E tr G^{-1}: batches are exchangeable
whatever the covariates' law.

Noise variances from a residual sum of squares over c are means of s^2 times degrees of freedom:

    one batch          v' = s^2 (n - d) / c
    mixed labels       v' = w (1 - w) (sigma^2 + v + R) + s^2 (n - d) / n
    a growing pool     c' v' = c v + s^2 (n - d p)

(mixed: the two labels of a point weigh w / n and (1 - w) / n, their spread is part of the residuals).
In the pool v is a product over k of factors that depend on U_k = G_k^{-1/2} S_k G_k^{-1/2}; for normal
covariates U_2, ..., U_k and G_k are independent, which is why s^2 may be replaced by its mean in R' (own
derivation). The other statements hold for any covariates for which E A, E A^2, E H are multiples of I.
"""

from __future__ import annotations

from typing import NamedTuple

from theory.loop import Number
from theory.regression.design import Design


class State(NamedTuple):
    """What a generation hands on: R, c and v."""

    risk: Number
    overlap: Number
    noise: Number


def times(variance: Number, factor: Number) -> Number:
    """Their product; noise that is absent adds nothing, however bad the design."""
    return variance if variance == 0 else variance * factor


def fitted(state: State, design: Design, memory: Number, noise: Number, signal: Number) -> State:
    """R and c after a fit to labels X (w* + memory e) + noise, fresh covariates; v is left as it is."""
    gain, square = design.gain, design.square
    overlap = gain * memory * state.overlap - (1 - gain) * signal
    risk = (
        square * memory**2 * state.risk
        - 2 * (gain - square) * memory * state.overlap
        + (1 - 2 * gain + square) * signal
        + times(noise, design.noise)
    )
    return State(risk, overlap, state.noise)


def mixed_noise(weight: Number, real: Number, synthetic: Number) -> Number:
    """The variance of w y_real + (1 - w) y_synthetic given X and the model."""
    return weight**2 * real + (1 - weight) ** 2 * synthetic


def mixed_residual(
    weight: Number, real: Number, synthetic: Number, prediction: Number, n: Number, d: Number
) -> Number:
    """E v' from labels mixed with `weight`, the spread between the two labels of a point included.

    Args:
        weight: w.
        real: sigma^2.
        synthetic: the model's label noise.
        prediction: E |X e|^2 / n.
        n: points.
        d: the dimension.
    """
    spread = weight * (1 - weight) * (real + synthetic + prediction)
    return spread + mixed_noise(weight, real, synthetic) * (n - d) / n


def pooled(state: State, noise: Number, share: Number, trace: Number) -> State:
    """R after least squares on a pool grown by `share`, with E tr G^{-1} = `trace`."""
    return State(state.risk + times(noise, share * trace), state.overlap, state.noise)


def pooled_residual(
    state: State, noise: Number, n: Number, share: Number, d: Number, divisors: tuple[Number, Number]
) -> Number:
    """E v' of least squares on a pool grown by n points; `divisors` are those before and after."""
    before, after = divisors
    return (before * state.noise + noise * (n - d * share)) / after
