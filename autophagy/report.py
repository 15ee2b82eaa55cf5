"""One self-contained page of everything: the claims and their verdicts, the figures and what they show."""

from __future__ import annotations

import base64
import html
import inspect
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import paper_figs
from autophagy.formula import Formulas
from autophagy.page import TITLE, document, section

if TYPE_CHECKING:
    from autophagy.verification import Verification


def report(verification: Verification) -> str:
    """The page: the figures drawn from their committed rows, then the table of claims."""
    formulas = Formulas()
    table = section(verification, formulas)
    figures = "\n".join(_figure(name) for name in paper_figs.FIGURES)
    return document(TITLE, f"{table}\n<h2>Figures</h2>\n{figures}", formulas)


def _figure(name: str) -> str:
    """A picture inside the page, and the words of the module that draws it."""
    with tempfile.TemporaryDirectory() as folder:
        (picture,) = (path for path in paper_figs.make(name, Path(folder)) if path.suffix == ".png")
        data = base64.b64encode(picture.read_bytes()).decode()
    words = inspect.getdoc(paper_figs.module(name)) or name
    caption = " ".join(words.split("\n\n")[0].split())
    return (
        f'<figure><img alt="{html.escape(name.replace("_", " "))}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
