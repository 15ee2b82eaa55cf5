"""Selection in the replace loop in d dimensions at finite n: expectations of the mean and the covariance.

Typicality is the same in every direction of the model's own metric, so it multiplies E Sigma by v nu / c.

A linear score u x. Write Sigma = L L^T with the first column of L along Sigma u, so that u x - u mu is
sqrt(u^T Sigma u) times the first coordinate of z = L^{-1}(x - mu): only that one is selected, the others stay
independent standard normals. One fit is L' = L A, A lower triangular: A_11 = sqrt(f) as on the line,
below it N(0, 1/c), the rest Bartlett's factor of nu - 1 degrees of freedom over sqrt(c). So for D = diag(p,
q, ..., q)

    E A D A^T = diag(p', q', ..., q'),      p' = p E f,      q' = (p + (nu - 1) q) / c,

E A e_1 = E sqrt(f) e_1, and with w = Sigma_0 u

    E Sigma_t = q Sigma_0 + (p - q) w w^T / (u^T w),
    E mu_t = mu_0 + sum_j E e_j prod_{i<j} E sqrt(f_i) w / sqrt(u^T w),

p and q started at 1 and carried from the last generation to the first (exact at finite n; at n = inf p = v^t
and q = 1: only the direction that is scored collapses). Own derivation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.loop import Gaussian, Loop, sample_sizes
from theory.selected.fit import FitConstants, plain_fit, selected_fit
from theory.selected.replace import check_plain, divisor, fit_constants, is_selected, models_of
from theory.selection import LINEAR, BestOf, TopFraction, check_dimension


class Expected(NamedTuple):
    """E (mu - mu_0), a vector, and E Sigma, a matrix."""

    mean_error: np.ndarray
    covariance: np.ndarray


def expectations(rule: TopFraction | BestOf, loop: Loop, generation: int) -> Expected:
    """Of one generation of a replace loop in d dimensions."""
    check_plain(loop)
    source, first = models_of(loop)
    check_dimension(rule, source)
    d = source.dimension
    start, offset = covariance_of(first), _mean(first, d) - _mean(source, d)
    sizes = sample_sizes(loop.data.n, generation)
    selected = [is_selected(rule, loop, g) for g in range(1, generation + 1)]
    if rule.score != LINEAR:
        growth = 1.0
        for n, acts in zip(sizes, selected, strict=True):
            v = fit_constants(rule, n, d)[1] if acts else 1.0
            growth *= v * (n - 1) / divisor(loop, n)
        return Expected(offset, growth * start)
    line = _on_the_line(rule)
    fits = [
        selected_fit(line, n, divisor(loop, n)) if acts else plain_fit(n, divisor(loop, n))
        for n, acts in zip(sizes, selected, strict=True)
    ]
    along, across = _diagonal(fits, [(n - 2) / divisor(loop, n) for n in sizes], loop, sizes)
    u = np.array(rule.direction, float)
    w = start @ u / np.linalg.norm(u)
    height = u @ w / np.linalg.norm(u)
    reach, width = 0.0, 1.0
    for fit in fits:
        reach += width * fit.shift
        width *= fit.root
    covariance = across * start + (along - across) * np.outer(w, w) / height
    return Expected(offset + reach * w / np.sqrt(height), covariance)


def _on_the_line(rule: TopFraction | BestOf) -> TopFraction | BestOf:
    if isinstance(rule, BestOf):
        return BestOf(rule.candidates)
    return TopFraction(rule.fraction, rule.score, threshold=rule.threshold)


def _diagonal(fits: list[FitConstants], rest: list[float], loop: Loop, sizes: tuple) -> tuple[float, float]:
    """The pair p, q, from the last generation to the first."""
    along = across = 1.0
    for fit, share, n in zip(reversed(fits), reversed(rest), reversed(sizes), strict=True):
        along, across = along * fit.factor, along / divisor(loop, n) + share * across
    return along, across


def covariance_of(model: Gaussian) -> np.ndarray:
    """Its covariance as a matrix."""
    variance = np.array(model.variance, float)
    if variance.ndim == 2:
        return variance
    return np.diag(np.broadcast_to(variance, (model.dimension,))).astype(float)


def _mean(model: Gaussian, d: int) -> np.ndarray:
    return np.broadcast_to(np.array(model.mean, float), (d,)).astype(float)
