"""What each command does with its options."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from autophagy.arguments import UsageError
from autophagy.files import check_file, check_folder
from autophagy.hardware import use
from autophagy.output import (
    DATA_ENDINGS,
    observable_table,
    payload,
    print_json,
    statistics,
    write_result,
)
from autophagy.progress import progress
from autophagy.verbs import matched, resolved
from theory.loop import Loop, LoopError
from theory.loop_file import load
from theory.observable import PASSAGES, available, chosen, passages


def run(options: argparse.Namespace) -> int:
    """Run the command that `options` name; return its exit code.

    Raises:
        UsageError: on bad input, in one sentence.
    """
    try:
        return COMMANDS[options.command](options)
    except LoopError as error:
        raise UsageError(str(error)) from None


def _predict(options: argparse.Namespace) -> int:
    from theory.predict import predict

    loop, solved = _loop(options)
    _check_observables(options, solved)
    if options.output:
        check_file(options.output, DATA_ENDINGS)
    dataset = predict(solved, options.generations, options.observable)
    entries = statistics(dataset, ("mean", "variance"))
    if options.observable:
        for name in options.observable:
            if entries[name]["status"] in ("none", "infinite"):
                reason = entries[name]["reason"]
                print(f"autophagy: {name} has no finite closed form here: {reason}", file=sys.stderr)
                return 3
    _add_laws(options, solved, entries)
    if options.latex:
        _add_statements(entries)
    threshold = {"threshold": dataset.attrs["threshold"]} if "threshold" in dataset.attrs else {}
    content = payload(loop, options.generations, entries, **threshold)
    if options.output:  # before the table: its reader may leave, as `| head` does
        write_result(options.output, content, dataset)
    if options.latex and not options.json:
        print("\n".join(entry["latex"] for entry in entries.values() if "latex" in entry))
    else:
        _show(
            options,
            content,
            ("mean", "variance", "status", "claim"),
            [*_law_lines(entries), *threshold.values()],
        )
    return 0


def _simulate(options: argparse.Namespace) -> int:
    loop, solved = _loop(options)
    _check_observables(options, solved)
    _check_finite(options)
    if options.output:
        check_file(options.output, DATA_ENDINGS)
    use(cache=options.compilation_cache)
    solved = _for_simulation(options, solved)
    dataset = _monte_carlo(options, solved)
    entries = statistics(dataset, ("mean", "variance", "standard_error"))
    content = payload(
        loop, options.generations, entries, seeds=options.seeds, seed=options.seed, engine=options.engine
    )
    if options.output:
        write_result(options.output, content, dataset)
    _show(options, content, ("mean", "standard_error", "variance"))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from autophagy.comparison import compare, draw

    loop, solved = _loop(options)
    _check_observables(options, solved)
    _check_finite(options)
    if options.output:
        check_file(options.output, (*DATA_ENDINGS, ".pdf", ".png"))
    use(cache=options.compilation_cache)
    comparison = compare(
        _for_simulation(options, solved),
        [int(g) for g in options.generations],
        options.seeds,
        seed=options.seed,
        engine=options.engine,
        observables=options.observable,
        max_generations=options.max_generations,
        progress=progress("simulating"),
    )
    content = payload(
        loop,
        options.generations,
        comparison.entries(),
        seeds=options.seeds,
        seed=options.seed,
        engine=options.engine,
    )
    if options.output and Path(options.output).suffix in DATA_ENDINGS:
        write_result(options.output, content, comparison.dataset)
    elif options.output:
        draw(comparison, options.output)
    if options.json:
        print_json(content)
    else:
        print(comparison.table())
    return 1 if comparison.disagrees else 0


def _derive(options: argparse.Namespace) -> int:
    from theory.moments import derive

    loop, solved = _loop(options)
    derivation = derive(solved)
    if options.json:
        from theory.loop_file import to_mapping

        print_json({"loop": to_mapping(loop), "text": derivation.text(), "latex": derivation.latex()})
    else:
        print(derivation.latex() if options.latex else derivation.text())
    return 0


def _verify(options: argparse.Namespace) -> int:
    from autophagy.verification import VERIFICATION_ENDINGS, check_claims, verify

    check_claims(options.claims, options.bounds)
    if options.output:
        check_file(options.output, VERIFICATION_ENDINGS)
    use(cache=options.compilation_cache)
    verification = verify(
        options.claims or None,
        quick=options.quick,
        bounds=options.bounds,
        seed=options.seed,
        progress=progress("verifying"),
    )
    published = _published() if options.bounds and not options.claims else {}
    if options.json:
        print_json(verification.entries() | {key: value for key, (value, _) in published.items()})
    else:
        print("\n\n".join([*(text for _, text in published.values()), verification.table()]))
    if options.output:
        verification.write(options.output)
    return 0 if verification.holds else 1


def _published() -> dict[str, tuple[Any, str]]:
    """Published statements over their grids, as plain values and as a table."""
    from autophagy import bounds_table

    found = bounds_table.readings()
    return {"published": (bounds_table.entries(found), bounds_table.table(found))}


def _report(options: argparse.Namespace) -> int:
    from autophagy.files import write
    from autophagy.report import report
    from autophagy.verification import verify

    check_file(options.output, (".html",))
    use(cache=options.compilation_cache)
    verification = verify(quick=options.quick, seed=options.seed, progress=progress("verifying"))
    page = report(verification)
    write(options.output, lambda draft: draft.write_text(page, encoding="utf-8"))
    print(verification.summary())
    return 0 if verification.holds else 1


def _figures(options: argparse.Namespace) -> int:
    from paper_figs import DEAR, FIGURES, make

    for name in options.names:
        if name not in FIGURES:
            raise UsageError(f"figure {name!r} is unknown; there are {', '.join(FIGURES)}")
    check_folder(options.output)
    if options.collect:
        use(cache=options.compilation_cache)
    for name in options.names or FIGURES:
        collect = options.collect and (name in options.names or name not in DEAR)
        for path in make(name, Path(options.output), collect=collect, progress=progress(name)):
            print(path)
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from autophagy import sweep_command

    return getattr(sweep_command, options.command.removeprefix("sweep-"))(options)


def _train(options: argparse.Namespace) -> int:
    from autophagy import train_command

    return train_command.train(options)


def _data(options: argparse.Namespace) -> int:
    from autophagy import data_command

    return data_command.data(options)


COMMANDS = {
    "predict": _predict,
    "simulate": _simulate,
    "compare": _compare,
    "derive": _derive,
    "verify": _verify,
    "report": _report,
    "figures": _figures,
    "train": _train,
    "data": _data,
    "sweep": _sweep,
    "sweep-status": _sweep,
    "sweep-merge": _sweep,
    "sweep-export": _sweep,
}


def _loop(options: argparse.Namespace) -> tuple[Loop, Loop]:
    """The loop as written, and as theory and simulator see it."""
    loop = load(options.loop, options.set)
    return loop, matched(loop)


def _check_observables(options: argparse.Namespace, loop: Loop) -> None:
    chosen(options.observable, (*available(loop), *passages(loop)))


def _check_finite(options: argparse.Namespace) -> None:
    if math.isinf(options.generations[-1]):
        raise UsageError("-t is 'inf': a simulation stops somewhere; give a generation")


def _for_simulation(options: argparse.Namespace, loop: Loop) -> Loop:
    """The loop a simulator sees; the options then name the engine that runs it."""
    from jaxsim.prepare import chosen_engine

    last = int(options.generations[-1])
    loop = resolved(loop, last)
    options.engine, _ = chosen_engine(loop, last, options.engine)
    return loop


def _monte_carlo(options: argparse.Namespace, loop: Loop) -> Any:
    """Simulate what was asked for, first passages apart from what is measured at generations."""
    from jaxsim.passage import first_passage
    from jaxsim.simulate import simulate

    asked = options.observable
    timed = None if asked is None else [name for name in asked if name not in PASSAGES]
    parts = []
    if timed is None or timed:
        parts.append(
            simulate(
                loop,
                [int(g) for g in options.generations],
                options.seeds,
                seed=options.seed,
                engine=options.engine,
                observables=timed,
                progress=progress("simulating"),
            )
        )
    for name in asked or ():
        if name in PASSAGES:
            parts.append(
                first_passage(
                    loop,
                    options.seeds,
                    observable=name,
                    seed=options.seed,
                    engine=options.engine,
                    max_generations=options.max_generations,
                )
            )
    if len(parts) == 1:
        return parts[0]
    import xarray as xr

    return xr.merge(parts, combine_attrs="override", compat="override", join="outer")


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
        lines += [f"P({name} <= {x}) = {p}" for x, p in entry.get("cdf", {}).items()]
        lines += [f"quantile {p} of {name}: {x}" for p, x in entry.get("quantiles", {}).items()]
    return lines


def _show(
    options: argparse.Namespace,
    content: dict[str, Any],
    columns: tuple[str, ...],
    more: list[str] | None = None,
) -> None:
    if options.json:
        print_json(content)
    else:
        print(observable_table(content, columns))
        for line in more or ():
            print(line)


def _add_statements(entries: dict[str, dict]) -> None:
    """Put the LaTeX statement of the claim behind every observable."""
    from theory.claims import CLAIMS

    for name, entry in entries.items():
        for claim in CLAIMS:
            if (claim.id, claim.observable) == (entry.get("claim"), name):
                entry["latex"] = f"% {claim.id}, {name}: {claim.validity}\n{claim.statement}"
