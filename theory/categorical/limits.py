"""What heterozygosity, squared error and chi-squared of a categorical loop tend to.

Where shares are martingales (no real points after the first, counting) a factor R of every p (1 - p) is kept:
E p_inf^2 = q - q (1 - q) R from the first shares q. R is 0 under replacement unless sum 1/n_t < inf (then it
is prod (1 - 1/n_t)), and positive where data accumulate.
"""

from __future__ import annotations

import math

import numpy as np

from theory.categorical.dispersion import FUNCTIONS
from theory.categorical.urn import retained_evenly, subsampled
from theory.counts import is_constant
from theory.estimator import MaximumLikelihood
from theory.loop import Gaussian, Loop
from theory.policy import Accumulate, AccumulateSubsample, Replace, Web
from theory.replace.limits import limits
from theory.result import Statistic


def dispersion_limit(loop: Loop, name: str) -> float | str:
    """The limit of a mean; else a sentence saying why it is not known."""
    if not isinstance(loop.estimator, MaximumLikelihood):
        return "the limit of a smoothed loop is known where its steps do not change"
    if isinstance(loop.data, Web) and loop.data.n is None and loop.data.real > 0:
        source = np.array(loop.source.shares, float)
        return float(1 - source @ source) if name == "heterozygosity" else 0.0
    kept = _kept(loop)
    return kept if isinstance(kept, str) else mean_of(loop, name, kept)


def mean_of(loop: Loop, name: str, kept: float) -> float:
    """The mean of an observable where the factor `kept` of every p (1 - p) is left of a martingale."""
    q, z = np.array(loop.first_model.shares, float), np.array(loop.source.shares, float)
    square = q - q * (1 - q) * kept
    if name == "heterozygosity":
        return float((q * (1 - q)).sum() * kept)
    if name == "chi_squared" and (q[z == 0] > 0).any():
        return math.inf
    q, z, square = q[z > 0], z[z > 0], square[z > 0]
    powers = {0: np.ones_like(q), 1: q, 2: square}
    return float(sum(c * (powers[a] * z**w).sum() for (a, _, w), c in FUNCTIONS[name].items()))


def _kept(loop: Loop) -> float | str:
    policy = loop.data
    match policy:
        case Replace():
            if is_constant(policy.n):
                return 0.0
            found: Statistic = limits(Loop(Gaussian(0.0, 1.0), policy), ["variance"])["variance"]
            known = math.isfinite(found.mean[0])
            return float(found.mean[0]) if known else found.reason or "the limit is not known"
        case Accumulate() if is_constant(policy.n):
            return retained_evenly(policy.n, policy.n, math.inf)
        case Web() if policy.n is None:
            return retained_evenly(policy.start, policy.synthetic, math.inf)
        case AccumulateSubsample() if is_constant(policy.n):
            return subsampled(policy.n, math.inf)[1]
    return f"no limit is known under the policy {policy.policy} as given"
