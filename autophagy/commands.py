"""Which function runs which command; each is imported when it is asked for."""

from __future__ import annotations

import argparse
from importlib import import_module

from autophagy.arguments import UsageError
from theory.loop import LoopError

COMMANDS = {
    "predict": "predict_command.predict",
    "derive": "predict_command.derive",
    "simulate": "simulate_command.simulate",
    "compare": "simulate_command.compare",
    "verify": "verify_command.verify",
    "report": "verify_command.report",
    "figures": "verify_command.figures",
    "train": "train_command.train",
    "data": "data_command.data",
    "sweep": "sweep_command.sweep",
    "sweep-status": "sweep_command.status",
    "sweep-merge": "sweep_command.merge",
    "sweep-export": "sweep_command.export",
}


def run(options: argparse.Namespace) -> int:
    """Run the command that `options` name; return its exit code.

    Raises:
        UsageError: on bad input, in one sentence.
    """
    module, _, name = COMMANDS[options.command].partition(".")
    try:
        return getattr(import_module(f"autophagy.{module}"), name)(options)
    except LoopError as error:
        raise UsageError(str(error)) from None
