"""`autophagy predict` and `autophagy derive`: what theory says of a loop."""

from __future__ import annotations

import argparse
import math
import sys

from autophagy.arguments import UsageError
from autophagy.asked import check_observables, loop_of, show
from autophagy.files import check_file
from autophagy.output import DATA_ENDINGS, number, payload, plain, print_json, statistics, write_result
from theory.loop import Loop


def predict(options: argparse.Namespace) -> int:
    """Print closed forms; exit code 3 if what was asked for by name has none."""
    if options.output:
        check_file(options.output, DATA_ENDINGS)
    loop, solved = loop_of(options)
    check_observables(options, solved)
    from theory import predict as theory

    dataset = theory.predict(solved, options.generations, options.observable)
    entries = statistics(dataset, ("mean", "variance"))
    for name in options.observable or ():
        if entries[name]["status"] in ("none", "infinite"):
            reason = entries[name]["reason"]
            print(f"autophagy: {name} has no finite closed form here: {reason}", file=sys.stderr)
            return 3
    _add_laws(options, solved, entries)
    if options.latex:
        _add_statements(entries)
    threshold = {key: dataset.attrs[key] for key in ("threshold",) if key in dataset.attrs}
    content = payload(loop, options.generations, entries, **threshold)
    if options.output:  # before the table: its reader may leave, as `| head` does
        write_result(options.output, content, dataset)
    if options.latex and not options.json:
        print("\n".join(entry["latex"] for entry in entries.values() if "latex" in entry))
    else:
        more = [*_law_lines(entries), *threshold.values()]
        show(options, content, ("mean", "variance", "status", "claim"), more)
    return 0


def derive(options: argparse.Namespace) -> int:
    """Print the recursion and its solution."""
    loop, solved = loop_of(options)
    from theory.moments import derive

    derivation = derive(solved)
    if options.json:
        from theory.loop_file import to_mapping

        print_json({"loop": to_mapping(loop), "text": derivation.text(), "latex": derivation.latex()})
    else:
        print(derivation.latex() if options.latex else derivation.text())
    return 0


def _add_laws(options: argparse.Namespace, loop: Loop, entries: dict[str, dict]) -> None:
    """Put the distribution function and quantiles asked for beside the moments."""
    if not (options.cdf or options.quantiles):
        return
    from theory import law

    if math.isinf(options.generations[-1]):
        raise UsageError("-t is 'inf': laws are known at a generation; give one")
    steps = [int(g) for g in options.generations]
    when = steps[0] if len(steps) == 1 else steps
    for observable, text in options.cdf:
        if observable not in entries or observable not in law.OBSERVABLES:
            raise UsageError(f"--cdf {observable}: its law is not known; known: {', '.join(law.OBSERVABLES)}")
        entries[observable].setdefault("cdf", {})[text] = law.cdf(loop, observable, when, float(text))
    for observable in law.OBSERVABLES if options.quantiles else ():
        if observable in entries:
            entries[observable]["quantiles"] = {
                text: law.quantile(loop, observable, when, float(text)) for text in options.quantiles
            }


def _law_lines(entries: dict[str, dict]) -> list[str]:
    lines = []
    for name, entry in entries.items():
        shares, values = plain(entry.get("cdf", {})), plain(entry.get("quantiles", {}))
        lines += [f"P({name} <= {x}) = {number(p)}" for x, p in shares.items()]
        lines += [f"quantile {p} of {name}: {number(x)}" for p, x in values.items()]
    return lines


def _add_statements(entries: dict[str, dict]) -> None:
    """Put the LaTeX statement of the claim behind every observable."""
    from theory.claims import CLAIMS

    for name, entry in entries.items():
        for claim in CLAIMS:
            if (claim.id, claim.observable) == (entry.get("claim"), name):
                entry["latex"] = f"% {claim.id}, {name}: {claim.validity}\n{claim.statement}"
