"""The ``spotter`` console script: one module per command, imported only when it is called.

``train`` and ``predict`` take overrides of configs, ``key=value``, and offer ``main(words)``. The module of any other
command offers ``add_arguments(parser)`` and ``run(arguments)``. A module's docstring is its help.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

import spotter
from spotter.cli.exit import run_command
from spotter.errors import UsageError, did_you_mean

COMMANDS = {
    "train": "train and score a model on a data set: spotter train model=… data=…",
    "predict": "predict with a checkpoint: spotter predict ckpt=… split=test, or input=FILE_OR_FOLDER",
    "ground": "answer replays: when the action that each shows happened",
    "evaluate": "score predictions against labels: official tight and loose Average-mAP",
    "anticipate": "compare what is expected after clips with what usually comes",
    "download": "download the data of a task from the Hugging Face hub, into the official tree",
    "demo": "simulate a small data set in the official layout",
    "check": "look through a tree for damaged files and numbers that are not finite",
    "prepare": "make inputs that training reads fast: spotter prepare video",
    "extract": "make feature files of videos: spotter extract VIDEOS OUT --backbone NAME_OR_CHECKPOINT",
    "import-checkpoint": "turn a checkpoint of another codebase, such as E2E-Spot or T-DEED, into one of spotter",
    "export-weights": "write the weights of a checkpoint as safetensors, without a pickle",
    "report": "write one HTML file to look at predictions with: scores, errors by cause, timelines",
    "clips": "cut a clip out of the video for every spot, and one reel of them all",
    "convert": "convert labels and predictions: official, OSL JSON, E2E-Spot, CSV",
    "fuse": "fuse stored raw scores of several runs into one prediction, with given or learned weights",
    "join": "join predictions of systems that know different classes",
    "tune": "tune suppression on stored raw scores, without running the network",
}
THAT_GO_ON = ("demo", "download", "extract", "prepare")
OF_OVERRIDES = ("train", "predict")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names and return its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _run(argv))


def _run(argv: list[str]) -> int | None:
    name = argv[0] if argv else "--help"
    if name not in COMMANDS and not name.startswith("-"):
        raise UsageError(f"{name}: no such command{did_you_mean(name, COMMANDS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # termination is an interruption, at any time
    if name in OF_OVERRIDES:
        if {"-h", "--help"} & set(argv):
            from spotter.cli.help import show_help

            return show_help(name)
        _module(name).main(argv[1:])
        return None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    arguments = _parser(name).parse_args(argv)
    try:
        status: int | None = arguments.run(arguments)
    except KeyboardInterrupt:
        if name in THAT_GO_ON:
            logging.getLogger(__name__).info("what is written so far is whole; the same command goes on")
        raise
    return status


def _parser(name: str) -> argparse.ArgumentParser:
    """Return a parser of all commands, of which only the called one is imported and has its arguments."""
    parser = argparse.ArgumentParser(prog="spotter", description="Action spotting in football video.")
    parser.add_argument("--version", action="version", version=f"spotter {spotter.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for each, summary in COMMANDS.items():
        command = commands.add_parser(each, help=summary)
        if each == name:
            module = _module(name)
            command.description = module.__doc__
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"spotter.cli.{name.replace('-', '_')}")
