r"""E W_2^2(N_t, N_0) in d dimensions beyond its first order, for fits to many points.

From the source, with Bartlett's factors L_s of independent Wishart matrices (Bartlett 1933),

    Sigma_t = A_t A_t',    A_t = A_{t-1} L_t / sqrt c_t,    A_0 = Sigma_0^{1/2},

and tr (Sigma_0^{1/2} Sigma_t Sigma_0^{1/2})^{1/2} is the sum of the singular values of Sigma_0^{1/2} A_t. Its
mean is taken by `theory.cubature`, right to order n^-2; those of |mu_t - mu_0|^2 and of the traces are exact.
(Own derivation.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory import cubature

Array = NDArray[np.float64]


def w2_squared(covariance: ArrayLike, sizes: Sequence[int], divisors: Sequence[int]) -> float:
    """E W_2^2 after fits to n_1, ..., n_t points with divisors c_1, ..., c_t, up to O(n^-3).

    Args:
        covariance: of the source, [d, d].
        sizes: n_s.
        divisors: c_s of the covariances.
    """
    values = np.linalg.eigvalsh(np.asarray(covariance, float))
    root, d = np.diag(np.sqrt(values)), len(values)
    traces = [values.sum()]
    for n, c in zip(sizes, divisors, strict=True):
        traces.append(traces[-1] * (n - 1) / c)
    moved = sum(trace / n for trace, n in zip(traces, sizes, strict=False))

    nodes, weights = cubature.rule(d * (d + 1) // 2 * len(sizes))
    path = np.broadcast_to(root, (len(nodes), d, d))
    for n, c, steps in zip(sizes, divisors, np.split(nodes, len(sizes), axis=1), strict=True):
        path = path @ bartlett(steps, n - 1, d) / np.sqrt(c)
    overlap = np.linalg.svd(root @ path, compute_uv=False).sum(-1)
    return float(moved + traces[-1] + traces[0] - 2 * weights @ overlap)


def bartlett(steps: cubature.Steps, freedom: int, d: int) -> Array:
    """Lower triangular L at the nodes, L L' of Wishart's law with `freedom` >= d and the identity."""
    found = np.zeros((len(steps), d, d))
    for i in range(d):
        found[:, i, i] = np.sqrt(cubature.chi_square(steps[:, i], freedom - i))
    rows, columns = np.tril_indices(d, -1)
    found[:, rows, columns] = cubature.normal(steps[:, d:])
    return found
