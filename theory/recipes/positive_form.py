"""Formulas as a reader would write them: signs outside, powers of one base together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp


def positive_form(value: Any, at: Mapping[sp.Symbol, Any]) -> Any:
    """The same expression; factors that are negative at `at` have their sign in front.

    Args:
        value: a sum of products, each of which is treated by itself.
        at: numbers for the symbols. Only which way round a difference is written depends on them.
    """
    return sp.Add(*(_product(term, at) for term in sp.Add.make_args(sp.sympify(value))))


def shortest_power(weight: Any, rate: Any, steps: Any, generations: int) -> Any:
    """Weight rate^steps, with as many powers of the rate taken out of the weight as make it shorter."""
    if rate in (0, 1):
        return weight * rate**steps
    forms = [(sp.factor(weight / rate**j), j) for j in range(generations + 1)]
    short, j = min(forms, key=lambda form: (sp.count_ops(form[0]), form[1]))
    return short * rate ** (steps + j)


def product_limit(factor: Any, k: sp.Symbol) -> Any:
    """prod_{k>=1} of a rational function prod_i (k - a_i)/(k - b_i), sums of roots equal, by Euler's Gammas.

    Its value is prod_i Gamma(1 - b_i)/Gamma(1 - a_i) (`theory.recipes.accumulate_limits`).
    """
    top, bottom = (sp.roots(sp.Poly(part, k)) for part in sp.fraction(sp.factor(factor)))
    gammas = [
        sp.gamma(1 - root) ** (sign * count)
        for roots, sign in ((bottom, 1), (top, -1))
        for root, count in roots.items()
    ]
    return sp.gammasimp(sp.Mul(*gammas))


def _product(term: Any, at: Mapping[sp.Symbol, Any]) -> Any:
    sign, factors = 1, []
    for factor in sp.Mul.make_args(sp.powsimp(term, combine="exp")):
        base, power = factor.as_base_exp()
        if base.is_Add and (power.is_even or power.is_odd) and base.subs(at).is_negative:
            sign, factor = (sign if power.is_even else -sign), (-base) ** power
        factors.append(factor)
    return sp.Mul(sign, *factors)
