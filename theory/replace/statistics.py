"""Closed forms of every observable on the line, in numbers: mean, variance, third and fourth central moments.

Each observable is a polynomial in m, sigma, 1/sigma and l = log sigma^2 (lengths in units of the source's
standard deviation), so its powers are too, and the closure carries their expectations exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from theory.loop import Loop, sample_sizes
from theory.replace.closure import Polynomial, powers
from theory.replace.evolution import expectations, needed_digits
from theory.replace.fits import constant_size, models, sizes
from theory.replace.precision import context, log, lost
from theory.result import TOO_LARGE, Statistic, central, unknown


class Form(NamedTuple):
    """An observable as unit^length times `polynomial` / `denominator`.

    Attributes:
        polynomial: integer coefficients by the exponents (i, j, k) of m^i sigma^j l^k.
        length: the power of the source's standard deviation it scales with.
        claim: the entry that states its mean.
        denominator: 2 for the divergences.
    """

    polynomial: Polynomial
    length: int
    claim: str
    denominator: int = 1


FORMS = {
    "mean_error": Form({(1, 0, 0): 1}, 1, "gaussian.R6"),
    "mean_error_squared": Form({(2, 0, 0): 1}, 2, "gaussian.R6"),
    "mean_error_fourth": Form({(4, 0, 0): 1}, 4, "gaussian.R7"),
    "variance": Form({(0, 2, 0): 1}, 2, "gaussian.R1"),
    "std": Form({(0, 1, 0): 1}, 1, "gaussian.R1"),
    "log_variance": Form({(0, 0, 1): 1}, 0, "gaussian.R2"),
    "variance_squared": Form({(0, 4, 0): 1}, 4, "gaussian.R7"),
    "mean_variance_product": Form({(2, 2, 0): 1}, 4, "gaussian.R7"),
    "w2_squared": Form({(2, 0, 0): 1, (0, 2, 0): 1, (0, 1, 0): -2, (0, 0, 0): 1}, 2, "gaussian.R9"),
    "kl_to_source": Form({(2, 0, 0): 1, (0, 2, 0): 1, (0, 0, 0): -1, (0, 0, 1): -1}, 0, "gaussian.R10", 2),
    "kl_from_source": Form(
        {(2, -2, 0): 1, (0, -2, 0): 1, (0, 0, 0): -1, (0, 0, 1): 1}, 0, "gaussian.R10r", 2
    ),
}
PRODUCTS = ("variance", "std", "log_variance", "variance_squared")
"""What is a product (or sum) over generations even for growing samples, with no recursion."""


def claim(loop: Loop, observable: str) -> str:
    """The id of the entry that states this observable for this loop."""
    if loop.sampler.truncate is not None:
        return "gaussian.S2"
    if loop.sampler.temperature not in (None, 1.0):
        return "gaussian.S3"
    return "gaussian.S1" if loop.sampler.bias != 1 else FORMS[observable].claim


def is_polynomial(observable: str) -> bool:
    """Whether only even powers of sigma occur: then a truncated sampler keeps a closed form."""
    return all(j >= 0 and j % 2 == 0 and k == 0 for _, j, k in FORMS[observable].polynomial)


NOT_POLYNOMIAL = (
    "under truncation only moments polynomial in the mean and the variance have a closed form;"
    " the chi-square law of the fitted variance is lost"
)


def statistics(
    loop: Loop, observables: Sequence[str], generations: Sequence[int], highest: int = 2
) -> dict[str, Statistic]:
    """Closed forms at finite `generations` (increasing).

    Args:
        loop: on the line, numbers throughout.
        observables: names from `theory.observable.LINE`.
        generations: at least 1.
        highest: moments up to this order, 2 or 4.
    """
    shape = (len(generations),)
    truncated = loop.sampler.truncate is not None
    known = [name for name in observables if not truncated or is_polynomial(name)]
    with context(needed_digits(loop, generations[-1])):
        raw = {name: powers(FORMS[name].polynomial, highest) for name in known}
        monomials = {x for polynomials in raw.values() for polynomial in polynomials for x in polynomial}
        values = expectations(loop, generations, monomials) if known else []
        numbers = {name: np.array([_numbers(loop, name, raw[name], v) for v in values]) for name in known}
    result = {}
    for name in observables:
        if name in numbers:
            result[name] = _statistic(loop, name, generations, numbers[name])
        else:
            result[name] = unknown(shape, "none", None, NOT_POLYNOMIAL)
    return result


def _numbers(loop: Loop, name: str, raw: list[Polynomial], values: Polynomial) -> list[float]:
    """Mean and central moments of an observable from the expectations of monomials; inf where absent."""
    finite = [polynomial for polynomial in raw if polynomial.keys() <= values.keys()]
    moments = [expectation(polynomial, values) for polynomial in finite]
    return in_units(loop, name, rounded(central(moments), moments)) + [np.inf] * (len(raw) - len(finite))


def expectation(polynomial: Polynomial, values: Polynomial) -> Any:
    """E of a polynomial from the expectations of its monomials."""
    first, *rest = (values[x] * coefficient for x, coefficient in polynomial.items())
    return reduce(add, rest, first)


def rounded(moments: Sequence[Decimal], raw: Sequence[Decimal]) -> list[Decimal]:
    """Central moments in which what is left of an exact cancellation between `raw` ones is zero."""
    return [x if abs(x) > lost(y) else Decimal(0) for x, y in zip(moments, raw, strict=True)]


def in_units(loop: Loop, name: str, moments: Sequence[Decimal]) -> list[float]:
    """Mean and central moments in the source's units, from those in units of its standard deviation."""
    form, variance = FORMS[name], models(loop)[0].variance
    unit = Decimal(variance).sqrt() ** form.length / form.denominator
    scaled = [moment * unit**r for r, moment in enumerate(moments, start=1)]
    if name == "log_variance":
        scaled[0] += log(variance)
    return [float(x) for x in scaled]


def _statistic(loop: Loop, name: str, generations: Sequence[int], numbers: np.ndarray) -> Statistic:
    constant = constant_size(loop) is not None
    status = "exact" if constant or name in PRODUCTS else "recursion"
    reason = None
    if np.isinf(numbers[:, 0]).any() and name == "kl_from_source" and _has_few(loop, generations[-1]):
        status, reason = "infinite", why_infinite(loop, generations[-1])
    elif np.isinf(numbers[:, 0]).any():
        status, reason = "infinite", TOO_LARGE
    columns = dict(zip(("mean", "variance", "third", "fourth"), numbers.T, strict=False))
    return Statistic(status=status, claim=claim(loop, name), reason=reason, **columns)


def _has_few(loop: Loop, last: int) -> bool:
    n = constant_size(loop)
    return min(sample_sizes(sizes(loop), last) if n is None else (n,)) <= 3


def why_infinite(loop: Loop, last: int) -> str:
    """The condition of finiteness that fails for KL(N_0||N_g) by generation `last`."""
    n = constant_size(loop)
    if n is not None:
        return f"n is {n}: E[1/sigma^2] is finite only for n > 3"
    given = sample_sizes(sizes(loop), last)
    first = next(g for g, size in enumerate(given, start=1) if size <= 3)
    return f"n is {given[first - 1]} at generation {first}: E[1/sigma^2] is finite only for n > 3"
