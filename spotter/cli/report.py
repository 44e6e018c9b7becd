"""Write one HTML file to look at predictions with: scores, errors by cause, and a timeline of every half.

PREDICTIONS is the folder of a run, a folder or zip of <league>/<season>/<game>/results_spotting.json, or one such file.
With --labels the games are scored; without, the report has timelines and spots. Task and split are what the
predictions' own files say, where they do. The page opens offline, on any machine. With --video, clicking a spot plays
it: videos are linked, not copied, so they must stay where they are (a relative ROOT is linked relatively).

Several PREDICTIONS, each NAME=PATH, are compared by their scores, and share the figures that --plots writes; all else
in the page is of the first.

  spotter report outputs/RUN --labels /data/SoccerNet -o report.html
  spotter report predictions/match --video . -o match.html
  spotter report ours=outputs/RUN theirs=theirs.zip --labels /data/SoccerNet --plots figures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from spotter.cli.options import add_task, add_trust, parse_named
from spotter.errors import UsageError, UserError
from spotter.evaluation.evaluate import Evaluation, load_evaluation
from spotter.evaluation.report import video_link, write_report
from spotter.evaluation.report.analysis import analyse
from spotter.evaluation.report.plots import write_plots
from spotter.evaluation.report.shots import Broadcast
from spotter.io.cameras import read_cameras
from spotter.io.grounding import find_answers, read_answers
from spotter.io.predictions import PREDICTION_ZIP
from spotter.io.splits import SPLITS
from spotter.io.trees import find_games
from spotter.tasks import Task
from spotter.trust import import_trusted
from spotter.types import Half

REMOTE = ("224p.mp4", "720p.mp4", "224p.mkv", "720p.mkv")  # tried in this order below a URL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", help="a run, folder, zip or file, see above")
    parser.add_argument("--labels", metavar="LABELS", help="folder or zip with the label files")
    parser.add_argument("--video", metavar="ROOT", help="folder, or file:// or http:// URL, of the official tree")
    parser.add_argument("--cameras", metavar="ROOT", help="folder or zip with Labels-cameras.json: shows camera shots")
    parser.add_argument("--answers", metavar="ANSWERS", help="folder or zip of spotter ground: shows them, too")
    parser.add_argument("--split", choices=SPLITS, help="the games of this split (default: every game of PREDICTIONS)")
    add_task(parser)
    add_trust(parser)
    parser.add_argument("--title", help="heading of the page (default: the folder's name)")
    parser.add_argument(
        "--plots", metavar="FOLDER", help="also write the figures as PDF, SVG and PNG (needs matplotlib)"
    )
    parser.add_argument("-o", "--out", metavar="FILE", default="report.html", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Read, analyse, and write the page and the figures."""
    import_trusted(arguments.trust)
    named = parse_named(arguments.predictions)
    if arguments.plots and not arguments.labels:
        raise UsageError("--plots draws scores and errors: give --labels too")
    if Path(arguments.out).is_dir():
        raise UsageError(f"--out: {arguments.out!r} is a folder; give a file, such as {arguments.out}/report.html")
    if arguments.answers and not arguments.cameras:
        raise UsageError("--answers are to replays: give --cameras, too")
    if len(named) > 1 and not arguments.labels:
        raise UsageError("several PREDICTIONS are compared by their scores: give --labels too; else a page is of one")
    found = load_evaluation(
        arguments.labels, list(named.values()), task=arguments.task, split=arguments.split, games_of_predictions=True
    )
    predictions = found.predictions[0]
    filled = [half for half, spots in predictions.items() if len(spots) or len(found.labels.get(half, ()))]
    if not filled:
        source = next(iter(named.values()))
        raise UserError(f"{source}: holds no prediction of the task {found.task.name}: give others, or their --task")
    scores = dict(zip(named, found.metrics(), strict=True)) if len(named) > 1 else {}
    write_report(
        arguments.out,
        {half: predictions[half] for half in filled},
        found.task,
        found.labels or None,
        metrics=next(iter(scores.values()), {"postprocess": found.postprocesses[0]}),
        systems=scores,
        title=arguments.title or _title(next(iter(named.values()))),
        split=found.split,
        videos=locate_videos(arguments.video, filled, Path(arguments.out)) if arguments.video else None,
        broadcast=_read_broadcast(arguments.cameras, arguments.answers, filled) if arguments.cameras else None,
    )
    if arguments.plots:
        _write_plots(arguments.plots, found, list(named))
    size = Path(arguments.out).stat().st_size / 1e6
    sys.stdout.write(f"{arguments.out} is ready, {size:.1f} MB\n")
    return 0


def _read_broadcast(root: str, answers: str | None, halves: Iterable[Half]) -> Broadcast:
    """Return the camera shots of those games that have some, and the answers to their replays."""
    task = Task.load("replay-grounding")
    labelled = set(find_games(root, task.label_file))
    games = [game for game in dict.fromkeys(half.game for half in halves) if game in labelled]
    if not games:
        raise UserError(f"{root}: holds no {task.label_file} of these games: give the camera labels")
    answered = set(find_answers(answers)[1]) if answers else set()
    shots = read_cameras(root, games, task)
    return Broadcast(shots, read_answers(answers, [game for game in games if game in answered]) if answers else {})


def _write_plots(folder: str, found: Evaluation, names: list[str]) -> None:
    analyses = [analyse(found.labels, predictions, found.task) for predictions in found.predictions]
    write_plots(folder, dict(zip(names, analyses, strict=True)))


def locate_videos(root: str, halves: Iterable[Half], report: Path) -> dict[Half, list[str]]:
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


def _title(root: Path) -> str:
    """Return the last folders of a path, which name a run, its predictions and their split."""
    return " / ".join(root.absolute().parts[-3:]).removesuffix(f" / {PREDICTION_ZIP}")
