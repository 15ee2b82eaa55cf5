"""Fitting a full covariance turns its eigenvectors, and a sampler that is no multiple then leaks.

For Sigma-hat the divisor-n covariance of n normal samples, the fixed-axis variances of g(Sigma-hat) follow
from the second-order Daleckii-Krein expansion with E Delta = -Sigma / n, E Delta_ij^2 = s_i s_j / n and
E Delta_jj^2 = 2 s_j^2 / n:

    E g(Sigma-hat)_jj = g - g' s_j / n + g'' s_j^2 / n
                        + sum_{i != j} s_i s_j / n [g(s_i) - g(s_j) - g'(s_j)(s_i - s_j)] / (s_i - s_j)^2,

with an error of order n^-2 (own derivation). The sum is a floor under the smallest directions; eigenvalues,
or diagonal models, do not have it. Without an expansion in s the mean is a cubature over Bartlett's factor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory import cubature
from theory.diffusion.sampler_map import VarianceMap
from theory.wishart.near_source import bartlett

Array = NDArray[np.float64]

STEP = 1e-2
"""Of the differences, relative to s: of sixth order, they err by STEP^6, rounding by epsilon / STEP^2."""


def derivatives(to: VarianceMap, s: ArrayLike) -> tuple[Array, Array]:
    """Both g' and g'' by central differences of sixth order."""
    s = np.asarray(s, float)
    ahead = [np.asarray(to(s * (1 + k * STEP))) for k in (1, 2, 3)]
    behind = [np.asarray(to(s * (1 - k * STEP))) for k in (1, 2, 3)]
    first = sum(w * (a - b) for w, a, b in zip((45, -9, 1), ahead, behind, strict=True)) / (60 * STEP * s)
    second = sum(w * (a + b) for w, a, b in zip((270, -27, 2), ahead, behind, strict=True))
    return first, (second - 490 * np.asarray(to(s))) / (180 * (STEP * s) ** 2)


def one_generation(to: VarianceMap, variances: ArrayLike, n: int) -> Array:
    """E g(Sigma-hat)_jj of all axes, for a covariance diag(variances) [axis].

    Directions whose variances differ by less than `STEP` have the limit g''/2 in place of the quotient.
    """
    return own_axis(to, variances, n) + leak(to, variances, n)


def own_axis(to: VarianceMap, variances: ArrayLike, n: int) -> Array:
    """The expectation without the leak, which is that of a diagonal model to this order."""
    s = np.asarray(variances, float)
    first, second = derivatives(to, s)
    return np.asarray(to(s)) - first * s / n + second * s**2 / n


def leak(to: VarianceMap, variances: ArrayLike, n: int) -> Array:
    """What turning eigenvectors add to every axis."""
    s = np.asarray(variances, float)
    g = np.asarray(to(s))
    first, second = derivatives(to, s)
    apart = s[None, :] - s[:, None]
    near = np.abs(apart) <= STEP * s[:, None]
    quotient = (g[None, :] - g[:, None] - first[:, None] * apart) / np.where(near, 1.0, apart) ** 2
    terms = s[None, :] * s[:, None] / n * np.where(near, second[:, None] / 2, quotient)
    np.fill_diagonal(terms, 0.0)
    return terms.sum(axis=1)


def one_generation_by_cubature(to: VarianceMap, variances: ArrayLike, n: int) -> Array:
    """The same from the eigenvectors of Sigma-hat at the nodes of `theory.cubature`, up to O(n^-3)."""
    s = np.asarray(variances, float)
    nodes, weights = cubature.rule(len(s) * (len(s) + 1) // 2)
    root = np.sqrt(s)[:, None] * bartlett(nodes, n - 1, len(s))
    values, vectors = np.linalg.eigh(root @ root.swapaxes(1, 2) / n)
    return np.einsum("k,kji,ki->j", weights, vectors**2, np.asarray(to(values)))
