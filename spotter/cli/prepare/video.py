"""Make prepared stores of a tree's videos: one file a half, small, fast to read at random.

SRC is an official tree (<league>/<season>/<game>/1_224p.mkv, 1_720p.mkv, ...), a tree of E2E-Spot's JPEG folders, or
any folder of videos. DST gets the same tree with a store for every half, and copies of the label files and of
splits.json, so that it can be given as data.root; it may be SRC itself. Stores that are there already are skipped, so
the same command continues after an interruption.

  spotter prepare video /data/SoccerNet /fast/SoccerNet --fps 2 --height 224
  spotter prepare video /data/ball /fast/ball --fps 25 --task ball-2023
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from spotter.cli.copy_labels import copy_labels
from spotter.data.fps import parse_fps
from spotter.data.video.estimate import estimate
from spotter.data.video.jobs import QUALITY, Job, Recipe, plan_jobs
from spotter.data.video.parallel import Result, make_all
from spotter.data.workers import usable_cores
from spotter.errors import UsageError, plural
from spotter.io.splits import load_splits
from spotter.progress import stderr_console
from spotter.tasks import Task

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("src", metavar="SRC_ROOT", type=Path, help="tree of videos, or of JPEG folders")
    parser.add_argument("dst", metavar="DST_ROOT", type=Path, help="where the stores go; may be SRC_ROOT")
    parser.add_argument("--fps", required=True, help="images per second, such as 2, 25 or 25/12")
    parser.add_argument("--height", type=int, default=224, help="height of an image, pixels (default: %(default)s)")
    parser.add_argument("--width", type=int, help="width of an image, pixels (default: by the shape of the video)")
    parser.add_argument("--quality", type=int, default=QUALITY, help="JPEG quality, 1 to 100 (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="files at a time (default: one for each core)")
    parser.add_argument("--task", help="only the games of this task's splits, such as ball-2023 (default: all)")


def run(arguments: argparse.Namespace) -> int:
    """Make the stores and print a summary; return 1 if one could not be made."""
    recipe = _recipe(arguments)
    games = None
    if arguments.task:
        splits = load_splits(Task.load(arguments.task), arguments.src)
        games = {game for listed in splits.values() for game in listed}
    jobs = plan_jobs(arguments.src, arguments.dst, recipe, games)
    cores = usable_cores()
    workers = min(arguments.workers or cores, len(jobs))
    jobs = [replace(job, threads=max(1, cores // workers)) for job in jobs]
    copied, kept = copy_labels(arguments.src, arguments.dst, games)
    if kept:
        log.warning("kept, though not as in %s: %s in %s, first %s; delete to copy again",
                    arguments.src, plural(len(kept), "file"), arguments.dst, kept[0])  # fmt: skip
    results = _make(jobs, workers, arguments.dst)
    _sum_up(results, copied, arguments.dst)
    return 1 if any(result.error for result in results) else 0


def _recipe(arguments: argparse.Namespace) -> Recipe:
    """Check the settings."""
    for name, low, high in (("height", 16, 4320), ("width", 16, 7680), ("quality", 1, 100), ("workers", 1, 1024)):
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            raise UsageError(f"--{name}: expected {low} to {high}, found {value}")
    return Recipe(parse_fps(arguments.fps, "--fps"), arguments.height, arguments.width, arguments.quality)


def _make(jobs: list[Job], workers: int, dst: Path) -> list[Result]:
    """Make all stores, with an estimate first and a bar or a line for each."""
    todo = [job for job in jobs if not job.target.is_file()]
    cost = estimate(todo)
    if todo:
        seconds = cost.seconds / workers
        took = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
        disk = decimal(int(cost.disk))
        log.info("%d of %d halves to do: about %s with %d at a time, %s", len(todo), len(jobs), took, workers, disk)
        free = shutil.disk_usage(next(path for path in (dst.absolute(), *dst.absolute().parents) if path.exists())).free
        if free < cost.disk:
            log.warning("only %s are free at %s", decimal(free), dst)
    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = stderr_console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("preparing", total=cost.images)
        for result in make_all(jobs, workers, lambda images: progress.advance(bar, images)):
            results.append(result)
            progress.update(bar, description=f"{len(results)} of {len(jobs)} halves")
            if not console.is_terminal and result.header and not result.there_before:
                log.info("%s: ready", result.job.target)
    return results


def _sum_up(results: list[Result], copied: int, dst: Path) -> None:
    """Print what was made, what was there before, and what failed."""
    failed = [result for result in results if result.error]
    headers = [result.header for result in results if result.header]
    for result in results:
        for warning in result.warnings:
            log.warning("warning: %s", warning)
    for result in failed:
        log.error("error: %s", result.error)
    if len({header.width for header in headers}) > 1:
        widths = ", ".join(f"{width}" for width in sorted({header.width for header in headers}))
        log.warning("warning: the videos differ in shape: stores are %s wide; a network needs one --width", widths)
    there = sum(result.there_before for result in results)
    disk = sum(result.job.target.stat().st_size for result in results if result.header)
    words = [f"{plural(len(headers) - there, 'store')} made", f"{there} were there", f"{len(failed)} failed"]
    words += [plural(sum(header.count for header in headers), "image"), decimal(disk)]
    replaced = [header.replaced for header in headers if header.replaced]
    if replaced:
        words.append(f"{sum(replaced)} in {len(replaced)} halves could not be decoded and show their nearest neighbour")
    if copied:
        words.append(f"{plural(copied, 'label file')} copied")
    sys.stdout.write(f"{dst}: {', '.join(words)}\n")
