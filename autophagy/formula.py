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
    text = re.sub(r"\\text\{([^{}]*)\}", _upright, text)
    for pattern, new in _WORDS:
        text = re.sub(pattern, new, text)
    return _braced(text)


_WORDS = (
    (r"\\[td]frac(?![a-zA-Z])", r"\\frac"),
    (r"\\[bB]igg?l(?![a-zA-Z])", r"\\left"),
    (r"\\[bB]igg?r(?![a-zA-Z])", r"\\right"),
    (r"\\[bB]igg?(?![a-zA-Z])", ""),
    (r"\\[lr]?vert(?![a-zA-Z])", "|"),
    (r"\\[lr]Vert(?![a-zA-Z])", r"\\|"),
    (r"\\operatorname(?=\{)", r"\\mathrm"),
    (r"\\le(?![a-zA-Z])", r"\\leq"),
    (r"\\ge(?![a-zA-Z])", r"\\geq"),
    (r"\\!", ""),
    (r"\{([^{}]*)\\atop([^{}]*)\}", r"\\genfrac{}{}{0}{}{\1}{\2}"),
)


def _upright(words: re.Match) -> str:
    return r"\mathrm{" + words[1].replace(" ", r"\ ") + "}"


def _braced(text: str) -> str:
    """Braces around the single tokens that TeX takes, and mathtext does not, for arguments."""
    done, rest = "", text
    while match := re.search(r"\\(?:frac|sqrt)(?![a-zA-Z])", rest):
        done, rest = done + rest[: match.end()], rest[match.end() :].lstrip()
        for _ in range(2 if match[0] == r"\frac" else 1):
            argument = re.match(r"\\[a-zA-Z]+|[^\\{\[]", rest)
            if argument:
                done, rest = f"{done}{{{argument[0]}}}", rest[argument.end() :].lstrip()
            else:
                end = _end_of_group(rest)
                done, rest = done + "{" + _braced(rest[1 : end - 1]) + "}", rest[end:].lstrip()
    return done + rest


def _end_of_group(text: str) -> int:
    """Just after the brace that closes the first one of `text`."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return index + 1
    return len(text)
