"""W2^2(N_t, N_0) in d dimensions: small noise, and the limit.

Near the source W2^2 is a quadratic form: |mu_t - mu_0|^2 plus the Bures metric (1/2) sum_ij Delta_ij^2 /
(l_i + l_j) of Delta = Sigma_t - Sigma_0 in the eigenbasis of Sigma_0. To first order in tau = sum_u 1/n_u
the coordinates are independent normals with variances tau l_i (mean), tau l_i l_j (Delta_ij, i < j) and 2
tau l_i^2 (Delta_ii), so W2^2 has the cumulants kappa_r = 2^{r-1} (r-1)! sum_a a^r over

    a = tau l_i,   tau l_i / 2   for every i,      a = tau l_i l_j / (l_i + l_j)   for every i < j

(own derivation; M5 is kappa_1, R9 is d = 1). The relative error is O((d + 1) tau).

W2^2 = |mu_t - mu_0|^2 + tr Sigma_t + tr Sigma_0 - 2 tr (Sigma_0^{1/2} Sigma_t Sigma_0^{1/2})^{1/2}. As t ->
inf the last term's expectation is negligible beside the others, being at most 2 (d tr(Sigma_0
Sigma_t))^{1/2} and zero almost surely: the limit of the mean is that of E|mu_t - mu_0|^2, plus tr Sigma_0.
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray

from theory.wishart.fits import Path
from theory.wishart.logarithms import central_moments


def small_noise(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments to leading order; nan where (d + 1) tau is 1 or more. Without bias, from the source."""
    matrix = path.source_covariance
    values = np.linalg.eigvalsh(matrix)
    pairs = np.triu_indices(len(values), 1)
    off_diagonal = (np.multiply.outer(values, values) / np.add.outer(values, values))[pairs]
    weights = np.concatenate([values, values / 2, off_diagonal])
    tau = path.total(lambda fit: np.array(1 / fit.n, np.longdouble))
    tau = np.where((len(values) + 1) * tau < 1, tau, np.nan)
    cumulants = np.array(
        [2 ** (r - 1) * factorial(r - 1) * np.sum(weights**r) * tau**r for r in range(1, highest + 1)]
    )
    return [path.settled(x) for x in central_moments(cumulants)]
