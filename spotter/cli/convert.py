"""Convert labels and predictions between formats.

SRC is told apart by what it holds: OSL JSON of version 1 or 2, loose or in shards (Parquet and tar files), the lists of
E2E-Spot, CSV, official files, or a folder or zip of them. DST is a file (.json, .csv) or a folder; of a folder, splits
become files of their own.

  spotter convert /data/SoccerNet labels.json --to osl                # for the annotation tool of OpenSportsLab
  spotter convert outputs/RUN/predictions/test found.json --to osl    # a corrected file comes back as labels
  spotter convert results_spotting.zip found.json --to osl --inputs-of annotations_test.json
  spotter convert annotations_test.json labels --to soccernet --task ball-2025
  spotter convert shards osl --to osl --inputs                        # osl-shards writes them, with the inputs of SRC
  spotter convert results_spotting.json spots.csv --to csv --threshold 0.3
  spotter convert results_spotting.json match.srt --to srt --threshold 0.5     # subtitles; edl: markers for an editor

What DST has no place for is said. Times stay whole milliseconds but in the lists of E2E-Spot, which count frames.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spotter.cli.options import add_trust, parse_fraction
from spotter.errors import UsageError, plural
from spotter.io.exchange.collection import Collection, with_inputs
from spotter.io.exchange.files import FORMATS, SHOWN, at_least, read_collection, with_confidence, write_collection
from spotter.io.exchange.shards import find_tables, unpack_inputs
from spotter.tasks import REPLAY_GROUNDING, Task, shipped_tasks
from spotter.trust import import_trusted

ENDINGS = {".json": ("osl", "osl-v1", "e2e-spot"), ".csv": ("csv",), ".srt": ("srt",), ".edl": ("edl",)}
log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("source", metavar="SRC", help="file, folder or zip of labels or predictions")
    parser.add_argument("target", metavar="DST", help="file or folder to write")
    parser.add_argument(
        "--to", choices=(*FORMATS, *SHOWN), required=True, help="format of DST; srt and edl to be shown"
    )
    parser.add_argument(
        "--threshold", type=parse_fraction, default=0.0, help="leave out predictions of a lower confidence"
    )
    parser.add_argument("--task", help="of the labels: which of a tree are read, and what official files are called")
    parser.add_argument(
        "--inputs-of", metavar="LABELS", help="name videos, ids and splits as this file does; tools match them by path"
    )
    parser.add_argument("--inputs", action="store_true", help="bring videos and features out of shards, into DST, too")
    add_trust(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read, write, and say what was lost."""
    import_trusted(arguments.trust)
    task = Task.load(arguments.task) if arguments.task else None
    collection = read_collection(arguments.source, task)
    if arguments.to == "soccernet" and arguments.target.endswith(".json"):
        raise UsageError(f"DST: {arguments.target!r}: official files lie in a folder for each game: give a folder")
    ending = Path(arguments.target).suffix.lower()
    if arguments.to not in ENDINGS.get(ending, (arguments.to,)):
        raise UsageError(f"DST: {arguments.target!r}: --to {arguments.to} writes no {ending}: give another name")
    official = arguments.to == "soccernet" and not collection.predictions
    label_file = task.label_file if task else _label_file(collection) if official else ""
    if arguments.inputs_of:
        collection = with_inputs(collection, read_collection(arguments.inputs_of, task))
    collection = at_least(with_confidence(collection), arguments.threshold)
    source = Path(arguments.source)
    folder = source if source.is_dir() else source.parent
    losses = write_collection(arguments.target, collection, arguments.to, label_file, folder)
    events = sum(len(video.rows) for video in collection.videos)
    what = "prediction" if collection.predictions else "label"
    log.info("%s: %s of %s", arguments.target, plural(events, what), plural(len(collection.videos), "video"))
    for loss in losses:
        log.warning("not kept: %s", loss)
    if arguments.inputs:
        _unpack(source, Path(arguments.target))
    return 0


def _unpack(source: Path, target: Path) -> None:
    """Bring the inputs in shards to where the paths in ``target`` say."""
    tables = find_tables(source)
    if not tables:
        raise UsageError(f"--inputs: {source} is no folder of shards, its inputs are files already")
    for table, _ in tables:
        written, kept = unpack_inputs(table, target.parent if target.suffix else target)
        log.info("%s: %s unpacked, %d were there", table, plural(written, "input"), kept)


def _label_file(collection: Collection) -> str:
    """Return what the label files of the tasks are called whose classes these are; raises UsageError unless one is."""
    names = sorted({str(row["label"]) for video in collection.videos for row in video.rows})
    tasks = [task for task in map(Task.load, shipped_tasks()) if task.metric != REPLAY_GROUNDING]
    exact = [task for task in tasks if set(names) <= set(task.classes)]
    fitting = [task for task in tasks if all(task.class_of({task.class_key: name}) is not None for name in names)]
    files = sorted({task.label_file for task in exact or fitting})
    if not files:
        raise UsageError(f"--task: no task has the classes {', '.join(names[:5])} …: name one, for its label file")
    if len(files) > 1:
        found = f"these classes, {', '.join(names[:5]) or 'none'}, are of tasks with {' and '.join(files)}"
        raise UsageError(f"--task: {found}: name one")
    return files[0]
