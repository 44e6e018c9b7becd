"""Simulate a small data set in the official layout: labels, splits and inputs that need what real ones need.

--kind features writes feature files in the layout of SoccerNet-v2. Running it again completes what is missing; with
another --file, --fps and --width it adds a second feature file of the same matches. --kind video renders matches as
H.264 videos in the layout of ball-2023; --task
ball-2025 shows all twelve actions and who acts. With --labels either is made around real annotations.
"""

from __future__ import annotations

import argparse
import sys

from spotter.data.fps import parse_fps
from spotter.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="DIR", help="folder of the tree: empty, or one that holds the same demo")
    parser.add_argument(
        "--kind", choices=["features", "video"], default="features", help="what to simulate (default: %(default)s)"
    )
    parser.add_argument("--labels", metavar="FOLDER_OR_ZIP", help="official label files to make the matches around")
    parser.add_argument(
        "--games", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help="default: 6 2 2; of video 5 1 2"
    )
    parser.add_argument("--minutes", type=float, help="length of a half, at least (default: 45; of video 8)")
    parser.add_argument("--fps", help="frames per second, a number or a fraction (default: 1; of video 25)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    features = parser.add_argument_group("for --kind features")
    features.add_argument("--width", type=int, help="columns; real files have 8576 (default: 128)")
    features.add_argument("--file", help="feature file (default: baidu_soccer_embeddings)")
    features.add_argument("--replays", action="store_true", default=None, help="also write Labels-cameras.json")
    features.add_argument("--oracle", metavar="OUT", help="also write what a filter that knows the simulation predicts")
    video = parser.add_argument_group("for --kind video")
    video.add_argument(
        "--task", choices=["ball-2023", "ball-2025"], help="passes and drives (default), or twelve actions"
    )
    video.add_argument("--height", type=int, help="of the images in pixels, which are 16:9 (default: 112)")


def run(arguments: argparse.Namespace) -> int:
    """Write the tree, and the oracle's predictions for its test split if they are wanted."""
    from spotter.simulation.registry import SIMULATORS, options_of, simulate_kind

    given = {key: value for key, value in vars(arguments).items() if value is not None}
    known = {kind: options_of(kind) | ({"oracle"} if kind == "features" else set()) for kind in SIMULATORS}
    for other in SIMULATORS:
        for option in sorted((known[other] - known[arguments.kind]) & given.keys()):
            raise UserError(f"--{option} belongs to --kind {other}: leave it out with --kind {arguments.kind}")
    if arguments.fps:
        given["fps"] = parse_fps(arguments.fps, "--fps")
    settings = {key: given[key] for key in options_of(arguments.kind) & given.keys()}
    root = simulate_kind(arguments.root, {"kind": arguments.kind, **settings})
    if arguments.oracle:
        from spotter.simulation.features.oracle import write_oracle
        from spotter.simulation.features.tree import DEFAULT_FILE

        write_oracle(root, arguments.oracle, arguments.file or DEFAULT_FILE)
    sys.stdout.write(f"{root} is ready\n")
    return 0
