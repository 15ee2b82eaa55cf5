"""`autophagy verify`, `autophagy report` and `autophagy figures`: what is claimed, checked and drawn."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autophagy.arguments import UsageError
from autophagy.files import check_file, check_folder, write
from autophagy.hardware import use
from autophagy.output import print_json
from autophagy.progress import progress

if TYPE_CHECKING:
    from theory.claim import Claim

VERIFICATION_ENDINGS = (".html", ".csv", ".json")


def verify(options: argparse.Namespace) -> int:
    """Confront claims; exit code 1 unless all agree and every control was caught."""
    if options.output:
        check_file(options.output, VERIFICATION_ENDINGS)
    from autophagy import verification as claims

    claims.check_claims(options.claims, options.bounds)
    use(cache=options.compilation_cache)
    verification = claims.verify(
        options.claims or None,
        quick=options.quick,
        bounds=options.bounds,
        seed=options.seed,
        progress=progress("verifying"),
    )
    published = _published(options, verification.claims) if options.bounds else {}
    if options.json:
        print_json(verification.entries() | {key: value for key, (value, _) in published.items()})
    else:
        print("\n\n".join([*(text for _, text in published.values()), verification.table()]))
    if options.output:
        verification.write(options.output)
    return 0 if verification.holds else 1


def _published(options: argparse.Namespace, claims: Sequence[Claim]) -> dict[str, tuple[Any, str]]:
    """Published statements over their grids, bounds claimed on their cases: as values and as tables."""
    from autophagy import bounds_table

    parts = {"bounds": bounds_table.of_claims(claims, options.quick)}
    if not options.claims:
        parts = {"published": bounds_table.readings()} | parts
    return {
        key: (bounds_table.entries(found), bounds_table.table(found)) for key, found in parts.items() if found
    }


def report(options: argparse.Namespace) -> int:
    """Write the page of everything; exit code as of `verify`."""
    check_file(options.output, (".html",))
    from autophagy import report as pages
    from autophagy.verification import verify as verified

    use(cache=options.compilation_cache)
    verification = verified(quick=options.quick, seed=options.seed, progress=progress("verifying"))
    page = pages.report(verification)
    write(options.output, lambda draft: draft.write_text(page, encoding="utf-8"))
    print(verification.summary())
    return 0 if verification.holds else 1


def figures(options: argparse.Namespace) -> int:
    """Draw figures, and print where they lie."""
    from paper_figs import DEAR, FIGURES, make

    for name in options.names:
        if name not in FIGURES:
            raise UsageError(f"figure {name!r} is unknown; there are {', '.join(FIGURES)}")
    check_folder(options.output)
    Path(options.output).mkdir(exist_ok=True)
    if options.collect:
        use(cache=options.compilation_cache)
    for name in options.names or FIGURES:
        collect = options.collect and (name in options.names or name not in DEAR)
        for path in make(name, Path(options.output), collect=collect, progress=progress(name)):
            print(path)
    return 0
