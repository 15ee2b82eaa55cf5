"""Second moments in d dimensions when samples are truncated, |z| < c per coordinate in the principal axes.

Points are mu + U diag(l)^{1/2} z, with independent symmetric coordinates z. Write e for the mean of n such
z and f for their scatter over the divisor, both per coordinate; off the diagonal, E f_ij^2 = (E f)^2 / (n -
1). Then E of p1^2 = (tr Sigma)^2, p2 = tr Sigma^2, |m|^2 tr Sigma, m^T Sigma m and |m|^4 close among
themselves, since the fourth cumulant of z only ever meets sum l_i^2 = tr Sigma^2 (own derivation):

    (p1^2)'        = (E f)^2 p1^2 + Var f p2
    p2'            = (E f)^2 / nu p1^2 + (E f^2 - (E f)^2 / nu) p2
    (|m|^2 p1)'    = E f |m|^2 p1 + E e^2 E f p1^2 + Cov(e^2, f) p2
    (m^T Sigma m)' = E f m^T Sigma m + E[e^2 f] p2
    (|m|^4)'       = |m|^4 + 2 E e^2 |m|^2 p1 + 4 E e^2 m^T Sigma m + (E e^2)^2 (p1^2 - p2) + E e^4 p2.

A single entry of Sigma in fixed axes does not close: its kurtosis depends on how the axes turn.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from theory.replace.fits import Fit
from theory.replace.precision import step
from theory.wishart.fits import Path
from theory.wishart.moments import Spectrum, arithmetic
from theory.wishart.recursion import Decimals

SECOND = ("square_of_trace", "trace_of_square", "error_trace", "error_form", "mean_error_fourth")
FIRST = ("trace", "mean_error_squared")


def expectations(path: Path) -> dict[str, Decimals]:
    """E of every invariant at the stops, by name."""
    with arithmetic(path):
        start = Spectrum.of(path.covariance, path.offset)
        square, form, trace = start.form(0), start.form(1), start.power_sum(1)
        values = [trace, square, trace**2, start.power_sum(2), square * trace, form, square**2, Decimal(1)]
        state = np.array(values, object)
        found, t = {0: state}, 0
        steps = {}
        for one, count in path.runs:
            if one not in steps:
                steps[one] = _step(one)
            end = t + count
            for stop in sorted({x for x in path.stops if t < x < end} | {end}):
                state = _power(steps[one], stop - t) @ state
                t = stop
                found[t] = state
        table = np.array([found[stop] for stop in path.stops])
    return dict(zip((*FIRST, *SECOND), table.T[:-1], strict=True))


def _step(fit: Fit) -> Decimals:
    """The matrix of one fit on trace, |m|^2, the five second moments, and 1."""
    law = step(fit)
    f, ff, e, ee, ef = (law.moment(*x, 0) for x in ((0, 2), (0, 4), (2, 0), (4, 0), (2, 2)))
    matrix = np.full((8, 8), Decimal(0), object)
    matrix[0, 0] = f
    matrix[1, [0, 1]] = [e, Decimal(1)]
    matrix[2, [2, 3]] = [f**2, ff - f**2]
    matrix[3, [2, 3]] = [f**2 / fit.nu, ff - f**2 / fit.nu]
    matrix[4, [2, 3, 4]] = [e * f, ef - e * f, f]
    matrix[5, [3, 5]] = [ef, f]
    matrix[6, [2, 3, 4, 5, 6]] = [e**2, ee - e**2, 2 * e, 4 * e, Decimal(1)]
    matrix[7, 7] = Decimal(1)
    return matrix


def _power(matrix: Decimals, exponent: int) -> Decimals:
    result = None
    while exponent:
        if exponent & 1:
            result = matrix if result is None else result @ matrix
        matrix, exponent = matrix @ matrix, exponent >> 1
    return matrix if result is None else result


def central_moments(path: Path, observable: str) -> list[NDArray[np.float64]]:
    """Mean and, where it closes, variance of an invariant."""
    found = expectations(path)
    squares = {"trace": "square_of_trace", "mean_error_squared": "mean_error_fourth"}
    moments = [found[observable]]
    if observable in squares:
        with arithmetic(path):
            moments.append(found[squares[observable]] - found[observable] ** 2)
    return [path.settled(x) for x in moments]


def scales(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """E Sigma_t and E (mu_t - E mu_t)(...)^T as multiples of Sigma_0."""
    found = expectations(path)
    with arithmetic(path):
        start = Spectrum.of(path.covariance, path.offset)
        trace = start.power_sum(1)
        spread = found["mean_error_squared"] - start.form(0)
        return path.settled(found["trace"] / trace), path.settled(spread / trace)
