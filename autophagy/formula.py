"""LaTeX statements as inline SVG, glyphs drawn once by matplotlib's mathtext: no network and no fonts."""

from __future__ import annotations

import html
import re
from typing import Any

SIZE = 13
"""Of the letters, in points."""

_COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}  # matplotlib's path codes


class Formulas:
    """Pictures that share their glyphs: put `definitions` anywhere in the page that shows them."""

    def __init__(self):
        self._names: dict[str, str] = {}
        self._glyphs: dict[str, str] = {}

    def picture(self, latex: str) -> str:
        """An SVG element in the colour of the text around it; code where mathtext cannot draw the formula."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextToPath

        source = html.escape(latex, quote=True)
        maker, font = TextToPath(), FontProperties(math_fontfamily="cm", size=SIZE)
        try:
            placed, drawn, bars = maker.get_glyphs_mathtext(font, f"${_for_mathtext(latex)}$")
        except ValueError:
            return f"<code>{source}</code>"
        for glyph, (points, codes) in drawn.items():
            self._glyphs[self._name(glyph)] = _data(points, codes)
        width, height, descent = maker.get_text_width_height_descent(f"${_for_mathtext(latex)}$", font, True)
        scale = SIZE / maker.FONT_SCALE
        letters = [
            f'<use href="#{self._name(glyph)}" transform="translate({x:.0f} {y:.0f}) scale({size:.3g})"/>'
            for glyph, x, y, size in placed
        ]
        lines = [f'<path d="{_data(points, codes)}"/>' for points, codes in bars]
        return (
            f'<svg role="img" aria-label="{source}" width="{width + 2:.0f}pt" height="{height + 2:.0f}pt" '
            f'viewBox="-1 {descent - height - 1:.1f} {width + 2:.1f} {height + 2:.1f}">'
            f'<title>{source}</title><g transform="scale({scale:.3g} {-scale:.3g})">'
            f"{''.join(letters + lines)}</g></svg>"
        )

    @property
    def definitions(self) -> str:
        """The glyphs, in an SVG element that shows nothing."""
        paths = "".join(f'<path id="{name}" d="{data}"/>' for name, data in self._glyphs.items())
        return f'<svg width="0" height="0" aria-hidden="true"><defs>{paths}</defs></svg>'

    def _name(self, glyph: str) -> str:
        return self._names.setdefault(glyph, f"g{len(self._names)}")


def _data(points: Any, codes: Any) -> str:
    """The attribute `d` of a path."""
    from matplotlib.path import Path

    steps = [
        _COMMANDS[int(code)]
        + ("" if code == Path.CLOSEPOLY else " ".join(f"{value:.0f}" for value in values))
        for values, code in Path(points, codes).iter_segments(simplify=False)
    ]
    return "".join(steps)


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
    (r"\\iff(?![a-zA-Z])", r"\\Leftrightarrow"),
    (r"\\textstyle(?![a-zA-Z])", ""),
    (r"\\mathbf (\w)", r"\\mathbf{\1}"),
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
