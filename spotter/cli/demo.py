"""Simulate a small data set in the official layout: labels, splits and inputs that need what real ones need.

--kind features writes feature files in the layout of SoccerNet-v2. Running it again completes what is missing; with
another --file, --fps and --width it adds a second feature file of the same matches. --kind video renders matches as
H.264 videos in the layout of ball-2023; --task ball-2025 shows all twelve actions and who acts. With --labels either is
made around real annotations.

--play is a first look, in less than a minute: it renders half a minute of a match, finds its passes and drives with a
small model that ships with spotter, and opens the report with the video playing. The model has seen nothing but
rendered matches, not this one; real football needs one that was trained on it.

  spotter demo --play
  spotter demo /tmp/ball --kind video --task ball-2025 --games 1 0 0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spotter.data.fps import parse_fps
from spotter.errors import UsageError, UserError

PLAYED = Path("outputs", "demo-play")
OF_PLAY = {"play", "open", "root", "minutes", "seed"}  # options that --play takes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="DIR", nargs="?", help="folder of the tree: empty, or of the same demo")
    parser.add_argument("--play", action="store_true", help=f"a first look, see above; DIR is {PLAYED} by default")
    parser.add_argument("--no-open", dest="open", action="store_false", help="with --play: do not open the report")
    parser.add_argument("--kind", choices=["features", "video"], help="what to simulate (default: features)")
    parser.add_argument("--labels", metavar="FOLDER_OR_ZIP", help="official label files to make the matches around")
    parser.add_argument(
        "--games", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help="default: 6 2 2; of video 5 1 2"
    )
    parser.add_argument("--minutes", type=float, help="length of a half, at least (default: 45; video 8; --play 0.5)")
    parser.add_argument("--fps", help="frames per second, a number or a fraction (default: 1; of video 25)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    features = parser.add_argument_group("for --kind features")
    features.add_argument("--width", type=int, help="columns; real files have 8576 (default: 128)")
    features.add_argument("--file", help="feature file (default: baidu_soccer_embeddings)")
    features.add_argument("--replays", action="store_true", default=None, help="also write Labels-cameras.json")
    features.add_argument("--players", action="store_true", default=None, help="also write where players stand")
    features.add_argument("--oracle", metavar="OUT", help="also write what a filter that knows the simulation predicts")
    video = parser.add_argument_group("for --kind video")
    video.add_argument(
        "--task", choices=["ball-2023", "ball-2025"], help="passes and drives (default), or twelve actions"
    )
    video.add_argument("--height", type=int, help="of the images in pixels, which are 16:9 (default: 112)")


def run(arguments: argparse.Namespace) -> int:
    """Write the tree, and the oracle's predictions for its test split if they are wanted."""
    if arguments.play:
        return _play(arguments)
    if not arguments.open:
        raise UsageError("--no-open is for --play")
    if arguments.root is None:
        raise UsageError("DIR: give the folder to write to, or --play for a first look")
    from spotter.simulation.registry import SIMULATORS, options_of, simulate_kind

    kind = arguments.kind or "features"
    given = {key: value for key, value in vars(arguments).items() if value is not None}
    known = {each: options_of(each) | ({"oracle"} if each == "features" else set()) for each in SIMULATORS}
    for other in SIMULATORS:
        for option in sorted((known[other] - known[kind]) & given.keys()):
            raise UserError(f"--{option} belongs to --kind {other}: leave it out with --kind {kind}")
    if arguments.fps:
        given["fps"] = parse_fps(arguments.fps, "--fps")
    settings = {key: given[key] for key in options_of(kind) & given.keys()}
    root = simulate_kind(arguments.root, {"kind": kind, **settings})
    if arguments.oracle:
        from spotter.simulation.features.oracle import write_oracle
        from spotter.simulation.features.tree import DEFAULT_FILE

        write_oracle(root, arguments.oracle, arguments.file or DEFAULT_FILE)
    sys.stdout.write(f"{root} is ready\n")
    return 0


def _play(arguments: argparse.Namespace) -> int:
    """Show a rendered match with what a small model finds in it."""
    other = sorted(key for key, value in vars(arguments).items() if value is not None and key not in {*OF_PLAY, "run"})
    if other:
        raise UsageError(f"--{other[0]}: with --play there are --minutes, --seed and --no-open; leave it out")
    from spotter.cli.play import MODEL_FILE, open_page, play

    minutes = 0.5 if arguments.minutes is None else arguments.minutes
    folder = Path(arguments.root or PLAYED)
    page, found = play(folder, minutes, arguments.seed)
    sys.stdout.write(f"{found}\nThe model has seen nothing but rendered matches: of real football it knows nothing.\n")
    sys.stdout.write(f"To try it on a video of your own: spotter predict ckpt={folder / MODEL_FILE} input=VIDEO\n")
    opened = arguments.open and open_page(page)
    sys.stdout.write(f"{page} is open in the browser\n" if opened else f"{page} is ready: open it in a browser\n")
    return 0
