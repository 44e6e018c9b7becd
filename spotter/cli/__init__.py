"""The ``spotter`` console script: one module per command, imported only when it is called.

A command module offers ``add_arguments(parser)`` and ``run(arguments)``; its docstring is its help.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from spotter.cli.exit import run_command

COMMANDS = {
    "evaluate": "score predictions against labels: official tight and loose Average-mAP",
    "demo": "simulate a small data set in the official layout",
    "prepare": "make stores of a tree's videos that training reads fast",
    "import-checkpoint": "turn a checkpoint of E2E-Spot, NetVLAD++ or a pooling baseline into one of spotter",
    "report": "write one HTML file to look at predictions with: scores, errors by cause, timelines",
    "fuse": "fuse stored raw scores of several runs into one prediction, with given or learned weights",
    "tune": "tune suppression on stored raw scores, without running the network",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names and return its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(prog="spotter", description="Action spotting in football video.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if argv[:1] == [name]:
            module = importlib.import_module(f"spotter.cli.{name.replace('-', '_')}")
            command.description = module.__doc__
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    return run_command(lambda: arguments.run(arguments))
