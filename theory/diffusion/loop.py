r"""The loop around a diffusion model with an affine score, direction by direction.

The model of generation g has the divisor-n variance S_g of its n training samples, and the next training
set the variance g(S_g) that the sampler makes of it:

    S_1 = s_0 chi2_{n-1} / n,        S_{k+1} = g(S_k) chi2_{n-1} / n.

g is no multiple of s, so no moment closes; the law of ln S_g follows by one quadrature a generation (own
derivation). Where the sampler keeps the mean, E (mu_g - mu_0)^2 = sum_{k=1}^g E S_k / (n - 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, polygamma
from scipy.stats import chi2

from theory.diffusion.sampler_map import VarianceMap

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-17
"""Probability left out beyond either end of a grid."""

MASS_ERROR = 1e-9
"""How far the total probability may be from 1 before the quadrature is refused."""

NODES_PER_SD = 2.0
"""The trapezoidal rule then errs by 2 exp(-2 pi^2 NODES_PER_SD^2) = 1e-34 of a normal density."""

WIDEST = 0.1
"""The spacing below 5 degrees of freedom: the error is |Gamma(nu/2 + 2 pi i / 0.1)| / Gamma(nu/2) < 1e-38."""

MOST_NODES = 4000


class LogLaw(NamedTuple):
    """The law of ln S on a grid.

    Attributes:
        nodes: values of ln S, evenly spaced.
        weights: their probabilities, density times spacing.
    """

    nodes: Array
    weights: Array

    def central_moments(self, values: Array) -> Array:
        """Mean, variance, third and fourth central moments of `values` at the nodes."""
        mean = self.weights @ values
        return np.array([mean, *(self.weights @ (values - mean) ** r for r in (2, 3, 4))])

    @property
    def variance(self) -> Array:
        """The four moments of S."""
        return self.central_moments(np.exp(self.nodes))

    @property
    def log_variance(self) -> Array:
        """The four moments of ln S."""
        return self.central_moments(self.nodes)


def laws(to: VarianceMap, s0: float, n: int, generations: int) -> list[LogLaw]:
    """The laws of ln S_1, ..., ln S_g.

    Args:
        to: the sampler's map g.
        s0: the source's variance; g(S_k) gives the laws of S_{k+1}, ... where S_k is known.
        n: training samples of every generation.
        generations: how many.

    Raises:
        ArithmeticError: if a grid would need too many nodes, or lost probability.
    """
    innovation = Innovation(n)
    found: list[LogLaw] = []
    weights = np.ones(1)
    centres = np.log([s0])
    while True:
        law = _after(weights, centres, innovation, innovation.spacing)
        slope = np.abs(np.gradient(np.log(to(np.exp(law.nodes))), law.nodes)).max()
        if slope > 1:
            law = _after(weights, centres, innovation, innovation.spacing / slope)
        found.append(law)
        if len(found) == generations:
            return found
        weights, centres = law.weights, np.log(to(np.exp(law.nodes)))


class Innovation:
    """The law of ln(chi2_{n-1} / n).

    Attributes:
        n: the sample size.
        spacing: of nodes that resolve it.
    """

    def __init__(self, n: int):
        self.n = n
        self.spacing = min(WIDEST, float(np.sqrt(polygamma(1, (n - 1) / 2))) / NODES_PER_SD)

    @property
    def ends(self) -> tuple[float, float]:
        """Beyond them lies a probability of `NEGLIGIBLE` each."""
        nu = self.n - 1
        return float(np.log(chi2.ppf(NEGLIGIBLE, nu) / self.n)), float(
            np.log(chi2.isf(NEGLIGIBLE, nu) / self.n)
        )

    def density(self, x: Array) -> Array:
        """At x, of any shape."""
        half, y = (self.n - 1) / 2, x + np.log(self.n / 2)
        return np.exp(half * y - np.exp(np.minimum(y, 700.0)) - gammaln(half))


def _after(weights: Array, centres: Array, innovation: Innovation, spacing: float) -> LogLaw:
    """The law of c + innovation, c the centres with their weights, without its negligible ends."""
    low, high = (end(centres) + by for end, by in zip((np.min, np.max), innovation.ends, strict=True))
    count = int(np.ceil((high - low) / spacing)) + 1
    if count > MOST_NODES:
        raise ArithmeticError("the law spreads over more scales than the quadrature can resolve")
    nodes, step = np.linspace(low, high, count, retstep=True)
    mass = step * innovation.density(nodes[:, None] - centres) @ weights
    lost = abs(mass.sum() - 1)
    if not lost <= MASS_ERROR:
        raise ArithmeticError(f"the quadrature lost a probability of {lost:.1e}")
    below, above = np.cumsum(mass), np.cumsum(mass[::-1])[::-1]
    kept = (below > NEGLIGIBLE) & (above > NEGLIGIBLE)
    return LogLaw(nodes[kept], mass[kept])


def mean_error_squared(found: list[LogLaw], n: int) -> Array:
    """E (mu_g - mu_0)^2, g = 1, 2, ..., of a sampler that keeps the mean: sum_{k<=g} E S_k / (n - 1).

    The mean of n samples of a normal of variance v has variance v / n = E S / (n - 1), whatever came before.
    """
    return np.cumsum([law.variance[0] for law in found]) / (n - 1)


def exponent(to: VarianceMap, s: Array) -> Array:
    """B = d ln g / d ln s, by central differences of sixth order."""
    weights, h = np.array([45.0, -9.0, 1.0]) / 60, 1e-2
    x = np.log(np.asarray(s, float))
    return sum(
        w * (np.log(to(np.exp(x + k * h))) - np.log(to(np.exp(x - k * h)))) / h
        for k, w in enumerate(weights, 1)
    )


def curvature(to: VarianceMap, s: Array) -> Array:
    """The second derivative of ln g in ln s, by central differences of sixth order."""
    weights, h = np.array([270.0, -27.0, 2.0]) / 180, 1e-2
    x = np.log(np.asarray(s, float))
    middle = 2 * np.log(to(np.exp(x)))
    return sum(
        w * (np.log(to(np.exp(x + k * h))) + np.log(to(np.exp(x - k * h))) - middle) / h**2
        for k, w in enumerate(weights, 1)
    )


def skeleton(to: VarianceMap, s: float, n: float, generations: int) -> Array:
    """S <- g(s) (1 - 1/n) from S_1 = s: S_1, S_2, ... without their noise; n may be infinite."""
    path = [float(s)]
    for _ in range(generations - 1):
        path.append(float(to(np.array(path[-1]))) * (1 - 1 / n))
    return np.array(path)


def log_spread(to: VarianceMap, path: Array, n: float, initial: float) -> Array:
    """Var ln S_k to first order in 1/n: v' = b^2 v + 2 / (n - 1) along a path, v_1 = `initial`.

    b > 1 where s is small: small directions collapse faster than exponentially, and spread.
    """
    variances = [initial]
    for s in path[:-1]:
        variances.append(float(exponent(to, s)) ** 2 * variances[-1] + 2 / (n - 1))
    return np.array(variances)


def half_life(steps: int, n: float, s: float) -> float:
    """Generations to half the variance at s, DDIM on the cosine schedule, to first order in 1/n and 1/T.

    ln 2 / (1/n + (pi^2 / 4T) cosh(ln(s) / 2)): the sampler outweighs the sample as soon as n > 4T / pi^2.
    """
    return float(np.log(2) / (1 / n + np.pi**2 / (4 * steps) * np.cosh(np.log(s) / 2)))
