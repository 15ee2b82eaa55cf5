"""LaTeX statements as small inline SVG pictures, drawn with matplotlib's mathtext; no network, no fonts."""

from __future__ import annotations

import html
import re
from functools import lru_cache

SIZE = 13  # points
_COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}  # matplotlib's path codes


@lru_cache(maxsize=1024)
def picture(latex: str) -> str:
    """An SVG element in the colour of the text around it; code where mathtext cannot draw the formula."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    source = html.escape(latex, quote=True)
    try:
        font = FontProperties(math_fontfamily="cm")
        path = TextPath((0, 0), f"${_for_mathtext(latex)}$", size=SIZE, prop=font)
    except ValueError:
        return f"<code>{source}</code>"
    box = path.get_extents()
    steps = []
    for points, code in path.iter_segments(simplify=False):
        # SVG's y axis points down
        numbers = [f"{-value if i % 2 else value:.1f}".removesuffix(".0") for i, value in enumerate(points)]
        steps.append("Z" if code == 79 else _COMMANDS[int(code)] + " ".join(numbers))
    width, height = box.width + 2, box.height + 2
    return (
        f'<svg role="img" aria-label="{source}" width="{width:.0f}pt" height="{height:.0f}pt" '
        f'viewBox="{box.x0 - 1:.1f} {-box.y1 - 1:.1f} {width:.1f} {height:.1f}">'
        f'<title>{source}</title><path d="{"".join(steps)}"/></svg>'
    )


def _for_mathtext(latex: str) -> str:
    """The same formula in the words that mathtext knows."""
    text = latex.strip().strip("$").replace("\n", " ")
    for old, new in (
        (r"\tfrac", r"\frac"),
        (r"\dfrac", r"\frac"),
        (r"\bigl", r"\left"),
        (r"\bigr", r"\right"),
        (r"\Bigl", r"\left"),
        (r"\Bigr", r"\right"),
        (r"\lvert", "|"),
        (r"\rvert", "|"),
        (r"\lVert", r"\|"),
        (r"\rVert", r"\|"),
        (r"\vert", "|"),
        (r"\text{", r"\mathrm{"),
        (r"\operatorname{", r"\mathrm{"),
        (r"\le ", r"\leq "),
        (r"\ge ", r"\geq "),
        (r"\tr ", r"\mathrm{tr} "),
        (r"\!", ""),
    ):
        text = text.replace(old, new)
    # TeX takes a single character for an argument, mathtext does not
    text = re.sub(r"\\frac\s*([0-9a-zA-Z])", r"\\frac{\1}", text)
    return re.sub(r"(\\frac\{[^{}]*\})\s*([0-9a-zA-Z])", r"\1{\2}", text)
