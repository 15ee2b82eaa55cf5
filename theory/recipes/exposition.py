"""A recursion of second moments written out for a reader, as plain text and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sympy as sp

from theory.policy import Heal
from theory.recipes.affine_step import Label
from theory.recipes.derivation import RecipeDerivation
from theory.recipes.legend import bias, symbols, variables
from theory.recipes.symbols import LAMBDA


def as_text(derivation: RecipeDerivation) -> str:
    """The recursion, its eigenvalues and threshold, the fixed point or the product, and numbers."""
    recursion = _recursion(derivation, plain, str)
    body = [*_recursion_lines(derivation, recursion)]
    if derivation.eigenvalues:
        body += ["", "Its eigenvalues:", *(f"    {value}" for value in derivation.eigenvalues)]
    body += ["", *_threshold(derivation)]
    if derivation.stationary is not None:
        square, spread = derivation.stationary
        body += ["", "At rest:", f"    E[m^2] = {square}", f"    E[s] = {spread}"]
    body += _course(derivation)
    if derivation.factor is not None:
        body += ["", "Where N = n (k - 1), generation k multiplies E[s] by", f"    {derivation.factor}"]
    if derivation.product is not None:
        finite, limit = derivation.product
        body += ["", f"    E[s] = s_0 {finite}  ->  s_0 {limit}   (t -> oo)"]
    numbers = derivation.numbers()
    body += ["", "In the loop's numbers:"] if numbers else []
    body += [f"    {name}: {value:.10g}" for name, value in numbers.items()]
    lines = [*_legend(derivation, "\n".join(body)), "", *body]
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


def _legend(derivation: RecipeDerivation, body: str) -> list[str]:
    """What stands in `body`, and what lambda is."""
    before = derivation.contaminated
    labels = [*derivation._system()[0], *(before._system()[0] if before is not None else ())]
    lines = variables(labels, " ".join(map(plain, labels)))
    if derivation.is_named:
        lines += symbols(derivation.loop, derivation.in_symbols.data, body)
        if derivation.loop.start is not None:
            lines.append("The loop's own start is left out: model 0 is the source.")
    else:
        lines.append("Counts and weights are the loop's numbers; s is in the source's units.")
    return [
        *filter(None, lines),
        bias(derivation.loop, LAMBDA in derivation._settings()["bias"].free_symbols),
    ]


def _recursion_lines(derivation: RecipeDerivation, recursion: list[tuple[str, str]]) -> list[str]:
    lines, before, data = [], derivation.contaminated, derivation.loop.data
    if before is not None:
        lines.append(f"One contaminated generation ({data.contaminated.policy}, {data.generations} of them):")
        lines += [f"    {left} = {right}" for left, right in _recursion(before, plain, str)]
        lines.append("")
    if not isinstance(data, Heal):
        lines.append("One generation of second moments:")
    else:
        lines.append(f"One healing generation (from {data.generations + 1} on), to which all below belongs:")
    if not recursion:
        lines.append("    its counts or weights change from generation to generation: there is no one map")
    return lines + [f"    {left} = {right}" for left, right in recursion]


def _course(derivation: RecipeDerivation) -> list[str]:
    """The moments after t generations, or why they are not shown."""
    if derivation.solution is not None:
        square, spread = derivation.solution
        heading = f"After t generations, t >= {derivation.step.generation}, from the source:"
        return ["", heading, f"    E[m^2] = {square}", f"    E[s] = {spread}"]
    if derivation.why_unsolved is None:
        return []
    return ["", f"No formula in t is shown: {derivation.why_unsolved}. The recursion gives every generation."]


def _threshold(derivation: RecipeDerivation) -> list[str]:
    found = derivation.threshold
    if found is None:
        return ["No lambda is known from which on second moments grow without bound."]
    if found == sp.oo:
        return ["Second moments stay bounded for every lambda."]
    relation = "at most" if derivation.includes_threshold else "below"
    how = " (a root found numerically)" if sp.sympify(found).has(sp.Float) else ""
    kept = "is: they stay bounded" if derivation.is_bounded else "is not: they grow without bound"
    value = sp.sympify(found).subs(derivation.values)
    shown = "" if value == found else f", here {float(value):.10g}"
    return [
        f"Second moments stay bounded iff lambda is {relation} {found}{how}{shown}.",
        f"The loop's lambda, {float(derivation.values[LAMBDA]):g}, {kept}.",
    ]


def _recursion(
    derivation: RecipeDerivation, name: Callable[[Label], str], show: Callable[[Any], str]
) -> list[tuple[str, str]]:
    labels, matrix, offset = derivation._system()
    matrix, offset = (part.applyfunc(derivation.written) for part in (matrix, offset))
    lines = []
    for i, row in enumerate(labels):
        terms = [_term(matrix[i, j], name(column), show) for j, column in enumerate(labels)]
        terms.append("" if offset[i] == 0 else show(offset[i]))
        lines.append((f"{name(row)}'", " + ".join(filter(None, terms)).replace("+ -", "- ") or "0"))
    return lines


def _term(coefficient: Any, name: str, show: Callable[[Any], str]) -> str:
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
