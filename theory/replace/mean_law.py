"""The law of the mean after t fits, by a recursion for its characteristic function.

Given the variances the mean is normal, so E exp(iu (mu_t - mu_0)) = Phi_1(u^2 sigma_0^2) with

    Phi_k(x) = exp(-lambda_k x / (2 n_k)) E Phi_{k+1}(lambda_k A_k x),   Phi_{t+1} = 1,

A_k = chi2_{n_k - 1} / c_k (own derivation, R8; at t = 2 a normal plus a variance-gamma variable). In
y = log x the expectation is a convolution with the density of log(lambda_k A_k), the same at every step when
n is constant. Phi is analytic and at most 1 in |arg x| < pi/2, so the recursion is run on the ray
x = e^{y + i TILT}, on a uniform grid in y, with 16-point Lagrange interpolation between grid points.

On that ray u = r e^{i TILT/2}, e^{iux} decays as well as it turns, and Gil-Pelaez's integral becomes

    P(mu_t - mu_0 <= x) = 1/2 + (1/pi) (TILT/2 + Im int e^{iux} Phi_1(u^2 sigma_0^2) d log r),       x >= 0,

(TILT/2 from the turn about the pole at 0), summed by the trapezoid rule on the same grid, where it converges
exponentially, for any x and however heavy the tail. Only rounding remains, some 1e-15 + 3e-16 t at t steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from theory.replace.log_gamma_sum import NEGLIGIBLE, LogGammaSum, digamma_less_log, log_density
from theory.replace.root import increasing_root
from theory.replace.walk import Walk

TILT = math.pi / 8
_SPACING = 0.04  # of y; interpolation then errs by 3e-15 (Cauchy's bound at distance pi/2 - TILT)
_STENCIL = np.arange(-7, 9)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)

Step = tuple[float, float, float]
"""Degrees of freedom, divisor, lambda."""


class _Kernel(NamedTuple):
    """E f(y + log(lambda A)) = sum_m weights[m] f(y + (first + m) spacing)."""

    first: int
    weights: NDArray[np.float64]


class MeanLaw:
    """The distribution of mu_t - mu_source.

    Args:
        offset: mean of model 0, less the source's.
        scale: standard deviation of model 0.
        y: the grid.
        phi: Phi_1 on it.
    """

    def __init__(self, offset: float, scale: float, y: NDArray, phi: NDArray):
        self._offset, self._scale, self._y, self._phi = offset, scale, y, phi
        half = np.abs(phi) > 0.5
        self._typical = math.exp(-y[half][-1] / 2) if half.any() else 1.0

    def cdf(self, x: NDArray) -> NDArray:
        """P(mean error <= x)."""
        z = (np.asarray(x, float) - self._offset) / self._scale
        upper = self._evaluate(np.abs(z))[0]
        return np.where(z >= 0, upper, 1 - upper)

    def quantile(self, p: NDArray) -> NDArray:
        """The x with P(mean error <= x) = p."""
        p = np.asarray(p, float)
        target = np.maximum(p, 1 - p)
        inner = np.where(target < 1, target, 0.5)
        lower = np.zeros(p.shape)
        upper = np.full(p.shape, self._typical)
        for _ in range(60):  # to 1e36 typical sizes: beyond, p is 1 but for rounding
            short = self._evaluate(upper)[0] < inner
            if not short.any():
                break
            lower, upper = np.where(short, upper, lower), np.where(short, 4 * upper, upper)
        guess = self._typical * special.ndtri(np.minimum(inner, 1 - 1e-12))
        root = increasing_root(self._evaluate, inner, lower, upper, guess)
        root = np.where(target == 0.5, 0.0, np.where(target < 1, root, np.inf))
        return self._offset + self._scale * np.where(p < 0.5, -root, root)

    def _evaluate(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Distribution function and density of (mean error - offset) / scale, at x >= 0."""
        reach = max(float(x.max(initial=0.0)), 1.0)
        missing = math.ceil((self._y[0] - 2 * math.log(NEGLIGIBLE / reach)) / _SPACING)
        missing = max(missing, 0)
        y = np.concatenate([self._y[0] - _SPACING * np.arange(missing, 0, -1), self._y])
        phi = np.concatenate([np.ones(missing), self._phi])
        u = np.exp((y + 1j * TILT) / 2)
        wave = np.exp(1j * x[..., None] * u) * phi
        turn = wave.imag.sum(-1) * _SPACING / 2
        density = (wave * u).real.sum(-1) * _SPACING / 2 / math.pi
        return np.clip(0.5 + (TILT / 2 + turn) / math.pi, 0.5, 1.0), density


