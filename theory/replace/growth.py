"""How fast a schedule n_t grows, and hence whether the variance survives.

The variance of the replace loop has a positive limit iff sum 1/n_t < inf; else it vanishes almost surely, for
both estimators (Kakutani, 1948, doi:10.2307/1969123: the unbiased sigma_t^2 is a product martingale, and
prod E sqrt(chi2_nu / nu) = 0 iff sum 1/n_t = inf; maximum likelihood differs by the factor prod (1 - 1/n_t)).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from theory.expression import Expression


class Growth(NamedTuple):
    """coefficient e^{rate t} t^power (log t)^logs, to leading order; with a rate, only the rate is kept."""

    coefficient: float
    rate: float = 0.0
    power: float = 0.0
    logs: float = 0.0

    @property
    def order(self) -> tuple[float, float, float]:
        """What decides which of two grows faster."""
        return self.rate, self.power, self.logs

    def reciprocals_converge(self, exponent: float = 1.0) -> bool:
        """Whether the sum over t of n_t^{-exponent} is finite."""
        return (self.rate, exponent * self.power, exponent * self.logs) > (0, 1, 1)


class _UnknownError(ArithmeticError):
    """Leading terms cancel, or an order that `Growth` cannot hold."""


def growth(expression: Expression) -> Growth | None:
    """The growth of an expression in t; None where it cannot be told from leading terms."""
    try:
        found = expression.fold(Growth(1.0, power=1.0), lambda text: Growth(float(text)), _apply)
    except (ArithmeticError, ValueError):
        return None
    return found if found.coefficient > 0 else None


def _apply(name: str, x: Growth, y: Growth | None = None) -> Growth:
    match name:
        case "negate":
            return x._replace(coefficient=-x.coefficient)
        case "sqrt":
            return _power(x, 0.5)
        case "log":
            return _log(x)
        case "floor" | "ceil":
            return _rounded(x)
    assert y is not None
    match name:
        case "+":
            return _sum(x, y)
        case "-":
            return _sum(x, y._replace(coefficient=-y.coefficient))
        case "*":
            return Growth(x.coefficient * y.coefficient, x.rate + y.rate, x.power + y.power, x.logs + y.logs)
        case "/":
            return Growth(x.coefficient / y.coefficient, x.rate - y.rate, x.power - y.power, x.logs - y.logs)
    if y.order == (0, 0, 0):
        return _power(x, y.coefficient)
    if x.order == (0, 0, 0) and x.coefficient > 0 and y.order == (0, 1, 0):
        return Growth(1.0, rate=y.coefficient * math.log(x.coefficient))
    raise _UnknownError


def _sum(x: Growth, y: Growth) -> Growth:
    if 0 in (x.coefficient, y.coefficient):
        return y if x.coefficient == 0 else x
    if x.order != y.order:
        return max(x, y, key=lambda part: part.order)
    total = x.coefficient + y.coefficient
    if (total == 0 and x.order != (0, 0, 0)) or (x.rate and total <= 0):
        raise _UnknownError
    return x._replace(coefficient=total)


def _power(x: Growth, exponent: float) -> Growth:
    coefficient = x.coefficient**exponent
    if isinstance(coefficient, complex):
        raise _UnknownError
    return Growth(coefficient, x.rate * exponent, x.power * exponent, x.logs * exponent)


def _log(x: Growth) -> Growth:
    if x.rate > 0:
        return Growth(x.rate, power=1.0)
    if x.rate == 0 and x.power > 0:
        return Growth(x.power, logs=1.0)
    if x.order == (0, 0, 0):
        return Growth(math.log(x.coefficient))
    raise _UnknownError


def _rounded(x: Growth) -> Growth:
    if x.order <= (0, 0, 0):  # what approaches an integer may do so from either side
        raise _UnknownError
    return x
