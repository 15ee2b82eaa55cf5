"""Every claim against Monte Carlo: one family of comparisons, one budget of false alarms.

The cases of all claims asked for are planned together. Their comparisons share `FALSE_ALARM` (Bonferroni), so
that a whole run rejects a theory that is right with probability 1e-6; each sees an error of a twentieth of a
standard deviation with all but probability 1e-6. Claims about one loop share its simulation.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from autophagy.arguments import UsageError
from autophagy.confrontation import RESOLUTION, Outcome
from autophagy.shared_runs import judged, plan
from jaxsim.verdict import AGREES, DISAGREES, FALSE_ALARM, FALSE_PASS, NOT_TESTABLE, alarm_threshold
from theory.claim import Case, Claim

TOOTHLESS = "toothless"
"""The verdict on a claim that agrees, and whose negative control would have agreed too."""

WORK = 2**25
QUICK_WORK = 2**21
"""Replicates times generations of a case, at most, beyond what the rates alone ask for."""


@dataclass(frozen=True)
class Row:
    """What was found about one claim.

    Attributes:
        claim: its id.
        observable: what it is about.
        status: exact, recursion, asymptotic or bound.
        check: how it was confronted.
        cases: on how many loops.
        comparisons: how many tests were planned.
        tested: how many had replicates enough for their tail; the rest are variances beyond what is afforded.
        replicates: of the case with the most.
        largest_z: the largest |z|.
        threshold: the |z| of an alarm.
        control: whether the negative control was caught in all tests.
        verdict: agrees, disagrees, "not testable" (a case is at fault) or toothless.
    """

    claim: str
    observable: str
    status: str
    check: str
    cases: int
    comparisons: int
    tested: int
    replicates: int
    largest_z: float
    threshold: float
    control: bool
    verdict: str


@dataclass(frozen=True)
class Verification:
    """The table, and what it is about.

    Attributes:
        claims: in the order of the rows.
        rows: one a claim.
        comparisons: the size of the family.
        seed: the master seed.
    """

    claims: tuple[Claim, ...]
    rows: tuple[Row, ...]
    comparisons: int
    seed: int = 0

    @property
    def holds(self) -> bool:
        """Whether every claim agrees, and every negative control was caught."""
        return all(row.verdict == AGREES for row in self.rows)

    def entries(self) -> dict[str, Any]:
        """The table as plain values."""
        return {
            "holds": self.holds,
            "comparisons": self.comparisons,
            "false_alarm": FALSE_ALARM,
            "false_pass": FALSE_PASS,
            "resolution": RESOLUTION,
            "claims": [asdict(row) for row in self.rows],
        }

    def summary(self) -> str:
        """What was found, what the rates are, and what a count of tests that is not all means."""
        good = sum(row.verdict == AGREES for row in self.rows)
        partial = [row for row in self.rows if row.tested < row.comparisons]
        left_out = ""
        if partial:
            first = partial[0]
            left_out = (
                f"Tests {first.tested} of {first.comparisons}, as of {first.claim}, means that "
                f"{first.comparisons - first.tested} of its variances have tails too heavy for an affordable "
                f"number of replicates and were not tested. "
            )
        return (
            f"{good} of {len(self.rows)} claims agree with Monte Carlo. {self.comparisons} comparisons share "
            f"a false-alarm rate of {FALSE_ALARM:g}, so that an alarm is a |z| above "
            f"{alarm_threshold(max(self.comparisons, 1)):.2f}; each sees an error of {RESOLUTION:g} standard "
            f"deviations except with probability {FALSE_PASS:g}, and did when theory was moved by it. "
            f"{left_out}Seed {self.seed}."
        )

    def table(self) -> str:
        """The table as text."""
        from autophagy.output import table

        heading = ["claim", "observable", "status", "check", "cases", "tests", "replicates", "largest |z|",
                   "control", "verdict"]  # fmt: skip
        lines = [heading, *([*map(str, cells(row))] for row in self.rows)]
        return f"{table(lines)}\n\n{textwrap.fill(self.summary(), 110)}"

    def write(self, path: str) -> None:
        """Write the table as the ending of `path` says: a page, rows or JSON."""
        import csv
        import json
        from pathlib import Path

        from autophagy.files import write
        from autophagy.output import plain

        def rows(draft: Path) -> None:
            with draft.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(Row.__dataclass_fields__))
                writer.writeheader()
                writer.writerows(asdict(row) for row in self.rows)

        def page(draft: Path) -> None:
            from autophagy.page import page

            draft.write_text(page(self), encoding="utf-8")

        def values(draft: Path) -> None:
            draft.write_text(json.dumps(plain(self.entries()), allow_nan=False) + "\n")

        write(path, {".html": page, ".csv": rows, ".json": values}[Path(path).suffix])


def cells(row: Row) -> list[str]:
    """A row as it is shown."""
    tests = str(row.tested) if row.tested == row.comparisons else f"{row.tested} of {row.comparisons}"
    return [
        row.claim, row.observable, row.status, row.check, str(row.cases), tests, f"{row.replicates:,}",
        f"{row.largest_z:.2f}", "caught" if row.control else "missed", row.verdict,
    ]  # fmt: skip


def check_claims(claims: Sequence[str], bounds: bool = False) -> tuple[Claim, ...]:
    """The claims named, or all; a bare id is accepted where one subject has it.

    Raises:
        UsageError: on an id that no claim has.
    """
    from theory.claims import CLAIMS

    known = [claim for claim in CLAIMS if claim.check == "bound" or not bounds]
    chosen: list[Claim] = []
    for name in claims:
        found = [claim for claim in known if name in (claim.id, claim.id.partition(".")[2])]
        if not found and _is_a_loop(name):
            said = f"verify takes the ids of claims, such as {known[0].id}, and {name!r} is none"
            raise UsageError(f"{said}; `autophagy compare LOOP` checks a loop of your own")
        if not found:
            raise UsageError(f"claim {name!r} is unknown; {_like(name, known)}")
        if len({claim.id for claim in found}) > 1:
            raise UsageError(f"claim {name!r} is about several subjects; write {found[0].id}")
        chosen += [claim for claim in found if claim not in chosen]
    return tuple(chosen or known)


def _is_a_loop(name: str) -> bool:
    """Whether it reads like a loop: a file, standard input or inline JSON."""
    return name == "-" or name.lstrip().startswith("{") or name.endswith((".toml", ".json")) or "/" in name


def _like(name: str, known: Sequence[Claim]) -> str:
    """The ids nearest to a name, and where all are listed."""
    ids = list(dict.fromkeys(claim.id for claim in known))
    spelled = {word.lower(): full for full in ids for word in (full, full.partition(".")[2])}
    near = dict.fromkeys(spelled[word] for word in get_close_matches(name.lower(), spelled, 4))
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}there are {len(ids)}, such as {ids[0]} and {ids[-1]}, listed in docs/what_is_true.md"


def verify(
    claim_ids: Sequence[str] | None = None,
    quick: bool = False,
    bounds: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Confront claims with Monte Carlo.

    Args:
        claim_ids: which; all if None.
        quick: the quick cases only, and claims that have one; fewer replicates where a tail asks for many.
        bounds: published bounds only.
        seed: the master seed of every simulation.
        progress: called with (done, total) after every simulation.
    """
    claims = tuple(claim for claim in check_claims(claim_ids or (), bounds) if _cases(claim, quick))
    planned = [(claim, plan(claim, case)) for claim in claims for case in _cases(claim, quick)]
    family = max(sum(trial.comparisons for _, trial in planned), 1)
    work = QUICK_WORK if quick else WORK
    outcomes = judged([trial for _, trial in planned], family, work, seed, progress)
    rows = [
        _row(claim, [outcomes[id(trial)] for of, trial in planned if of is claim], family) for claim in claims
    ]
    return Verification(claims, tuple(rows), family, seed)


def _cases(claim: Claim, quick: bool) -> list[Case]:
    return [case for case in claim.cases if case.quick or not quick]


def _row(claim: Claim, outcomes: Sequence[Outcome], family: int) -> Row:
    def total(name: str) -> int:
        return sum(getattr(outcome, name) for outcome in outcomes)

    if total("disagreements"):
        verdict = DISAGREES
    elif total("untestable") or not total("tested"):
        verdict = NOT_TESTABLE
    else:
        verdict = TOOTHLESS if total("missed") else AGREES
    return Row(
        claim=claim.id,
        observable=claim.observable,
        status=claim.status,
        check=claim.check,
        cases=len(outcomes),
        comparisons=total("comparisons"),
        tested=total("tested"),
        replicates=max((outcome.replicates for outcome in outcomes), default=0),
        largest_z=max((outcome.largest_z for outcome in outcomes), default=0.0),
        threshold=alarm_threshold(family),
        control=not total("missed"),
        verdict=verdict,
    )
