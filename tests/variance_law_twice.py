"""The law of the variance a second way, sharing no arithmetic with `theory.replace.variance_law`.

For constant n (own derivation, R3), with nu = n - 1,

    P(sigma_t^2 / sigma_0^2 <= q) = Gamma(nu/2)^{-t} G^{t,1}_{1,t+1}( q (c/2)^t | 1 ; nu/2, ..., nu/2, 0 ),

evaluated by mpmath for few fits. For many, or sizes that change, the density of the log-variance before the
last fit is a convolution power, computed by FFT from sampled densities, and the last fit is averaged over it:

    P(log s_t <= y) = int f_{t-1}(z) P(log(chi2_nu / c) <= y - z) dz,

by the trapezoid rule, which converges exponentially for these analytic densities.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from theory.replace.walk import Walk


def cdf_by_meijer(walk: Walk, ratio: float) -> float:
    """P(sigma_t^2 <= ratio sigma_0^2) for constant n, as a Meijer G function; practical up to t = 6."""
    import mpmath

    t = walk.degrees.size
    shape, divisor = mpmath.mpf(walk.degrees[0]) / 2, mpmath.mpf(walk.divisors[0])
    argument = mpmath.mpf(ratio) * (divisor / 2) ** t / mpmath.fprod(walk.factors)
    value = mpmath.meijerg([[1], []], [[shape] * t, [0]], argument)
    return float(value.real / mpmath.gamma(shape) ** t)


def cdf_by_convolution(walk: Walk, log_ratio: NDArray) -> NDArray:
    """P(log sigma_t^2 - log sigma_0^2 <= log_ratio) by convolving sampled densities, t >= 2."""
    shapes = walk.degrees / 2
    centres = special.digamma(shapes) - np.log(walk.divisors / 2) + np.log(walk.factors)
    # The transform of a density falls like e^{-pi |u| / 2} at least, and like that of a normal for large n.
    spacing = min(0.3 * math.sqrt(special.polygamma(1, shapes.max())), 0.2)
    # Each density falls at least like e^{a z} to the left, and so does the sum up to a power of z.
    deviation = math.sqrt(special.polygamma(1, shapes[:-1]).sum())
    left = 9 * deviation + 45 / shapes.min()
    size = 1 << math.ceil((left + 9 * deviation + 10) / spacing).bit_length()
    x = (np.arange(size) - size // 2) * spacing
    spectrum = np.ones(size // 2 + 1, complex)
    for shape, count in zip(*np.unique(shapes[:-1], return_counts=True), strict=True):
        y = x + special.digamma(shape)
        with np.errstate(over="ignore"):
            density = np.exp(shape * (y - math.log(shape)) - (np.exp(y) - shape))
        spectrum *= np.fft.rfft(np.fft.ifftshift(density / density.sum())) ** count
    weights = np.fft.fftshift(np.fft.irfft(spectrum, size))
    offsets = np.asarray(log_ratio, float)[..., None] - centres.sum() - x + special.digamma(shapes[-1])
    return (weights * special.gammainc(shapes[-1], np.exp(np.minimum(offsets, 700.0)))).sum(-1)