def mean_laws(walk: Walk, generations: Iterable[int]) -> dict[int, MeanLaw]:
    """The law of the mean at each of `generations` (at least 1, at most the length of the walk).

    With constant n and lambda one recursion serves all of them; else each has its own.
    """
    steps = list(zip(walk.degrees.tolist(), walk.divisors.tolist(), walk.factors.tolist(), strict=True))
    y = _grid(steps)
    kernel = cache(_kernel)
    wanted = sorted(set(generations))
    scale = math.sqrt(walk.start_variance)

    def law(after: NDArray) -> MeanLaw:
        return MeanLaw(walk.offset, scale, y, _damping(steps[0], y) * after)

    if len(set(steps[1:])) > 1:
        return {t: law(_after_first(steps[:t], y, kernel)) for t in wanted}
    laws = {}
    after = phi = np.ones(y.size, complex)
    for t in range(1, wanted[-1] + 1):
        if t > 1:
            phi = _damping(steps[1], y) * (phi if t == 2 else _expected(phi, kernel(steps[1])))
            after = _expected(phi, kernel(steps[0]))
        if t in wanted:
            laws[t] = law(after)
    return laws


def _after_first(steps: Sequence[Step], y: NDArray, kernel: Callable[[Step], _Kernel]) -> NDArray:
    """E Phi_2(lambda_1 A_1 x) by the recursion over steps[1:]."""
    phi = np.ones(y.size, complex)
    for k in range(len(steps) - 1, 0, -1):
        if k < len(steps) - 1:
            phi = _expected(phi, kernel(steps[k]))
        phi = _damping(steps[k], y) * phi
    return _expected(phi, kernel(steps[0])) if len(steps) > 1 else phi


def _damping(step: Step, y: NDArray) -> NDArray:
    """exp(-lambda x / 2n) on the ray."""
    degrees, _, factor = step
    return np.exp(-factor / (2 * (degrees + 1)) * np.exp(y + 1j * TILT))


def _expected(phi: NDArray, kernel: _Kernel) -> NDArray:
    """E phi(y + log(lambda A)) on the grid; phi is 1 to the left of it and 0 to the right."""
    left = max(-kernel.first, 0)
    right = max(kernel.first + len(kernel.weights) - 1, 0)
    padded = np.concatenate([np.ones(left), phi, np.zeros(right)])
    size = 1 << (padded.size + len(kernel.weights) - 1).bit_length()
    spectrum = np.fft.fft(padded, size) * np.fft.fft(kernel.weights[::-1], size)
    begin = left + kernel.first + len(kernel.weights) - 1
    return np.fft.ifft(spectrum)[begin : begin + phi.size]


def _grid(steps: Sequence[Step]) -> NDArray:
    """Values of y outside of which every Phi_k is 1 (left) or 0 (right), but for `NEGLIGIBLE`.

    |Phi_k| <= exp(-cos(TILT) lambda_k x / 2 n_k), and |1 - Phi_k| <= (x/2)^q E V_k^q for q <= 1, where
    V_k = lambda_k / n_k + lambda_k A_k V_{k+1} and E V_k^q is bounded by subadditivity.
    """
    degrees, divisors, factors = np.array(steps).T
    sizes = degrees + 1
    upper = math.log(2 * -math.log(NEGLIGIBLE) / math.cos(TILT) * float((sizes / factors).max()))
    lower = []
    for q in (1.0, 0.5, 0.25, 0.1):
        growth = q * np.log(2 * factors / divisors)
        growth += special.gammaln(degrees / 2 + q) - special.gammaln(degrees / 2)
        total = greatest = -math.inf
        for alone, factor in zip((q * np.log(factors / sizes))[::-1], growth[::-1], strict=True):
            total = np.logaddexp(alone, factor + total)
            greatest = max(greatest, total)
        lower.append((math.log(NEGLIGIBLE) - greatest) / q)
    count = math.ceil((upper - max(lower)) / _SPACING) + 1
    return upper - _SPACING * np.arange(count)[::-1]


def _kernel(step: Step) -> _Kernel:
    """The convolution with log(lambda A) as weights on the grid.

    The expectation is a Gauss-Legendre sum over panels of half a standard deviation; each node's value is
    interpolated from the 16 grid points around it.
    """
    degrees, divisor, factor = step
    shape = degrees / 2
    law = LogGammaSum([shape])
    lower, upper = law.range()
    edges = np.linspace(lower, upper, math.ceil(2 * (upper - lower) / law.deviation) + 1)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + _NODES)).ravel()
    weights = (half * _WEIGHTS).ravel() * np.exp(log_density(shape, x))
    y = (x + float(digamma_less_log(shape)) + math.log(factor * degrees / divisor)) / _SPACING
    cell = np.floor(y).astype(int)
    first = int(cell[0] + _STENCIL[0])
    result = np.zeros(int(cell[-1] + _STENCIL[-1]) - first + 1)
    for m, lagrange in zip(_STENCIL, _lagrange(y - cell), strict=True):
        np.add.at(result, cell + m - first, weights * lagrange)
    return _Kernel(first, result / math.fsum(result))


def _lagrange(x: NDArray) -> list[NDArray]:
    """The basis polynomials of the stencil at x, a fraction of the spacing."""
    return [
        np.prod([(x - j) / (m - j) for j in _STENCIL if j != m], axis=0) for m in _STENCIL
    ]  # fmt: skip
