"""KL(N_0 || N_t) in d dimensions, by moments of the inverse Wishart law.

In coordinates where the source is N(0, I), with G = Sigma_t^{-1} and m = mu_t,

    KL(N_0 || N_t) = (R - d + log det Sigma_t) / 2,    R = tr G + m^T G m.

A fit takes m to m + sqrt(omega) Sigma^{1/2} z, omega = lambda / n, and G to (c / lambda) G^{1/2} Z G^{1/2},
Z = W^{-1}; with k = nu - d (von Rosen 1988, Scand. J. Statist. 15:97),

    E Z = I / (k - 1),   E Z_ij Z_kl = a d_ij d_kl + b (d_ik d_jl + d_il d_jk),
    b = 1 / (k (k - 1) (k - 3)),   a = (k - 2) b,

so the invariants tr G, q = m^T G m, tr G^2, (tr G)^2, h = m^T G^2 m, q tr G, q^2 close among themselves (own
derivation). Cov(R, log det Sigma_t) is the derivative of E R along nu + 2 theta (`theory.wishart_recursion`).
The mean is finite iff every n > d + 2, the variance iff every n > d + 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from theory.wishart_fits import Fit, Path
from theory.wishart_kl import log_det_cumulants, whitened
from theory.wishart_moments import Spectrum, arithmetic


@dataclass(frozen=True)
class Invariants:
    """Expectations of the invariants of G and m, and derivatives of two of them along nu + 2 theta."""

    trace: Decimal
    form: Decimal
    trace_slope: Decimal
    form_slope: Decimal
    trace_of_square: Decimal
    square_of_trace: Decimal
    form_of_square: Decimal
    form_trace: Decimal
    form_squared: Decimal

    @classmethod
    def at(cls, start: Spectrum) -> Invariants:
        """Their values at generation 0."""
        g, g2, q, h = Decimal(0), Decimal(0), Decimal(0), Decimal(0)
        for value, weight in zip(start.eigenvalues, start.weights, strict=True):
            g, g2 = g + 1 / value, g2 + 1 / value**2
            q, h = q + weight / value, h + weight / value**2
        return cls(g, q, Decimal(0), Decimal(0), g2, g * g, h, q * g, q * q)

    def after(self, fit: Fit, d: int) -> Invariants:
        """Their values after a fit with n > d + 2; second moments are infinite unless n > d + 4."""
        k, omega, ratio = fit.nu - d, fit.noise, 1 / fit.scale
        first = ratio / (k - 1)
        slope = -2 * first / (k - 1)
        moved = self.form + omega * d
        means = (
            first * self.trace,
            first * moved,
            first * self.trace_slope + slope * self.trace,
            first * self.form_slope + slope * moved,
        )
        if k <= 3:
            return Invariants(*means, *(Decimal("Infinity"),) * 5)
        b = ratio**2 / (k * (k - 1) * (k - 3))
        a = (k - 2) * b
        form_trace = self.form_trace + omega * d * self.trace
        form_of_square = self.form_of_square + omega * self.trace
        form_squared = self.form_squared + 2 * omega * (d + 2) * self.form + omega**2 * d * (d + 2)
        return Invariants(
            *means,
            (a + b) * self.trace_of_square + b * self.square_of_trace,
            2 * b * self.trace_of_square + a * self.square_of_trace,
            (a + b) * form_of_square + b * form_trace,
            2 * b * form_of_square + a * form_trace,
            (a + 2 * b) * form_squared,
        )

    @property
    def mean(self) -> Decimal:
        """E R."""
        return self.trace + self.form

    @property
    def variance(self) -> Decimal:
        """Var R."""
        return self.square_of_trace + 2 * self.form_trace + self.form_squared - self.mean**2

    @property
    def covariance_with_log_det(self) -> Decimal:
        """Cov(R, log det Sigma_t)."""
        return self.trace_slope + self.form_slope


def kl_from_source(path: Path) -> list[NDArray[np.float64]]:
    """Mean and variance of KL(N_0 || N_t) on a path without limit, every n > d + 2."""
    start = whitened(path)
    d = len(start.eigenvalues)
    with arithmetic(path):
        logs = log_det_cumulants(path, d, 2)
        shift = sum((x.ln() for x in start.eigenvalues), Decimal(0)) - d
        now = Invariants.at(start)
        found, t = {0: now}, 0
        for fit, count in path.runs:
            for t in range(t + 1, t + count + 1):
                now = now.after(fit, d)
                if t in path.stops:
                    found[t] = now
        reached = [found[stop] for stop in path.stops]
        means = [(x.mean + logs[0, i] + shift) / 2 for i, x in enumerate(reached)]
        variances = [
            (x.variance + 2 * x.covariance_with_log_det + logs[1, i]) / 4 for i, x in enumerate(reached)
        ]
        return [path.settled(np.array(x, object)) for x in (means, variances)]


