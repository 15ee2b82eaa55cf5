"""When the variance first falls to a fraction h of the source's: moments of the first passage, by quadrature.

T = min{g >= 1: sigma_g^2 <= h sigma_source^2}. With y = log(sigma^2 / (h sigma_source^2)) a step adds
X = log(lambda chi2_nu / c), of mean -d < 0, and u_k(y) = E[T^k | y] obeys (own derivation, R11)

    u_k(y) = 1 + sum_{0 < j <= k} C(k, j) E u_j(y + X)   for y > 0,        u_k = 0 for y <= 0.

Far above the threshold u_k is a polynomial of degree k, with p_k = 1 + sum_j C(k, j) E p_j(y + X) everywhere
(as in Wald's identities). The difference w_k = u_k - p_k obeys

    w_k(y) = sum_{0 < j <= k} C(k, j) E w_j(y + X)   for y > 0,        w_k = -p_k for y <= 0,

and tends exponentially to a constant, which is then moved into p_k. So w_k is only needed over a few dozen
standard deviations of X, where Nystrom's method on Gauss-Legendre panels solves it, whatever h and however
slow the drift.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from scipy import linalg, special

from theory.claim import Status
from theory.loop import Loop, LoopError
from theory.replace.fits import constant_size, models
from theory.replace.log_gamma_sum import LogGammaSum, log_density
from theory.replace.walk import NoLawError, require_chi_square, walk
from theory.result import Statistic, central

CLAIM = "gaussian.R11"
_AGREEMENT = 1e-11  # relative, between two discretisations: ten digits and one to spare
_ORDERS = 4


def mean_half_life(loop: Loop) -> Statistic:
    """Mean and central moments of the first generation whose variance is at most half the source's."""
    return first_passage(loop, 0.5)


def first_passage(loop: Loop, h: float) -> Statistic:
    """Mean and central moments of min{g >= 1: variance_g <= h times the source's}.

    Infinite if the log-variance does not drift down; none where the factors change with the generation or are
    not multiples of chi-squares.

    Args:
        loop: on the line, with a constant number of samples.
        h: greater than 0.
    """
    if not h > 0:
        raise LoopError("h", h, "the fraction must be greater than 0")
    try:
        require_chi_square(loop)
    except NoLawError as error:
        return _without("none", str(error))
    if constant_size(loop) is None:
        return _without("none", "the quadrature is for a number of samples that stays the same")
    steps = walk(loop, 2)
    shape = steps.degrees[0] / 2
    centre = steps.drifts
    if centre[1] >= 0:
        condition = "the log-variance does not drift down: log(lambda) + psi((n - 1)/2) + log(2/c) >= 0"
        return _without("infinite", condition)
    source, _ = models(loop)
    begin = math.log(steps.start_variance) - math.log(h) - math.log(source.variance)
    moments = _raw_moments(shape, -centre[1], begin + centre[0])
    if moments is None:
        return _without("none", "the quadrature does not settle to ten digits")
    mean, variance, third, fourth = (np.array(x) for x in central(moments))
    return Statistic(mean, variance, "recursion", CLAIM, third=third, fourth=fourth)


def asymptotic_mean(loop: Loop, h: float) -> float:
    """E T for many small steps at lambda = 1, from the source: an asymptotic formula, not a bound.

    [log(1/h) + s b - psi''(a) / (6 psi'(a))] / d + 1/4 with a = (n - 1)/2, s^2 = psi'(a), d the drift down:
    Wald's identity, a normal step overshooting by s b + d/4 + o(d), b = -zeta(1/2) / sqrt(2 pi) = 0.5826
    (Siegmund, 1985, Sequential Analysis, ch. X), and the correction for skewness. Within 0.016 of the
    quadrature for n >= 5 and h = 1/2.
    """
    steps = walk(loop, 2)
    a = steps.degrees[0] / 2
    drift = -steps.drifts[0]
    spread, skew = special.polygamma(1, a), special.polygamma(2, a)
    overshoot = 0.5825971579390107 * math.sqrt(spread) - skew / (6 * spread)
    return (math.log(1 / h) + overshoot) / drift + 0.25


def _without(status: Status, reason: str) -> Statistic:
    value = math.inf if status == "infinite" else math.nan
    return Statistic(np.array(value), np.array(value), status, CLAIM, reason)


