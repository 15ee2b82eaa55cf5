"""What a claim is: one result about one observable, where it holds, where it is from, where it is tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from theory.loop import Loop

Status = Literal["exact", "recursion", "asymptotic", "bound", "infinite", "none"]
Check = Literal["moments", "law", "passage", "bound", "limit"]


@dataclass(frozen=True)
class Case:
    """One setting a claim is confronted with.

    Attributes:
        loop: numbers throughout.
        generations: where it is measured; empty for a first passage.
        quick: whether `verify --quick` runs it.
    """

    loop: Loop
    generations: tuple[int, ...]
    quick: bool = True


@dataclass(frozen=True)
class Claim:
    """A closed form, bound or law.

    Attributes:
        id: catalogue and entry, such as `gaussian.R1`.
        observable: the name it is about (`theory.observable`).
        status: exact; recursion (exact, by a finite recursion or quadrature); asymptotic; bound.
        statement: the formula, in LaTeX.
        source: authors, year, identifier; or "own derivation".
        validity: where it holds, in words.
        check: how Monte Carlo confronts it: the moments of the observable, its distribution function at
            stated quantiles, the mean of a first passage, a bound's inequality, or a limit whose order of
            error is stated.
        cases: the settings it is tested on.
    """

    id: str
    observable: str
    status: Status
    statement: str
    source: str
    validity: str
    check: Check
    cases: tuple[Case, ...]
