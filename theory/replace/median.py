"""The median of log sigma_t^2, to first order in 1/t: what a typical run loses."""

from __future__ import annotations

import math

from scipy import special

from theory.loop import Loop, LoopError
from theory.replace.fits import constant_size, models, sizes
from theory.replace.walk import walk


def asymptotic_median(loop: Loop, generation: int) -> float:
    """The median of log sigma_t^2 for many fits of one size, with an error of order 1/t.

    log sigma_t^2 is a sum of t independent terms with cumulants k_1, k_2, k_3, so that Cornish and Fisher's
    expansion puts its median at t k_1 - k_3 / (6 k_2) + O(1/t):
    log sigma_0^2 + t [psi(nu/2) + log(2 lambda/c)] - psi''(nu/2) / (6 psi'(nu/2)) (own derivation, R4).

    Raises:
        LoopError: if the number of samples changes.
    """
    if constant_size(loop) is None:
        raise LoopError("data.n", str(sizes(loop)), "the expansion is for a number of samples that stays")
    steps = walk(loop, generation)
    shape = steps.degrees[0] / 2
    total = math.fsum(steps.drifts)
    _, first = models(loop)
    skewness = special.polygamma(2, shape) / (6 * special.polygamma(1, shape))
    return float(math.log(first.variance) + total - skewness)
