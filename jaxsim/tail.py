"""When the mean of N independent replicates may be judged by a normal tail.

A z-test at a false-alarm rate of 1e-6 asks the normal law about its tail near z = 5, where the central limit
theorem arrives late: E[sigma_t^2] of a true theorem can score z = -309, because the sample never meets the
values that carry the expectation. Two things go wrong, and each needs enough replicates.

**The bulk.** For a standardised mean of N terms with skewness g and excess kurtosis k, Cramer's series
(Petrov, 1975, Sums of Independent Random Variables, ch. VIII) gives, for z = o(sqrt N),

    P(Z > z) / P(normal > z) = exp(g z^3 / (6 sqrt N) + (k - 3 g^2) z^4 / (24 N) + ...).

The two terms together may reach log 2: each tail then has its stated rate within a factor of two. Divided
by the sample's own standard deviation instead, the mean obeys the same law with -2g in the place of g
(Wang, 2005, doi:10.1214/EJP.v10-289).

**One jump.** Cramer's series needs exponential moments. Without them a single replicate beyond z sqrt N
standard deviations decides, which happens with probability N P(X > z sqrt N). That tail is taken from the
heavier of two laws with the same kurtosis, the log-normal (products of many positive factors) and the
inverse gamma (a power law), and must not exceed the rate of one side of the test.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

DISTORTION = 2.0
"""The factor by which the true rate of a test may differ from the stated one."""

_LIGHT = 1e-6  # an excess kurtosis below this has no tail beyond the normal's


def replicates_for_normal_tail(
    skewness: ArrayLike, excess: ArrayLike, threshold: float, *, studentised: bool = False
) -> NDArray[np.float64]:
    """The least number of replicates whose mean has a trustworthy normal tail at `threshold`.

    Infinite where a moment is infinite or unknown.

    Args:
        skewness: of one replicate.
        excess: kurtosis of one replicate, less 3.
        threshold: the z at which an alarm is raised.
        studentised: whether the mean is divided by the sample's standard deviation.
    """
    skewness, excess = np.broadcast_arrays(np.asarray(skewness, float), np.asarray(excess, float))
    known = np.isfinite(skewness) & np.isfinite(excess)
    g, k = np.where(known, skewness, 0.0), np.where(known, excess, 0.0)
    first = np.abs(g) * threshold**3 / (3 if studentised else 6)
    second = np.abs(k - 3 * g**2) * threshold**4 / 24
    # The root u = 1/sqrt(N) of first u + second u^2 = log 2, in the form that survives second = 0.
    allowed = np.log(DISTORTION)
    root = (first + np.sqrt(first**2 + 4 * second * allowed)) / (2 * allowed)
    count = np.maximum(root**2, 2.0)
    return np.where(known, np.ceil(_until_no_jump(count, k, threshold)), np.inf)


def _until_no_jump(count: NDArray, excess: NDArray, threshold: float) -> NDArray:
    """`count`, raised (in steps of 2^(1/4)) until one jump is rarer than the test's own rate."""
    rate = special.ndtr(-threshold)
    for _ in range(400):
        short = count * _heavy_tail(threshold * np.sqrt(count), excess) > rate
        if not short.any():
            return count
        count = np.where(short, count * 2**0.25, count)
    return np.where(short, np.inf, count)


def _heavy_tail(x: NDArray, excess: NDArray) -> NDArray:
    """P(X > x), the greater of the standardised log-normal and inverse gamma laws; 0 if `excess` <= 0.

    The log-normal with log-variance s has excess kurtosis w^4 + 2 w^3 + 3 w^2 - 6, w = e^s. The inverse gamma
    with shape a has mean 1/(a-1), variance 1/((a-1)^2 (a-2)) and excess kurtosis 6(5a - 11)/((a-3)(a-4)): a
    quadratic in a whose larger root exceeds 4.
    """
    k = np.where(excess > _LIGHT, excess, _LIGHT)
    w = (k + 6) ** 0.25
    for _ in range(40):  # Newton from above on a convex increasing function
        w = w - (w**4 + 2 * w**3 + 3 * w**2 - 6 - k) / (4 * w**3 + 6 * w**2 + 6 * w)
    s = np.log(w)
    log_normal = special.ndtr(-(s / 2 + np.log1p(x * np.sqrt(w - 1))) / np.sqrt(s))
    linear = 7 * k + 30
    shape = (linear + np.sqrt(linear**2 - 4 * k * (12 * k + 66))) / (2 * k)
    power = special.gammainc(shape, (shape - 1) / (1 + x / np.sqrt(shape - 2)))
    return np.where(excess > _LIGHT, np.maximum(log_normal, power), 0.0)


def square_of_pearson(skewness: ArrayLike, excess: ArrayLike) -> tuple[NDArray, NDArray]:
    """Skewness and excess kurtosis of (X - E X)^2, for planning a test of a variance.

    They need the moments of X up to the eighth. Only four are given, so the others are those of the Pearson
    law with these four: the normal, gamma, beta and inverse gamma laws are among them, and a law with a
    kurtosis beyond them has a polynomial tail. Pearson's equation f'/f = -(x + b)/(c + b x + a x^2) gives,
    by parts,

        mu_{j+1} (1 - (j + 2) a) = j (c mu_{j-1} + b mu_j),
        a = (2 k - 3 g^2)/(10 k + 12 - 12 g^2),   c = 1 - 3a,   b = g (1 - 4a)/2

    for unit variance, skewness g and excess kurtosis k. Infinite where the eighth moment is.
    """
    g, k = np.broadcast_arrays(np.asarray(skewness, float), np.asarray(excess, float))
    # Everything is multiplied by the denominator of a, which vanishes for the uniform law.
    with np.errstate(invalid="ignore", over="ignore"):  # laws without these moments: nothing is known
        whole, part = 10 * k + 12 - 12 * g**2, 2 * k - 3 * g**2
    moments = [np.ones_like(g), np.zeros_like(g)]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for j in range(1, 8):
            before = (whole - 3 * part) * moments[j - 1] + g * (whole - 4 * part) / 2 * moments[j]
            moments.append(j * before / (whole - (j + 2) * part))
        fourth, sixth, eighth = moments[4], moments[6], moments[8]
        variance = fourth - 1
        skew = (sixth - 3 * fourth + 2) / variance**1.5
        kurtosis = (eighth - 4 * sixth + 6 * fourth - 3) / variance**2 - 3
    known = (whole < 0) | (part < whole / 9)
    flat = known & (variance <= 1e-12)  # a two-point law: its square does not vary
    skew, kurtosis = np.where(flat, 0.0, skew), np.where(flat, 0.0, kurtosis)
    return np.where(known, skew, np.inf), np.where(known, kurtosis, np.inf)
