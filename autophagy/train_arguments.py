"""The words of `autophagy train` and `autophagy data`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

TRAIN = """\
The loop file's [generator] and [training] say what is trained; RUN holds one file and one picture for each
generation. A run that was killed goes on where it was, with the same numbers, when the command is repeated;
a larger -t extends it. Beside the loop runs a control: the same training, each generation on real data."""

DATA_ACTIONS = ("list", "check", "fetch")


def add_parsers(
    commands: Any,
    loop: argparse.ArgumentParser,
    compiled: argparse.ArgumentParser,
    count: Callable[[str], int],
    seed: Callable[[str], int],
) -> None:
    """Add both commands.

    Args:
        commands: where to.
        loop: the options that name a loop.
        compiled: the options about compiled programs.
        count: reads a whole number of at least 1.
        seed: reads a seed.
    """
    command = commands.add_parser(
        "train",
        parents=[loop, compiled],
        help="the loop around a real generator",
        description=TRAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("-t", dest="last", type=count, required=True, metavar="GENERATIONS",
                         help="run generations 1 to this one")  # fmt: skip
    command.add_argument("--replicates", type=count, default=4, metavar="R",
                         help="independent re-runs, trained at once (default 4)")  # fmt: skip
    command.add_argument("--seed", type=seed, default=0, help="the master seed (default 0)")
    command.add_argument("-o", dest="output", required=True, metavar="RUN", help="a folder")
    command.add_argument("--forecast", action="store_true",
                         help="from generation 1 alone, forecast the later ones; then compare")  # fmt: skip
    command.add_argument("--samples", action="store_true", help="keep the samples that are measured")
    command.add_argument("--data-dir", metavar="DIR", help="where data sets lie (default $AUTOPHAGY_DATA)")
    command.add_argument("--devices", type=count, metavar="K", help="CPU devices (default all cores)")
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser("data", help="data sets: what there is, whether it is whole, download")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--data-dir", metavar="DIR", help="where data sets lie (default $AUTOPHAGY_DATA)")
    actions.add_parser("list", parents=[folder], help="the data sets known by name")
    action = actions.add_parser("check", parents=[folder], help="whether files are there and whole")
    action.add_argument(
        "names", nargs="*", metavar="NAME", help="names or paths (default all that are there)"
    )
    action = actions.add_parser("fetch", parents=[folder], help="download a data set")
    action.add_argument("names", nargs="+", metavar="NAME")
    action.add_argument("--from", dest="address", metavar="URL", help="a mirror's folder with the files")