@lru_cache(maxsize=64)
def _raw_moments(shape: float, drift: float, begin: float) -> tuple[float, ...] | None:
    """E T^k, k = 1..4, refined until two discretisations agree; None if they never do.

    Args:
        shape: a.
        drift: d > 0.
        begin: mean of y after the first step.
    """
    panels, nodes = 24, 8
    before = np.full(_ORDERS, np.inf)
    for _ in range(6):
        moments = _solve(shape, drift, begin, panels, nodes)
        if np.all(np.abs(moments - before) <= _AGREEMENT * moments):
            return tuple(moments.tolist())
        before, panels, nodes = moments, panels * 3 // 2, nodes + 2
    return None


def _solve(shape: float, drift: float, begin: float, panels: int, nodes: int) -> NDArray:
    law = LogGammaSum([shape])
    width = min(law.deviation, 1.0)
    lower, _ = law.range()
    above, weights = _panels(0.0, panels * width, panels, nodes)
    count = math.ceil((drift - lower) / width)
    below, weights_below = _panels(-count * width, 0.0, count, nodes)

    def density(x: NDArray) -> NDArray:
        return np.exp(log_density(shape, x))

    def expectation(y: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Of a function of y + X: matrices for its values above and below, and the weight beyond."""
        inner = density(above - y[:, None]) * weights
        outer = density(below - y[:, None]) * weights_below
        beyond = special.gammaincc(shape, np.exp(special.digamma(shape) + panels * width - y))
        return inner, outer, beyond

    inner, outer, beyond = expectation(above - drift)
    system = np.eye(above.size) - inner
    system[:, -1] -= beyond  # constant beyond the last panel
    factors = linalg.lu_factor(system)
    far, remainders = _FarField(shape, drift), [np.zeros(above.size)]
    for k in range(1, _ORDERS + 1):
        p = far.particular(k)
        right = -outer @ p(below)
        for j in range(1, k):
            right += math.comb(k, j) * (inner @ remainders[j] - outer @ far.polynomials[j](below))
        w = linalg.lu_solve(factors, right)
        far.polynomials.append(p + w[-1])
        remainders.append(w - w[-1])
    inner, outer, _ = expectation(np.array([begin]))
    after = [0.0]
    for p, w in zip(far.polynomials[1:], remainders[1:], strict=True):
        if begin < panels * width / 2:  # the first step does not leave the panels upwards
            after.append((inner @ (p(above) + w)).item())
        else:
            after.append(far.smoothed(p)(begin) + (inner @ w - outer @ p(below)).item())
    return np.array(
        [1 + sum(math.comb(k, j) * after[j] for j in range(1, k + 1)) for k in range(1, _ORDERS + 1)]
    )


class _FarField:
    """The polynomials p_k, k = 0, 1, ... as they become known; p_0 = 1.

    Args:
        shape: a.
        drift: d.
    """

    def __init__(self, shape: float, drift: float):
        second, third, fourth = (special.polygamma(r, shape) for r in (1, 2, 3))
        self._moments = (1.0, 0.0, second, third, fourth + 3 * second**2)  # of the centred step
        self._drift = drift
        self.polynomials = [Polynomial([1.0])]

    def particular(self, k: int) -> Polynomial:
        """The p_k without a constant: y^i - E (y + X)^i = d i y^{i-1} + ... cancels a power at a time."""
        remaining = Polynomial([1.0])
        for j in range(1, k):
            remaining += math.comb(k, j) * self._stepped(self.polynomials[j])
        coefficients = np.zeros(k + 1)
        for degree in range(k, 0, -1):
            term = Polynomial([0.0] * degree + [remaining.coef[degree - 1] / (self._drift * degree)])
            coefficients[degree] += term.coef[degree]
            remaining = Polynomial((remaining - term + self._stepped(term)).coef[:degree])
        return Polynomial(coefficients)

    def smoothed(self, p: Polynomial) -> Polynomial:
        """E p(y + S), S the centred step, as a polynomial in y."""
        terms = (p.deriv(i) * (self._moments[i] / math.factorial(i)) for i in range(1, p.degree() + 1))
        return sum(terms, p)

    def _stepped(self, p: Polynomial) -> Polynomial:
        """E p(y + X)."""
        return self.smoothed(p)(Polynomial([-self._drift, 1.0]))


def _panels(lower: float, upper: float, count: int, nodes: int) -> tuple[NDArray, NDArray]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    edges = np.linspace(lower, upper, count + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()
