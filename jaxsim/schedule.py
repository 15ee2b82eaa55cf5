"""What is known before the first draw: sizes, divisors, sampler factors and the drift of the logarithms.

Model g is the source's law under an affine map, and a fit multiplies its squared scales by
lambda_g chi2 / c_g. The expected logarithms are summed here, in float64, once for all replicates; the device
carries the deviations from them, which are centred and of the size of their spread at any depth.
"""

from typing import NamedTuple

import numpy as np

from jaxsim import chi_square
from theory.loop import Gaussian, Loop, LoopError, require_numbers, sample_sizes


class Schedule(NamedTuple):
    """Generations 1, ..., T, [generation] in front; for vectors an axis [component] behind.

    Attributes:
        sizes: n_g.
        factor: lambda_g, the factor on the variance of what generation g is drawn from.
        truncated: whether generation g is fitted to truncated draws.
        drift: [1 + T, ...] expected log of the squared scale relative to model 0, generation 0 in front.
        centre: the part of a step of `drift` that replaces log(chi2 / nu), for each degree of freedom.
        degrees: degrees of freedom nu of each component, 0 beyond the rank.
        alive: whether a component is within the rank of generation g.
        kinds: row of `rows` for each component.
        rows: polynomials of log chi-square (`jaxsim.chi_square.LogChiSquare.rows`).
    """

    sizes: np.ndarray
    factor: np.ndarray
    truncated: np.ndarray
    drift: np.ndarray
    centre: np.ndarray
    degrees: np.ndarray
    alive: np.ndarray
    kinds: np.ndarray
    rows: np.ndarray


def schedule(loop: Loop, generations: int) -> Schedule:
    """The schedule of the first `generations` fits of a Gaussian loop under replacement.

    Component j of a fit of n points (the j-th diagonal element of a Bartlett factor, j = 0, 1, ...) has
    n - 1 - j degrees of freedom, none left at j >= n - 1, and a lost direction never returns.
    """
    sizes = np.array(sample_sizes(loop.data.n, generations), np.int64)
    biased = np.arange(1, generations + 1) >= 2
    if loop.start is not None or loop.sampler.applies_to_source:
        biased[:] = True
    temperature = loop.sampler.temperature
    factor = np.where(biased, loop.sampler.bias if temperature is None else temperature, 1.0)
    truncated = biased & (loop.sampler.truncate is not None)

    source, _ = gaussians(loop)
    axes = () if source.is_scalar else (source.dimension,)
    component = np.arange(source.dimension).reshape(axes)
    spread = sizes.reshape(-1, *(1 for _ in axes)) - 1 - component
    alive = np.minimum.accumulate(spread, axis=0) > 0
    degrees = np.where(alive, spread, 0)
    distinct, kinds = np.unique(np.maximum(degrees, 1), return_inverse=True)
    table = chi_square.fit(distinct)
    centre = table.centre[kinds]
    step = centre + np.log(factor).reshape(-1, *(1 for _ in axes)) + _log_ratio(loop, sizes, degrees)
    drift = np.cumsum(np.where(alive, step, 0).astype(np.longdouble), axis=0).astype(float)
    drift = np.concatenate([np.zeros((1, *axes)), drift])
    return Schedule(
        sizes, factor, truncated, drift, centre, degrees, alive, kinds.reshape(degrees.shape), table.rows
    )


def _log_ratio(loop: Loop, sizes: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """log(nu / c), the divisor c being n or n - 1; by log1p, so that large n lose no digits."""
    divisor = sizes - {"maximum-likelihood": 0, "unbiased": 1}[loop.estimator.name]
    divisor = divisor.reshape(-1, *(1 for _ in degrees.shape[1:]))
    return np.log1p((np.maximum(degrees, 1) - divisor) / divisor)


def covariance(model: Gaussian) -> np.ndarray:
    """The covariance matrix of a Gaussian, whatever short form it was written in."""
    variance = np.asarray(model.variance, float)
    if variance.ndim < 2:
        return np.diag(np.broadcast_to(variance, (model.dimension,)))
    return variance


def mean_vector(model: Gaussian) -> np.ndarray:
    """The mean of a Gaussian as a vector."""
    return np.broadcast_to(np.asarray(model.mean, float), (model.dimension,))


def unit_length(source: Gaussian) -> float:
    """The unit of length: the standard deviation, in d dimensions the root of the mean variance."""
    if source.is_scalar:
        return float(np.sqrt(source.variance))
    return float(np.sqrt(np.trace(covariance(source)) / source.dimension))


def gaussians(loop: Loop) -> tuple[Gaussian, Gaussian]:
    """The source and model 0.

    Raises:
        LoopError: if they are not Gaussian.
    """
    source, first = loop.source, loop.first_model
    if not (isinstance(source, Gaussian) and isinstance(first, Gaussian)):
        raise LoopError(
            "source.family", source.family, "replace it by the Gaussian that matches it (models.datasets)"
        )
    return source, first


def require_gaussian_numbers(loop: Loop) -> None:
    """Refuse what cannot be simulated as it stands: data sets by name, and symbols.

    Raises:
        LoopError: with one sentence.
    """
    gaussians(loop)
    require_numbers(loop)
