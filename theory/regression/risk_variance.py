"""The variance of the risk: fourth moments of the error of least squares, normal labels and covariates.

One fit adds eta, eta | X ~ N(0, s^2 S^{-1}). With gamma = n - d - 1 and Z = S^{-1} the second moments of the
inverse Wishart law invert those of the Wishart law, [[g^2 - g, -g], [-2g, g^2]] (E tr Z^2, E (tr Z)^2) = (d,
d^2) at g = gamma (`theory.wishart.inverse`), so that

    E tr Z^2 = d (n - 1) / D,    E (tr Z)^2 = d (d (gamma - 1) + 2) / D,    D = gamma (gamma + 1)(gamma - 2)

and E |eta|^4 = s^4 F, F = E (tr Z)^2 + 2 E tr Z^2, finite iff n > d + 3. With fresh covariates e' = m e +
eta,

    E |e'|^4 = m^4 E |e|^4 + m^2 s^2 eta_1 (2 + 4 / d) E |e|^2 + s^4 F,    eta_1 = d / gamma,

and with the same covariates |e_t|^2 has the law of V_t |eta|^2 / s^2. Own derivation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import numpy as np

from theory.counts import points
from theory.linear import LeastSquares
from theory.loop import Loop, Replace
from theory.policy import Accumulate
from theory.regression.chain import label_bias, models, real_noise, weight_at
from theory.regression.step import mixed_noise


def fourth(n: int, d: int) -> float:
    """F = E |eta|^4 at s = 1."""
    gamma = n - d - 1
    if gamma <= 2:
        return inf
    return d * (d * (gamma - 1) + 2 + 2 * (n - 1)) / (gamma * (gamma + 1) * (gamma - 2))


def variances(loop: Loop, wanted: Sequence[float]) -> list[float]:
    """Var |e_t|^2, t of `wanted`; nan where it is not known."""
    source, data, estimator = loop.source, loop.data, loop.estimator
    d, same = source.dimension, source.covariates == "same"
    unknown = [nan] * len(wanted)
    finite = [int(t) for t in wanted if t < inf]
    plain = isinstance(estimator, LeastSquares) and estimator.noise == "known" and estimator.final is None
    mixed = not isinstance(data, Replace | Accumulate)
    if not plain or not finite or (mixed and data.weight is None):
        return unknown
    if (isinstance(data, Accumulate) and not same) or (same and loop.first_model.shift):
        return unknown
    sizes = [points("data.n", data.real if mixed else data.n, t) for t in range(1, finite[-1] + 1)]
    if min(sizes) < d + 2:
        return unknown
    if same:
        n = sizes[0]
        relative = fourth(n, d) * ((n - d - 1) / d) ** 2 - 1
        found = [state.risk**2 * relative for state, _ in zip(models(loop), sizes, strict=False)]
    else:
        found = _fresh(loop, sizes)
    return [found[int(t) - 1] if t < inf else nan for t in wanted]


def _fresh(loop: Loop, sizes: list[int]) -> list[float]:
    d, start, data = loop.source.dimension, loop.first_model, loop.data
    first, second, label, found = start.shift, start.shift**2, start.noise, []
    for t, n in enumerate(sizes, 1):
        memory, noise = 1.0, label_bias(loop, t) * label
        if not isinstance(data, Replace):
            weight = weight_at(loop, t)
            memory, noise = 1 - weight, mixed_noise(weight, real_noise(loop), noise)
        one = d / (n - d - 1)
        second = memory**4 * second + memory**2 * noise * one * (2 + 4 / d) * first
        second += noise**2 * fourth(n, d) if noise else 0.0
        first = memory**2 * first + noise * one
        label = loop.source.noise
        found.append(second - first**2 if np.isfinite(second) else inf)
    return found
