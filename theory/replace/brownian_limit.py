"""The replace loop with many samples, in time tau = t/n: geometric Brownian motion.

As n grows at fixed tau the log-variance moves by independent steps of mean -2/n (maximum likelihood) or -1/n
(unbiased) and variance 2/n, to first order, so that

    d log s = -b dtau + sqrt(2) dW,    b = 2 | 1,        d mu = sigma dB,
    E sigma^k -> sigma_0^k exp{(k^2/4 - b k/2) tau},

with an error of order 1/n (own derivation, R15): lim E sigma = sigma_0 e^{-3 tau/4} | sigma_0 e^{-tau/4}.
"""

from __future__ import annotations

import math

from theory.loop import Loop
from theory.replace.fits import divides_by_n, models, require_replace


def limiting_moment(loop: Loop, power: float, tau: float) -> float:
    """The limit of E sigma_t^power as n -> inf with t = n tau, for lambda = 1."""
    drift, start = _drift(loop), _start(loop)
    return start ** (power / 2) * math.exp((power**2 / 4 - drift * power / 2) * tau)


def limiting_log_variance(loop: Loop, tau: float) -> tuple[float, float]:
    """Mean and variance of the normal law that log sigma_t^2 tends to."""
    return math.log(_start(loop)) - _drift(loop) * tau, 2 * tau


def _drift(loop: Loop) -> float:
    require_replace(loop)
    return 2.0 if divides_by_n(loop) else 1.0


def _start(loop: Loop) -> float:
    return float(models(loop)[1].variance)
