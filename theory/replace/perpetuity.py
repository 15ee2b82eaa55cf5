"""Where the mean ends: the limit of the random walk whose steps shrink with the variance.

At constant n, mu_t converges almost surely while log sigma^2 drifts down, to

    mu_inf = mu_0 + sigma_0 sqrt(lambda_1 / n) sqrt(V) Z,
    V = 1 + B_1 + B_1 B_2 + ...,    B = lambda chi2_nu / c,

a Kesten-Goldie perpetuity. With kappa > 0 the root of E B^kappa = 1, P(V > x) ~ C x^{-kappa} and

    C = E[(1 + B V)^kappa - (B V)^kappa] / (kappa E[B^kappa log B]),
    E[B^kappa log B] = psi(nu/2 + kappa) + log(2 lambda / c)

(Goldie, 1991, doi:10.1214/aoap/1177005985). Hence the tail index of mu_inf is 2 kappa: 2 for the unbiased
estimator without bias, whose limit has no variance, and a little over 4 for maximum likelihood. At kappa = 1
the numerator is 1, and P(|mu_inf - mu_0| > x) ~ sigma_0^2 lambda_1 C / (n x^2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from theory.loop import Loop
from theory.replace.fits import constant_size, sizes
from theory.replace.log_gamma_sum import LogGammaSum
from theory.replace.walk import NoLawError, require_chi_square, walk


@dataclass(frozen=True)
class Tail:
    """P(|mu_inf - mu_0| > x) ~ constant x^{-index} as x grows.

    Attributes:
        index: 2 kappa.
        constant: known in closed form at kappa = 1 only, else None.
    """

    index: float
    constant: float | None


def limit_tail(loop: Loop) -> Tail:
    """The tail of the limit of the mean, at constant n.

    Raises:
        NoLawError: if n changes, the variance does not collapse, or the factors are not chi-squares.
    """
    require_chi_square(loop)
    if constant_size(loop) is None:
        raise NoLawError("data.n", str(sizes(loop)), "the perpetuity needs a constant number of samples")
    steps = walk(loop, 2)
    shape = steps.degrees[1] / 2
    drift = float(steps.drifts[1])
    if drift >= 0:
        raise NoLawError("sampler", steps.factors[1], "the variance does not collapse: the mean has no limit")
    kappa = _positive_root(shape, drift)
    constant = None
    if math.isclose(kappa, 1, rel_tol=1e-12):
        spread = steps.start_variance * steps.factors[0] / (steps.degrees[0] + 1)
        constant = float(spread / (drift + 1 / shape))  # psi(a + 1) = psi(a) + 1/a
    return Tail(2 * kappa, constant)


def _positive_root(shape: float, drift: float) -> float:
    """The kappa > 0 with log E B^kappa = 0: a convex function that starts at 0 with slope `drift` < 0."""
    from scipy.optimize import brentq

    law = LogGammaSum([shape])

    def log_moment(kappa: float) -> float:
        return float(law.log_transform(kappa)) + kappa * drift

    lower = upper = -drift / law.variance  # below the minimum's mirror image, the root of a parabola over two
    while log_moment(lower) >= 0:
        lower /= 2
    while log_moment(upper) <= 0:
        upper *= 2
    return float(brentq(log_moment, lower, upper, xtol=1e-300, rtol=1e-14))
