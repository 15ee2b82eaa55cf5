"""The words of the command line: one parser, and the values it reads."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from itertools import pairwise

MOST_GENERATIONS = 1_000_000


class UsageError(ValueError):
    """A command line that makes no sense, in one sentence."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        message = re.sub(r", '?sweep-\w+'?", "", message)  # a parser's own name for `sweep status` and so on
        raise UsageError(f"{message} (see {self.prog} --help)")


def generations(text: str) -> list[float]:
    """The generations that `50`, `1:200`, `1,10,100`, `inf` or `1,10,inf` name, in increasing order.

    Raises:
        argparse.ArgumentTypeError: one sentence with the value and the reason.
    """
    items = text.split(",")
    last = [math.inf] if items[-1] == "inf" else []
    items = items[: len(items) - len(last)]
    try:
        if len(items) == 1 and ":" in items[0]:
            start, stop = map(int, items[0].split(":"))
            if stop - start >= MOST_GENERATIONS:
                raise argparse.ArgumentTypeError(f"{text}: at most {MOST_GENERATIONS} generations at a time")
            chosen = list(range(start, stop + 1))
        else:
            chosen = [int(item) for item in items]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write 50, 1:200, 1,10,100 or inf") from None
    if re.search(r"-\d", text):
        raise argparse.ArgumentTypeError(f"{text!r}: generations cannot be negative; the first is 1")
    if not (chosen or last) or (items and not chosen) or any(b <= a for a, b in pairwise(chosen)):
        raise argparse.ArgumentTypeError(f"{text!r}: generations must increase")
    if chosen and chosen[0] < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r}: generation {chosen[0]} has no fit; the first is 1 (0 is the source)"
        )
    return [*map(float, chosen), *last]


def count(text: str) -> int:
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is needed")
    return number


