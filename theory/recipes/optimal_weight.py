"""The weights of real data that `optimal` and `optimal-in-time` stand for, under `fresh`.

A fit takes w times n_r real points and u = 1 - w times n_s samples of the last model; k = n_r / n_s, and
M_t = E (mu_t - mu_0)^2. Without a sampler bias (own derivation; c = 1 is He et al., 2025, arXiv:2502.18049)

    M_{t+1} = w^2 s_0 / n_r + u^2 (M_t + E sigma_t^2 / n_s),
    E sigma_t^2 -> s_0 (weighted),    E sigma_t^2 -> s_0 - M (maximum likelihood, between-group term and all),

so that the stationary M is proportional to (w^2 + k u^2) / (1 - c u^2) with c = 1, or c = 1 - 1/n_s for
maximum likelihood. Its derivative vanishes where (1 - u)(1 - c u) = k u, which has one root in (0, 1):

    c w^2 + (k + 1 - c) w - k = 0,       w = 2k / (a + sqrt(a^2 + 4 c k)),    a = k + 1 - c.

For c = 1 that is (sqrt(k^2 + 4k) - k) / 2, at k = 1 the inverse of the golden ratio.

In time, with the variance known to be s_0 and generation 1 fitted to the real points alone, each generation's
best weight follows from the last one's, w_1 = 1, w_{t+1} = (w_t + k) / (w_t + k + 1): the gain of a Kalman
filter whose state is the mean of the source. For k = 1 it is F_{2t-1} / F_{2t}, of Fibonacci's numbers;
M_t = w_t s_0 / n_r under `weighted`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from theory.counts import Count, is_constant
from theory.estimator import Weighted
from theory.linear import Linear
from theory.loop import Loop, LoopError, MaximumLikelihood, Number, UnavailableError, Unbiased, is_symbolic
from theory.policy import OPTIMAL, OPTIMAL_IN_TIME, Fresh, Heal, Policy
from theory.replace.fits import sampling_factor

_FINEST = 10**18  # denominators of weights in time: they decrease to a fixed point and stay there


def settled(loop: Loop, generations: int) -> Loop:
    """The loop, its weight a number (or one a generation) where it was a word.

    Args:
        loop: of any policy; only `fresh`, and `heal` after it, have such words.
        generations: how many weights are wanted where they change in time.

    Raises:
        LoopError: if no weight is optimal here, or it is not known.
    """
    return loop.with_(data=_settled(loop.data, loop, generations))


def _settled(policy: Policy, loop: Loop, generations: int) -> Policy:
    if isinstance(policy, Heal):
        return replace(policy, contaminated=_settled(policy.contaminated, loop, generations))
    if not isinstance(policy, Fresh) or not isinstance(policy.weight, str):
        return policy
    if policy.weight == OPTIMAL_IN_TIME:
        weights = weights_in_time(_ratio(policy.real, policy.synthetic), generations)
        return replace(policy, weight=tuple(w if is_symbolic(w) else float(w) for w in weights))
    if isinstance(loop.source, Linear):
        from theory.regression.chain import optimal_weight

        return replace(policy, weight=optimal_weight(loop))
    sampler = loop.sampler
    if sampler.truncate is not None or sampling_factor(sampler) != 1:
        raise UnavailableError("data.weight", OPTIMAL, "it is known without a sampler bias only")
    weight = stationary_weight(policy.real, policy.synthetic, loop.estimator)
    return replace(policy, weight=weight)


def stationary_weight(real: Count, synthetic: Count, estimator: object) -> Number:
    """The weight that minimises the stationary mean error squared, for numbers or symbols.

    Raises:
        LoopError: for an estimator that takes no weight, or whose best weight is not known.
    """
    k, c = _ratio(real, synthetic), _memory(synthetic, estimator)
    a = k + 1 - c
    square = a**2 + 4 * c * k
    if is_symbolic(square):
        return 2 * k / (a + square ** _half())
    return float(2 * k / (a + square**0.5))


def weights_in_time(ratio: Number, generations: int) -> tuple[Number, ...]:
    """w_1, ..., w_T for real / synthetic = `ratio`: fractions, or rational functions of a symbol."""
    if not is_symbolic(ratio):
        ratio = Fraction(ratio)
    weights = [1 + 0 * ratio]
    while len(weights) < generations:
        weights.append(_simplest((weights[-1] + ratio) / (weights[-1] + ratio + 1)))
    return tuple(weights[:generations])


def _memory(synthetic: Count, estimator: object) -> Any:
    """c: how much of M the next generation inherits for each unit of u^2."""
    match estimator:
        case Weighted():
            return 1
        case MaximumLikelihood():
            return 1 - _ratio(1, synthetic)
        case Unbiased():
            raise LoopError("estimator.name", estimator.name, "it takes no weight; 'weighted' does")
    name = getattr(estimator, "name", estimator)
    raise UnavailableError("estimator.name", name, "the optimal weight for it is not available yet")


def _ratio(real: Count, synthetic: Count) -> Any:
    if not (is_constant(real) and is_constant(synthetic)):
        raise LoopError("data.weight", OPTIMAL, "it is known for constant counts only")
    return real / synthetic if is_symbolic(real) or is_symbolic(synthetic) else Fraction(real, synthetic)


def _simplest(weight: Any) -> Any:
    return weight.cancel() if is_symbolic(weight) else weight.limit_denominator(_FINEST)


def _half() -> Any:
    import sympy as sp

    return sp.Rational(1, 2)
