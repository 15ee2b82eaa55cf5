"""The replace loop on the line as a random walk of the log-variance, in numbers.

Fit g takes n_g points of variance lambda_g sigma_{g-1}^2, and divides their sum of squares by c_g:

    log sigma_g^2 = log sigma_{g-1}^2 + log lambda_g + log(chi2_{n_g - 1} / c_g),
    mu_g = mu_{g-1} + sigma_{g-1} sqrt(lambda_g / n_g) z_g,

all chi2 and z independent (Cochran's theorem).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, is_symbolic, sample_sizes


class NoLawError(LoopError):
    """The law of this loop is not known: the key that is in the way, its value, the reason."""


@dataclass(frozen=True)
class Walk:
    """The numbers of the walk, one entry for each fit.

    Attributes:
        degrees: n_g - 1.
        divisors: c_g.
        factors: lambda_g.
        start_variance: sigma^2 of model 0.
        offset: mean of model 0, less that of the source.
    """

    degrees: NDArray[np.float64]
    divisors: NDArray[np.float64]
    factors: NDArray[np.float64]
    start_variance: float
    offset: float

    def until(self, generation: int) -> Walk:
        """The first `generation` fits."""
        part = slice(generation)
        return Walk(
            self.degrees[part], self.divisors[part], self.factors[part], self.start_variance, self.offset
        )


def walk(loop: Loop, generations: int) -> Walk:
    """The walk of `loop` over `generations` fits.

    Raises:
        NoLawError: off the line, with symbols, or if a draw is truncated: then the sum of squares is not a
            multiple of a chi-square.
    """
    require_chi_square(loop, generations)
    first_model, source = loop.first_model, loop.source
    assert isinstance(first_model, Gaussian)
    assert isinstance(source, Gaussian)
    sizes = np.array(sample_sizes(loop.data.n, generations), float)
    divisors = sizes if isinstance(loop.estimator, MaximumLikelihood) else sizes - 1
    first, later = sampling_factors(loop)
    factors = np.full(generations, later)
    factors[:1] = first
    return Walk(
        sizes - 1,
        divisors,
        factors,
        float(first_model.variance),
        float(first_model.mean) - float(source.mean),
    )


def sampling_factors(loop: Loop) -> tuple[float, float]:
    """lambda_1 and lambda_g for g >= 2: what the sampler multiplies the variance by."""
    sampler = loop.sampler
    later = float(sampler.bias if sampler.temperature is None else sampler.temperature)
    return (later if _first_draw_is_biased(loop) else 1.0), later


def require_chi_square(loop: Loop, generations: float = math.inf) -> None:
    """Refuse loops whose factors are not multiples of chi-squares."""
    source, first = loop.source, loop.first_model
    if not (isinstance(source, Gaussian) and isinstance(first, Gaussian) and source.is_scalar):
        raise NoLawError("source", None, "a law is known on the line only")
    sampler = loop.sampler
    symbols = (
        source.mean, source.variance, first.mean, first.variance,
        loop.data.n, sampler.bias, sampler.temperature, sampler.truncate,
    )  # fmt: skip
    for value in symbols:
        if is_symbolic(value):
            raise NoLawError("the loop", str(value), "a law needs numbers")
    if loop.sampler.truncate is not None and (generations > 1 or _first_draw_is_biased(loop)):
        raise NoLawError(
            "sampler.truncate",
            loop.sampler.truncate,
            "the law of a truncated normal's sample variance is not known",
        )


def _first_draw_is_biased(loop: Loop) -> bool:
    return loop.start is not None or loop.sampler.applies_to_source
