"""The logarithm of a chi-square by inversion: a polynomial in a standard normal, fitted once on the host.

If x is standard normal, Q(Phi(x)) has the law of chi2_nu, Q its quantile function. The map
x -> log(Q(Phi(x)) / nu) is smooth, nearly linear for large nu, and a polynomial represents it on |x| <= 6.8
(`jaxsim.random` draws no larger normal): one piece, or below 19 degrees of freedom one on each side of 0.
The worst error there is below `FIT_ERROR` standard deviations of log chi2_nu, for every nu. Above
`LARGEST_FITTED` the quantile is the Cornish-Fisher expansion to order nu^-2 (Cornish and Fisher 1938; Hill
and Davis 1968, doi:10.1214/aoms/1177698251) in the cumulants psi^(r-1)(nu/2) of log chi2_nu.

In float32 evaluating it adds a rounding error of at most 3e-6 standard deviations, 3e-7 of them in the mean
at nu = 1 and 2e-8 from nu = 19 on: after t fits the mean is off by 3e-7 t at most, when its standard error
with 10^6 replicates is 1e-3 sqrt(t).
"""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import special

FIT_ERROR = 1e-9
LARGEST_FITTED = 50_000
EDGE = 6.8

# (from this nu on, pieces, degree); the errors are tested
_FITS = ((1, 2, 26), (2, 2, 22), (5, 2, 18), (9, 2, 14), (19, 1, 16), (40, 1, 12), (99, 1, 10), (1000, 1, 8))


class LogChiSquare(NamedTuple):
    """Polynomials for several nu.

    Attributes:
        centre: E log(chi2_nu / nu), [nu]; what the polynomials give is the deviation from it.
        rows: [nu, piece, 2 + degree + 1]: the middle of a piece, the reciprocal of its half-width, then
            coefficients, highest power first. Two pieces (x < 0, x >= 0) if one of the nu needs them.
    """

    centre: np.ndarray
    rows: np.ndarray


def fit(degrees_of_freedom: np.ndarray) -> LogChiSquare:
    """The polynomials for these degrees of freedom, which are distinct whole numbers of at least 1."""
    nu = np.asarray(degrees_of_freedom, float)
    kinds = np.searchsorted([start for start, _, _ in _FITS], nu, side="right") - 1
    kinds[nu > LARGEST_FITTED] = len(_FITS)
    forms = [(*_FITS, (LARGEST_FITTED, 1, 5))[kind] for kind in np.unique(kinds)]
    pieces, degree = (max(form[k] for form in forms) for k in (1, 2))
    rows = np.zeros((len(nu), pieces, 2 + degree + 1))
    for kind, (_, own_pieces, order) in zip(np.unique(kinds), forms, strict=True):
        members = np.flatnonzero(kinds == kind)
        half = EDGE / own_pieces
        for piece in range(pieces):
            # leading zeros, and a piece repeated, change no bit of what a fit gives on its own
            middle = (2 * piece - 1) * half if own_pieces == 2 else 0.0
            if kind == len(_FITS):
                coefficients = _cornish_fisher(nu[members])
            else:
                coefficients = _interpolate(nu[members], middle, half, order)
                if own_pieces == 1:
                    coefficients = coefficients / half ** np.arange(order, -1, -1)
            rows[members, piece, :2] = middle, 1 / half if own_pieces == 2 else 1.0
            rows[members, piece, 2 + degree - order :] = coefficients
    return LogChiSquare(log_mean(nu), rows)


def log_mean(nu: np.ndarray) -> np.ndarray:
    """E log(chi2_nu / nu) = psi(nu/2) - log(nu/2); its asymptotic series where that cancels."""
    a = np.asarray(nu, float) / 2
    series = -(1 / (2 * a) + 1 / (12 * a**2) - 1 / (120 * a**4) + 1 / (252 * a**6))
    return np.where(a > 50, series, special.digamma(a) - np.log(a))


def deviation(row: Float[Array, "*nu piece row"], x: Float[Array, "*draws"]) -> Float[Array, "*draws"]:
    """log(chi2_nu / nu) minus its mean, where x is standard normal."""
    if row.shape[-2] == 1:
        middle, narrowness, *coefficients = jnp.moveaxis(row[..., 0, :], -1, 0)
    else:
        left = x < 0
        columns = jnp.moveaxis(row, -1, 0)
        middle, narrowness, *coefficients = (jnp.where(left, c[..., 0], c[..., 1]) for c in columns)
    u = (x - middle) * narrowness
    value = jnp.zeros_like(x)
    for coefficient in coefficients:
        value = value * u + coefficient
    return value


def quantile(nu: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log(Q(Phi(x)) / nu) - E log(chi2_nu / nu), from SciPy's incomplete gamma functions."""
    a = nu / 2
    below = special.gammaincinv(a, special.ndtr(np.minimum(x, 0)))
    above = special.gammainccinv(a, special.ndtr(-np.maximum(x, 0)))
    return np.log(np.where(x < 0, below, above) / a) - log_mean(nu)


def _interpolate(nu: np.ndarray, middle: float, half: float, degree: int) -> np.ndarray:
    """Coefficients in (x - middle) / half, highest first, of the interpolant at Chebyshev nodes."""
    count = 2 * (degree + 1)
    angle = np.pi * (np.arange(count) + 0.5) / count
    values = quantile(nu[:, None], middle + half * np.cos(angle))
    cosines = np.cos(np.arange(degree + 1)[:, None] * angle) * (2 / count)
    cosines[0] /= 2
    chebyshev = values @ cosines.T
    return (chebyshev @ _to_powers(degree))[:, ::-1]


@cache
def _to_powers(degree: int) -> np.ndarray:
    """The powers' coefficients, lowest first, of the Chebyshev polynomials of degree 0, 1, ... [k, power]."""
    found = np.zeros((degree + 1, degree + 1))
    for k in range(degree + 1):
        found[k, : k + 1] = np.polynomial.chebyshev.cheb2poly(np.eye(degree + 1)[k, : k + 1])
    return found


def _cornish_fisher(nu: np.ndarray) -> np.ndarray:
    """Coefficients of x^5, ..., 1 of the Cornish-Fisher quantile of log chi2_nu, minus its mean.

    With k_r the standardised cumulants, of order nu^(-(r-2)/2); own derivation with SymPy, which agrees with
    Hill and Davis to the order they print.
    """
    spread = np.sqrt(special.polygamma(1, nu / 2))
    a, b, c, d = (special.polygamma(r - 1, nu / 2) / spread**r for r in (3, 4, 5, 6))
    descending = (
        -7 * a**4 / 216 + 7 * a**2 * b / 144 - a * c / 90 - b**2 / 128 + d / 720,
        a**3 / 27 - a * b / 24 + c / 120,
        b / 24 - a**2 / 18 + 211 * a**4 / 972 - 103 * a**2 * b / 288 + 17 * a * c / 180 + b**2 / 16 - d / 72,
        a / 6 - 53 * a**3 / 324 + 5 * a * b / 24 - c / 20,
        1 + 5 * a**2 / 36 - b / 8
        - 1511 * a**4 / 7776 + 107 * a**2 * b / 288 - 7 * a * c / 60 - 29 * b**2 / 384 + d / 48,
        -a / 6 + 17 * a**3 / 324 - a * b / 12 + c / 40,
    )  # fmt: skip
    return np.stack(descending, axis=-1) * spread[:, None]
