r"""Classifier-free guidance between Gaussians: what it does to the variance and the mean of a class.

A class N(mu, s) is sampled with the score (1 + g) S_class - g S_u of an unconditional N(mu - delta, u); the
loop file's guidance is g and w = 1 + g below (the literature writes either). Run from full noise to the end,

    variance:  probability flow  s^w u^{1-w},
               reverse SDE       (s u - s^{2w} u^{2-2w}) / ((2w - 1)(u - s)),
               tilted density    1 / (w / s + (1 - w) / u);

the three agree only if u = s. Where w s + (1 - w) u <= 0 the tilted density does not exist; samplers do.
The general forms are own derivations; s = 1, u = 2 is the example of Bradley and Nakkiran 2024,
arXiv:2408.09000.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel, hyp2f1

from theory.diffusion.affine import Normal, denoiser, guided, sampled
from theory.diffusion.schedule import Schedule

Array = NDArray[np.float64]


class Guided(NamedTuple):
    """What a class becomes.

    Attributes:
        push: its mean less mu.
        variance: its variance.
    """

    push: Array
    variance: Array


def _given(*parts: ArrayLike) -> list[Array]:
    return [np.asarray(part, float) for part in parts]


def _log_ratio_slope(s: Array, u: Array) -> Array:
    """ln(u / s) / (u - s), 1 / s where they are equal."""
    x = np.log(u / s)
    return 1 / (s * exprel(x))


def flow(s: ArrayLike, u: ArrayLike, delta: ArrayLike, guidance: ArrayLike) -> Guided:
    r"""By the probability-flow ODE.

    The push is (w - 1)/2 delta H_0 int_0^inf dtau / (H (u + tau)), H = (s + tau)^{w/2} (u + tau)^{(1-w)/2};
    r = (s + tau) / (u + tau) makes it an incomplete beta function,
    (w - 1) delta (s/u)^{w/2} 2F1(w/2, 1/2; 3/2; 1 - s/u), regular at u = s and for u < s.
    """
    s, u, delta, g = _given(s, u, delta, guidance)
    w = 1 + g
    push = g * delta * (s / u) ** (w / 2) * hyp2f1(w / 2, 0.5, 1.5, 1 - s / u)
    return Guided(push, s**w * u ** (1 - w))


def diffusion(s: ArrayLike, u: ArrayLike, delta: ArrayLike, guidance: ArrayLike) -> Guided:
    r"""By the reverse SDE (DDPM in the limit of fine steps).

    With H = (s + tau)^w (u + tau)^{1-w}: variance H_0^2 int dtau / H^2, push
    (w - 1) delta H_0 int dtau / (H (u + tau)) = delta (s - s^w u^{1-w}) / (u - s).
    """
    s, u, delta, g = _given(s, u, delta, guidance)
    w = 1 + g
    log = np.log(s / u)
    slope = _log_ratio_slope(s, u)
    variance = s ** (2 * w) * u ** (2 - 2 * w) * slope * exprel((1 - 2 * w) * log)
    push = g * delta * s**w * u ** (1 - w) * slope * exprel(-g * log)
    return Guided(push, variance)


def tilted(s: ArrayLike, u: ArrayLike, delta: ArrayLike, guidance: ArrayLike) -> Guided:
    """The density proportional to p_class^w p_u^{1-w}, which neither sampler samples.

    Raises:
        ValueError: where it cannot be normalised.
    """
    s, u, delta, g = _given(s, u, delta, guidance)
    precision = (1 + g) / s - g / u
    if (precision <= 0).any():
        raise ValueError("the tilted density cannot be normalised: (1 + g) / s must exceed g / u")
    return Guided(delta * g / u / precision, 1 / precision)


def in_steps(
    schedule: Schedule,
    conditional: Normal,
    unconditional: Normal,
    guidance: float,
    *,
    eta: float = 0.0,
    ancestral: bool = False,
) -> Normal:
    """The law of a guided class after finitely many steps of DDIM or, without the last noise, of DDPM."""
    affine = guided(denoiser(schedule, conditional), denoiser(schedule, unconditional), guidance)
    return sampled(schedule, affine, eta=eta, ancestral=ancestral)
