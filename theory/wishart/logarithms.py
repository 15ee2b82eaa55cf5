"""Logarithms in d dimensions: log det, log pseudo-det and the Lyapunov exponents.

Bartlett: the squared diagonal of the Cholesky factor of W ~ Wishart_d(I, nu) holds independent chi2_{nu-i+1},
i = 1..d, and Cholesky factors multiply along the loop. The cumulants of log chi2_k are psi(k/2) + log 2,
psi'(k/2), psi''(k/2), ... (textbook).

When some n_t <= d the rank is r_t = min(d, nu_1, ..., nu_t). For an isotropic start, Sigma_0 = s^2 I, the
model Sigma_t has the nonzero eigenvalues of P P^T prod lambda_u / c_u s^2, P = A_1 ... A_t a product of
independent standard normal matrices of sizes N_0 x N_1, ..., N_{t-1} x N_t with N_0 = d, N_u = nu_u.
Splitting P where the smallest size r = N_j stands, P = X Y, the pseudo-determinant is det(X^T X) det(Y
Y^T), and peeling one factor after another by QR leaves independent Wishart_r(N_i) determinants for every i
except j (own derivation):

    log pdet Sigma_t = r log s^2 + r sum_u log(lambda_u / c_u) + sum_{i != j} log det W_r(N_i),

whatever the order in which the rank drops. At constant n <= d it is M6. For another start the
first factor is Sigma_0^{1/2} A_1, and E log det(A_1^T Sigma_0 A_1) has no such form.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma, psi

from theory.replace.fits import Fit
from theory.wishart.fits import Path

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
"""B_2, B_4, ..., B_16."""
ASYMPTOTIC_FROM = 16.0
"""From here on the series of psi(x) - log x to B_16 is exact in float64."""


def psi_minus_log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """psi(x) - log(x), without cancellation: -1/(2x) - sum_k B_2k / (2k x^{2k}) for large x."""
    large = np.maximum(x, ASYMPTOTIC_FROM)
    series = -1 / (2 * large) - sum(b / (2 * k * large ** (2 * k)) for k, b in enumerate(BERNOULLI, 1))
    return np.where(x >= ASYMPTOTIC_FROM, series, psi(x) - np.log(x))


def log_chi_square(freedom: NDArray, divisor: float, highest: int) -> NDArray[np.float64]:
    """Cumulants 1, ..., `highest` of log(chi2_k / divisor) for each k of `freedom`: [cumulant, k]."""
    k = np.asarray(freedom, float)
    mean = psi_minus_log(k / 2) + np.log1p((k - divisor) / divisor)
    return np.stack([mean, *(polygamma(r, k / 2) for r in range(1, highest))])


def central_moments(cumulants: NDArray) -> list[NDArray]:
    """Mean and central moments from cumulants along the first axis."""
    moments = list(cumulants)
    if len(moments) > 3:
        moments[3] = moments[3] + 3 * moments[1] ** 2
    return moments


def _log_bias(fit: Fit) -> float:
    return float(np.log(fit.factor))


def log_det_cumulants(path: Path, size: int, highest: int) -> NDArray[np.float64]:
    """Cumulants of sum_u log det(lambda_u W_size(nu_u) / c_u), all nu_u >= size: [cumulant, stop]."""

    def value(fit: Fit) -> NDArray:
        if fit.nu < size:
            return np.full(highest, np.nan)
        sums = log_chi_square(fit.nu - np.arange(size), fit.divisor, highest).sum(1)
        sums[0] += size * _log_bias(fit)
        return sums.astype(np.longdouble)

    return path.total(value).T


def log_det(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of log det Sigma_t; -inf from the first n_t <= d on, where it is no longer random."""
    matrix = path.covariance
    cumulants = log_det_cumulants(path, len(matrix), highest)
    cumulants[0] += np.linalg.slogdet(matrix)[1]
    moments = central_moments(cumulants)
    lost = path.ranks < len(matrix)
    moments[0] = np.where(lost, -np.inf, moments[0])
    return [path.settled(x) for x in moments]


def isotropic(path: Path) -> bool:
    """Whether generation 0 has a covariance s^2 I."""
    matrix = path.covariance
    return np.array_equal(matrix, matrix[0, 0] * np.eye(len(matrix)))


def log_pseudo_det(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of the log pseudo-determinant; nan where rank is lost from an anisotropic start."""
    matrix = path.covariance
    d = len(matrix)
    result = np.full((highest, len(path.stops)), np.nan, np.longdouble)
    for rank in set(path.ranks.tolist()):
        if rank < d and not isotropic(path):
            continue
        cumulants = log_det_cumulants(path, rank, highest)
        index = np.arange(rank)
        ends = [log_chi_square(size - index, 2.0, highest).sum(1) for size in (d, rank)]
        cumulants += (ends[0] - ends[1])[:, None]
        cumulants[0] += rank * np.log(matrix[0, 0]) if rank < d else np.linalg.slogdet(matrix)[1]
        here = path.ranks == rank
        result[:, here] = cumulants[:, here]
    return [path.settled(x) for x in central_moments(result)]


def lyapunov(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of (1/g) log [D_i(Sigma_g) / D_i(Sigma_0)], i = 1..d: [generation, i].

    D_i is the i-th squared diagonal entry of the Cholesky factor; it is 0 for i > rank.
    """
    d = path.dimension

    def value(fit: Fit) -> NDArray:
        freedom = fit.nu - np.arange(d)
        alive = log_chi_square(np.maximum(freedom, 1), fit.divisor, highest)
        alive[0] += _log_bias(fit)
        return np.where(freedom >= 1, alive, 0.0).astype(np.longdouble)

    stops = np.array(path.stops, np.longdouble)[:, None]
    cumulants = np.moveaxis(path.total(value), 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        for r in range(highest):
            cumulants[r] /= stops ** (r + 1)
    lost = np.arange(d) >= path.ranks[:, None]
    cumulants[0] = np.where(lost, -np.inf, cumulants[0])
    cumulants[1:] = np.where(lost, np.nan, cumulants[1:])
    return [path.settled(x) for x in central_moments(cumulants)]


def exponents(path: Path) -> NDArray[np.float64]:
    """The Lyapunov spectrum at constant n: psi((nu-i+1)/2) + log(2 lambda / c); -inf for i > nu."""
    return lyapunov(Path.of(path.loop, [np.inf]), 1)[0][0]
