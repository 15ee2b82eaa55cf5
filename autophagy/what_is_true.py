"""The chapter "What is true": every claim of the theory, written from the claims themselves.

Run it as `python -m autophagy.what_is_true docs/what_is_true.md`; a test asks that the page is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from theory.claim import Claim
from theory.published.statement import Published

INTRODUCTION = """# What is true

Every result that the project states, with its status, its source and where it holds. This page is generated
from the claims (`theory/claims/`); `autophagy verify` confronts each of them with Monte Carlo.

Status: **exact**; **recursion** (exact: a finite recursion, chain or quadrature); **asymptotic**; **bound**.
$t$ counts fits: generation 0 is the source, $N(\\mu_0, \\sigma_0^2)$. $n$ points a fit, divisor $c$ ($n$ for
maximum likelihood, $n-1$ unbiased), $\\nu = n-1$, sampler bias $\\lambda$ on the variance.
"""
PUBLISHED = """## Published statements beside the exact value

`autophagy verify --bounds` evaluates these over grids of parameters. *Holds* counts the points of the grid
where the statement is true; beyond the setting that a source states, the points show how far it carries.
"""
CHAPTERS = (
    ("gaussian", "Laws behind the rest", ("P",)),
    ("gaussian", "A loop on its own samples", ("R",)),
    ("gaussian", "Sampler bias, truncation, temperature", ("S",)),
    ("gaussian", "Several dimensions", ("M",)),
    ("gaussian", "Real data beside synthetic data", ("X",)),
    ("gaussian", "Accumulating data and windows", ("A",)),
    ("gaussian", "Selection, curation, verification", ("C", "V")),
    ("gaussian", "Linear regression", ("L",)),
    ("gaussian", "Ecosystems of models", ("E",)),
    ("gaussian", "The contaminated web", ("W",)),
    ("gaussian", "Healing", ("H",)),
    ("mixture", "Categories, counts and Zipf tails", ("C",)),
    ("mixture", "Markov text", ("N",)),
    ("mixture", "Mixtures", ("G", "Q")),
    ("mixture", "Kernel densities", ("K",)),
    ("mixture", "Diffusion samplers and guidance", ("D", "B")),
    ("mixture", "What is measured on samples", ("M",)),
)
"""Subject, heading, and the letters of its entries."""


def page() -> str:
    """The page in Markdown."""
    from theory.claims import CLAIMS
    from theory.published import PUBLISHED as STATEMENTS

    parts = [INTRODUCTION]
    for subject, heading, letters in CHAPTERS:
        chosen = [claim for claim in CLAIMS if _is_in(claim, subject, letters)]
        parts += [f"## {heading}\n", *map(_entry, chosen)]
    parts += [PUBLISHED, *map(_published, STATEMENTS)]
    return "\n".join(parts).rstrip() + "\n"


def _is_in(claim: Claim, subject: str, letters: tuple[str, ...]) -> bool:
    found, _, entry = claim.id.partition(".")
    return found == subject and entry.rstrip("0123456789abcdefghijklmnopqrstuvwxyz") in letters


def _entry(claim: Claim) -> str:
    """One claim: id, observable, status, the formula, where it holds, where it is from."""
    return (
        f"**{claim.id}** `{claim.observable}` ({claim.status})\n\n$$\n{claim.statement}\n$$\n\n"
        f"{_sentence(claim.validity)} Source: {claim.source}.\n"
    )


def _published(statement: Published) -> str:
    found = statement.readings()
    held = sum(reading.holds for reading in found)
    seen = f" Read: {statement.seen}." if statement.seen else ""
    return (
        f"**{statement.name}** ({statement.kind}; holds at {held} of {len(found)} points)\n\n"
        f"$$\n{statement.statement}\n$$\n\nSource: {statement.source}.{seen}\n"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def main(arguments: list[str]) -> int:
    """Write the page to the file named."""
    if len(arguments) != 1:
        print("usage: python -m autophagy.what_is_true FILE", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
