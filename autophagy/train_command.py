"""`autophagy train`: the loop around a real generator, with what it measured printed as a table."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autophagy.arguments import UsageError
from autophagy.files import check_folder
from autophagy.hardware import use
from autophagy.observable_table import wrapped
from autophagy.output import plain, print_json
from autophagy.progress import line
from theory.loop_file import load, to_mapping

if TYPE_CHECKING:
    from models.generation import Generation

LOSSES = {
    "recall": "recall",
    "coverage": "coverage",
    "vendi": "variety (Vendi score)",
    "confidence": "confidence",
}
MEANINGS = {
    "effective bias": "the factor on a direction's variance, from what is trained on to what is made",
    "1/n_eff": "how noisily the mean is passed on, as if of n_eff points a generation",
    "useful for": "until what generation 1 leaves unknown is of order one in a log variance, however long the"
    " run is",
    "interval score": "the intervals' width, and a penalty for what lies outside",
    "ranked probability score": "CRPS, how far the forecast distribution lies from what came; less is better",
    "network's share": "the factor on the variance that neither sampler nor number of points explains",
}
"""Words of the forecast, each explained where it is used."""


def train(options: argparse.Namespace) -> int:
    """Run a loop as far as asked to.

    Raises:
        UsageError: if it blows up, after what was measured before is printed.
    """
    check_folder(options.output)
    loop = load(options.loop, options.set)
    use(options.devices, options.compilation_cache)
    from models.loop import BlowUpError, Run

    run = Run(
        loop,
        options.replicates,
        options.seed,
        options.output,
        data_folder=options.data_dir,
        keep_samples=options.samples,
        progress=_shown(),
    )
    run.check(options.last)
    finished = run.done >= options.last
    real = run.judge.of_real()
    found: list[Generation] = []
    stopped = None
    try:
        for generation in run.generations(options.last):
            found.append(generation)
            _write(run.folder, found, real)
    except BlowUpError as error:
        stopped = str(error)
    if not found:
        raise UsageError(stopped)
    from models.run_summary import summary

    measured = summary(found, real)
    content = {
        "loop": to_mapping(loop),
        "generation": [g.number for g in found],
        "replicates": options.replicates,
        "seed": options.seed,
        "observables": measured,
        "stopped": stopped,
    }
    lines = [_legend(options.replicates), *_sentences(measured)]
    if options.forecast:
        from autophagy.forecast_sentences import told
        from models.forecast import forecast

        foreseen = forecast(loop, run.real, run.judge, found)
        content["forecast"] = foreseen
        said = told(foreseen)
        lines += [*said, *_explained(said)]
    if options.json:
        print_json(plain(content))
    else:
        print("\n".join([table(measured, content["generation"]), *map(wrapped, lines)]))
        print(
            f"kept in {run.folder}" + ("" if run.real.data is None else f", pictures in {run.folder}/images")
        )
        if finished:
            print(f"all of generations 1 to {options.last} was there already: nothing is left to do")
    if stopped is not None:
        raise UsageError(stopped)
    return 0


def _explained(said: list[str]) -> list[str]:
    """What the words in some sentences mean."""
    return [f"{word}: {meaning}" for word, meaning in MEANINGS.items() if word in " ".join(said)]


def _legend(replicates: int) -> str:
    """What follows a mean in the table."""
    if replicates == 1:
        return "one replicate: no standard errors, and no telling what is chance"
    few = "; with fewer than 3, errors and intervals mean little" if replicates < 3 else ""
    return f"+- is the standard error of the mean over {replicates} replicates{few}"


def _write(folder: Path, found: list[Generation], real: dict[str, float]) -> None:
    from jaxsim.sweeps.durable import put
    from models.run_summary import to_csv

    put(folder / "metrics.csv", to_csv(found, real).encode())


def _shown() -> Callable[[str, int, int], None]:
    draw = line()

    def show(what: str, done: int, steps: int) -> None:
        draw(f"{what}: step {done}/{steps}", what.endswith("control") and done >= steps)

    return show


def table(measured: dict[str, dict[str, Any]], generations: list[int]) -> str:
    """Metrics down, generations across: mean and standard error, the control below."""
    shown = _spread_out(len(generations))
    head = ["metric", "whose", "real", *(f"generation {generations[k]}" for k in shown)]
    body = []
    for name, entry in measured.items():
        real = f"{entry['real']:.4g}" if "real" in entry else ""
        body.append([name, "loop", real, *(_cell(entry, k) for k in shown)])
        if "control" in entry:
            body.append(["", "control", "", *(_cell(entry["control"], k) for k in shown)])
    widths = [max(len(row[k]) for row in (head, *body)) for k in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *body)
    )


def _spread_out(count: int, most: int = 6) -> list[int]:
    """At most `most` places of a list, both ends among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})


def _cell(entry: dict[str, Any], k: int) -> str:
    error = entry["standard_error"][k]
    return f"{entry['mean'][k]:.4g}" + ("" if math.isnan(error) else f" +- {error:.2g}")


def _sentences(measured: dict[str, dict[str, Any]]) -> list[str]:
    """What the loop lost beyond its control."""
    from models.run_summary import lost

    said = []
    for name, spoken in LOSSES.items():
        found = lost(measured, name)
        if found is None:
            continue
        training, loop, error = found
        bars = "" if math.isnan(error) else f" +- {error:.2g}"
        said.append(f"{spoken}: training alone costs {training:.3f}, the loop {loop:.3f}{bars} more")
    return said
