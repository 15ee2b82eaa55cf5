"""Selection by a linear score where every point is kept for ever: the policy `accumulate` at finite n.

Fit t - 1 took all N' points so far, fit t takes n more of its own, selected: with the (e, SS) of a fit to n
selected points of a standard normal

    s_t = s_{t-1} A_t,       A_t = [c' + SS + (N' n / N) e^2] / c,       N = N' + n,

c and c' the divisors of N and N' points (N, or N - 1), e and SS independent of the past: the pool's moments
are those of the model that was fitted to it. So at finite n

    E s_t = s_0 prod E A_k,      E A_k = [c' + nu v + (N' n / N)(h^2 + v/n)] / c.

For equal batches and n -> inf, E A_t -> 1 + (v + h^2 - 1)/t + O(1/t^2): the variance follows the power t^k, k
= E z^2 - 1 = al h for the best fraction. It falls for q > 1/2, keeps a positive limit for q = 1/2 and for the
best of two, and grows without bound for q < 1/2 and the best of three or more. Own derivation.
"""

from __future__ import annotations

from theory.counts import points
from theory.loop import Loop, MaximumLikelihood
from theory.selected.fit import FitConstants, plain_fit, selected_fit
from theory.selected.gaussian import constants
from theory.selected.replace import divisor, fit_constants, is_selected, models_of
from theory.selection import BestOf, TopFraction


def growth(fit: FitConstants, before: int, n: int, own: bool) -> float:
    """E A of a batch of n beside `before` points; `fit` has divisor 1, `own` says the divisor is N."""
    total, less = before + n, 0 if own else 1
    spread = before * n / total * fit.shift_square
    return (before - less + fit.factor + spread) / (total - less)


def accumulated_variance(rule: TopFraction | BestOf, loop: Loop, last: int) -> list[float]:
    """E s_g, g = 0, ..., `last`; exact at finite n."""
    own = isinstance(loop.estimator, MaximumLikelihood)
    total = points("n", loop.data.n, 1, 2)
    _, first = models_of(loop)
    start = selected_fit(rule, total, 1) if is_selected(rule, loop, 1) else plain_fit(total, 1)
    found = [first.variance, first.variance * start.factor / divisor(loop, total)]
    for generation in range(2, last + 1):
        n = points("n", loop.data.n, generation, 1)
        fit = selected_fit(rule, n, 1) if n > 1 else _single(rule)
        found.append(found[-1] * growth(fit, total, n, own))
        total += n
    return found[: last + 1]


def _single(rule: TopFraction | BestOf) -> FitConstants:
    """One point: no spread of its own."""
    h, v = fit_constants(rule, 1)
    return FitConstants(h, h * h + v, 0.0, 0.0, 0.0, 0.0, 0.0)


def exponent(rule: TopFraction | BestOf) -> float:
    """K = v + h^2 - 1 of s_t ~ t^k, for equal batches (n = inf, t -> inf)."""
    h, v = constants(rule)
    return v + h * h - 1
