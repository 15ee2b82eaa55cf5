"""What `autophagy verify --bounds` shows of published statements: do they hold, how tight are they."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from typing import Any

from theory.published.statement import Published, Reading

HEADING = ("at", "stated", "exact", "ratio", "holds")
INDENT = "    "
"""Of what belongs to the statement above."""


def readings() -> tuple[Reading, ...]:
    """Every statement at every point of its grid."""
    from theory.published import PUBLISHED

    return tuple(reading for statement in PUBLISHED for reading in statement.readings())


def entries(found: tuple[Reading, ...]) -> list[dict[str, Any]]:
    """The table as plain values."""
    return [
        {
            "statement": reading.of.name,
            "source": reading.of.source,
            "seen": reading.of.seen,
            "kind": reading.of.kind,
            "latex": reading.of.statement,
            "at": dict(reading.point),
            "stated": reading.value,
            "exact": reading.exact,
            "ratio": None if math.isnan(reading.tightness) else reading.tightness,
            "holds": reading.holds,
        }
        for reading in found
    ]


def table(found: tuple[Reading, ...]) -> str:
    """The table as text, the readings of a statement under its name; below it where each is from."""
    from autophagy.output import table as aligned

    heading, rule, *rows = aligned([list(HEADING), *map(_cells, found)]).splitlines()
    lines = [f"{INDENT}{heading}", f"{INDENT}{rule}"]
    last: Published | None = None
    for reading, row in zip(found, rows, strict=True):
        lines += [reading.of.name] if reading.of is not last else []
        lines.append(INDENT + row)
        last = reading.of
    return "\n".join(lines) + f"\n\n{_sources(found)}\n\n{_summary(found)}"


def _cells(reading: Reading) -> list[str]:
    at = ", ".join(f"{key} = {value}" for key, value in reading.point.items())
    ratio = "" if math.isnan(reading.tightness) else f"{reading.tightness:.4g}"
    return [at, f"{reading.value:.6g}", f"{reading.exact:.6g}", ratio, "yes" if reading.holds else "no"]


def _sources(found: tuple[Reading, ...]) -> str:
    """Who says so, and what was read of it."""
    from autophagy.observable_table import wrapped

    statements = {reading.of.name: reading.of for reading in found}
    return "\n".join(
        wrapped("; ".join(filter(None, (f"{name} ({statement.kind}): {statement.source}", statement.seen))))
        for name, statement in statements.items()
    )


def _summary(found: tuple[Reading, ...]) -> str:
    held = Counter(reading.holds for reading in found)
    return textwrap.fill(
        f"{held[True]} of {len(found)} readings hold. An equality holds to rounding; an expansion where"
        f" its error"
        " falls at the stated power of its small parameter; a bound where the exact value lies on its"
        " side, and"
        " it is tight where the ratio is 1.",
        110,
    )
