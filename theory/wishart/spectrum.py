"""The mean density of a Wishart matrix's eigenvalues, exact at every size, by quadrature.

For S ~ Wishart_d(I, n), n >= d, the eigenvalues have the joint density proportional to prod x_i^a e^{-x_i/2}
prod |x_i - x_j|, a = (n - d - 1) / 2. By de Bruijn (1955, J. Indian Math. Soc. 19, 133) the integral of prod
g(x_i) against it is proportional to the Pfaffian of

    M_ij[g] = int int sgn(y - x) g(x) g(y) psi_i(x) psi_j(y) dx dy,    psi_i = p_i(x) x^a e^{-x/2},

p_i any polynomials of degree i < d; for odd d the column int g psi_i borders it. With g = 1 + theta f the
derivative of its logarithm at theta = 0 is

    E sum f(x_i) = tr(M^{-1} K),    K_ij = int f psi_i E_j dx,    E_j(x) = int sgn(y - x) psi_j(y) dy,

an integral of f against a density. In u = sqrt(x) every integrand is entire; Laguerre functions as psi_i keep
M well conditioned (own derivation from de Bruijn's integral).
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ORDER = 24  # nodes of a panel
PHASE = 4.0  # how far the fastest oscillation turns within a panel
TAIL = 9.0  # a singular value is further than this from the bulk with probability below 1e-17


@lru_cache(maxsize=32)
def spectrum(d: int, n: int, nearest: float) -> tuple[Array, Array]:
    """Nodes x and weights with E sum_i f(x_i) = sum weights f(nodes), for S ~ Wishart_d(I, n), n >= d.

    Args:
        d: the number of eigenvalues.
        n: degrees of freedom.
        nearest: f is analytic but for poles on the negative axis, none closer to 0 than this.
    """
    edges = _panels(d, n, nearest)
    reference, weights = np.polynomial.legendre.leggauss(ORDER)
    half = np.diff(edges) / 2
    u = (edges[:-1, None] + half[:, None] * (1 + reference)).ravel()
    du = np.outer(half, weights).ravel()
    psi = _laguerre_functions(d, n - d, u)
    inside = psi.reshape(d, -1, ORDER) @ _integration(reference).T * half[:, None]
    panels = (psi * du).reshape(d, -1, ORDER).sum(2)
    before = np.cumsum(panels, 1) - panels
    head = (before[:, :, None] + inside).reshape(d, -1)
    total = panels.sum(1)
    signed = total[:, None] - 2 * head
    matrix = (psi * du) @ signed.T
    matrix = (matrix - matrix.T) / 2
    if d % 2:
        matrix = np.block([[matrix, total[:, None]], [-total[None, :], np.zeros((1, 1))]])
        signed = np.vstack([signed, np.ones(len(u))])
    inverse = np.linalg.inv(matrix)
    density = np.einsum("iu,iu->u", psi, inverse.T[:d] @ signed)
    nodes, mass = u**2, density * du
    for array in (nodes, mass):
        array.setflags(write=False)
    return nodes, mass


def _panels(d: int, n: int, nearest: float) -> Array:
    """Edges of panels in u: short against the oscillations, and against the distance of the poles."""
    low, high = max(0.0, sqrt(n) - sqrt(d) - TAIL), sqrt(n) + sqrt(d) + TAIL
    widest = min(PHASE / (2 * sqrt(d)), 0.5)
    edges = [low]
    while edges[-1] < high:
        edges.append(edges[-1] + min(widest, 0.7 * sqrt(edges[-1] ** 2 + nearest)))
    return np.array(edges)


def _laguerre_functions(d: int, alpha: int, u: Array) -> Array:
    """L_i^(alpha)(u^2) u^alpha e^{-u^2/2}, normalised in u du, i < d: [i, node]."""
    x = u**2
    with np.errstate(divide="ignore"):
        logarithm = (alpha * np.log(u) if alpha else 0.0) - x / 2 - lgamma(alpha + 1) / 2
    rows = [np.exp(logarithm)]
    for i in range(d - 1):
        last = (2 * i + 1 + alpha - x) * rows[i]
        if i:
            last = last - sqrt(i * (i + alpha)) * rows[i - 1]
        rows.append(last / sqrt((i + 1) * (i + 1 + alpha)))
    return np.array(rows)


def _integration(reference: Array) -> Array:
    """Integrals from -1 to each node of what the nodes interpolate: [upper limit, node]."""
    legendre = np.polynomial.legendre
    degree = len(reference)
    values = legendre.legvander(reference, degree - 1)
    integrals = [legendre.legval(reference, legendre.legint(row, lbnd=-1)) for row in np.eye(degree)]
    return np.asarray(np.linalg.solve(values.T, np.array(integrals)).T, float)
