"""Make inputs that training reads fast; the word after ``prepare`` says from what: spotter prepare KIND --help."""

from __future__ import annotations

import argparse
import importlib

# The word on the command line, which is the name of its module, and what it makes. A module offers
# ``add_arguments(parser)`` and ``run(arguments)``, and its docstring is its help.
KINDS = {
    "video": "make stores of a tree's videos that training reads fast",
    "features": "convert a tree of features to one layout and type",
    "pca": "make a plain file of principal components",
    "commentary": "make features of what commentators say, from transcripts",
    "tracking": "make features of the positions of players and ball",
    "players": "make features of where players stand, from boxes and camera calibrations",
    "cameras": "make features of camera shots, from their labels",
    "ngs": "make a tree of American football plays, tracking and labels",
    "tennis": "make a tree of tennis points, the track of the ball and labels",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of every kind."""
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)
    for kind, summary in KINDS.items():
        module = importlib.import_module(f"spotter.cli.prepare.{kind}")
        command = kinds.add_parser(
            kind, help=summary, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(prepare=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Prepare what was asked for, and return the exit status."""
    status: int = arguments.prepare(arguments)
    return status
