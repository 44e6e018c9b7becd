"""List the prepared stores that a tree of videos needs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from spotter.data.video.find import VIDEOS, find_images, find_video, official_half
from spotter.data.video.jpegs import JpegFolder, holds_images
from spotter.data.video.store import store_name
from spotter.errors import UserError, plural

QUALITY = 88  # about FFmpeg's -q:v 3


@dataclass(frozen=True, slots=True)
class Recipe:
    """Describe the stores to make; ``width`` None keeps the shape of the image, rounded to an even number."""

    fps: Fraction
    height: int
    width: int | None = None
    quality: int = QUALITY


@dataclass(frozen=True, slots=True)
class Job:
    """Name a half's video, or its folder of JPEG images, and the store to make of it."""

    source: Path
    target: Path
    recipe: Recipe
    threads: int = 1


def plan_jobs(src: Path, dst: Path, recipe: Recipe, games: Collection[str] | None = None) -> list[Job]:
    """Return a job for every half below ``src``, in order; ``games`` picks some.

    Of several videos of a half the one that suits the height best is taken. A video without an official name becomes
    half 1 of a game that is named after its folders and stem. Raises UserError when there is nothing to do.
    """
    if not src.is_dir():
        raise UserError(f"{src}: no such folder; give the root of a tree with videos")
    jobs: dict[Path, Job] = {}
    for folder in game_folders(src):
        where = dst / folder.relative_to(src)
        official = {number for name in os.listdir(folder) if (number := official_half(name))}
        for number in sorted(official | {n for n in range(1, 10) if find_images(folder, n)}):
            source = _source(folder, number, recipe)
            target = where / store_name(number, recipe.height, recipe.fps)
            jobs[target] = Job(source, target, recipe)
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in VIDEOS and not official_half(file.name) and not file.name.startswith("."):
                target = where / file.stem / store_name(1, recipe.height, recipe.fps)
                if target in jobs:
                    raise UserError(f"{jobs[target].source} and {file} differ only in their suffix; rename one")
                jobs[target] = Job(file, target, recipe)
    picked = [job for job in jobs.values() if games is None or job.target.parent.relative_to(dst).as_posix() in games]
    if not picked:
        of = "" if games is None else f" of its {plural(len(games), 'game')}"
        raise UserError(f"{src}: holds no video{of}; expected for example <league>/<season>/<game>/1_224p.mkv")
    return picked


def game_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of a tree, in order, but not those of a half's JPEG images."""
    yield root
    if holds_images(root):
        return
    for path in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if not (path.name.isdecimal() and holds_images(path)):
            yield from game_folders(path)


def _source(folder: Path, number: int, recipe: Recipe) -> Path:
    """Return what a half's store is best made from: images that are there already, else the video."""
    images, video = find_images(folder, number), find_video(folder, number, recipe.height)
    usable = images and (video is None or _fits(images, recipe))
    source = images if usable else video
    if source is None:
        raise UserError(f"{folder}: holds no video of half {number}")
    return source


def _fits(images: Path, recipe: Recipe) -> bool:
    """Return whether a folder's images can be copied as they are."""
    try:
        folder = JpegFolder(images)
    except UserError:
        return False
    return (folder.height, recipe.width or folder.width) == (recipe.height, folder.width) and (
        folder.times.fps >= recipe.fps
    )
