"""Make features of the positions of players and ball: {half}_tracking.npy for every game, and a JSON file beside each.

SRC holds a folder for each game, named as in the official tree, with the files of a data provider in it: Metrica (CSV),
Tracab (DAT), Second Spectrum, SkillCorner or Sportec. They are read by kloppy: pip install kloppy. ROOT
gets the same folders; it may be the tree with the labels, or SRC itself. The clock of each half begins with its
kick-off.

  spotter prepare tracking PROVIDER_FILES /data/SoccerNet
  spotter train data=tracking data.root=/data/SoccerNet
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from spotter.cli.options import check_positive
from spotter.cli.out_folder import check_folder
from spotter.data.tracking import write_track
from spotter.data.tracking_files import PROVIDERS, find_matches, load_tracks
from spotter.errors import plural
from spotter.io.game_files import check_file_name
from spotter.types import Half

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("src", metavar="SRC", type=Path, help="folder with a folder of files for each game")
    parser.add_argument("root", metavar="ROOT", type=Path, help="where the features go; may be SRC")
    parser.add_argument("--provider", choices=list(PROVIDERS), help="whose files these are (default: as they look)")
    parser.add_argument("--fps", help="rows per second, such as 25, 10 or 30000/1001 (default: as in the files)")
    parser.add_argument("--players", type=int, default=11, help="places for each team (default: %(default)s)")
    parser.add_argument("--name", default="tracking", help="the files are {half}_NAME.npy (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Write the features and say what they hold."""
    check_positive("players", arguments.players)
    check_file_name(arguments.name, "--name")
    check_folder(arguments.root, "ROOT")
    matches = find_matches(arguments.src, arguments.provider)
    console, seen, unplaced, rates = Console(stderr=True), list[float](), 0, Counter[str]()
    for match in track(matches, "reading", console=console, transient=True, disable=not console.is_terminal):
        tracks, left_out = load_tracks(match, arguments.fps, arguments.players)
        unplaced += left_out
        for number, each in tracks.items():
            half = Half(match.game, number)
            write_track(arguments.root, half, each, arguments.name, provider=match.provider)
            seen.append(float(np.isfinite(each.position[:, 0, 0]).mean()))
            rates[f"{each.fps}"] += 1
    log.info(
        "%s: %s of %s, rows per second: %s; the ball is known in %.0f %% of them",
        *(
            arguments.root,
            plural(len(seen), "half"),
            plural(len(matches), "game"),
            ", ".join(rates),
            100 * np.mean(seen),
        ),
    )
    if unplaced:
        log.warning("%d players left out: there are only %d places", unplaced, arguments.players)
    return 0
