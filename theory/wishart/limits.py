"""Limits as t -> inf in d dimensions: what almost every run does, and what growing samples save.

Almost surely (1/t) log of the i-th eigenvalue tends to the i-th Lyapunov exponent (M4), so Sigma_t collapses
where the first exponent is negative, whatever E Sigma_t does, and its effective rank tends to 1.

For growing samples every entry of E Sigma_t and of the covariance of mu_t is a multiple of Sigma_0 that the
loop on the line tells (R13).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.loop import Gaussian, Loop, LoopError, Replace
from theory.observable import AXES
from theory.replace.fits import sizes
from theory.wishart.fits import Path
from theory.wishart.logarithms import exponents

SCHEDULED = "the limit for growing samples has no closed form here"
COLLAPSING = ("variance", "covariance", "trace", "trace_of_square", "square_of_trace")
"""What vanishes with the covariance."""


def almost_surely(path: Path, observable: str, mean: NDArray) -> NDArray[np.float64] | None:
    """The limit of almost every run where it is a constant other than that of the mean, else nan."""
    if not path.has_limit or observable not in (*COLLAPSING, "effective_rank", "eigenvalues"):
        return None
    sure = np.full_like(mean, np.nan)
    sure[path.infinite] = _constant(path, observable)
    sure = np.where(sure == mean, np.nan, sure)
    return None if np.isnan(sure).all() else sure


def _constant(path: Path, observable: str) -> NDArray | float:
    if path.truncated:  # E log < log E <= 0 in every direction, by Jensen's inequality
        return np.nan if observable == "effective_rank" else 0.0
    rates = exponents(path)
    if observable == "effective_rank":
        return 1.0
    if observable == "eigenvalues":
        return _of_sign(rates)
    if observable == "covariance" and rates[0] >= 0:
        return np.nan
    return _of_sign(rates[0])


def _of_sign(rate: NDArray | float) -> NDArray:
    return np.where(np.less(rate, 0), 0.0, np.where(np.greater(rate, 0), np.inf, np.nan))


def growing_limit(loop: Loop, observable: str) -> NDArray[np.float64]:
    """The limit of the mean for n an expression in t; nan where it is not known.

    Raises:
        LoopError: if the sample sizes are a list, which has an end.
    """
    from theory.replace.schedules import limit

    n = sizes(loop)
    if isinstance(n, tuple):
        raise LoopError("data.n", list(n), "a list of sample sizes ends, so there is no limit at t = inf")
    path = Path.of(loop, [1])
    unknown = np.full((path.dimension,) * len(AXES.get(observable, ())), np.nan)
    start = None if loop.start is None else Gaussian(0.0, 1.0)
    line = Loop(Gaussian(0.0, 1.0), Replace(n), loop.estimator, loop.sampler, start)
    matrix, b = path.covariance, path.offset
    scaled = {"variance": np.diag(matrix), "covariance": matrix, "trace": np.trace(matrix)}
    if observable == "mean_error":
        return b
    if observable == "mean_error_squared":
        value = limit(line, "mean_error_squared")
        return unknown if value is None else np.asarray(value * np.trace(matrix) + b @ b)
    if observable in scaled:
        value, factor = limit(line, "variance"), np.asarray(scaled[observable])
        if value is None:
            return unknown
        return np.where(factor == 0, 0.0, value * np.where(factor == 0, 1.0, factor))
    if observable in ("log_det", "kl_to_source", "kl_from_source"):
        singular = path.ranks[0] < path.dimension
        if singular or limit(line, "log_variance") == -np.inf:
            return np.asarray(-np.inf if observable == "log_det" else np.inf)
    return unknown
