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

from theory.loop import Loop, LoopError, require_numbers
from theory.replace.fits import fit, models, require_replace, runs
from theory.replace.log_gamma_sum import digamma_less_log


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

    @property
    def drifts(self) -> NDArray[np.float64]:
        """E log(lambda_g chi2_{n_g - 1} / c_g), without the difference of large numbers."""
        fewer = (self.degrees - self.divisors) / self.divisors
        return np.log1p(fewer) + np.log(self.factors) + digamma_less_log(self.degrees / 2)

    def until(self, generation: int) -> Walk:
        """The first `generation` fits."""
        part = slice(generation)
        return Walk(
            self.degrees[part], self.divisors[part], self.factors[part], self.start_variance, self.offset
        )


def walk(loop: Loop, generations: int) -> Walk:
    """The walk of `loop` over `generations` fits.

    Raises:
        LoopError: for another policy or estimator, or symbols.
        NoLawError: off the line, or if a draw is truncated: then the sum of squares is not a multiple of a
            chi-square.
    """
    require_chi_square(loop, generations)
    source, first = models(loop)
    fits = list(runs(loop, generations))
    table = np.repeat([one[:3] for one, _ in fits], [count for _, count in fits], axis=0).astype(float)
    sizes, divisors, factors = table.T
    return Walk(sizes - 1, divisors, factors, float(first.variance), float(first.mean) - float(source.mean))


def require_chi_square(loop: Loop, generations: float = math.inf) -> None:
    """Refuse loops whose factors are not multiples of chi-squares.

    Raises:
        LoopError: for another policy or estimator, or symbols.
        NoLawError: off the line, or if a draw is truncated.
    """
    source, _ = models(loop)
    if not source.is_scalar:
        raise NoLawError("source", None, "a law is known on the line only")
    require_numbers(loop)
    require_replace(loop)
    if fit(loop, 2 if generations > 1 else 1, 2).truncate is not None:
        reason = "the law of a truncated normal's sample variance is not known"
        raise NoLawError("sampler.truncate", loop.sampler.truncate, reason)
