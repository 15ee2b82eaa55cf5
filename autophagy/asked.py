"""What the options of a command ask for: a loop, what is measured on it, and how the answer is shown."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

from autophagy.arguments import UsageError
from autophagy.observable_table import observable_table, wrapped
from autophagy.output import print_json
from autophagy.verbs import matched
from theory.loop import Loop
from theory.loop_file import load
from theory.observable import available, chosen, passages


def loop_of(options: argparse.Namespace) -> tuple[Loop, Loop]:
    """The loop as written, and as theory and simulator see it."""
    loop = load(options.loop, options.set)
    return loop, matched(loop)


def check_observables(options: argparse.Namespace, loop: Loop) -> None:
    """Refuse observables that do not exist for the loop."""
    chosen(options.observable, (*available(loop), *passages(loop)))


def check_finite(options: argparse.Namespace) -> None:
    """Refuse t = inf."""
    if math.isinf(options.generations[-1]):
        raise UsageError("-t is 'inf': a simulation stops somewhere; give a generation")


def show(
    options: argparse.Namespace, content: dict[str, Any], columns: tuple[str, ...], more: Sequence[str] = ()
) -> None:
    """Print a payload as one JSON object, or as a table with some lines below it."""
    if options.json:
        print_json(content)
        return
    print(observable_table(content, columns))
    for line in more:
        print(wrapped(line))
