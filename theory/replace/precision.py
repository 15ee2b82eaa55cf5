"""The constants of a fit to as many digits as its moments need, and the decimal arithmetic they live in.

A variance is a small difference of large moments: at n = 10^8 the r-th central moment keeps only the digits
beyond n^{-r}. Everything numerical in the closure is therefore done in decimals, whose exponent range also
holds (1 + 2/nu)^t and its inverse for any t.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from math import log10
from typing import Any

import mpmath

from theory.replace.closure import Step
from theory.replace.fit_law import GaussianStep
from theory.replace.fits import Fit
from theory.replace.truncation import SymmetricStep, truncated_moment

GUARD = 15  # of the digits carried, those that rounding may have spoilt
UNTRUNCATED = 50.0  # beyond this |z| < c removes less than 1e-540 of a normal


def context(digits: int) -> Any:
    """A decimal context of `digits` digits and the widest exponents there are."""
    return decimal.localcontext(
        decimal.Context(
            prec=digits, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.InvalidOperation]
        )
    )


def digits() -> int:
    """The digits of the current decimal context."""
    return decimal.getcontext().prec


def lost(x: Decimal) -> Decimal:
    """The size up to which rounding may falsify numbers like `x`."""
    return abs(x).scaleb(GUARD - digits())


def gaussian_step(n: int, divisor: int, factor: float) -> GaussianStep:
    """One fit to `n` samples of variance `factor` sigma^2, in decimals of the current context."""

    def half() -> Decimal:
        with mpmath.workdps(digits()):
            nu = mpmath.mpf(n - 1)
            gammas = mpmath.gammaprod([(nu + 1) / 2], [nu / 2])
            value = gammas * mpmath.sqrt(2 * mpmath.mpf(factor) / divisor)
            return _decimal(value)

    def cumulant(r: int, parity: int) -> Decimal:
        with mpmath.workdps(digits()):
            value = mpmath.psi(r - 1, mpmath.mpf(n - 1 + parity) / 2)
            if r == 1:
                value += mpmath.log(2 * mpmath.mpf(factor) / divisor)
            return _decimal(value)

    return GaussianStep(n, divisor, Decimal(factor), half, cumulant, Decimal(1))


def step(fit: Fit) -> Step:
    """The law of a fit, in decimals of the current context."""
    if fit.truncate is None:
        return gaussian_step(fit.n, fit.divisor, fit.factor)
    return truncated_step(fit.n, fit.divisor, fit.truncate)


def truncated_step(n: int, divisor: int, cut: float) -> Step:
    """One fit to `n` samples mu + sigma z of a normal kept within |z| < `cut`."""
    if cut > UNTRUNCATED:
        return gaussian_step(n, divisor, 1.0)

    def moment(order: int) -> Decimal:
        with mpmath.workdps(digits()):
            return _decimal(truncated_moment(cut, order))

    return SymmetricStep(n, divisor, moment, Decimal(1))


def log(x: float) -> Decimal:
    """The natural logarithm of a float."""
    return Decimal(x).ln()


def digits_needed(largest_n: int, offset: Decimal, narrowest: Decimal) -> int:
    """Digits that keep fourth central moments.

    Args:
        largest_n: the largest sample.
        offset: the mean's distance from the source's in units of sigma: (m + offset)^4 loses offset^4.
        narrowest: the least sigma in units of the source's: m^4 beside 1 in W2 loses narrowest^8.
    """
    return 60 + round(4 * log10(largest_n) + 4 * float(offset.log10()) - 8 * float(narrowest.log10()))


def _decimal(x: Any) -> Decimal:
    return Decimal(mpmath.nstr(x, digits(), strip_zeros=False))
