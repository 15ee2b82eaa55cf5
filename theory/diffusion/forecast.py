r"""A generator's future from one generation: its effective sampling bias, sample size, and what they imply.

A model was trained on n points whose variance in direction j was a_j and generated n_g of variance b_j
(divisor n_g - 1). Then lambda_j = b_j / a_j, conditional on the training set, has a relative error of
sqrt((kappa_j - 1) / n_g), kappa_j the kurtosis. Two forecasts of the variance follow: the constant one,
which keeps lambda_j, and the shaped one, which follows a known sampler's lambda(s) as s changes,

    E S' = c_j lambda(s) s (1 - 1/n_eff),     c_j = lambda_j / lambda(a_j).

|c_j - 1| far beyond its error says that the bias is in the network and not in the sampler. One
generation's second moments cannot certify stability: rare points off the data's support are not in them
(own derivations).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import polygamma, psi
from scipy.stats import norm

from theory.diffusion.loop import curvature, exponent
from theory.diffusion.sampler_map import VarianceMap

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """A number, and its standard error."""

    value: Array
    error: Array


class Forecast(NamedTuple):
    """Of the variance at generations 1, ..., G, first axis, in every direction.

    Attributes:
        median: exp of the mean of ln S.
        log_error: the standard deviation of ln S around it.
    """

    median: Array
    log_error: Array

    @property
    def mean(self) -> Array:
        """The expected variance, ln S being nearly normal."""
        return self.median * np.exp(self.log_error**2 / 2)

    def interval(self, level: float) -> tuple[Array, Array]:
        """Central intervals that hold S with probability `level`, ln S being nearly normal."""
        reach = norm.isf((1 - level) / 2) * self.log_error
        return self.median * np.exp(-reach), self.median * np.exp(reach)


def log_bias(trained: ArrayLike, generated: ArrayLike, count: float, kurtosis: ArrayLike = 3.0) -> Estimate:
    """The ln lambda_j of every direction.

    Args:
        trained: a_j, the variance of the training set.
        generated: b_j, the unbiased variance of what was generated.
        count: n_g, how many were.
        kurtosis: of what was generated; 3 for normals.
    """
    trained, generated = np.asarray(trained, float), np.asarray(generated, float)
    spread = np.sqrt((np.asarray(kurtosis, float) - 1) / count)
    return Estimate(np.log(generated / trained), np.broadcast_to(spread, generated.shape))


def mean_discrepancy(generated: ArrayLike, reference: ArrayLike, variance: ArrayLike) -> float:
    """Q = mean over directions of (generated mean - reference mean)^2 / variance."""
    gap = np.asarray(generated, float) - np.asarray(reference, float)
    return float(np.mean(gap**2 / np.asarray(variance, float)))


def expected_discrepancy(n: float, bias: float, count: float, reference: float) -> float:
    """E Q = 1 / n_eff + lambda / n_g + 1 / n_ref, for a sampler that keeps the mean."""
    return 1 / n + bias / count + 1 / reference


def inverse_effective_size(
    q: float,
    bias: float,
    count: float,
    reference: float,
    directions: int,
    replicates: int = 1,
    pool: float = np.inf,
) -> Estimate:
    r"""1 / n_eff = Q - lambda / n_g - 1 / n_ref, and its error: poor unless d is large.

    R replicates are compared with one reference mean, and draw their training sets from one pool of N points
    without replacement. In a direction, in units of its variance, gap_r = f + e_r: f, the pool's mean less
    the reference's, is shared and has the variance F = 1/n_ref + 1/N; e_r is each replicate's own, with the
    variance E = 1/n_eff - 1/N + lambda/n_g. E Q = F + E whatever is shared, but for normal gaps

        Var gap_r^2 = 2 (F + E)^2,    Cov(gap_r^2, gap_s^2) = 2 F^2,
        Var Q = (2 / d) (F^2 + (2 F E + E^2) / R)

    in d independent directions: replicates do not reduce F^2. E is Q - F, but at least the lambda/n_g of
    what was generated. Own derivation.

    Args:
        q: of `mean_discrepancy`, over all directions and replicates.
        bias: a typical lambda.
        count: n_g.
        reference: n_ref, the same points for every replicate.
        directions: d.
        replicates: R.
        pool: N, the points that training sets are drawn from, none of them in the reference; infinite for a
            law.
    """
    shared = 1 / reference + 1 / pool
    own = max(q - shared, bias / count)
    variance = 2 / directions * (shared**2 + (2 * shared * own + own**2) / replicates)
    return Estimate(np.asarray(q - bias / count - 1 / reference), np.sqrt(np.asarray(variance)))


def log_drift(n: float) -> float:
    """E ln(chi2_{n-1} / n); 0 at n = inf."""
    return 0.0 if np.isinf(n) else float(psi((n - 1) / 2) - np.log(n / 2))


def log_noise(n: float) -> float:
    """Var ln chi2_{n-1}; 0 at n = inf."""
    return 0.0 if np.isinf(n) else float(polygamma(1, (n - 1) / 2))


def constant_forecast(
    start: ArrayLike, bias: Estimate, n: float, generations: int, known: bool = True
) -> Forecast:
    """E S_g = S_1 (lambda (1 - 1/n))^{g-1}: the negative control, blind to lambda(s).

    Args:
        start: S_1.
        bias: of `log_bias`.
        n: the effective sample size; may be infinite.
        generations: G.
        known: whether S_1 was seen, or only expected.
    """
    later = np.arange(generations).reshape(-1, *(1 for _ in np.shape(start)))
    drift = bias.value + log_drift(n)
    noise = log_noise(n) * (later + (0 if known else 1))
    return Forecast(start * np.exp(later * drift), np.sqrt((later * bias.error) ** 2 + noise))


def shaped_forecast(
    to: VarianceMap, start: ArrayLike, bias: Estimate, n: float, generations: int, known: bool = True
) -> Forecast:
    """Mean and spread of ln S from S_1 to first order in 1/n, along a path of its own.

    With x = ln S, b = d ln g / dx and c = d^2 ln g / dx^2, the process obeys x' = ln(c_j g) + c v / 2 +
    E ln(chi2 / n) and v' = b^2 v + Var ln chi2. An error of ln c_j enters every step alike, so its effect
    obeys e' = b e + 1 and is squared only at the end.

    Args:
        to: g(s) = lambda(s) s of the known sampler.
        start: S_1, which is also what lambda was measured at.
        bias: of `log_bias`.
        n: the effective sample size; may be infinite.
        generations: G.
        known: whether S_1 was seen, or only expected.
    """
    s = np.asarray(start, float)
    correction = np.exp(bias.value) * s / to(s)
    process = np.full_like(s, 0.0 if known else log_noise(n))
    carried = np.zeros_like(s)
    path, spread = [s], [np.sqrt(process)]
    for _ in range(generations - 1):
        b, bend = exponent(to, s), curvature(to, s)
        s = correction * to(s) * np.exp(bend * process / 2 + log_drift(n))
        process = b**2 * process + log_noise(n)
        carried = b * carried + 1
        path.append(s)
        spread.append(np.sqrt(process + (carried * bias.error) ** 2))
    return Forecast(np.stack(path), np.stack(spread))


def network_bias(to: VarianceMap, trained: ArrayLike, bias: Estimate) -> Estimate:
    """The ln c_j: how much of the bias the sampler does not account for, and its error."""
    trained = np.asarray(trained, float)
    return Estimate(bias.value - np.log(to(trained) / trained), bias.error)


def useful_horizon(bias: Estimate) -> Array:
    """Generations until an error of ln lambda has grown to order one: 1 / se(ln lambda)."""
    return 1 / bias.error
