"""Look through a whole tree for what would disturb training: damaged files, and numbers that are not finite.

Every label file and every feature file below ROOT is read, of videos all packets, of prepared stores a sample of their
images. What is wrong is written to standard output, a line each; the exit status is 1 then.

  spotter check /data/SoccerNet
  spotter check /data/ball --task my_task.yaml
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from spotter.data.check import check_features
from spotter.data.video.decode import Video
from spotter.data.video.find import STORE, VIDEOS
from spotter.data.video.jobs import game_folders
from spotter.data.video.store import Store
from spotter.errors import UserError, plural
from spotter.io.cameras import read_cameras
from spotter.io.formats import format_of
from spotter.progress import ProgressDisplay
from spotter.tasks import REPLAY_GROUNDING, Task, shipped_tasks

KINDS = {".json": "label", ".npy": "feature", STORE: "store", **dict.fromkeys(VIDEOS, "video")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", metavar="ROOT", type=Path, help="tree of labels, features, stores and videos")
    parser.add_argument("--task", metavar="NAME|FILE", help="whose labels to read (default: all that spotter knows)")


def run(arguments: argparse.Namespace) -> int:
    """Check every file, write what is wrong and how many files were looked at; return 1 if something is."""
    root: Path = arguments.root
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the root of a tree, <root>/<league>/<season>/<game>/")
    tasks: dict[str, list[Task]] = defaultdict(list)
    for task in map(Task.load, [arguments.task] if arguments.task else shipped_tasks()):
        tasks[task.label_file].append(task)
    files = [file for file in _files(root) if file.suffix.lower() != ".json" or file.name in tasks]
    if not files:
        wanted = " and ".join(tasks) if arguments.task else "labels"
        raise UserError(f"{root}: holds no {wanted}, features, stores or videos; give the root of a tree")
    counts, wrong = Counter(KINDS[file.suffix.lower()] for file in files), 0
    with ProgressDisplay(len(files), "files") as display:
        for done, file in enumerate(files, start=1):
            for problem in check_file(root, file, tasks):
                wrong += 1
                sys.stdout.write(f"{problem}\n")
            display.update(done / len(files))
    kinds = [kind for kind in dict.fromkeys(KINDS.values()) if counts[kind]]
    looked = ", ".join(plural(counts[kind], f"{kind} file") for kind in kinds)
    sys.stdout.write(f"{root}: {looked}; {plural(wrong, 'problem') if wrong else 'no problems'}\n")
    return 1 if wrong else 0


def check_file(root: Path, file: Path, tasks: Mapping[str, Sequence[Task]]) -> list[str]:
    """Return what is wrong with a file, each as a line that names it; warnings count, too.

    A label file is of that task of its name which finds least wrong with it.
    """
    match KINDS[file.suffix.lower()]:
        case "label":
            game = file.parent.relative_to(root).as_posix()
            return min((_problems(partial(_read, root, game, task)) for task in tasks[file.name]), key=len)
        case "feature":
            return _problems(partial(check_features, file))
        case "store":
            return _problems(lambda: Store(file).check_images())
        case _:
            return _problems(lambda: Video(file).size())


def _read(root: Path, game: str, task: Task) -> object:
    return (read_cameras if task.metric == REPLAY_GROUNDING else format_of(task).read)(root, [game], task)


def _problems(look: Callable[[], object]) -> list[str]:
    """Return what is said while a file is looked at, and the error that ends it."""
    heard, logger = _Warnings(), logging.getLogger("spotter")
    propagate = logger.propagate
    logger.addHandler(heard)
    logger.propagate = False  # of several tasks, only what the one that fits has to say is shown
    try:
        look()
    except (UserError, OSError) as error:
        heard.lines.append(str(error))
    finally:
        logger.removeHandler(heard)
        logger.propagate = propagate
    return heard.lines


def _files(root: Path) -> Iterator[Path]:
    """Yield what can be checked, folder by folder."""
    for folder in game_folders(root):
        names: Sequence[Path] = sorted(folder.iterdir())
        yield from (file for file in names if file.suffix.lower() in KINDS and file.is_file() and file.name[0] != ".")


class _Warnings(logging.Handler):
    """Keep the text of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(record.getMessage())
