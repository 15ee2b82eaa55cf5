"""The verification table as one self-contained page: offline, in light and dark, on a narrow screen."""

from __future__ import annotations

import html
import math
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from autophagy.formula import Formulas
from jaxsim.verdict import AGREES

if TYPE_CHECKING:
    from autophagy.verification import Row, Verification
    from theory.claim import Claim

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #5d6066; --line: #d9d9d6; --paper: #fdfdfb;
        --good: #00664a; --bad: #a53d00; --bar: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e1; --soft: #a3a6ab; --line: #3a3c40; --paper: #17181a;
          --good: #4cc9a0; --bad: #ff9a5c; --bar: #6db9e8; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
p { max-width: 46rem; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
th, td { padding: .55rem .8rem .55rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.statement { min-width: 22rem; }
td.statement div { overflow-x: auto; max-width: 30rem; }
td.number { text-align: right; white-space: nowrap; }
svg { fill: currentColor; }
svg { vertical-align: middle; }
small { color: var(--soft); }
.good { color: var(--good); white-space: nowrap; }
.bad { color: var(--bad); font-weight: 600; white-space: nowrap; }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; background: #fff; }
figcaption { max-width: 46rem; color: var(--soft); }
meter-bar { display: block; width: 6rem; height: .35rem; margin-top: .3rem; background: var(--line); }
meter-bar > i { display: block; height: 100%; background: var(--bar); }
code { font-size: .85em; overflow-wrap: anywhere; }
"""

HEADINGS = ("Claim", "Statement", "Tests", "Replicates", "Largest |z|", "Control", "Verdict")


TITLE = "Autophagy: what is claimed, and what Monte Carlo says"


def page(verification: Verification) -> str:
    """The page of a verification."""
    formulas = Formulas()
    return document(TITLE, section(verification, formulas), formulas)


def document(title: str, body: str, formulas: Formulas) -> str:
    """A whole page around a body whose formulas were drawn by `formulas`."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("jax", "numpy", "scipy", "sympy"))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
{formulas.definitions}
{body}
<p class="soft">Python {platform.python_version()}, {versions}.</p>
</body>
</html>
"""


def section(verification: Verification, formulas: Formulas) -> str:
    """The heading, the words and the table of a verification."""
    rows = "\n".join(
        _row(claim, row, formulas) for claim, row in zip(verification.claims, verification.rows, strict=True)
    )
    headings = "".join(f"<th scope=col>{heading}</th>" for heading in HEADINGS)
    return f"""<h1>What is claimed, and what Monte Carlo says</h1>
<p>{html.escape(verification.summary())}</p>
<p class="soft">Every claim is about a generative model that is fitted to its own samples, generation after
generation. Its closed form is compared with independent simulations: a z-test of every mean and variance, or
an exact binomial test at stated quantiles of a law. The bar shows the largest |z| of a claim, full at the
value that raises an alarm. The control repeats the tests with the theory moved by a twentieth of a standard
deviation, and must raise an alarm in each of them.</p>
<div class="scroll">
<table>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>"""


def _row(claim: Claim, row: Row, formulas: Formulas) -> str:
    tests = str(row.tested) if row.tested == row.comparisons else f"{row.tested} of {row.comparisons}"
    cases = f"{row.cases} case{'s' if row.cases > 1 else ''}, {row.check}"
    share = 100 * min(row.largest_z / row.threshold, 1) if math.isfinite(row.largest_z) else 100
    bar = f'<meter-bar><i style="width:{share:.0f}%"></i></meter-bar>'
    mark, tone = ("\u2713", "good") if row.verdict == AGREES else ("\u2717", "bad")
    control = "caught" if row.control else "missed"
    return (
        f"<tr><th scope=row>{html.escape(claim.id)}<br><small>{html.escape(claim.observable)}</small></th>"
        f'<td class="statement"><div>{formulas.picture(claim.statement)}</div>'
        f"<small>{html.escape(claim.validity)}. {row.status}; {html.escape(claim.source)}.</small></td>"
        f'<td class="number">{tests}<br><small>{cases}</small></td>'
        f'<td class="number">{row.replicates:,}</td>'
        f'<td class="number">{row.largest_z:.2f}{bar}</td>'
        f'<td class="{"good" if row.control else "bad"}">{control}</td>'
        f'<td class="{tone}">{mark} {row.verdict}</td></tr>'
    )
