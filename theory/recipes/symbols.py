"""Policies in symbols: what a derivation that holds for all counts is written in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from theory.counts import is_constant
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Replace,
    Web,
    Window,
)

N, REAL, SYNTHETIC, START = sp.symbols("n n_r n_s N_0", positive=True)
POOL = sp.Symbol("N", positive=True)
WEIGHT, LAMBDA, S0 = sp.symbols("w lambda s_0", positive=True)
Z, K, T = sp.Symbol("z"), sp.Symbol("k", positive=True), sp.Symbol("t", positive=True, integer=True)


def named(policy: Any) -> Any:
    """The policy with symbols for its numbers, where its shape does not depend on them."""

    def symbol(count: Any, name: sp.Symbol) -> Any:
        return count if count == 0 else name

    match policy:
        case Fresh() if is_constant(policy.real) and is_constant(policy.synthetic):
            if isinstance(policy.weight, tuple):
                return policy
            weight = None if policy.weight is None else WEIGHT
            return replace(
                policy,
                real=symbol(policy.real, REAL),
                synthetic=symbol(policy.synthetic, SYNTHETIC),
                weight=weight,
            )
        case Fixed():
            return replace(policy, real=REAL, synthetic=symbol(policy.synthetic, SYNTHETIC))
        case Memory():
            return replace(policy, real=symbol(policy.real, REAL), per_model=N)
        case Peers() if (
            policy.counts is None and not isinstance(policy.real, tuple) and policy.targets is None
        ):
            return replace(policy, real=symbol(policy.real, REAL), per_model=N)
        case Heal():
            return replace(policy, real=N, weight=policy.weight if policy.weight == 1 else WEIGHT)
        case Web() if policy.n is None or is_constant(policy.n):
            return replace(
                policy,
                start=START,
                real=symbol(policy.real, REAL),
                synthetic=symbol(policy.synthetic, SYNTHETIC),
                n=None if policy.n is None else N,
            )
        case Replace() | Accumulate() | AccumulateSubsample() | Window() if is_constant(policy.n):
            return replace(policy, n=N)
    return policy
