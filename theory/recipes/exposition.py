"""A recursion of second moments written out for a reader, as plain text and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sympy as sp

from theory.recipes.affine_step import Label
from theory.recipes.derivation import RecipeDerivation

LEGEND = (
    "m = mu - (mean of the source), s = sigma^2; a prime marks the next generation, [-1] the one before;",
    "x is a stored batch, r a named real set, p the pool, q the second moment of one point of it.",
)
ALIKE = "M is the mean of m over all models, which have one law."


def as_text(derivation: RecipeDerivation) -> str:
    """The recursion, its eigenvalues and threshold, the fixed point or the product, and numbers."""
    recursion = _recursion(derivation, plain, str)
    alike = [ALIKE] if any("[M" in name for name, _ in recursion) else []
    lines = [*LEGEND, *alike, *_symbols(derivation), "", "One generation of second moments:"]
    if not recursion:
        lines.append("    its counts or weights change from generation to generation: there is no one map")
    lines += [f"    {left} = {right}" for left, right in recursion]
    if derivation.eigenvalues:
        lines += ["", "Its eigenvalues:", *(f"    {value}" for value in derivation.eigenvalues)]
    lines += ["", _threshold(derivation)]
    if derivation.stationary is not None:
        square, spread = derivation.stationary
        lines += ["", "At rest:", f"    E[m^2] = {square}", f"    E[s] = {spread}"]
    if derivation.solution is not None:
        square, spread = derivation.solution
        lines += ["", f"After t generations, t >= {derivation.step.generation}, from the source:"]
        lines += [f"    E[m^2] = {square}", f"    E[s] = {spread}"]
    if derivation.factor is not None:
        lines += ["", "Where N = n (k - 1), generation k multiplies E[s] by", f"    {derivation.factor}"]
    if derivation.product is not None:
        finite, limit = derivation.product
        lines += ["", f"    E[s] = s_0 {finite}  ->  s_0 {limit}   (t -> oo)"]
    numbers = derivation.numbers()
    lines += [""] if numbers else []
    lines += [f"    {name}: {value:.10g}" for name, value in numbers.items()]
    return "\n".join(lines) + "\n"


def as_latex(derivation: RecipeDerivation) -> str:
    """The recursion, the eigenvalues, the fixed point or the product as aligned displays."""
    blocks = [[rf"{left} &= {right}" for left, right in _recursion(derivation, tex, sp.latex)]]
    blocks.append([rf"z_{{{i}}} &= {sp.latex(z)}" for i, z in enumerate(derivation.eigenvalues, 1)])
    if derivation.threshold is not None and derivation.threshold.is_finite:
        blocks.append([rf"\lambda^* &= {sp.latex(derivation.threshold)}"])
    if derivation.stationary is not None:
        square, spread = map(sp.latex, derivation.stationary)
        blocks.append([rf"\mathbb{{E}}[m^2] &\to {square}", rf"\mathbb{{E}}[s] &\to {spread}"])
    if derivation.solution is not None:
        square, spread = map(sp.latex, derivation.solution)
        blocks.append([rf"\mathbb{{E}}[m_t^2] &= {square}", rf"\mathbb{{E}}[s_t] &= {spread}"])
    if derivation.product is not None:
        finite, limit = map(sp.latex, derivation.product)
        blocks.append([rf"\mathbb{{E}}[s_t] &= s_0 {finite} \to s_0 {limit}"])
    displays = [" \\\\\n".join(f"  {line}" for line in block) for block in blocks if block]
    return "".join(f"\\begin{{align*}}\n{display}\n\\end{{align*}}\n" for display in displays)


def _symbols(derivation: RecipeDerivation) -> list[str]:
    if not derivation.is_named:
        return ["Counts and weights are the loop's numbers; s is in the source's units."]
    return ["s_0 is the source's variance; counts and weights are symbols, whatever numbers the loop has."]


def _threshold(derivation: RecipeDerivation) -> str:
    found = derivation.threshold
    if found is None:
        return "No lambda is known from which on second moments grow without bound."
    if found == sp.oo:
        return "Second moments stay bounded for every lambda."
    return f"Second moments stay bounded iff lambda is below {found}."


def _recursion(
    derivation: RecipeDerivation, name: Callable[[Label], str], show: Callable[[Any], str]
) -> list[tuple[str, str]]:
    labels, matrix, offset = derivation._system()
    lines = []
    for i, row in enumerate(labels):
        terms = [_term(matrix[i, j], name(column), show) for j, column in enumerate(labels)]
        terms.append("" if offset[i] == 0 else show(sp.factor(offset[i])))
        lines.append((f"{name(row)}'", " + ".join(filter(None, terms)).replace("+ -", "- ") or "0"))
    return lines


def _term(coefficient: Any, name: str, show: Callable[[Any], str]) -> str:
    coefficient = sp.factor(coefficient)
    if coefficient == 0:
        return ""
    if coefficient in (1, -1):
        return name if coefficient == 1 else f"-{name}"
    shown = show(coefficient)
    return f"({shown}) {name}" if coefficient.is_Add else f"{shown} {name}"


def plain(label: Label) -> str:
    """A coordinate in text."""
    kind, *keys = label
    if kind == "product":
        parts = [_variable(key) for key in keys if key != ("one",)]
        if len(parts) == 2 and parts[0] == parts[1]:
            return f"E[{parts[0]}^2]"
        return f"E[{' '.join(parts)}]"
    if kind == "variance":
        return f"E[s{_variable(keys[0])[1:]}]"
    return f"q({_variable(keys[0])})"


def tex(label: Label) -> str:
    """A coordinate in LaTeX."""
    text = plain(label).replace("E[", r"\mathbb{E}[")
    return re.sub(r"\[(-\d+)\]", r"_{\1}", text)


def _variable(key: tuple) -> str:
    kind = key[0]
    if kind == "set":
        return "r" if key[1] in ("real", "healing") else f"r({key[1]})"
    if kind == "pool":
        return "p" if key[1] == 0 else f"p{key[1] + 1}"
    lag = f"[{key[1]}]" if key[1] else ""
    peer = str(key[2] + 1) if key[2] else ""
    part = f".{key[3] + 1}" if len(key) > 3 and key[3] else ""
    letter = {"model": "m", "all": "M"}.get(kind, "x")
    return f"{letter}{peer}{part}{lag}"
