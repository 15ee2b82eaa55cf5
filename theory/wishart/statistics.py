"""Closed forms of every observable of the replace loop in d dimensions, in numbers.

A fit to n points of N(mu, Sigma), drawn with covariance lambda Sigma and divided by c, gives

    mu' = mu + (lambda Sigma / n)^{1/2} z,    Sigma' = (lambda / c) Sigma^{1/2} W Sigma^{1/2},

z normal and W ~ Wishart_d(I, n - 1), independent. Nothing below asks for n > d, except where a determinant or
an inverse is meant; schedules n_t, biases and starts away from the source are steps with other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from theory.loop import Loop
from theory.observable import AXES
from theory.replace.fits import constant_size
from theory.result import TOO_LARGE, Statistic, unknown
from theory.wishart import truncated as wishart_truncated
from theory.wishart.fits import Path
from theory.wishart.inverse import kl_from_source
from theory.wishart.kl import kl_to_source
from theory.wishart.limits import SCHEDULED, almost_surely, growing_limit
from theory.wishart.logarithms import isotropic, log_det, log_pseudo_det, lyapunov
from theory.wishart.moments import (
    covariance_entries,
    mean_error,
    mean_error_vector,
    ratio_of_means,
    trace_polynomial,
)
from theory.wishart.wasserstein import small_noise

Moments = list[NDArray[np.float64]]
"""The mean, then central moments 2, 3, ...: each [generation, ...]."""

ENTRIES = {
    "mean_error": "M1",
    "mean_error_squared": "M1",
    "mean_error_fourth": "M1",
    "variance": "M1",
    "covariance": "M1",
    "trace": "M1",
    "log_det": "M2",
    "trace_of_square": "M3",
    "square_of_trace": "M3",
    "effective_rank": "M3",
    "lyapunov": "M4",
    "eigenvalues": "M4",
    "w2_squared": "M5",
    "log_pseudo_det": "M6",
    "kl_to_source": "M7",
    "kl_from_source": "M7",
}
"""The claim behind each observable."""

TRUNCATED = "under truncation the Wishart law is lost: only invariant moments of the first two orders close"
NO_RATIO = (
    "the expectation of a ratio of traces has no closed form; `ratio_of_expectations` has the other ratio"
)
NO_SPECTRUM = "moments of the ordered eigenvalues have no closed form for products of Wishart matrices"
NO_PSEUDO_DET = "E log det(A^T Sigma_0 A) of a rank-deficient fit is known for an isotropic first model only"
NO_W2 = "E tr (Sigma_0^{1/2} Sigma Sigma_0^{1/2})^{1/2} has no closed form"
FIRST_ORDER = "to first order in tau = sum 1/n_t; the relative error is O((d + 1) tau)"


def predict_observable(
    loop: Loop, observable: str, generations: Iterable[float], highest: int = 4
) -> Statistic:
    """Mean, variance, third and fourth central moments of an observable (`theory.observable.SPACE`).

    Args:
        loop: numbers throughout, its source a vector.
        observable: its name.
        generations: numbers >= 1, infinity included: there, the limit of mean and variance.
        highest: the last central moment wanted.

    Raises:
        LoopError: if a limit is asked for and the sample sizes are a list, which has an end.
    """
    generations = list(generations)
    if any(np.isinf(g) for g in generations):
        highest = 2
        if constant_size(loop) is None:
            return _with_growing_limit(loop, observable, generations)
    path = Path.of(loop, generations)
    with np.errstate(over="ignore", invalid="ignore"):
        found = (_truncated if path.truncated else _regular)(path, observable, highest)
    finite = np.isfinite(found.mean[~path.infinite]).all()
    if found.status in ("exact", "recursion") and found.reason is None and not finite:
        found = replace(found, status="infinite", reason=TOO_LARGE)
    if found.status == "none" and not finite:  # no infinity that nobody derived
        mean = found.mean.copy()
        mean[~path.infinite] = np.nan
        found = replace(found, mean=mean)
    sure = almost_surely(path, observable, found.mean)
    return found if sure is None else replace(found, almost_surely=sure)


def ratio_of_expectations(loop: Loop, generations: Sequence[float]) -> NDArray[np.float64]:
    """E (tr Sigma_g)^2 / E tr Sigma_g^2: not the mean of the effective rank, but what M3 makes of it."""
    path = Path.of(loop, generations)
    if path.truncated:
        found = wishart_truncated.expectations(path)
        return path.settled(found["square_of_trace"] / found["trace_of_square"])
    return ratio_of_means(path, ("s", "s"), ("ss",))


def _statistic(path: Path, observable: str, moments: Moments, status="exact", reason=None) -> Statistic:
    names = ("mean", "variance", "third", "fourth")
    columns = dict(zip(names, moments, strict=False))
    columns.setdefault("variance", np.full_like(moments[0], np.nan))
    return Statistic(status=status, claim=f"gaussian.{ENTRIES[observable]}", reason=reason, **columns)


def _unknown(path: Path, observable: str, reason: str) -> Statistic:
    shape = (len(path.generations),) + (path.dimension,) * len(AXES.get(observable, ()))
    return unknown(shape, "none", f"gaussian.{ENTRIES[observable]}", reason)


def _plain(observable: str, moments: Callable[[Path, int], Moments], status="exact"):
    return lambda path, highest: _statistic(path, observable, moments(path, highest), status)


def _diagonal(path: Path, highest: int) -> Moments:
    return [np.diagonal(x, axis1=1, axis2=2).copy() for x in covariance_entries(path, highest)]


def _log_det(path: Path, highest: int) -> Statistic:
    moments = log_det(path, highest)
    if (path.ranks == path.dimension).any():
        return _statistic(path, "log_det", moments, reason=_why_singular(path, 1))
    return _statistic(path, "log_det", moments, "infinite", _why_singular(path, 1))


def _log_pseudo_det(path: Path, highest: int) -> Statistic:
    if (path.ranks < path.dimension).all() and not isotropic(path):
        return _unknown(path, "log_pseudo_det", NO_PSEUDO_DET)
    dropped = (path.ranks < path.dimension).any() and not isotropic(path)
    moments = log_pseudo_det(path, highest)
    return _statistic(path, "log_pseudo_det", moments, reason=NO_PSEUDO_DET if dropped else None)


def _lyapunov(path: Path, highest: int) -> Statistic:
    reason = None
    if (path.ranks < path.dimension).any():
        reason = "exponents beyond the rank are -inf: " + str(_why_singular(path, 1))
    return _statistic(path, "lyapunov", lyapunov(path, highest), reason=reason)


def _w2_squared(path: Path, highest: int) -> Statistic:
    loop = path.loop
    moments = small_noise(path, highest)
    if loop.start is not None or any(fit.factor != 1 for fit, _ in path.runs):
        moments = [np.full_like(x, np.nan) for x in moments]
    finite_known = np.isfinite(moments[0]).any()
    if path.has_limit:
        moments = _w2_limit(path, moments)
    if finite_known:
        return _statistic(path, "w2_squared", moments, "asymptotic", FIRST_ORDER)
    if path.infinite.all() and path.has_limit:
        return _statistic(path, "w2_squared", moments)
    condition = "; the small-noise expansion needs no bias, the source as start and (d + 1) sum 1/n_t < 1"
    return replace(_statistic(path, "w2_squared", moments, "none"), reason=NO_W2 + condition)


def _w2_limit(path: Path, moments: Moments) -> Moments:
    """E|mu - mu_0|^2 + tr Sigma_0 in the limit (`theory.wishart.wasserstein`)."""
    if path.truncated:
        spread = wishart_truncated.central_moments(path, "mean_error_squared")[0]
    else:
        spread = mean_error(path, 1, 1)[0]
    total = spread + np.trace(path.source_covariance)
    mean = np.where(path.infinite, total, moments[0])
    return [mean, *(np.where(path.infinite, np.nan, x) for x in moments[1:])]


def _first_below(path: Path, least: int) -> float:
    """The first generation fitted to fewer than `least` points; infinity if there is none."""
    t = 0
    for fit, count in path.runs:
        if fit.n < least:
            return t + 1
        t += count
    return np.inf


def _why_singular(path: Path, excess: int) -> str | None:
    """The condition n > d + excess - 1 that fails first, in words."""
    d = path.dimension
    first = _first_below(path, d + excess)
    if first == np.inf:
        return None
    n = next(fit.n for fit, _ in path.runs if fit.n < d + excess)
    if n <= d:
        return f"n is {n} at generation {first}, so the covariance has rank {n - 1} < d = {d} from there on"
    return f"n is {n} at generation {first}: E tr Sigma^-1 is finite only for n > d + 2 = {d + 2}"


def _divergence(observable: str, moments: Callable[[Path, int], Moments], least: Callable[[int, int], int]):
    """A divergence whose k-th moment is finite while every n >= least(d, k)."""

    def form(path: Path, highest: int) -> Statistic:
        d = path.dimension
        generations = np.array(path.generations)
        finite = np.array(
            [
                np.isfinite(generations) & (generations < _first_below(path, least(d, k + 1)))
                for k in range(highest)
            ]
        )
        result = np.full((highest, len(generations)), np.inf)
        for k in range(1, highest + 1):
            some = finite[k - 1]
            if some.any() and not (k < highest and np.array_equal(some, finite[k])):
                result[:k, some] = moments(Path.of(path.loop, generations[some].tolist()), k)
        reason = _why_singular(path, least(d, 1) - d)
        nowhere = reason is not None and not finite[0].any()
        return _statistic(path, observable, list(result), "infinite" if nowhere else "exact", reason)

    return form


FORMS: dict[str, Callable[[Path, int], Statistic]] = {
    "mean_error": _plain("mean_error", mean_error_vector),
    "mean_error_squared": _plain("mean_error_squared", lambda p, k: mean_error(p, 1, k)),
    "mean_error_fourth": _plain("mean_error_fourth", lambda p, k: mean_error(p, 2, k), "recursion"),
    "variance": _plain("variance", _diagonal),
    "covariance": _plain("covariance", covariance_entries),
    "trace": _plain("trace", lambda p, k: trace_polynomial(("s",), p, k)),
    "trace_of_square": _plain("trace_of_square", lambda p, k: trace_polynomial(("ss",), p, k)),
    "square_of_trace": _plain("square_of_trace", lambda p, k: trace_polynomial(("s", "s"), p, k)),
    "log_det": _log_det,
    "log_pseudo_det": _log_pseudo_det,
    "effective_rank": lambda p, _: _unknown(p, "effective_rank", NO_RATIO),
    "eigenvalues": lambda p, _: _unknown(p, "eigenvalues", NO_SPECTRUM),
    "lyapunov": _lyapunov,
    "w2_squared": _w2_squared,
    "kl_to_source": _divergence("kl_to_source", kl_to_source, lambda d, _: d + 1),
    "kl_from_source": _divergence("kl_from_source", kl_from_source, lambda d, k: d + 2 * k + 1),
}
"""Every observable in d dimensions, without truncation."""


def _regular(path: Path, observable: str, highest: int) -> Statistic:
    return FORMS[observable](path, highest)


def _with_growing_limit(loop: Loop, observable: str, generations: list[float]) -> Statistic:
    """Finite generations of a schedule beside its limit at t = inf."""
    final = growing_limit(loop, observable)
    finite = [g for g in generations if np.isfinite(g)]
    value = np.broadcast_to(final, (1, *final.shape))
    missing = np.isnan(final).any()
    if not finite:
        status, reason = ("none", SCHEDULED) if missing else ("exact", None)
        return Statistic(value, np.full_like(value, np.nan), status, "gaussian.R13", reason)
    found = predict_observable(loop, observable, finite, 2)
    places = [len(finite) if np.isinf(g) else finite.index(g) for g in generations]
    mean = np.concatenate([found.mean, value])[places]
    variance = np.concatenate([found.variance, np.full_like(value, np.nan)])[places]
    reason = SCHEDULED if missing and found.reason is None else found.reason
    return replace(found, mean=mean, variance=variance, reason=reason, third=None, fourth=None)


def _truncated(path: Path, observable: str, highest: int) -> Statistic:
    """What is left of the closed forms when samples are truncated."""
    names = ("trace", "mean_error_squared", "trace_of_square", "square_of_trace", "mean_error_fourth")
    if observable in names:
        moments = wishart_truncated.central_moments(path, observable)[:highest]
        return _statistic(path, observable, moments, "recursion", TRUNCATED if len(moments) < 2 else None)
    singular = observable in ("log_det", "kl_to_source", "kl_from_source")
    if singular and (path.ranks < path.dimension).all():
        return FORMS[observable](path, highest)
    if observable in ("effective_rank", "eigenvalues"):
        return FORMS[observable](path, highest)
    if observable == "w2_squared" and path.infinite.all() and path.has_limit:
        nothing = [np.full(len(path.generations), np.nan)] * 2
        return _statistic(path, observable, _w2_limit(path, nothing))
    if observable not in ("mean_error", "variance", "covariance"):
        return _unknown(path, observable, TRUNCATED)
    scale, spread = wishart_truncated.scales(path)
    matrix = path.covariance
    if observable == "mean_error":
        mean = np.broadcast_to(path.offset, (len(scale), len(matrix)))
        return _statistic(path, observable, [mean.copy(), np.multiply.outer(spread, np.diag(matrix))])
    mean = np.multiply.outer(scale, matrix if observable == "covariance" else np.diag(matrix))
    return _statistic(path, observable, [mean], "exact", TRUNCATED)
