r"""An error of the score, and what becomes of N(0, 1) data.

The reverse SDE of the variance-preserving process is run from N(0, 1) over B = int beta dt. For any error,
Girsanov's theorem bounds KL(N(0, 1) || output) by int beta E err^2 dt / 2, the expectation over the forward
process (Chen et al. 2023, arXiv:2209.11215), and Pinsker's inequality the total variation by sqrt(KL / 2).
The two exact cases are own derivations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.diffusion.affine import Normal

Array = NDArray[np.float64]


def constant_error(e: float, span: float) -> Normal:
    """The output of dx = (-x/2 + e) beta dt + sqrt(beta) dW, the score -x + e: a shift 2 e (1 - e^{-B/2})."""
    return Normal(float(-2 * e * np.expm1(-span / 2)), 1.0)


def relative_error(d: float, span: float) -> Normal:
    """The output of the score -(1 + d) x: variance (1 + 2 d e^{-(1 + 2d) B}) / (1 + 2d).

    Over a long span it is a sampling bias of 1 / (1 + 2d).
    """
    rate = 1 + 2 * d
    variance = span if rate == 0 else -np.expm1(-rate * span) / rate
    return Normal(0.0, float(variance + np.exp(-rate * span)))


def divergence(law: Normal) -> float:
    """KL(N(0, 1) || law)."""
    return 0.5 * ((1 + law.mean**2) / law.variance - 1 + np.log(law.variance))


def girsanov_constant(e: float, span: float) -> float:
    """The bound on KL(N(0, 1) || output) under a constant error: B e^2 / 2."""
    return span * e**2 / 2


def girsanov_relative(d: float, span: float) -> float:
    """The bound under a relative error, E x^2 = 1 along the forward process: B d^2 / 2."""
    return span * d**2 / 2


def accumulated_total_variation(one: float, real: float, generations: ArrayLike) -> Array:
    """A bound on TV(p_g, p_0) with a fresh real share m and an error of `one` in every generation.

    By the triangle inequality eps_TV (1 - (1 - m)^g) / m; eps_TV g without real data.
    """
    g = np.asarray(generations, float)
    return one * (g if real == 0 else -np.expm1(g * np.log1p(-real)) / real if real < 1 else np.ones_like(g))
