"""Which videos are extracted, and which feature file each becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from spotter.data.video.find import (
    VIDEOS,
    find_images,
    find_input,
    find_stores,
    find_videos,
    half_of_name,
    official_half,
)
from spotter.data.video.jobs import game_folders
from spotter.errors import UserError
from spotter.types import Half


@dataclass(frozen=True, slots=True)
class Job:
    """Name the video of a half and the feature file to make of it."""

    half: Half
    source: Path
    target: Path


def plan_jobs(inputs: Sequence[Path], out: Path, name: str, height: int, fps: Fraction) -> list[Job]:
    """Return a job for every half that files, folders or official trees hold, in order.

    name : of the features, whose files are ``<out>/<game>/{half}_<name>.npy``
    height : of the images that the network sees, by which one of several videos of a half is chosen

    The game of a file without an official name is its stem, with its folders; ``2_`` before it means the second half.
    Raises UserError where there is no video, and where two would become one file.
    """
    jobs: dict[Path, Job] = {}
    for path in inputs:
        is_tree = path.is_dir() and not (path / "000000.jpg").is_file()
        found = _tree(path, height, fps) if is_tree else find_videos(path)
        for half, source in found:
            target = out / half.game / f"{half.number}_{name}.npy"
            if target in jobs and not jobs[target].source.samefile(source):
                raise UserError(f"{jobs[target].source} and {source} are both half {half.number} of {half.game!r}; "
                                "rename one")  # fmt: skip
            jobs[target] = Job(half, source, target)
    if not jobs:
        raise UserError(f"{inputs[0]}: holds no video; expected for example <league>/<season>/<game>/1_224p.mkv")
    return list(jobs.values())


def _tree(root: Path, height: int, fps: Fraction) -> Iterator[tuple[Half, Path]]:
    for folder in game_folders(root):
        game = folder.relative_to(root).as_posix()
        names = sorted(os.listdir(folder))
        official = {number for each in names if (number := official_half(each))}
        images = {number for number in range(1, 10) if find_images(folder, number)}
        stores = {number for number in range(1, 10) if find_stores(folder, number, None)}
        for number in sorted(official | images | stores):
            source = find_input(folder, number, height, fps)
            if source is not None:
                yield Half(game if game != "." else root.name, number), source
        for each in names:
            file = folder / each
            if file.suffix.lower() in VIDEOS and not official_half(each) and not each.startswith("."):
                yield half_of_name(file.relative_to(root).with_suffix("").as_posix()), file
