"""Published and classical upper bounds on P(sigma_t > threshold), beside the exact probability (R3).

Each is valid; none is near the truth once t is comparable to n. The unbiased loop without bias is the
literature's setting; what follows from moments alone holds for every loop whose factors are chi-squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from theory import law
from theory.loop import Loop
from theory.replace.fits import constant_size, divides_by_n
from theory.replace.log_gamma_sum import LogGammaSum, digamma_less_log
from theory.replace.walk import NoLawError, walk


@dataclass(frozen=True)
class Bound:
    """An upper bound on P(sigma_t > threshold).

    Attributes:
        name: for tables.
        statement: the bound, in LaTeX.
        source: authors, year, identifier.
        seen: what of the source was read.
        value: the bound at a loop, a generation and a threshold.
    """

    name: str
    statement: str
    source: str
    seen: str
    value: Callable[[Loop, int, float], float]


def exact(loop: Loop, generation: int, threshold: float) -> float:
    """P(sigma_t > threshold), by R3."""
    return 1 - law.cdf(loop, "std", generation, threshold)


def alpha(n: float) -> float:
    """E sqrt(chi2_{n-1} / (n - 1)), the factor by which the unbiased loop's E sigma_t shrinks."""
    a = (n - 1) / 2
    return float(np.exp(LogGammaSum([a]).log_transform(0.5) + digamma_less_log(a) / 2))


def moment_bound(loop: Loop, generation: int, threshold: float, power: float) -> float:
    """Markov's inequality for sigma_t^power: E sigma_t^power / threshold^power."""
    steps = walk(loop, generation)
    shapes = steps.degrees / 2
    centre = math.log(steps.start_variance) + math.fsum(steps.drifts)
    exponent = LogGammaSum(shapes).log_transform(power / 2) + power / 2 * centre
    return math.exp(min(exponent - power * math.log(threshold), 700.0))


def _markov(loop: Loop, generation: int, threshold: float) -> float:
    return moment_bound(loop, generation, threshold, 1.0)


def _power_seven_tenths(loop: Loop, generation: int, threshold: float) -> float:
    return moment_bound(loop, generation, threshold, 0.7)


def _chernoff(loop: Loop, generation: int, threshold: float) -> float:
    """The least moment bound: its logarithm is convex in the power, and 0 at power 0."""
    from scipy.optimize import minimize_scalar

    def logarithm(root: float) -> float:
        return math.log(moment_bound(loop, generation, threshold, root**2))

    upper = 1.0
    while logarithm(2 * upper) < logarithm(upper):
        upper *= 2
    best = minimize_scalar(logarithm, bounds=(0.0, 2 * upper), method="bounded", options={"xatol": 1e-9})
    return min(1.0, math.exp(best.fun))


def _suresh(loop: Loop, generation: int, threshold: float) -> float:
    steps = walk(loop, generation)
    n = constant_size(loop)
    if n is None or divides_by_n(loop) or np.any(steps.factors != 1):
        raise NoLawError("the loop", None, "the bound is for the unbiased loop, constant n and no bias")
    return math.sqrt(steps.start_variance) / threshold * math.exp(-generation / (4 * n - 1))


BOUNDS = (
    Bound(
        "Suresh et al.",
        r"P(\sigma_t > \varepsilon) \le \frac{\sigma_0}{\varepsilon} e^{-t/(4n-1)}",
        "Suresh, Thangaraj, Khandavally, 2024, arXiv:2412.17646, Theorem 3",
        "the authors' notebook (github.com/berserank/rate-of-model-collapse)",
        _suresh,
    ),
    Bound(
        "Markov, first moment",
        r"P(\sigma_t > \varepsilon) \le \frac{\sigma_0}{\varepsilon} \alpha(n)^t, \quad"
        r" \alpha(n) = \sqrt{\tfrac{2}{n-1}}\, \Gamma(\tfrac n2) / \Gamma(\tfrac{n-1}2)",
        "Markov's inequality with E sigma_t of Bertrand et al., 2023, arXiv:2310.00429",
        "alpha(n) as quoted in the notebook of Suresh et al.",
        _markov,
    ),
    Bound(
        "Markov, power 0.7",
        r"P(\sigma_t > \varepsilon) \le (\sigma_0/\varepsilon)^{0.7} M_{0.35}(n)^t, \quad"
        r" M_q = (2/c)^q\, \Gamma(\tfrac{n-1}2 + q) / \Gamma(\tfrac{n-1}2)",
        "the curve plotted as their bound by Suresh, Thangaraj, Khandavally, 2024, arXiv:2412.17646",
        "the authors' notebook (github.com/berserank/rate-of-model-collapse)",
        _power_seven_tenths,
    ),
    Bound(
        "Chernoff",
        r"P(\sigma_t > \varepsilon) \le \min_{s \ge 0} (\sigma_0/\varepsilon)^s M_{s/2}(n)^t",
        "Chernoff, 1952, doi:10.1214/aoms/1177729330, with the moments of R1",
        "classical",
        _chernoff,
    ),
)
