"""What one fit does to the weights: w -> A w + noise, and the expectations of A that its risk needs.

With S = X'X over n points of N(0, I_d), labels X v + e, e of variance s^2, are fitted by A v + noise, whose
covariance is s^2 H. A and H are functions of S, so their expectations are multiples of I, and all that
matters is three numbers,

    al = E tr A / d,        be = E tr A^2 / d,        eta = E tr H:

    least squares, n >= d:  A = I,                    H = S^{-1}:       1, 1, d / (n - d - 1)
    minimum norm, n < d:    A the projection on rows, H = S^+:          n/d, n/d, n / (d - n - 1)
    ridge, penalty kappa:   A = (S + n kappa)^{-1} S, H = (S + n kappa)^{-2} S.

The first two are means of inverse Wishart matrices (S^+ has the nonzero eigenvalues of (XX')^{-1}, XX' ~
Wishart_n(I, d)); n kappa > 0 integrates over the exact density of `theory.wishart.spectrum`. E tr S^{-1} is
infinite for |n - d| <= 1. Own derivation, after Dohmatob et al. (2024), arXiv:2402.07712.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, sqrt
from typing import Any

import numpy as np

from theory.loop import Number


@dataclass(frozen=True)
class Design:
    """The spectrum of A and H: `counts[i]` directions with eigenvalues `gains[i]` and mean `noises[i]`.

    Attributes:
        dimension: d, the sum of the counts.
        counts: how many directions, on average.
        gains: eigenvalue of A.
        noises: mean eigenvalue of H among them.
    """

    dimension: Any
    counts: Any
    gains: Any
    noises: Any

    def mean(self, values: Any) -> Number:
        """E sum over directions of `values`, an entry a group."""
        if isinstance(self.counts, np.ndarray):
            return float(self.counts @ values)
        return sum((count * value for count, value in zip(self.counts, values, strict=True)), 0)

    @property
    def gain(self) -> Number:
        """The mean gain al = E tr A / d."""
        return self.mean(self.gains) / self.dimension

    @property
    def square(self) -> Number:
        """The mean squared gain be = E tr A^2 / d."""
        squares = self.gains**2 if isinstance(self.gains, np.ndarray) else [a * a for a in self.gains]
        return self.mean(squares) / self.dimension

    @property
    def noise(self) -> Number:
        """The noise eta = E tr H."""
        return self.mean(self.noises)


def least_squares(n: int, d: int, number: Callable[[Any], Any] = float) -> Design:
    """The design of a least-squares fit to n points, of minimum norm if n < d."""
    one = number(1)
    noise = inf if abs(n - d) <= 1 else one / (abs(n - d) - 1)
    if n >= d:
        return Design(d, (d,), (one,), (noise,))
    return Design(d, (n, d - n), (one, 0 * one), (noise, 0 * one))


@cache
def ridge(n: int, d: int, penalty: float) -> Design:
    """The design of a ridge fit to n points, exact for every n and d by quadrature."""
    from theory.wishart.spectrum import spectrum

    x, counts = spectrum(min(n, d), max(n, d), n * penalty)
    gains, noises = x / (x + n * penalty), x / (x + n * penalty) ** 2
    if n < d:
        counts, gains, noises = (
            np.append(values, more) for values, more in ((counts, d - n), (gains, 0.0), (noises, 0.0))
        )
    return Design(d, counts, gains, noises)


def marchenko_pastur(n: int, d: int, penalty: float) -> tuple[float, float, float]:
    """The limit of al, be, eta as n, d grow with d / n and the penalty fixed; its error is O(1/n).

    Marchenko and Pastur (1967): with c = d / n and m the root of c kappa m^2 + (1 - c + kappa) m = 1, m' its
    derivative in kappa: al = 1 - kappa m, be = 1 - 2 kappa m - kappa^2 m', eta = c (m + kappa m').
    """
    c, k = d / n, penalty
    b = 1 - c + k
    m = 2 / (b + sqrt(b * b + 4 * c * k))
    slope = -(c * m * m + m) / (2 * c * k * m + b)
    return 1 - k * m, 1 - 2 * k * m - k * k * slope, c * (m + k * slope)
