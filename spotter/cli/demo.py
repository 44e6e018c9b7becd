"""Simulate a small data set in the official layout: labels, splits and inputs that need what real ones need.

--kind features writes feature files in the layout of SoccerNet-v2. Running it again completes what is missing; with
another --file, --fps and --width it adds a second feature file of the same matches. --kind video renders matches as
H.264 videos in the layout of ball-2023. With --labels either is made around real annotations.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from spotter.data.fps import parse_fps
from spotter.errors import UserError

OWN: dict[str, dict[str, Any]] = {  # options that one kind alone has, with its defaults
    "features": {"width": 128, "file": "baidu_soccer_embeddings", "oracle": None},
    "video": {"height": 112},
}
SHARED: dict[str, dict[str, Any]] = {  # options that both have, with the defaults of each
    "features": {"games": [6, 2, 2], "minutes": 45.0, "fps": "1"},
    "video": {"games": [5, 1, 2], "minutes": 8.0, "fps": "25"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="DIR", help="folder of the tree; must be empty or hold the same demo")
    parser.add_argument("--kind", choices=list(OWN), default="features", help="what to simulate (default: %(default)s)")
    parser.add_argument("--labels", metavar="FOLDER_OR_ZIP", help="official label files to make the matches around")
    parser.add_argument(
        "--games", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help="default: 6 2 2; of video 5 1 2"
    )
    parser.add_argument("--minutes", type=float, help="of a half, at least (default: 45; of video 8)")
    parser.add_argument("--fps", help="rows or pictures a second, a number or a fraction (default: 1; of video 25)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    features = parser.add_argument_group("for --kind features")
    features.add_argument("--width", type=int, help="columns; real files have 8576 (default: 128)")
    features.add_argument("--file", help="feature file (default: baidu_soccer_embeddings)")
    features.add_argument("--oracle", metavar="OUT", help="also write what a filter that knows the simulation predicts")
    video = parser.add_argument_group("for --kind video")
    video.add_argument("--height", type=int, help="of the pictures, in pixels; they are 16:9 (default: 112)")


def run(arguments: argparse.Namespace) -> int:
    """Write the tree, and the oracle's predictions for its test split where they are asked for."""
    given = {key: value for key, value in vars(arguments).items() if value is not None}
    for other in OWN.keys() - {arguments.kind}:
        for option in OWN[other].keys() & given.keys():
            raise UserError(f"--{option} belongs to --kind {other}: leave it out with --kind {arguments.kind}")
    settings = {**SHARED[arguments.kind], **OWN[arguments.kind], "labels": None, **given}
    shared = {key: settings[key] for key in ("games", "minutes", "seed", "labels")}
    fps = float(parse_fps(settings["fps"], "--fps"))
    if arguments.kind == "video":
        from spotter.simulation.video import simulate_video

        root = simulate_video(arguments.root, **shared, fps=fps, height=settings["height"])
    else:
        from spotter.simulation.features import simulate

        root = simulate(arguments.root, **shared, fps=fps, width=settings["width"], file=settings["file"])
        if arguments.oracle:
            from spotter.simulation.features.oracle import write_oracle

            write_oracle(root, arguments.oracle, settings["file"])
    sys.stdout.write(f"{root} is ready\n")
    return 0
