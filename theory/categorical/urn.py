"""Accumulating categorical data: a batch Polya urn that keeps a positive share of its diversity for ever.

A pool of M points with shares N/M gives n new ones, Mult(n, N/M), which join it. Then

    E H' = E H (1 - n / M'^2),    M' = M + n,

so that with batches of n from the first on E H_g = H_0 prod_{k<=g} (1 - 1/(n k^2)), whose limit is
H_0 sin(pi/sqrt n) / (pi/sqrt n) (own; with single points the urn is Polya's, and its limit Dirichlet(N_0)).
For any batches whatever what is left is at least M_0 / (M_0 + 1), with equality for single points, since
1 - n/(M+n)^2 >= M (M+n+1) / ((M+1) (M+n)): the cross products differ by n (n-1) >= 0 (own).

Fitting n points drawn without replacement from a pool of M = n g, which then grows by n samples of the fit
(accumulate-subsample), has E H_pool' = E H_pool [1 - n^2/(M+n)^2 (1 - (1-1/n)^2 M/(M-1))] and a model with
E H = E H_pool M (n-1) / (n (M-1)). With M = n k the factor of the pool is

    k (n^2 k^2 + (2n^2 - n) k + n^2 - 4n + 1) / (n (k+1)^2 (n k - 1)),

so that the pool tends to H_0 (1 - 1/n) Gamma(1 - 1/n) / (Gamma(u-) Gamma(u+)), 2n u = 4n - 1 -+ sqrt(12n - 3)
(own): here too a positive share stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import mpmath


def retained(batches: Iterable[int], pool: int = 0) -> float:
    """E H after these batches, as a share of E H of a pool of `pool` points (the source if empty)."""
    left, size = 1.0, pool
    for n in batches:
        size += n
        left *= 1 - n / size**2
    return left


def retained_evenly(first: int, batch: int, batches: float) -> float:
    """The share of H_0 left when `batches` batches of n have joined a first one of n_0 real points.

    With r = n_0 / n and z = 1 / sqrt n: (1 - 1/n_0) prod_{k=1}^{b} (1 - z^2 / (r + k)^2), a ratio of gammas;
    `batches` may be inf.
    """
    with mpmath.workdps(30):
        r, z = mpmath.mpf(first) / batch, 1 / mpmath.sqrt(batch)
        whole = mpmath.gammaprod([1 + r, 1 + r], [1 + r - z, 1 + r + z])
        if batches < math.inf:
            end = mpmath.mpf(batches) + 1 + r
            whole *= mpmath.gammaprod([end - z, end + z], [end, end])
        return float((1 - mpmath.mpf(1) / first) * whole)


def universal_bound(pool: int) -> float:
    """M_0 / (M_0 + 1): no schedule of batches leaves less of the pool's heterozygosity."""
    return pool / (pool + 1)


def third_eigenfunction_factor(n: int, pool: int) -> float:
    """What a batch leaves of E x(1-x)(1-2x): 1 - 3 w^2/n + 2 w^3/n^2, w = n/M'; M' counts the new points."""
    w = n / pool
    return 1 - 3 * w**2 / n + 2 * w**3 / n**2


def subsampled(n: int, generation: float) -> tuple[float, float]:
    """Shares of H_0 left in the pool and in the model of `generation` under accumulate-subsample.

    The pool of generation 1 is n real points, and its model counts all of them; inf gives the limits.
    """
    if generation < math.inf:
        left = 1 - 1 / n
        for k in range(1, int(generation)):
            left *= _pool_factor(n, k)
        size = n * generation
        return left, left * size * (n - 1) / (n * (size - 1))
    with mpmath.workdps(30):
        size = mpmath.mpf(n)
        root = mpmath.sqrt(12 * size - 3)
        whole = mpmath.gammaprod(
            [1 - 1 / size], [(4 * size - 1 - root) / (2 * size), (4 * size - 1 + root) / (2 * size)]
        )
        left = float((1 - 1 / size) * whole)
    return left, left * (n - 1) / n


def _pool_factor(n: int, batches: int) -> float:
    """What joins a pool of `batches` batches costs its heterozygosity."""
    size = n * batches
    return 1 - n**2 / (size + n) ** 2 * (1 - (1 - 1 / n) ** 2 * size / (size - 1))
