"""The words of `autophagy sweep`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

from autophagy.arguments import add_compilation_cache, count, seed

ACTIONS = ("status", "merge", "export")
FORMATS = ("csv", "netcdf", "parquet")

DESCRIPTION = """\
Runs every point of a grid of loops, unit by unit, into a zarr store that is readable at any moment. Killed or
interrupted, the same command goes on where it stopped; any number of processes may share one store."""
KEYS = """\
keys of [sweep]: seeds, generations ("1:200", 50 or [1, 10]); optional: observables, seed (0), engine
("exact", "literal" or "auto"), keep ("summary", or "replicates" as well), max_generations (10^6, of a first
passage), histogram = {variance = [0, 0.5, 1]}; and axes, each a list, {linear = [a, b, k]} or
{log = [a, b, k], whole = true}: "data.n" = [10, 100]; a [[sweep.zip]] table for those that move together.
See docs/sweeps.md.

autophagy sweep status STORE            how far it is
autophagy sweep merge A B ... -o STORE  stores of shards put together
autophagy sweep export STORE --to csv -o FILE"""


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `sweep status` made one word, and so on, as the parser names those commands."""
    words = list(arguments)
    if words[:1] == ["sweep"] and words[1:2] and words[1] in ACTIONS:
        words[:2] = [f"sweep-{words[1]}"]
    return words


def add_parsers(commands: Any) -> None:
    """Add the command and its three actions."""
    command = commands.add_parser(
        "sweep",
        help="grids of loops, resumed after a kill",
        description=DESCRIPTION,
        epilog=KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("sweep", metavar="SWEEP", help="a TOML or JSON file with a [sweep] table, - or JSON")
    command.add_argument("-o", dest="output", required=True, metavar="STORE",
                         help="a folder, or a URL such as s3://bucket/name")  # fmt: skip
    command.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE",
                         help="change the file, e.g. estimator.name=unbiased")  # fmt: skip
    command.add_argument("-t", dest="generations", metavar="GENERATIONS", help="instead of the file's")
    command.add_argument("--seeds", type=count, help="instead of the file's")
    command.add_argument("--seed", type=seed, help="instead of the file's")
    command.add_argument("--engine", choices=("exact", "literal", "auto"), help="instead of the file's")
    command.add_argument("--observable", nargs="+", metavar="NAME", help="instead of the file's")
    command.add_argument("--resume", action=argparse.BooleanOptionalAction, default=None,
                         help="go on with the same sweep's store (default), or refuse one")  # fmt: skip
    command.add_argument("--repair", action="store_true", help="read what is done, and redo what is damaged")
    command.add_argument("--shard", type=shard, default=(0, 1), metavar="I/N",
                         help="do only the I-th of N parts, I from 0")  # fmt: skip
    command.add_argument("--devices", type=count, metavar="K", help="devices, or CPU cores (default all)")
    command.add_argument("--budget", type=seconds, metavar="SECONDS", help="begin no unit after this time")
    command.add_argument("--distributed", action="store_true",
                         help="one of many processes of SLURM, Open MPI, a TPU or Kubernetes")  # fmt: skip
    command.add_argument("--coordinator", type=address, metavar="HOST:PORT",
                         help="one of many processes: where process 0 listens")  # fmt: skip
    command.add_argument("--processes", type=count, metavar="N", help="how many there are")
    command.add_argument("--process-id", type=process_id, metavar="I", help="which one this is, from 0")
    add_compilation_cache(command)
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser("sweep-status", prog="autophagy sweep status")
    command.add_argument("store", metavar="STORE")
    command.add_argument("--json", action="store_true", help="print one JSON object")

    command = commands.add_parser("sweep-merge", prog="autophagy sweep merge")
    command.add_argument("stores", nargs="+", metavar="STORE")
    command.add_argument("-o", dest="output", required=True, metavar="STORE", help="where to")

    command = commands.add_parser("sweep-export", prog="autophagy sweep export")
    command.add_argument("store", metavar="STORE")
    command.add_argument("--to", choices=FORMATS, required=True)
    command.add_argument("-o", dest="output", required=True, metavar="FILE")


def shard(text: str) -> tuple[int, int]:
    """A pair (i, N) from `i/N`, 0 <= i < N."""
    index, slash, shards = text.partition("/")
    if not (slash and index.isdecimal() and shards.isdecimal() and int(index) < int(shards)):
        raise argparse.ArgumentTypeError(f"{text!r}: write I/N with 0 <= I < N, such as 0/4")
    return int(index), int(shards)


def address(text: str) -> str:
    """A `host:port`."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r}: write HOST:PORT, such as node1:1234")
    return text


def process_id(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0 is needed")
    return int(text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds greater than 0 is needed")
    return number
