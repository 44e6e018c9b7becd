"""Make features of where players stand: {half}_players.npy, from the boxes and calibrations of SoccerNet.

ROOT is the official tree, with {half}_player_boundingbox_maskrcnn.json and {half}_field_calib_ccbv.json in the games'
folders, as `spotter download` puts them there; two rows a second.

  spotter prepare players /data/SoccerNet
  spotter train model=calf_calibration data=resnet_players data.root=/data/SoccerNet
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from spotter.cli.options import check_positive, parse_fraction
from spotter.data.players import BOXES, CALIBRATIONS, LEAST_CONFIDENCE, read_players
from spotter.errors import UserError, plural
from spotter.io.files import write_array
from spotter.io.game_files import check_file_name

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="ROOT", type=Path, help="the official tree")
    parser.add_argument("--players", type=int, default=25, help="places in a row (default: %(default)s)")
    parser.add_argument(
        "--confidence",
        type=parse_fraction,
        default=LEAST_CONFIDENCE,
        help="from which a calibration counts (default: %(default)s)",
    )
    parser.add_argument("--calibrations", default=CALIBRATIONS, help="file after 1_ (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Write the features of every half that has both files, and say what they hold."""
    check_positive("players", arguments.players)
    check_file_name(arguments.calibrations, "--calibrations")
    found = sorted(path for path in arguments.root.rglob(f"*_{BOXES}") if path.name.partition("_")[0].isdecimal())
    if not found:
        raise UserError(f"{arguments.root}: holds no 1_{BOXES}: give the official tree with boxes and calibrations")
    console, seen, unplaced = Console(stderr=True), list[float](), 0
    for boxes in track(found, "reading", console=console, transient=True, disable=not console.is_terminal):
        half = boxes.name.partition("_")[0]
        calibrations = boxes.with_name(f"{half}_{arguments.calibrations}")
        rows, left_out = read_players(boxes, calibrations, arguments.players, arguments.confidence)
        write_array(boxes.with_name(f"{half}_players.npy"), rows)
        seen.append(float(rows[:, 0].mean()) if len(rows) else 0.0)
        unplaced += left_out
    log.info(
        "%s: %s; %.0f %% of frames are calibrated",
        arguments.root,
        plural(len(found), "half"),
        100 * np.mean(seen),
    )
    if unplaced:
        log.warning("%d boxes left out: beyond the %d places, or not finite", unplaced, arguments.players)
    return 0
