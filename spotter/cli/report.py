"""Write one HTML file to look at predictions with: scores, errors by cause, and a timeline of every half.

PREDICTIONS is a folder or zip of <league>/<season>/<game>/results_spotting.json. With --labels the games are scored;
without, the report has timelines and spots. It opens offline, on any machine. With --video, clicking a spot plays it:
videos are linked, not copied, so they must stay where they are (a relative ROOT is linked relatively).

  spotter report outputs/RUN/predictions/test --labels /data/SoccerNet --split test -o report.html
  spotter report predictions/match --video . -o match.html
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from spotter.errors import UsageError, UserError
from spotter.evaluation.report import video_link, write_report
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.plots import write_plots
from spotter.io.formats import format_of
from spotter.io.predictions import PREDICTION_FILE, PREDICTION_ZIP, find_predictions, postprocess_of, read_predictions
from spotter.io.splits import SPLITS, load_splits
from spotter.tasks import Task
from spotter.types import Half

REMOTE = ("224p.mp4", "720p.mp4", "224p.mkv", "720p.mkv")  # tried in this order below a URL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("predictions", metavar="PREDICTIONS", help="folder or zip with predictions")
    parser.add_argument("--labels", metavar="LABELS", help="folder or zip with the label files")
    parser.add_argument("--video", metavar="ROOT", help="folder, or file:// or http:// URL, of the official tree")
    parser.add_argument("--split", choices=SPLITS, help="the games of this split; default: every game of PREDICTIONS")
    parser.add_argument(
        "--task", default="soccernet-v2", help="soccernet-v2 (default), ball-2023, or the YAML file of your own task"
    )
    parser.add_argument("--title", help="heading of the page (default: the folder's name)")
    parser.add_argument(
        "--plots", metavar="FOLDER", help="also write the figures as PDF, SVG and PNG (needs matplotlib)"
    )
    parser.add_argument("-o", "--out", metavar="FILE", default="report.html", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Read, analyse and write the page."""
    if arguments.plots and not arguments.labels:
        raise UsageError("--plots draws scores and errors: give --labels too")
    task, root = Task.load(arguments.task), Path(arguments.predictions)
    games = _games(arguments, task)
    predictions = read_predictions(root, games, task)
    labels = format_of(task).read(arguments.labels, games, task) if arguments.labels else None
    filled = [half for half, rows in predictions.items() if len(rows) or (labels and len(labels[half]))]
    filled = filled or list(predictions)
    form = {"postprocess": postprocess_of(root)}
    write_report(
        arguments.out,
        {half: predictions[half] for half in filled},
        task,
        labels,
        form=form,
        title=arguments.title or _title(root),
        split=arguments.split,
        videos=find_videos(arguments.video, filled, Path(arguments.out)) if arguments.video else None,
    )
    if arguments.plots and labels:
        write_plots(arguments.plots, analyse(labels, predictions, task))
    size = Path(arguments.out).stat().st_size / 1e6
    sys.stdout.write(f"{arguments.out} is ready, {size:.1f} MB\n")
    return 0


def find_videos(root: str, halves: Iterable[Half], report: Path) -> dict[Half, list[str]]:
    """Return links to the video of every half below ``root``, a folder or a URL; of own files, one of the same name."""
    from spotter.data.video.find import VIDEOS, find_video  # here, for it needs the JPEG decoder

    url = urlsplit(root)
    if url.scheme in ("http", "https"):
        return {
            half: [f"{root.rstrip('/')}/{quote(half.game)}/{half.number}_{name}" for name in REMOTE] for half in halves
        }
    folder = Path(unquote(url.path)) if url.scheme == "file" else Path(root)
    if not folder.is_dir():
        raise UserError(f"{root}: no such folder of videos: give the root of the official tree")
    found = {}
    for half in halves:
        own = (folder / f"{half.game}{suffix}" for suffix in VIDEOS)
        file = find_video(folder / half.game, half.number, height=720) or next(filter(Path.is_file, own), None)
        if file is not None:
            found[half] = [video_link(file, report)]
    if not found:
        raise UserError(f"{root}: holds no video of these games, such as {next(iter(halves)).game}/1_720p.mkv")
    return found


def _games(arguments: argparse.Namespace, task: Task) -> list[str]:
    if arguments.split is None:
        games = find_predictions(arguments.predictions)
        if not games:
            raise UserError(f"{arguments.predictions}: holds no {PREDICTION_FILE}: give what predict.py wrote")
        return games
    games = load_splits(task, arguments.labels)[arguments.split]
    if not games:
        raise UserError(f"split {arguments.split} of task {task.name} lists no game: leave --split out for every game")
    return games


def _title(root: Path) -> str:
    """Return the last folders of a path, which name a run, its predictions and their split."""
    return " / ".join(root.absolute().parts[-3:]).removesuffix(f" / {PREDICTION_ZIP}")
