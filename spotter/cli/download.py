"""Download the data of a task from the Hugging Face hub into the official tree.

  spotter download soccernet-v2 /data/SoccerNet --dry-run            what would be downloaded, without a network
  spotter download soccernet-v2 /data/SoccerNet --what labels,resnet
  spotter download ball-2025 /data/ball --split train,valid          zips, unpacked into the tree

What is there already stays, files of another size are named, and one that was cut off goes on where it ended, so the
same command goes on after any interruption. Content is checked against what the hub lists. Some data is handed out only
to accounts that have been granted access on the repository's page: ask for it there, then log in by `hf auth login`, or
set HF_TOKEN.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from spotter.cli.out_folder import check_folder
from spotter.errors import UserError, plural
from spotter.io.archives import check_space, gigabytes, unpack_games, warn_of_others
from spotter.io.downloads import (
    Remote,
    Source,
    bytes_left,
    choose,
    differs,
    download,
    list_remote,
    page_of,
    place,
    select,
    sources_of,
)
from spotter.io.splits import LABELLED, SPLITS, check_split, load_splits
from spotter.progress import ProgressDisplay
from spotter.tasks import Task

log = logging.getLogger(__name__)
Place = tuple[str, str]  # repository and branch
UNITS = 1e6  # bytes, of the progress that is shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("task", metavar="TASK", help="such as soccernet-v2, ball-2024, ball-2025, sngar-2022")
    parser.add_argument("root", metavar="ROOT", type=Path, help="the folder that becomes data.root")
    parser.add_argument("--what", default="", metavar="A,B", help="kinds of data; --dry-run names them all")
    parser.add_argument("--split", default=",".join(LABELLED), metavar="A,B", help=f"of {', '.join(SPLITS)} "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="print repository, branch and path of every file, and stop"
    )


def run(arguments: argparse.Namespace) -> int:
    """Download, and unpack zips of games."""
    check_folder(arguments.root, "ROOT")
    task = Task.load(arguments.task)
    known = sources_of(task)
    sources = choose(known, _words(arguments.what))
    splits = [check_split(name) for name in _words(arguments.split)]
    games = load_splits(task)
    wanted = _wanted(sources, splits, games)
    pages = sorted({page_of(each.repo_of(split)) for each in sources.values() if each.gated for split in splits})
    if pages:
        log.info("for accounts that have been granted access: ask for it on %s", ", ".join(pages))
    if arguments.dry_run:
        log.info("%s of %s; there are %s", ", ".join(sources), ", ".join(splits), ", ".join(known))
        for (repo, branch), paths in wanted.items():
            sys.stdout.writelines(f"{repo} {branch} {path}\n" for path in paths)
        return 0
    files = _find(wanted)
    _fetch(arguments.root, files)
    for remote, patterns in _zips(files, sources).items():
        archive = arguments.root / remote.path
        written, kept = unpack_games(archive, arguments.root, chain(*games.values()), patterns)
        log.info("%s: %s unpacked, %d were there; it may be deleted", archive, plural(written, "file"), kept)
    log.info("data.root=%s", arguments.root)
    return 0


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _wanted(
    sources: Mapping[str, Source], splits: list[str], games: Mapping[str, list[str]]
) -> dict[Place, dict[str, None]]:
    """Return the paths that are wanted of every repository and branch, each once."""
    wanted: dict[Place, dict[str, None]] = {}
    for source in sources.values():
        for split in splits:
            paths = wanted.setdefault((source.repo_of(split), source.branch), {})
            paths |= dict.fromkeys(source.wanted(split, games[split]))
    return {place: paths for place, paths in wanted.items() if paths}


def _find(wanted: Mapping[Place, Mapping[str, None]]) -> list[Remote]:
    """Return what the hub has of the wanted paths; what it lacks is counted and said once."""
    files: list[Remote] = []
    lacking: list[str] = []
    for (repo, branch), paths in wanted.items():
        found, missing = select(list_remote(repo, branch), paths)
        files += found
        lacking += [f"{path} of {repo} ({branch})" for path in missing]
    if lacking:
        log.warning("%d of the files are not on the hub, the first is %s", len(lacking), lacking[0])
    if not files:
        raise UserError("nothing to download: the hub has none of these files")
    return files


def _fetch(root: Path, files: list[Remote]) -> None:
    """Download what is not there, after a look at sizes and at the room on the disk."""
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()  # one for each file; there is one for all
    warn_of_others([place(root, remote) for remote in files if differs(root, remote)])
    left = [bytes_left(root, remote) for remote in files]
    total = sum(remote.size for remote in files)
    log.info("%s of %s, %s to come", plural(len(files), "file"), gigabytes(total), gigabytes(sum(left)))
    check_space(root, sum(left), "what is to come")
    if not sum(left):
        return
    with ProgressDisplay(max(1, round(sum(left) / UNITS)), "MB") as watch:
        done = 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            watch.update(min(1.0, done / sum(left)))

        for remote in files:
            download(root, remote, progress)


def _zips(files: list[Remote], sources: Mapping[str, Source]) -> dict[Remote, list[str]]:
    """Return the zips of games, each with what of it is unpacked."""
    patterns: dict[Remote, list[str]] = {}
    for source in sources.values():
        for remote in files:
            if source.unpack and remote.repo == source.repo and remote.path.endswith(".zip"):
                patterns.setdefault(remote, []).extend(source.unpack)
    return patterns