def seed(text: str) -> int:
    """A whole number from 0 to 2^63 - 1."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0 to 2^63 - 1 is needed")
    return number


def probabilities(text: str) -> list[str]:
    """Comma-separated probabilities strictly between 0 and 1, as they were written."""
    for item in text.split(","):
        try:
            inside = 0 < float(item) < 1
        except ValueError:
            inside = False
        if not inside:
            raise argparse.ArgumentTypeError(f"{item!r}: a probability between 0 and 1 is needed")
    return text.split(",")


def level(text: str) -> tuple[str, str]:
    """An `observable=number` pair, the number as it was written."""
    observable, equals, number = text.partition("=")
    try:
        usable = bool(equals and observable) and math.isfinite(float(number))
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r}: write observable=number")
    return observable, number


def text_file(path: str) -> str:
    """The change of the loop that says which text it starts from."""
    return f"source.text={json.dumps(path)}"


def add_compilation_cache(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where compiled programs are kept."""
    parser.add_argument("--compilation-cache", metavar="DIR",
                        help="keep compiled programs there, or off (default: off on a CPU)")  # fmt: skip


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command and its options.

    Raises:
        UsageError: one sentence.
    """
    from autophagy.sweep_arguments import joined

    return _parser().parse_args(joined(sys.argv[1:] if arguments is None else arguments))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="autophagy",
        description="What happens to a generative model that keeps training on its own output.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    loop = argparse.ArgumentParser(add_help=False)
    loop.add_argument(
        "loop", metavar="LOOP", help="a TOML or JSON file, - for standard input, or inline JSON"
    )
    loop.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="change the loop, e.g. data.n=50",
    )
    loop.add_argument("--text", dest="set", action="append", type=text_file, metavar="FILE",
                      help="the text a markov source is fitted to: source.text")  # fmt: skip

    shown = argparse.ArgumentParser(add_help=False)
    shown.add_argument("-t", dest="generations", type=generations, required=True, metavar="GENERATIONS",
                       help="50, 1:200, 1,10,100 or inf")  # fmt: skip
    shown.add_argument("--observable", nargs="+", metavar="NAME", help="only these")
    written = argparse.ArgumentParser(add_help=False)
    written.add_argument("-o", dest="output", metavar="FILE", help="write .csv, .nc or .json")
    drawn_too = argparse.ArgumentParser(add_help=False)
    drawn_too.add_argument("-o", dest="output", metavar="FILE", help="write .csv, .nc, .json, .pdf or .png")
    shown.add_argument("--json", action="store_true", help="print one JSON object")

    drawn = argparse.ArgumentParser(add_help=False)
    drawn.add_argument(
        "--seeds", type=count, required=True, help="replicates: independent re-runs of the loop"
    )
    drawn.add_argument("--seed", type=seed, default=0, help="the master seed (default 0)")
    drawn.add_argument("--engine", choices=("exact", "literal", "auto"), default="auto",
                       help="sufficient statistics, or every sample (default: exact if it can)")  # fmt: skip
    drawn.add_argument("--max-generations", type=count, default=1_000_000,
                       help="where a first passage is given up (default 10^6)")  # fmt: skip

    compiled = argparse.ArgumentParser(add_help=False)
    add_compilation_cache(compiled)

    command = commands.add_parser(
        "predict", parents=[loop, shown, written], help="closed forms, with status and source"
    )
    command.add_argument("--latex", action="store_true", help="print the statements in LaTeX")
    command.add_argument("--cdf", type=level, action="append", default=[], metavar="NAME=X",
                         help="add P(NAME <= X), where the law is known")  # fmt: skip
    command.add_argument("--quantiles", type=probabilities, default=[], metavar="P,P,...",
                         help="add quantiles, where the law is known")  # fmt: skip

    commands.add_parser(
        "simulate", parents=[loop, shown, written, drawn, compiled], help="Monte Carlo with standard errors"
    )
    commands.add_parser(
        "compare", parents=[loop, shown, drawn_too, drawn, compiled], help="both, side by side, with verdicts"
    )

    command = commands.add_parser("derive", parents=[loop], help="the recursion and its solution")
    command.add_argument("--latex", action="store_true", help="LaTeX instead of text")
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser(
        "verify", parents=[compiled], help="every claim against Monte Carlo; exit 1 on a disagreement"
    )
    command.add_argument(
        "claims", nargs="*", metavar="CLAIM", help="claim ids, such as gaussian.R1 (default all)"
    )
    command.add_argument("--quick", action="store_true", help="the quick cases only")
    command.add_argument("--bounds", action="store_true", help="published bounds only")
    command.add_argument("--seed", type=seed, default=0, help="the master seed (default 0)")
    command.add_argument("-o", dest="output", metavar="FILE", help="write the table: .html, .csv or .json")
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser(
        "report", parents=[compiled], help="one self-contained page of everything verified, with the figures"
    )
    command.add_argument("--quick", action="store_true", help="the quick cases only")
    command.add_argument("--seed", type=seed, default=0, help="the master seed (default 0)")
    command.add_argument("-o", dest="output", default="report.html", metavar="FILE",
                         help="where to (default report.html)")  # fmt: skip

    from autophagy import sweep_arguments, train_arguments

    sweep_arguments.add_parsers(commands)
    train_arguments.add_parsers(commands, loop, compiled, count, seed)

    from paper_figs import DATA, DEAR, FIGURES

    command = commands.add_parser(
        "figures",
        parents=[compiled],
        help="paper figures from their rows",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"names: {' '.join(name for name in FIGURES if name not in DEAR)}\n"
        f"dear ones (their rows take long, or data to be fetched): {' '.join(DEAR)}\n"
        f"their rows lie in {DATA}",
    )
    command.add_argument("names", nargs="*", metavar="NAME", help="which (default all)")
    command.add_argument(
        "--collect",
        action="store_true",
        help="compute the rows again first, those of dear figures only if named",
    )
    command.add_argument("-o", dest="output", default="out", metavar="FOLDER", help="where to (default out)")
    return parser
