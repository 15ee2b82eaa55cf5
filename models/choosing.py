"""Selection among what a generator makes: which of a pool of candidates are kept.

A score is a number for every candidate of every replicate. `linear` is the coordinate along the direction;
`typicality` stands for the model's density: of images it is the confidence of the data set's classifier, of
points minus the Mahalanobis distance in the candidates' own mean and covariance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from models.points import Points
from models.real import Real
from theory.loop import LoopError
from theory.selection import (
    LINEAR,
    POOL,
    BestOf,
    BradleyTerry,
    Correction,
    Rule,
    TopFraction,
)

Score = Callable[[np.ndarray], Float[np.ndarray, " point"]]
"""Values of one replicate -> their scores."""


def candidates(rule: Rule | None, n: int) -> int:
    """How many points must be drawn for `n` to be kept.

    Raises:
        LoopError: for a rule that cannot be applied to a generator.
    """
    if rule is None or isinstance(rule, Correction):
        return n
    if isinstance(rule, TopFraction):
        if rule.threshold != POOL:
            raise LoopError(
                "selection.threshold", rule.threshold, "a network's quantile is unknown; write 'pool'"
            )
        return math.ceil(n / rule.fraction)
    if isinstance(rule, BestOf | BradleyTerry):
        return n * rule.candidates
    raise LoopError(
        "selection.rule", rule.rule, "a generator takes top-fraction, best-of, bradley-terry, correction"
    )


def kept(
    rule: Rule | None,
    points: Points,
    n: int,
    score: Score,
    rngs: list[np.random.Generator],
    real: Real,
) -> Points:
    """The `n` points of each replicate that a rule keeps.

    Args:
        rule: None keeps the first n.
        points: at least `candidates(rule, n)`.
        n: how many are kept.
        score: of the values of one replicate.
        rngs: random numbers of each replicate.
        real: what a correction replaces by.
    """
    points = Points(*(array[:, : candidates(rule, n)] for array in points))
    if rule is None:
        return points
    if isinstance(rule, Correction):
        return _corrected(rule, points, rngs, real)
    chosen = [_chosen(rule, score(values), n, rng) for values, rng in zip(points.values, rngs, strict=True)]
    return points.taken(np.stack(chosen))


def _chosen(
    rule: Any, scores: Float[np.ndarray, " candidate"], n: int, rng: np.random.Generator
) -> Int[np.ndarray, " kept"]:
    if isinstance(rule, TopFraction):
        return np.sort(np.argsort(-scores, kind="stable")[:n])
    groups = scores.reshape(n, rule.candidates)
    if isinstance(rule, BradleyTerry):  # Gumbel's maximum chooses with probability proportional to e^score
        groups = rule.strength * groups + rng.gumbel(size=groups.shape)
    return np.arange(n) * rule.candidates + groups.argmax(axis=1)


def _corrected(rule: Correction, points: Points, rngs: list[np.random.Generator], real: Real) -> Points:
    values, labels = points.values.copy(), points.labels.copy()
    for replicate, rng in enumerate(rngs):
        replaced = np.flatnonzero(rng.random(points.count) < rule.gamma / (1 + rule.gamma))
        if len(replaced):
            values[replicate, replaced], labels[replicate, replaced] = real.draw(rng, len(replaced))
    return Points(values, labels)


def scoring(rule: Rule | None, real: Real, confidence: Score | None) -> Score:
    """The score a rule ranks by.

    Args:
        rule: see there.
        real: what the points are.
        confidence: of images; None where there is no classifier.

    Raises:
        LoopError: if there is no such score here.
    """
    if getattr(rule, "score", LINEAR) == LINEAR:
        direction = np.atleast_1d(np.asarray(getattr(rule, "direction", 1.0) or 1.0, float)).ravel()
        size = math.prod(real.shape)
        if rule is not None and not isinstance(rule, Correction) and len(direction) != size:
            raise LoopError("selection.direction", direction.tolist(), f"points have {size} coordinates")
        unit = direction / np.linalg.norm(direction)
        return lambda values: values.reshape(len(values), -1) @ unit
    if real.data is None:
        return _typicality
    if confidence is None:
        raise LoopError("selection.score", rule.score, "the data set has no classes to be sure of")
    return confidence


def _typicality(values: np.ndarray) -> Float[np.ndarray, " point"]:
    flat = values.reshape(len(values), -1).astype(float)
    centred = flat - flat.mean(0)
    precision = np.linalg.pinv(np.atleast_2d(np.cov(flat, rowvar=False)))
    return -np.einsum("ij,jk,ik->i", centred, precision, centred)
