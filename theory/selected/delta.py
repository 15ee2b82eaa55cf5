"""Selection at finite n to first order in 1/n: the delta method on the map of (m, s).

Means count from the source's. Given (m, s), a training set of N_r real and N_s selected points, shares a and
b, with the selected law's mean u, variance v, third and fourth central moments k3 and k4, has (maximum
likelihood; own derivation)

    E m' = b u,    E s' = a s_0 (1 - 1/N_r) + b v (1 - 1/N_s) + a b (u^2 + v/N_s + s_0/N_r),
    Var m' = b^2 v/N_s + a^2 s_0/N_r,    Cov(m', s') = b^2 k3/N_s + 2 a b u (b v/N_s - a s_0/N_r),
    Var s' = b^2 (k4 - v^2)/N_s + 2 a^2 s_0^2/N_r + 4 a b^2 u k3/N_s + 4 a^2 b^2 u^2 (v/N_s + s_0/N_r),

the first three exactly, the others up to O(1/N^2). With F the map of the means, J and H its first and second
derivatives and C the covariance of (m, s),

    E x' = F(E x) + 1/2 H:C,    C' = J C J^T + Q(E x),    each up to O(1/N^2).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.loop import Loop
from theory.policy import Fresh
from theory.selected.law import SelectedMoments, selected_moments
from theory.selected.replace import is_selected, models_of
from theory.selection import Rule

STEP = 1e-3
"""Of the differences: their error, rounding / STEP^2 and STEP^2, is below 1e-5 of a term that is 1/N."""


class _Points(NamedTuple):
    """How many points there are: N_r, N_s, and 1/N_r (0 if there are none) and 1/N_s, or 0 at N = inf."""

    real: int
    synthetic: int
    per_real: float
    per_synthetic: float

    @property
    def shares(self) -> tuple[float, float]:
        total = self.real + self.synthetic
        return self.real / total, self.synthetic / total


def first_order(rule: Rule, loop: Loop, last: int) -> tuple[np.ndarray, np.ndarray]:
    """(E m, E s) of generations 0, ..., `last` up to O(1/N^2), twice: shape [2, generation].

    The first is the value at N = inf plus its term in 1/N. The second iterates the equations above as they
    stand; what they differ by is of order 1/N^2, as is what either leaves out.
    """
    data, start = loop.data, models_of(loop)[1]
    real, synthetic = (data.real, data.synthetic) if isinstance(data, Fresh) else (0, data.n)
    finite = _Points(real, synthetic, 1 / real if real else 0.0, 1 / synthetic)
    infinite = finite._replace(per_real=0.0, per_synthetic=0.0)
    source = loop.source.variance
    limit = iterated = np.array([start.mean - loop.source.mean, start.variance])
    term = np.zeros(2)
    spread, spread_iterated = np.zeros((2, 2)), np.zeros((2, 2))
    found = [(limit, iterated)]
    for generation in range(1, last + 1):
        chosen = rule if is_selected(rule, loop, generation) else None

        def mean(x: np.ndarray, points: _Points, chosen: Rule | None = chosen) -> np.ndarray:
            return _mean(chosen, points, x, source)

        slope, bend = _derivatives(lambda x: mean(x, infinite), limit)
        curved = np.einsum("kij,ij->k", bend, spread) / 2
        term = slope @ term + curved + mean(limit, finite) - mean(limit, infinite)
        spread = slope @ spread @ slope.T + _noise(chosen, finite, limit, source)
        limit = mean(limit, infinite)

        slope, bend = _derivatives(lambda x: mean(x, finite), iterated)
        curved = np.einsum("kij,ij->k", bend, spread_iterated) / 2
        noise = _noise(chosen, finite, iterated, source)
        iterated = mean(iterated, finite) + curved
        spread_iterated = slope @ spread_iterated @ slope.T + noise
        found.append((limit + term, iterated))
    one, other = np.moveaxis(np.array(found), 1, 0)
    return one.T, other.T


def _selected(rule: Rule | None, x: np.ndarray) -> SelectedMoments:
    """Mean and central moments of a synthetic point, from the source's mean on."""
    m, s = float(x[0]), float(x[1])
    z = SelectedMoments(0.0, 1.0, 0.0, 3.0) if rule is None else selected_moments(rule, mean=m, variance=s)
    return SelectedMoments(m + z.mean * s**0.5, z.variance * s, z.third * s**1.5, z.fourth * s**2)


def _mean(rule: Rule | None, points: _Points, x: np.ndarray, source: float) -> np.ndarray:
    (a, b), (u, v, _, _) = points.shares, _selected(rule, x)
    within = a * source * (1 - points.per_real) + b * v * (1 - points.per_synthetic)
    apart = u**2 + v * points.per_synthetic + source * points.per_real
    return np.array([b * u, within + a * b * apart])


def _noise(rule: Rule | None, points: _Points, x: np.ndarray, source: float) -> np.ndarray:
    (a, b), (u, v, third, fourth) = points.shares, _selected(rule, x)
    p, q = points.per_real, points.per_synthetic
    between = b**2 * third * q + 2 * a * b * u * (b * v * q - a * source * p)
    of_variance = (
        b**2 * (fourth - v**2) * q
        + 2 * a**2 * source**2 * p
        + 4 * a * b**2 * u * third * q
        + 4 * (a * b * u) ** 2 * (v * q + source * p)
    )
    return np.array([[b**2 * v * q + a**2 * source * p, between], [between, of_variance]])


def _derivatives(function: object, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J_ki and H_kij by central differences."""
    steps = STEP * np.eye(2)
    at = {
        (i, j): function(x + i * steps[0] + j * steps[1])  # type: ignore[operator]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }
    slope = np.stack([at[1, 0] - at[-1, 0], at[0, 1] - at[0, -1]], axis=1) / (2 * STEP)
    mixed = (at[1, 1] - at[1, -1] - at[-1, 1] + at[-1, -1]) / 4
    own = [at[1, 0] - 2 * at[0, 0] + at[-1, 0], at[0, 1] - 2 * at[0, 0] + at[0, -1]]
    bend = np.stack([np.stack([own[0], mixed], axis=1), np.stack([mixed, own[1]], axis=1)], axis=2)
    return slope, bend / STEP**2
