"""Selection in the replace loop at finite n: exact, for independent points kept and for a pool's best.

A rule that only orders points moves with the model. On the line one fit to n kept points is

    mu' = mu + sigma e,      sigma' = sigma sqrt(f),

(e, f) independent of the past, whatever their joint law: with the constants of `theory.selected.fit` the
expectations of (m, m^2, m sigma, sigma, s, s^2, log s), m = mu - mu_0, follow one another linearly,

    E m' = E m + E e E sigma,                      E m'^2 = E m^2 + 2 E e E m sigma + E e^2 E s,
    E m' sigma' = E sqrt(f) E m sigma + E e sqrt(f) E s,       E sigma'^k = E f^{k/2} E sigma^k.

So C2: E s_t = s_0 (v nu / c)^t, E mu_t = mu_0 + h sigma_0 (1 - g^t)/(1 - g), g = E sqrt(f).

A linear tilt moves the mean by beta s and leaves the fit otherwise as it is (C8), so that E m^i s^j closes.
Own derivations.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import comb, factorial2, gammaincc, gammaln, xlogy

from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Unbiased, sample_sizes
from theory.selected.fit import FitConstants, plain_fit, quantile_of_pool, selected_fit
from theory.selected.gaussian import ROOT
from theory.selected.law import REACH, central, drawn, interval, selected_moments, sign
from theory.selection import LINEAR, POOL, QUADRATIC, TYPICALITY, BestOf, Rule, Tilt, TopFraction

Expr = Any  # a number, or a SymPy expression


class Expectations(NamedTuple):
    """Of one model: E m, E m^2, E m sigma, E sigma, E s, E s^2, E log s."""

    mean: float
    mean_square: float
    mean_std: float
    std: float
    variance: float
    variance_square: float
    log_variance: float


def is_selected(rule: Rule, loop: Loop, generation: int) -> bool:
    """Whether `generation` is fitted to selected points: not if they are the source's, unless it is said."""
    return generation >= 2 or loop.start is not None or getattr(rule, "applies_to_source", False)


def divisor(loop: Loop, n: int) -> int:
    """The divisor c: what a fit to `n` points divides its sum of squares by."""
    match loop.estimator:
        case MaximumLikelihood():
            return n
        case Unbiased():
            return n - 1
    raise LoopError(
        "estimator.name", loop.estimator.name, "beside a selection no closed form is known for it"
    )


def models_of(loop: Loop) -> tuple[Gaussian, Gaussian]:
    """The source and model 0.

    Raises:
        LoopError: if the source is a data set.
    """
    source, first = loop.source, loop.first_model
    if isinstance(source, Gaussian) and isinstance(first, Gaussian):
        return source, first
    raise LoopError("source", source, "put the Gaussian with the moments of the data in its place first")


def check_plain(loop: Loop) -> None:
    """Refuse a sampler's bias beside a selection: no closed form here covers both."""
    sampler = loop.sampler
    if sampler.bias != 1 or sampler.truncate is not None or sampler.temperature not in (None, 1.0):
        raise LoopError("sampler", sampler, "beside a selection the closed forms are for an unbiased sampler")


def expectations(rule: TopFraction | BestOf, loop: Loop, last: int) -> list[Expectations]:
    """Of generations 0, ..., `last` of a replace loop on the line under a rule that only orders points."""
    check_plain(loop)
    source, first = models_of(loop)
    m, s = first.mean - source.mean, first.variance
    found = [Expectations(m, m * m, m * s**0.5, s**0.5, s, s * s, float(np.log(s)))]
    for generation, n in enumerate(sample_sizes(loop.data.n, last), 1):
        c = divisor(loop, n)
        fit = selected_fit(rule, n, c) if is_selected(rule, loop, generation) else plain_fit(n, c)
        found.append(_after(found[-1], fit))
    return found


def _after(old: Expectations, fit: FitConstants) -> Expectations:
    return Expectations(
        mean=old.mean + fit.shift * old.std,
        mean_square=old.mean_square + 2 * fit.shift * old.mean_std + fit.shift_square * old.variance,
        mean_std=fit.root * old.mean_std + fit.cross * old.variance,
        std=fit.root * old.std,
        variance=fit.factor * old.variance,
        variance_square=fit.factor_square * old.variance_square,
        log_variance=old.log_variance + fit.logarithm,
    )


def score_variance(v: Expr, n: Expr, c: Expr, variance: Expr, t: Expr) -> Expr:
    """C2: E s_t = s_0 (v nu / c)^t after t selected fits; the sample variance is unbiased for every law."""
    return variance * (v * (n - 1) / c) ** t


def score_mean(h: Expr, g: Expr, mean: Expr, variance: Expr, t: Expr) -> Expr:
    """C2: E mu_t = mu_0 + h sigma_0 (1 - g^t) / (1 - g), g = E sqrt(f) the only constant not closed."""
    return mean + h * variance**ROOT * (1 - g**t) / (1 - g)


def typical_mean_square(v: Expr, n: Expr, c: Expr, variance: Expr, t: Expr) -> Expr:
    """E (mu_t - mu_0)^2 = (v s_0 / n)(1 - rho^t)/(1 - rho), rho = v nu / c, after t fits to typical points.

    A symmetric rule is a sampler's bias v to second order (S2). Under a pool's threshold v is its average:
    points are uncorrelated given the model, being symmetric given the best one left out (own derivation).
    """
    rho = v * (n - 1) / c
    return v * variance / n * (1 - rho**t) / (1 - rho)


