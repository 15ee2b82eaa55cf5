"""What becomes of second moments as the generations go on: limits, growth, and the bias that is too much.

A recipe whose meals come to repeat themselves is an affine map v' = A v + b (`theory.recipes.affine_step`), B
on (v, 1). With the spectral radius of A below 1 its fixed point is the limit. Without real data and without
bias 1 is an eigenvalue of A: second moments are conserved (law P0), or grow linearly (the unbiased divisor).
Then, with K = B - 1 and P the projection on the kernel of K^2 along its range,

    B^t v = P v + t K P v + o(1),

in exact fractions, so that a coordinate is infinite in the limit iff that of K P v is not zero. A radius
above 1 is growth without bound. Own derivation (Jordan's form).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from theory.meal import Recipe
from theory.provenance import ONE, Fit, rational
from theory.recipes.affine_step import AffineStep, Label, affine_step

NEARLY = 1e-6
"""Within this of 1 floats do not decide about a spectral radius: fractions do."""

ROUNDING = 1e-9
"""What an eigenvalue 1 (the mean's, without real data) may be computed to differ from 1 by."""


def limits_of(recipe: Recipe, settings: dict[str, Any]) -> tuple[Fit, ...]:
    """Limits of E mu, E mu^2 and E sigma^2 of every peer of a constant recipe; inf where they grow.

    Args:
        recipe: as `affine_step` takes it.
        settings: of `theory.provenance.Provenance`, but for `number`.
    """
    step = affine_step(recipe, **settings)
    growth = step.growth()
    if growth < 1 - NEARLY:
        return step.stationary()
    exact = affine_step(recipe, number=rational, **settings)
    if growth < 1 and not _keeps_one(exact):
        return step.stationary()
    if growth > 1 + NEARLY or not _keeps_one(exact):
        means = _limit(_first_moments(exact))
        return tuple(Fit(means[labels[0]], math.inf, math.inf) for labels in exact.fits)
    found = _limit(exact)
    return tuple(Fit(*(found[label] for label in labels)) for labels in exact.fits)


def critical_bias(recipe: Recipe, settings: dict[str, Any]) -> float:
    """The lambda at which second moments cease to be bounded; inf if no model ever eats another's samples."""
    from scipy.optimize import brentq

    def excess(bias: float) -> float:
        return affine_step(recipe, **(settings | {"bias": bias})).growth() - 1 - ROUNDING

    upper = 1.0
    while excess(upper) <= 0:
        upper *= 2
        if upper > 2**60:
            return math.inf
    lower = upper
    while excess(lower) > 0:
        lower /= 2
        if lower < 2**-60:
            return 0.0
    return float(brentq(excess, lower, upper, xtol=1e-15, rtol=1e-14))


def _first_moments(step: AffineStep) -> AffineStep:
    """The map of E mu alone, on which nothing else acts."""
    kept = [i for i, label in enumerate(step.labels) if ONE in label]
    pick: Callable[[Sequence], tuple] = lambda row: tuple(row[i] for i in kept)  # noqa: E731
    return replace(
        step,
        labels=pick(step.labels),
        matrix=tuple(pick(step.matrix[i]) for i in kept),
        offset=pick(step.offset),
        begin=pick(step.begin),
    )


def _rationals(rows: list[list[Any]]) -> Any:
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    entries = [[QQ(x.numerator, x.denominator) for x in row] for row in rows]
    return DomainMatrix(entries, (len(rows), len(rows[0])), QQ)


def _augmented(step: AffineStep) -> Any:
    """B - 1."""
    rows = [
        [x - (i == j) for j, x in enumerate(row)] + [b]
        for i, (row, b) in enumerate(zip(step.matrix, step.offset, strict=True))
    ]
    return _rationals([*rows, [rational(0)] * (len(step.labels) + 1)])


def _keeps_one(step: AffineStep) -> bool:
    """Whether 1 is an eigenvalue of A."""
    size = len(step.labels)
    return bool(size) and _augmented(step).to_dense()[:size, :size].rank() < size


def _limit(step: AffineStep) -> dict[Label, float]:
    """The limit of every coordinate, if no eigenvalue of A but 1 has modulus 1 or more."""
    found = {label: float(value) for label, value in step.known.items()}
    if not step.labels:
        return found
    moved = _augmented(step)
    square = moved * moved
    kernel, dual = square.nullspace().transpose(), square.transpose().nullspace()
    begin = _rationals([[rational(x)] for x in (*step.begin, 1)])
    kept = kernel * (dual * kernel).lu_solve(dual * begin)
    drift = moved * kept
    for label, value, slope in zip(step.labels, kept.to_list_flat(), drift.to_list_flat(), strict=False):
        found[label] = float(value) if slope == 0 else math.copysign(math.inf, slope)
    return found
