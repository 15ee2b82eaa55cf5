r"""Means of smooth functions of many normals of small effect, to the second order of their variances.

    E f(z_1, ..., z_k) ~ w_0 f(0) + w_1 sum_i f(+-u e_i) + w_2 sum_{i<j} f(+-u e_i +- u e_j),   u = sqrt 3,
    w_0 = 1 + k (k - 7) / 18,    w_1 = (4 - k) / 18,    w_2 = 1 / 36,

is exact for polynomials of degree 5 (McNamee and Stenger 1967, Numerische Mathematik 10:327; its moments of
degrees 0, 2 and 4 are checked in one line each). Where z_i moves f by the order of n^{-1/2}, as the error of
a fit to n points does, the terms of degree 6 that are wrong are of order n^-3.

A chi-square is a function of one normal, its quantile at the normal's own probability, and moves about its
mean by the same order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr

Array = NDArray[np.float64]
Steps = NDArray[np.int_]

REACH = math.sqrt(3)


def rule(dimension: int) -> tuple[Steps, Array]:
    """Nodes in units of sqrt 3, [node, dimension] of -1, 0 and 1; weights, some negative, that sum to 1."""
    axes = np.eye(dimension, dtype=int)
    i, j = np.triu_indices(dimension, 1)
    pairs = [a * axes[i] + b * axes[j] for a in (1, -1) for b in (1, -1)]
    nodes = np.concatenate([np.zeros((1, dimension), int), axes, -axes, *pairs])
    centre = 1 + dimension * (dimension - 7) / 18
    weights = [[centre], np.full(2 * dimension, (4 - dimension) / 18), np.full(4 * len(i), 1 / 36)]
    return nodes, np.concatenate(weights)


def normal(steps: Steps) -> Array:
    """The normals at the nodes."""
    return REACH * steps


def chi_square(steps: Steps, freedom: float) -> Array:
    """The chi-squares at the nodes."""
    upper = ndtr(-REACH * np.array([-1, 0, 1]))
    return chdtri(freedom, upper)[steps + 1]
