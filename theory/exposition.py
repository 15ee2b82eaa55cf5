"""A derivation written out for a reader, as plain text and as LaTeX."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from theory.moments import Derivation
from theory.replace.closure import Monomial
from theory.replace.fits import constant_size
from theory.replace.recursion import constants


def as_text(derivation: Derivation) -> str:
    """The law of one fit, the recursion, its rates and thresholds, and the solution."""
    names = list(constants(derivation.kind))
    lines = ["m = mu - (mean of model 0), l = log(sigma^2); a prime marks the next generation."]
    lines += _one_fit(derivation) + _definitions(derivation, str, "{} = {}")
    lines += ["", "The recursion, in blocks of equal weight i + j of m^i sigma^j:"]
    lines += [f"    {left} = {right}" for left, right in _recursion(derivation, _plain, str, "E[{}]", "'")]
    lines += ["", "Its eigenvalues, the rates of the powers of sigma:"]
    rates = derivation.eigenvalues_in(names)
    lines += [f"    {_plain((0, j, 0))}: {rate}" for j, rate in rates.items()]
    lines += ["", *_thresholds(derivation)]
    lines += [f"    {name}: {value:.10g}" for name, value in derivation.numbers().items()]
    lines += ["", _heading(derivation)]
    if _constant(derivation):
        solution = derivation.solution_in(names)
        lines += [f"    E[{_plain(x)}] = {value}" for x, value in solution.items() if any(x)]
    return "\n".join(lines) + "\n"


def as_latex(derivation: Derivation) -> str:
    """Constants, recursion and solution as aligned displays."""
    mean = r"\mathbb{{E}}[{}]"
    blocks = [
        [line.removesuffix(",") for line in _definitions(derivation, sp.latex, "{} &= {}")],
        [rf"{left} &= {right}" for left, right in _recursion(derivation, _tex, sp.latex, mean, "'")],
    ]
    if _constant(derivation):
        solution = derivation.solution_in(list(constants(derivation.kind)))
        blocks.append([rf"{mean.format(_tex(x))} &= {sp.latex(e)}" for x, e in solution.items() if any(x)])
    displays = [" \\\\\n".join(f"  {line.strip()}" for line in block) for block in blocks if block]
    return "".join(f"\\begin{{align*}}\n{display}\n\\end{{align*}}\n" for display in displays)


def _one_fit(derivation: Derivation) -> list[str]:
    divisor = "n" if derivation.kind.maximum_likelihood else "(n - 1)"
    if derivation.kind.truncated:
        return [
            f"    m' = m + sigma * mean(z), sigma'^2 = sigma^2 * sum (z - mean(z))^2 / {divisor},",
            "    z_1, ..., z_n standard normals kept within |z| < c; v = E z^2, mu_4 = E z^4, mu_6 = E z^6.",
        ]
    fixed = "" if derivation.kind.biased else ", lambda = 1"
    return [
        "    m' = m + sigma sqrt(lambda/n) Z, sigma'^2 = sigma^2 lambda A, l' = l + log(lambda) + log(A),",
        f"    Z standard normal, A = chi2_(n-1) / {divisor}, independent (Cochran){fixed};",
        "    lambda the sampler's bias: the variance of a sampled point over the model's;",
    ]


def _definitions(derivation: Derivation, show: Callable[[sp.Expr], str], form: str) -> list[str]:
    """The constants that the recursion is written in."""
    if derivation.kind.truncated:
        return []
    meanings = constants(derivation.kind)
    if not derivation.kind.late:
        meanings = {name: value for name, value in meanings.items() if name.name != "g_1"}
    return ["    " + form.format(show(name), show(value)) + "," for name, value in meanings.items()]


def _recursion(
    derivation: Derivation,
    name: Callable[[Monomial], str],
    show: Callable[[sp.Expr], str],
    mean: str,
    prime: str,
) -> list[tuple[str, str]]:
    """Each moment after a fit, and its expression in moments before it."""
    matrix = derivation.matrix_in(list(constants(derivation.kind)))
    lines = []
    for row, x in enumerate(derivation.monomials):
        terms = []
        for column, y in enumerate(derivation.monomials):
            coefficient = matrix[row, column]
            if coefficient != 0:
                shown = f"({show(coefficient)})" if coefficient.is_Add else show(coefficient)
                parts = [shown] if coefficient != 1 or not any(y) else []
                terms.append(" ".join(parts + ([mean.format(name(y))] if any(y) else [])))
        if any(x):
            lines.append((mean.format(f"({name(x)}){prime}"), " + ".join(terms)))
    return lines


def _thresholds(derivation: Derivation) -> list[str]:
    if derivation.kind.truncated:
        return ["v (n - 1)/c < 1 for both divisors: E[sigma^2] -> 0, and sigma -> 0 almost surely."]
    return [
        f"E[sigma^2] stays bounded iff lambda <= {derivation.bounded_below};",
        f"sigma -> 0 almost surely iff lambda < {derivation.collapse_below}.",
    ]


def _constant(derivation: Derivation) -> bool:
    return constant_size(derivation.loop) is not None


def _heading(derivation: Derivation) -> str:
    if not _constant(derivation):
        return "n changes from fit to fit: the recursion is applied with n_1, n_2, ... in turn."
    first = ", the first of them to real data, neither biased nor truncated" if derivation.kind.late else ""
    return f"The solution after t fits{first}; sigma_0 belongs to model 0:"


def _plain(monomial: Monomial) -> str:
    return " ".join(_powers(monomial, ("m", "sigma", "l"), "{}^{}"))


def _tex(monomial: Monomial) -> str:
    return " ".join(_powers(monomial, ("m", r"\sigma", r"\ell"), "{}^{{{}}}"))


def _powers(monomial: Monomial, names: tuple[str, ...], form: str) -> list[str]:
    pairs = [(name, power) for name, power in zip(names, monomial, strict=True) if power]
    return [name if power == 1 else form.format(name, power) for name, power in pairs] or ["1"]
