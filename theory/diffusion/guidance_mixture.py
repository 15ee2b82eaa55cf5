"""Guidance with the true score of a mixture of two modes: the class N(1, 1) of (N(1, 1) + N(-1, 1)) / 2.

There is no closed form; on the line the probability flow is one monotone map of the starting noise, found by
integrating the ODE from the quadrature nodes of that noise (own derivation; compare Chidambaram et al. 2024,
arXiv:2409.13074, on guidance between mixtures).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import expit

Array = NDArray[np.float64]

NODES = 401
REACH = 9.0
"""Of the starting noise, in standard deviations: 1e-19 lies beyond."""

TOLERANCE = 1e-11


def flow_moments(guidance: float, largest: float) -> Array:
    """Mean, variance, third and fourth central moments of the guided class.

    In sigma, dx/dsigma = (x - D(x)) / sigma with D the guided posterior mean, from N(0, largest^2) to 0;
    tau = ln(1 + sigma^2) makes its right side smooth at both ends.

    Args:
        guidance: (1 + guidance) class - guidance mixture.
        largest: sigma at the start; the limit is reached like 1 / largest.
    """
    z = np.linspace(-REACH, REACH, NODES)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()

    def slope(tau: float, x: Array) -> Array:
        # d sigma^2 = e^tau d tau, and x - D = sigma^2 (guided noise) / sigma
        noised = np.exp(tau)
        plus = (x - 1) / noised
        pull = expit(-2 * x / noised) * 2 / noised  # of the other mode, towards it
        return noised / 2 * (plus - guidance * pull)

    span = (np.log1p(largest**2), 0.0)
    end = solve_ivp(slope, span, largest * z, method="DOP853", rtol=TOLERANCE, atol=TOLERANCE).y[:, -1]
    mean = weights @ end
    return np.array([mean, *(weights @ (end - mean) ** r for r in (2, 3, 4))])
