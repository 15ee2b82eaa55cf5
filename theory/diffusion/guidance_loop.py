r"""A loop of guided samples: two classes N(+-m, s), each retrained on its own.

The best affine unconditional model has variance u = s + m^2 and mean 0. With n = inf a generation is the map

    s' = s^w u^{1-w},        m' = m + push(w, s, u, m),

under the probability flow (`theory.diffusion.guidance.flow`), or the same with finitely many steps: within a
class the variance falls faster than exponentially while the means come to rest. At a finite n the two fitted
means and log-variances move as a four-dimensional Markov chain around that map; its moments to order 1/n
follow by the delta method, and their means to order 1/n^2 from runs at the nodes of a cubature. (Own
derivation.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma, psi

from theory import cubature
from theory.diffusion.affine import Normal
from theory.diffusion.guidance import Guided, flow, in_steps
from theory.diffusion.schedule import Schedule

Array = NDArray[np.float64]
Class = Callable[[Array, Array, Array], Guided]
"""(s, u, delta) -> push and variance of a class."""


def by_flow(guidance: float) -> Class:
    """Classes guided by the probability flow."""
    return lambda s, u, delta: flow(s, u, delta, guidance)


def by_steps(schedule: Schedule, guidance: float) -> Class:
    """Classes guided by DDIM in finitely many steps.

    Raises:
        ValueError: unless the schedule starts from pure noise, without which the origin matters.
    """
    if schedule.cos[-1] != 0:
        raise ValueError("abar_T must be 0")

    def guided(s: Array, u: Array, delta: Array) -> Guided:
        law = in_steps(schedule, Normal(np.zeros_like(s), s), Normal(-delta, u), guidance)
        return Guided(law.mean, law.variance)

    return guided


class Generation(NamedTuple):
    """Moments of a generation.

    Attributes:
        distance: half the distance of the class means.
        log_variance: of a class.
        distance_variance: of `distance` between runs, to order 1/n; 0 at n = inf.
        log_variance_variance: of the mean log-variance of both classes.
    """

    distance: float
    log_variance: float
    distance_variance: float
    log_variance_variance: float


def infinite(to: Class, mean: float, variance: float, generations: int) -> list[Generation]:
    """Generations 1, 2, ... at n = inf from classes N(+-mean, variance)."""
    found = []
    m, s = np.float64(mean), np.float64(variance)
    for _ in range(generations):
        made = to(s, s + m**2, m)
        m, s = m + made.push, made.variance
        found.append(Generation(float(m), float(np.log(s)), 0.0, 0.0))
    return found


def finite(to: Class, mean: float, variance: float, n: int, generations: int) -> list[Generation]:
    """The same with n samples of each class, to order 1/n."""
    log = np.log(variance)
    state, covariance = np.array([mean, -mean, log, log]), np.zeros((4, 4))
    drift, spread = psi((n - 1) / 2) - np.log(n / 2), polygamma(1, (n - 1) / 2)
    found = []
    for _ in range(generations):
        centre, jacobian, hessians = _expanded(lambda y: _step(to, y), state)
        state = centre + np.einsum("kij,ij->k", hessians, covariance) / 2
        means, logs = np.exp(centre[2:]) / n, np.full(2, spread)
        covariance = jacobian @ covariance @ jacobian.T + np.diag(np.append(means, logs))
        state = state + np.array([0.0, 0.0, drift, drift])
        half, both = np.array([0.5, -0.5, 0, 0]), np.array([0, 0, 0.5, 0.5])
        found.append(
            Generation(
                float(half @ state),
                float(both @ state),
                float(half @ covariance @ half),
                float(both @ covariance @ both),
            )
        )
    return found


def by_cubature(to: Class, mean: float, variance: float, n: int, generations: int) -> Array:
    """Means of half the distance and of the mean log-variance, up to O(n^-3): [2, generation].

    The noise of a generation is two normals and two chi-squares (`theory.cubature`).
    """
    nodes, weights = cubature.rule(4 * generations)
    log = np.log(variance)
    states = np.broadcast_to([mean, -mean, log, log], (len(nodes), 4))
    found = []
    for steps in np.split(nodes, generations, axis=1):
        means, logs = np.split(_step(to, states), 2, axis=1)
        means = means + np.exp(logs / 2) * cubature.normal(steps[:, :2]) / np.sqrt(n)
        logs = logs + np.log(cubature.chi_square(steps[:, 2:], n - 1) / n)
        states = np.concatenate([means, logs], axis=1)
        found.append([weights @ (means[:, 0] - means[:, 1]) / 2, weights @ logs.mean(1)])
    return np.array(found).T


def _step(to: Class, states: Array) -> Array:
    """The map of (mean, mean, ln s, ln s) [state, 4], before any sampling."""
    means, s = states[:, :2], np.exp(states[:, 2:])
    delta = means - means.mean(1, keepdims=True)
    u = s.mean(1, keepdims=True) + (delta**2).mean(1, keepdims=True)
    made = to(s, np.broadcast_to(u, s.shape), delta)
    return np.concatenate([means + made.push, np.log(made.variance)], axis=1)


def _expanded(of: Callable[[Array], Array], y: Array) -> tuple[Array, Array, Array]:
    """Value, Jacobian and Hessians [output, i, j] by central differences, errors of order h^2 = 1e-8."""
    h, size = 1e-4, len(y)
    moves = h * np.eye(size)
    pairs = [
        y + a * moves[i] + b * moves[j]
        for i in range(size)
        for j in range(size)
        for a in (1, -1)
        for b in (1, -1)
    ]
    values = of(np.array([y, *(y + move for move in moves), *(y - move for move in moves), *pairs]))
    centre, ahead, behind = values[0], values[1 : 1 + size], values[1 + size : 1 + 2 * size]
    corners = values[1 + 2 * size :].reshape(size, size, 2, 2, -1)
    mixed = (corners[:, :, 0, 0] - corners[:, :, 0, 1] - corners[:, :, 1, 0] + corners[:, :, 1, 1]) / (
        4 * h**2
    )
    return centre, ((ahead - behind) / (2 * h)).T, np.moveaxis(mixed, -1, 0)