def tilted_mean(strength: Expr, n: Expr, c: Expr, mean: Expr, variance: Expr, t: Expr) -> Expr:
    """C8: E mu_t = mu_0 + beta s_0 (1 - rho^t)/(1 - rho), rho = nu / c, after t tilted fits; exact.

    Maximum likelihood: mu_0 + beta n s_0 (1 - (1 - 1/n)^t) -> mu_0 + beta n s_0. Unbiased (rho = 1): mu_0 + t
    beta s_0, unbounded. E s_t = s_0 rho^t is R1's, and so is the law of s_t: a tilt does not touch it.
    """
    rho = (n - 1) / c
    return mean + strength * variance * (t if rho == 1 else (1 - rho**t) / (1 - rho))


def tilted_moments(rule: Tilt, loop: Loop, last: int, highest: int = 4) -> list[dict[tuple[int, int], float]]:
    """E m^i s^j, i + j <= `highest`, of generations 0, ..., `last` under a linear tilt; exact at finite n.

    m' = m + b s + sqrt(s) e, s' = s f, b the signed strength where the tilt acts, else 0: with i = p + q + r,
    E m'^i s'^j = sum i!/(p! q! r!) b^q E e^r E f^j  E m^p s^{j + q + r/2}, r even. The power of s grows only
    as that of m falls, so finitely many moments close.
    """
    if rule.reward == QUADRATIC:
        raise LoopError("selection.reward", QUADRATIC, "the fitted variance is not linear in the last one")
    check_plain(loop)
    source, first = models_of(loop)
    keys = [(i, j) for i in range(highest + 1) for j in range(highest - i + 1)]
    m, s = first.mean - source.mean, first.variance
    found = [{(i, j): m**i * s**j for i, j in keys}]
    for generation, n in enumerate(sample_sizes(loop.data.n, last), 1):
        b = sign(rule) * rule.strength if is_selected(rule, loop, generation) else 0.0
        found.append({key: _tilted_moment(*key, found[-1], b, n, divisor(loop, n)) for key in keys})
    return found


def _tilted_moment(i: int, j: int, old: dict[tuple[int, int], float], b: float, n: int, c: int) -> float:
    factor = np.prod([(n - 1 + 2 * k) / c for k in range(j)])
    total = 0.0
    for r in range(0, i + 1, 2):
        noise = factorial2(r - 1) / n ** (r // 2) if r else 1.0
        for q in range(i - r + 1):
            p = i - r - q
            ways = comb(i, r, exact=True) * comb(i - r, q, exact=True)
            total += ways * b**q * noise * old[p, j + q + r // 2]
    return float(factor * total)


def tilted_precision(strength: Expr, n: Expr, c: Expr, variance: Expr, t: Expr) -> Expr:
    """E[1/s_t] = r^t / s_0 + beta r (r^t - 1)/(r - 1), r = c / (n - 3), after t quadratically tilted fits.

    1/s' = (c / chi2_nu)(1/s + beta) is linear in 1/s, so this is exact for n > 3, although E s_t is not
    closed (own derivation).
    """
    r = c / (n - 3)
    return r**t / variance + strength * r * (r**t - 1) / (r - 1)


@cache
def pool_constants(fraction: float, score: str, n: int, dimension: int = 1) -> tuple[float, float]:
    """E h(q) and E v(q) of the best n of m = ceil(n / fraction): exact shift and variance factor of a fit.

    Given the best point left out, whose upper quantile q is Beta(n + 1, m - n), the kept ones are independent
    with the law of the best fraction q. So E mu' = mu + sigma E h(q), E s' = (nu / c) s E v(q) (own
    derivation); E h(q) is the mean of the n largest expected order statistics of m.
    """
    m = drawn(TopFraction(fraction, score), n)
    if m == n:
        return 0.0, 1.0
    q, density = quantile_of_pool(n, m)
    if score == TYPICALITY:
        return 0.0, float(density @ [central(float(share), dimension) for share in q])
    moments = [selected_moments(TopFraction(float(share), LINEAR)) for share in q]
    return float(density @ [x.mean for x in moments]), float(density @ [x.variance for x in moments])


def fit_constants(rule: TopFraction | BestOf, n: int, dimension: int = 1) -> tuple[float, float]:
    """E e and E f c / nu of a fit to n selected points, in d > 1 dimensions along a linear score."""
    if isinstance(rule, TopFraction):
        if rule.threshold == POOL:
            h, v = pool_constants(rule.fraction, rule.score, n, dimension)
            return (sign(rule) * h if rule.score == LINEAR and dimension == 1 else h), v
        if rule.score == TYPICALITY:
            return 0.0, central(rule.fraction, dimension)
    elif rule.score == TYPICALITY and dimension > 1:
        return 0.0, _most_typical(rule.candidates, dimension)
    moments = selected_moments(rule)
    return moments.mean, moments.variance


def _most_typical(candidates: int, dimension: int) -> float:
    """E |z|^2 / d of the nearest of K standard normals in d dimensions: the least of K chi-squares."""
    reach = math.sqrt(dimension) + REACH
    r, weights = interval(0.0, reach, 600)
    density = weights * 2 * np.exp(xlogy(dimension - 1, r) - r**2 / 2 - gammaln(dimension / 2))
    density *= candidates * gammaincc(dimension / 2, r**2 / 2) ** (candidates - 1) / 2 ** (dimension / 2)
    return float(density @ r**2 / dimension)
