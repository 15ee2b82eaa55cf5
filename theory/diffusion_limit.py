"""The replace loop with many samples, in time tau = t/n: geometric Brownian motion.

As n grows at fixed tau the log-variance moves by independent steps of mean -2/n (maximum likelihood) or -1/n
(unbiased) and variance 2/n, to first order, so that

    d log s = -b dtau + sqrt(2) dW,    b = 2 | 1,        d mu = sigma dB,
    E sigma^k -> sigma_0^k exp{(k^2/4 - b k/2) tau},

with an error of order 1/n (own derivation, R15): lim E sigma = sigma_0 e^{-3 tau/4} | sigma_0 e^{-tau/4}.
"""

from __future__ import annotations

import math

from theory.loop import Gaussian, Loop, MaximumLikelihood


def limiting_moment(loop: Loop, power: float, tau: float) -> float:
    """The limit of E sigma_t^power as n -> inf with t = n tau, for lambda = 1."""
    drift = 2.0 if isinstance(loop.estimator, MaximumLikelihood) else 1.0
    start = _start(loop)
    return start ** (power / 2) * math.exp((power**2 / 4 - drift * power / 2) * tau)


def limiting_log_variance(loop: Loop, tau: float) -> tuple[float, float]:
    """Mean and variance of the normal law that log sigma_t^2 tends to."""
    drift = 2.0 if isinstance(loop.estimator, MaximumLikelihood) else 1.0
    return math.log(_start(loop)) - drift * tau, 2 * tau


def _start(loop: Loop) -> float:
    first = loop.first_model
    assert isinstance(first, Gaussian)
    return float(first.variance)
