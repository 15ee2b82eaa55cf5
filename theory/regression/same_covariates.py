"""Regression on the same covariates in every generation, direction by direction of X'X.

Given X all fits are diagonal in its right singular vectors. A direction with gain a and noise h (eigenvalues
of A and H in `theory.regression.design`) keeps u, the share of w* in the model, and q, the variance beside
it:

    replace             u' = a u,                      q' = a^2 q + h s^2
    labels mixed        u' = a (w + (1 - w) u),        q' = a^2 (1 - w)^2 q + h s^2
    accumulate, p = 1/t u' = (1 - p) u + p a u,        q' = (1 - p + p a)^2 q + p^2 h s^2

(t batches on X are one batch of averaged labels, a penalty per point unchanged), and

    R = (B / d) E sum (1 - u)^2 + E sum q.

Given X these hold for any covariates; only E over the spectrum of X'X needs their law. With least squares
a = 1, R = E tr S^{-1} times a number that does not depend on X: L1, L2, L5 for any design, X fixed or
random.

Noise variances (least squares, n > d) are as in `theory.regression.step`, with E |X e|^2 / n = (d / n) V
where q = h V: deterministic given X, so that nothing is correlated with H. Own derivation; accumulate after
Gerstgrasser et al. (2024), arXiv:2404.01413.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from theory.loop import Number
from theory.regression.design import Design


class Directions(NamedTuple):
    """A model by directions: arrays, one entry per direction of the design.

    Attributes:
        kept: u.
        spread: q / h where h > 0, that is the noise in units of one fit's, plus nothing else.
        start: the variance that a start's shift has left, not proportional to h.
        noise: v.
    """

    kept: Any
    spread: Any
    start: Any
    noise: Number


def begun(design: Design, noise: Number, shift: Number) -> Directions:
    """Model 0: w* itself, or shifted from it in a uniform direction."""
    ones = np.ones(len(design.counts))
    return Directions(ones, 0 * ones, ones * shift / design.dimension, noise)


def fitted(old: Directions, gain: Any, constant: Number, noise: Number) -> Directions:
    """After w' = gain w + constant w* + noise: the general step of the three above.

    Args:
        old: before.
        gain: the factor on the old model.
        constant: the share of w* that is added.
        noise: s^2, or p^2 s^2.
    """
    return Directions(
        gain * old.kept + constant, gain**2 * old.spread + noise, gain**2 * old.start, old.noise
    )


def risk(design: Design, now: Directions, signal: Number) -> Number:
    """R, from the spectrum of the design."""
    noises = np.where(now.spread == 0, 0.0, now.spread * _finite(design.noises, now.spread))
    return design.mean(signal / design.dimension * (1 - now.kept) ** 2 + now.start + noises)


def _finite(noises: Any, spread: Any) -> Any:
    """The design's noises, without infinities where nothing is multiplied by them."""
    return np.where(spread == 0, 0.0, np.asarray(noises, float))
