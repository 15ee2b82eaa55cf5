"""How the claims about categorical loops are written, and whom they cite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from theory.claim import Case, Check, Claim, Status
from theory.claims import categorical_cases as cases

OWN = "own derivation"
WRIGHT = "Wright 1931, doi:10.1093/genetics/16.2.97; Ewens 2004"
SEDDIK = "Seddik et al. 2024, arXiv:2404.05090"
FELLER = "Feller 1951; Ewens 2004"
SURESH = "Suresh, Thangaraj and Khandavally 2025, arXiv:2412.17646"
MILLER = "Miller 1955; Harris 1975"
KIMURA = "Kimura 1962"
FERBACH = "Ferbach et al. 2024, arXiv:2407.09499"
HUTTER = "Hutter 2021, arXiv:2102.04074"
LITTLER = "Kimura and Ohta 1969; Littler 1975"
KAZDAN = "Kazdan et al. 2024, arXiv:2410.16713"

COUNTED = "X_{t+1} ~ Mult(n, p_t), p_{t+1} = X_{t+1}/n; any K, every n >= 1, every t >= 1"
SIZES = "sizes may change: (1-1/n)^t becomes prod (1-1/n_s)"
RATE = r"(1-\tfrac1n)^t"
H = r"H = 1-\sum_i p_i^2"


def claim(
    entry: str,
    observable: str,
    statement: str,
    source: str,
    validity: str,
    tested: tuple[Case, ...],
    *,
    status: Status = "exact",
    check: Check = "moments",
    **more: Any,
) -> Claim:
    """An entry's statement about one observable."""
    return Claim(f"mixture.{entry}", observable, status, statement, source, validity, check, tested, **more)


def each(entry: str, statements: dict[str, str], *arguments: Any, **more: Any) -> tuple[Claim, ...]:
    """An entry's statements about several observables, means and variances being confronted."""
    return tuple(claim(entry, name, statement, *arguments, **more) for name, statement in statements.items())


def mean(entry: str, observable: str, *arguments: Any, **more: Any) -> Claim:
    """A claim whose mean alone is confronted."""
    return claim(entry, observable, *arguments, expected=cases.mean_of(observable), **more)


def means(entry: str, statements: dict[str, str], *arguments: Any, **more: Any) -> tuple[Claim, ...]:
    """The same, means alone being confronted."""
    return tuple(mean(entry, name, statement, *arguments, **more) for name, statement in statements.items())


def time(entry: str, observable: str, *arguments: Any) -> Claim:
    """A claim about the mean of a first passage."""
    return claim(
        entry,
        observable,
        *arguments,
        status="recursion",
        check="passage",
        expected=cases.mean_time(observable),
    )


def limit(
    entry: str, observable: str, statement: str, source: str, validity: str, tested: tuple[Case, ...],
    value: Callable[[Case], Any], order: float, grown: Callable[[Case], Case],
) -> Claim:  # fmt: skip
    """An asymptotic formula whose error falls at an order, against the exact recursion."""
    return claim(
        entry, observable, statement, source, validity, tested, status="asymptotic", check="limit",
        expected=cases.held_against(value, observable), order=order, grown=grown,
    )  # fmt: skip


def bound(
    entry: str, observable: str, statement: str, source: str, validity: str, tested: tuple[Case, ...],
    value: Callable[[Case], Any], side: Literal["below", "above"],
) -> Claim:  # fmt: skip
    """An inequality: the mean lies on one side of a formula."""
    return claim(
        entry, observable, statement, source, validity, tested, status="bound", check="bound",
        expected=cases.held_against(value, observable), side=side,
    )  # fmt: skip
