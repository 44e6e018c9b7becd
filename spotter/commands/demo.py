"""Simulate a small data set in the official layout: labels, splits and features that need what real ones need.

Running it again completes what is missing; with another --file, --fps and --width it adds a second feature file of
the same matches. With --labels the features are made around real annotations.
"""

from __future__ import annotations

import argparse
import sys

from spotter.data.demo import simulate
from spotter.data.demo.oracle import write_oracle
from spotter.data.streams import parse_fps


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="DIR", help="folder of the tree; must be empty or hold the same demo")
    parser.add_argument("--kind", choices=["features"], default="features", help="what to simulate")
    parser.add_argument("--labels", metavar="FOLDER_OR_ZIP", help="official label files to make the features around")
    parser.add_argument(
        "--games", nargs=3, type=int, default=[6, 2, 2], metavar=("TRAIN", "VALID", "TEST"), help="default: 6 2 2"
    )
    parser.add_argument("--minutes", type=float, default=45.0, help="of a half, at least (default: %(default)g)")
    parser.add_argument("--width", type=int, default=128, help="columns; real files have 8576 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--file", default="baidu_soccer_embeddings", help="feature file (default: %(default)s)")
    parser.add_argument("--fps", default="1", help="rows per second, a number or a fraction (default: %(default)s)")
    parser.add_argument("--oracle", metavar="OUT", help="also write what a filter that knows the simulation predicts")


def run(arguments: argparse.Namespace) -> int:
    """Write the tree, and the oracle's predictions for its test split where they are asked for."""
    root = simulate(
        arguments.root,
        games=arguments.games,
        minutes=arguments.minutes,
        width=arguments.width,
        seed=arguments.seed,
        labels=arguments.labels,
        file=arguments.file,
        fps=parse_fps(arguments.fps, "--fps"),
    )
    if arguments.oracle:
        write_oracle(root, arguments.oracle, arguments.file)
    sys.stdout.write(f"{root} is ready\n")
    return 0
