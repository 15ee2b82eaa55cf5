"""`autophagy simulate` and `autophagy compare`: what Monte Carlo says of a loop, alone or beside theory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autophagy.asked import check_finite, check_observables, loop_of, show
from autophagy.files import check_file
from autophagy.hardware import use
from autophagy.observable_table import wrapped
from autophagy.output import DATA_ENDINGS, payload, print_json, statistics, write_result
from autophagy.progress import progress
from autophagy.verbs import resolved
from theory.loop import Loop, LoopError
from theory.observable import PASSAGES


def simulate(options: argparse.Namespace) -> int:
    """Print what was measured, with standard errors."""
    check_finite(options)
    if options.output:
        check_file(options.output, DATA_ENDINGS)
    loop, solved = loop_of(options)
    check_observables(options, solved)
    use(cache=options.compilation_cache)
    solved = _for_simulation(options, solved)
    dataset = _monte_carlo(options, solved)
    entries = statistics(dataset, ("mean", "variance", "standard_error"))
    threshold = _threshold(options, solved)
    content = payload(loop, options.generations, entries, **_run(options), **threshold)
    if options.output:
        write_result(options.output, content, dataset)
    show(options, content, ("mean", "standard_error", "variance"), [*threshold.values()])
    return 0


def compare(options: argparse.Namespace) -> int:
    """Print both, with verdicts; exit code 1 if one of them disagrees."""
    check_finite(options)
    if options.output:
        check_file(options.output, (*DATA_ENDINGS, ".pdf", ".png"))
    loop, solved = loop_of(options)
    check_observables(options, solved)
    from autophagy import comparison as both

    use(cache=options.compilation_cache)
    comparison = both.compare(
        _for_simulation(options, solved),
        [int(g) for g in options.generations],
        options.seeds,
        seed=options.seed,
        engine=options.engine,
        observables=options.observable,
        max_generations=options.max_generations,
        progress=progress("simulating"),
    )
    threshold = _threshold(options, solved)
    content = payload(loop, options.generations, comparison.entries(), **_run(options), **threshold)
    if options.output and Path(options.output).suffix in DATA_ENDINGS:
        write_result(options.output, content, comparison.dataset)
    elif options.output:
        both.draw(comparison, options.output)
    if options.json:
        print_json(content)
    else:
        print("\n".join([comparison.table(), *map(wrapped, threshold.values())]))
    return 1 if comparison.disagrees else 0


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


def _run(options: argparse.Namespace) -> dict[str, Any]:
    """What decides the numbers beside the loop."""
    return {"seeds": options.seeds, "seed": options.seed, "engine": options.engine}


def _threshold(options: argparse.Namespace, loop: Loop) -> dict[str, str]:
    """Where the loop grows without bound, as theory knows; nothing where it does not."""
    from theory.predict import threshold

    try:
        found = threshold(loop, options.generations)
    except LoopError:  # what theory refuses may be simulated
        found = None
    return {} if found is None else {"threshold": found}
