r"""E W_2^2(N_t, N_0) on the line beside fresh real points, beyond the terms of lowest order.

Generation 1 is fitted to N real points, every later one to n_r real and n_s synthetic points of lambda times
the model's variance, maximum likelihood. With the means x, y and the divisor-n variances S, T of both parts,

    mu' = a x + b y,    sigma'^2 = a S + b T + a b (x - y)^2,    a = n_r / N,  b = n_s / N,

two normals and two chi-squares a generation; E [(mu - mu_0)^2 + (sigma - sigma_0)^2] is taken over them by
`theory.cubature`, up to O(n_r^-3). What model 0 leaves after t generations is b^t of it. (Own derivation.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory import cubature
from theory.loop import Loop

FORGOTTEN = 12
"""Generations followed at most: of what was before them b^12 is left."""


def w2_squared(loop: Loop, generation: int) -> float:
    """E W_2^2 of a generation under a constant stratified `fresh`; b must be small enough to forget.

    Raises:
        ValueError: if rounding would not hide what is left of earlier generations.
    """
    real, synthetic = loop.data.real, loop.data.synthetic
    a, b = real / (real + synthetic), synthetic / (real + synthetic)
    followed = min(generation, FORGOTTEN)
    if followed < generation and b**followed > np.finfo(float).eps:
        raise ValueError(f"a share {b:.3g} of synthetic points is not forgotten in {followed} generations")
    nodes, weights = cubature.rule(4 * followed)
    first, *later = nodes.reshape(-1, followed, 4).swapaxes(0, 1)
    mean, variance = _fit(first[:, :2], real + synthetic, 0.0, 1.0)
    for steps in later:
        x, s = _fit(steps[:, :2], real, 0.0, 1.0)
        y, t = _fit(steps[:, 2:], synthetic, mean, loop.sampler.bias * variance)
        mean, variance = a * x + b * y, a * s + b * t + a * b * (x - y) ** 2
    distance = mean**2 + (np.sqrt(variance) - 1) ** 2
    return float(loop.source.variance * weights @ distance)


def _fit(
    steps: cubature.Steps, n: int, mean: NDArray | float, variance: NDArray | float
) -> tuple[NDArray, NDArray]:
    """Mean and divisor-n variance of n points of N(mean, variance) at the nodes."""
    moved = mean + np.sqrt(variance / n) * cubature.normal(steps[:, 0])
    return moved, variance * cubature.chi_square(steps[:, 1], n - 1) / n
