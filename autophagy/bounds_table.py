"""What `autophagy verify --bounds` shows of published statements: do they hold, how tight are they."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from autophagy.confrontation import LEVELS, OfBound
from autophagy.inequality import OfInequality
from autophagy.shared_runs import plan
from theory.bounds import BOUNDS
from theory.claim import Case, Claim, Experiment
from theory.loop_file import to_mapping
from theory.published.statement import Kind, Published, Reading

HEADING = ("at", "stated", "exact", "ratio", "holds")
RULES = {
    "equality": "An equality holds to rounding.",
    "expansion": "An expansion holds where its error falls at the stated power of its small parameter.",
    "bound": "A bound holds where the exact value lies on its side; it is tight where the ratio of stated to "
    "exact is 1.",
}
"""When a statement of a kind holds, in words."""
INDENT = "    "
"""Of what belongs to the statement above."""


def readings() -> tuple[Reading, ...]:
    """Every statement at every point of its grid."""
    from theory.published import PUBLISHED

    return tuple(reading for statement in PUBLISHED for reading in statement.readings())


def of_claims(claims: Sequence[Claim], quick: bool = False) -> tuple[Reading, ...]:
    """The bounds among the claims beside exact values, on their cases, where theory knows an exact value.

    A bound on a probability is read where that is a half and where it is 5%, a bound on a mean at the
    component that comes nearest.
    """
    found = [
        reading
        for claim in claims
        if claim.check == "bound"
        for case in claim.cases
        if case.quick or not quick
        for reading in _of_case(claim, case)
    ]
    names = list(dict.fromkeys(reading.of.name for reading in found))
    return tuple(sorted(found, key=lambda reading: names.index(reading.of.name)))


MOST = 6
"""Sizes of a list that is shown, at most."""
SHOWN = (2, 4)
"""Places in `LEVELS` of P(X <= x) = 0.5 and 0.95, where a bound on a probability is read."""


def _of_case(claim: Claim, case: Case) -> list[Reading]:
    trial = plan(claim, case)
    if isinstance(trial, OfInequality):
        bound, exact = (np.asarray(part, float) for part in (trial.bound, trial.exact))
        generations = case.generations or (None,)
        bound, exact = (np.reshape(part, (len(generations), -1)) for part in (bound, exact))
        said_by = claim.source.partition(",")[0]
        kind: Kind = "upper bound" if trial.sign > 0 else "lower bound"
        of = _statement(f"{claim.id} {claim.observable}, {said_by}", claim.statement, claim.source, "", kind)
        found = []
        for g, said, true in zip(generations, bound, exact, strict=True):
            known = np.flatnonzero(np.isfinite(said) & np.isfinite(true))
            if known.size:
                k = known[
                    np.argmin(trial.sign * (said - true)[known] / np.maximum(np.abs(true[known]), 1e-300))
                ]
                part = {} if len(said) == 1 else {"component": int(k) + 1}
                found.append(_reading(of, _place(case, g) | part, said[k], true[k]))
        return found
    assert isinstance(trial, OfBound)
    return [
        _reading(
            _statement(
                f"{claim.id} P({claim.observable} > threshold), {bound.name}",
                bound.statement,
                bound.source,
                bound.seen,
                "upper bound",
            ),
            _place(case, g) | {"threshold": float(f"{trial.law.quantiles[i, k]:.4g}")},
            trial.bounds[i, k, j],
            1 - LEVELS[k],
        )
        for j, bound in enumerate(BOUNDS)
        for i, g in enumerate(case.generations)
        for k in SHOWN
    ]


def _statement(name: str, latex: str, source: str, seen: str, kind: Kind) -> Published:
    return Published(name, latex, source, seen, kind, (), lambda _: math.nan, lambda _: math.nan)


def _reading(of: Published, point: dict[str, Any], value: float, exact: float) -> Reading:
    return Reading(of, point, float(value), float(exact), of.holds(float(value), float(exact)))


def _place(case: Case, generation: int | None) -> dict[str, Any]:
    """Where: what the case is of, as far as it is numbers, and the generation."""
    if isinstance(case.loop, Experiment):
        content: dict[str, Any] = {"experiment": case.loop.name, **dict(case.loop.parameters)}
    else:
        content = to_mapping(case.loop)["data"]
        if content["policy"] == "replace":
            del content["policy"]
    short = {
        key: value
        for key, value in content.items()
        if isinstance(value, int | float | str) or (isinstance(value, list) and len(value) <= MOST)
    }
    return short | ({} if generation is None else {"t": generation})


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
        lines += [reading.of.name] if last is None or reading.of.name != last.name else []
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
    kinds = {reading.of.kind.split()[-1] for reading in found}
    rules = [rule for kind, rule in RULES.items() if kind in kinds]
    return textwrap.fill(
        f"{held[True]} of {len(found)} readings hold. {' '.join(rules)}",
        110,
    )
