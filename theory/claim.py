"""What a claim is: one result about one observable, where it holds, where it is from, where it is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["exact", "recursion", "asymptotic", "bound", "infinite", "none"]
Check = Literal["moments", "law", "passage", "bound", "limit"]


@dataclass(frozen=True)
class Experiment:
    """Something measured that is no loop: one text, a sampler's step, a metric at a sample size.

    Attributes:
        name: which (`jaxsim.experiments`).
        parameters: pairs of a name and a value, hashable.
    """

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()

    def get(self, name: str) -> Any:
        """The parameter of that name.

        Raises:
            KeyError: if there is none.
        """
        return dict(self.parameters)[name]


@dataclass(frozen=True)
class Case:
    """One setting a claim is confronted with.

    Attributes:
        loop: numbers throughout; or an experiment.
        generations: where it is measured; empty for a first passage and for an experiment.
        quick: whether `verify --quick` runs it.
        engine: which engine simulates the loop; truncated samples are always literal.
        least: replicates at least, where theory does not know the tail that they are to meet.
        nearest: of a bound: the share of it that the mean reaches here (of a bound from below, that the bound
            reaches of the mean), at one generation and component at least.
    """

    loop: Any
    generations: tuple[int, ...] = ()
    quick: bool = True
    engine: Literal["exact", "literal"] = "exact"
    least: int = 0
    nearest: float | None = None


@dataclass(frozen=True)
class Claim:
    """A closed form, bound or law.

    Attributes:
        id: subject and entry, such as `gaussian.R1`.
        observable: the name it is about (`theory.observable`).
        status: exact; recursion (exact, by a finite recursion or quadrature); asymptotic; bound.
        statement: the formula, in LaTeX.
        source: authors, year, identifier; or "own derivation".
        validity: where it holds, in words.
        check: how Monte Carlo confronts it: the moments of the observable, its distribution function at
            stated quantiles, the mean of a first passage, a bound's inequality, or a limit whose order of
            error is stated.
        cases: the settings it is tested on.
        expected: (case) -> mean, variance, third and fourth central moments along the first axis, then
            generation (none for an experiment) and trailing axes; nan where not known. None:
            `theory.predict.central_moments`. For a limit or a bound the first is its formula.
        order: of a limit: the power at which the formula's error falls as the large parameter grows.
        grown: of a limit: (case) -> the case whose large parameter is `LONGER` times that
            (`theory.claims.larger_cases`).
        exact: (case) -> the exact mean beside a limit or a bound; None: `theory.predict.central_moments`.
        error: of a limit: (case) -> by how much `exact` may err; 0 if None.
        side: of a bound with `expected`: whether the mean lies "below" or "above" it.
    """

    id: str
    observable: str
    status: Status
    statement: str
    source: str
    validity: str
    check: Check
    cases: tuple[Case, ...]
    expected: Callable[[Case], Any] | None = None
    error: Callable[[Case], Any] | None = None
    order: float | None = None
    grown: Callable[[Case], Case] | None = None
    exact: Callable[[Case], Any] | None = None
    side: Literal["below", "above"] | None = None
