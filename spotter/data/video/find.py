"""Find the file that a half is read from: a prepared store, a folder of JPEG images or a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from spotter.data.fps import parse_fps
from spotter.data.video.jpegs import holds_images, read_rate
from spotter.errors import UserError
from spotter.types import Half

VIDEOS = (
    *(".mkv", ".mp4", ".webm", ".avi", ".mov", ".ts", ".m4v", ".mpg", ".mpeg", ".m2ts", ".mts", ".flv", ".wmv"),
    *(".3gp", ".ogv", ".vob", ".mxf"),
)
STORE = ".frames"
SUFFIXES = (*VIDEOS, STORE)
_STORE = re.compile(r"(?P<half>\d)_(?P<height>\d+)p_(?P<fps>\d+(-\d+)?)fps\.frames")
_VIDEO = re.compile(r"((?P<half>\d)(_|$))?((?P<height>\d+)p)?")


def expected(folder: Path, number: int, height: int) -> Path:
    """Return the official name of a half's video, to be named where there is none."""
    return folder / f"{number}_{224 if height <= 224 else 720}p.mkv"


def find_input(folder: Path, number: int, height: int, fps: Fraction) -> Path | None:
    """Return what the images of a half are read from at a wanted height and rate, None if there is nothing.

    A store is preferred to a folder of JPEG images, and that to a video. A file with too few images per second or of
    another height is only returned where there is nothing else, so that reading it can tell what is wrong.
    """
    prepared = find_stores(folder, number, height)
    fast_enough = [rate for rate in prepared if rate >= fps]
    if fast_enough:
        return prepared[min(fast_enough, key=lambda rate: ((rate / fps).denominator > 1, rate))]
    images = find_images(folder, number)
    if images and (not (images / "fps.txt").is_file() or read_rate(images) >= fps):
        return images
    others = prepared or find_stores(folder, number, None)
    video = find_video(folder, number, height)
    return video or images or next(iter(others.values()), None) or find_alone(folder, number)


def find_alone(folder: Path, number: int) -> Path | None:
    """Return the video that lies in place of a game's folder, under its name, as data sets of OSL have it."""
    names = [f"{folder.name}{suffix}" for suffix in VIDEOS] if number == 1 else []
    return next((path for path in map(folder.with_name, names) if path.is_file()), None)


def find_stores(folder: Path, number: int, height: int | None) -> dict[Fraction, Path]:
    """Return the prepared stores of a half, by their images per second; without ``height`` those of any height."""
    matches = ((_STORE.fullmatch(file.name), file) for file in sorted(folder.glob(f"{number}_*{STORE}")))
    return {
        parse_fps(match["fps"].replace("-", "/"), str(file)): file
        for match, file in matches
        if match and int(match["half"]) == number and height in (None, int(match["height"]))
    }


def find_images(folder: Path, number: int) -> Path | None:
    """Return the folder of JPEG images of a half; a game of one video may hold them itself."""
    of_half = folder / str(number)
    if holds_images(of_half):
        return of_half
    return folder if number == 1 and holds_images(folder) else None


def official_half(name: str) -> int | None:
    """Return the half of a video with an official name, None for any other file."""
    stem, _, suffix = name.rpartition(".")
    match = _VIDEO.fullmatch(stem) if f".{suffix.lower()}" in VIDEOS else None
    return int(match["half"] or 1) if match and stem else None


def find_video(folder: Path, number: int, height: int) -> Path | None:
    """Return the video of a half whose height is nearest to the wanted one; a larger one is preferred to a smaller.

    Official names are ``1_224p.mkv``, ``1_720p.mkv`` and ``1.mkv``; a game of one video may do without the ``1_``.
    """

    def rank(file: Path) -> tuple[bool, bool, int, str]:
        match = _VIDEO.fullmatch(file.stem)
        has = int(match["height"] or 0) if match else 0
        return match is None or match["half"] is None, has < height, abs(has - height), file.name

    files = folder.iterdir() if folder.is_dir() else ()
    return min(
        (file for file in files if official_half(file.name) == number and file.is_file()), key=rank, default=None
    )


def find_videos(path: str | Path) -> list[tuple[Half, Path]]:
    """Return the halves in a user's video, store or folder of images, or below a folder of them, with their files.

    The game is the file's stem, with its folders below ``path``; ``1_`` … ``4_`` before the name gives the half.
    Raises UserError where there is nothing that can be read.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"input: no file or folder {str(path)!r}")
    if path.is_dir() and not _is_input(path):
        found = [(file.relative_to(path), file) for file in _walk(path)]
        if not found:
            raise UserError(f"input: no video in the folder {str(path)!r}; expected {' '.join(SUFFIXES)}")
    elif _is_input(path):
        found = [(Path(path.name), path)]
    else:
        raise UserError(f"input: {path.name!r} is no video: expected {' '.join(SUFFIXES)}")
    halves: dict[Half, Path] = {}
    for name, file in found:
        stem = name.as_posix() if file.is_dir() else name.with_suffix("").as_posix()
        half = half_of_name(stem)
        if half in halves:
            raise UserError(f"input: {halves[half]} and {file} differ only in their suffix; rename one")
        halves[half] = file
    return list(halves.items())


def half_of_name(name: str) -> Half:
    """Return the half of a user's file called ``name``, without suffix: ``2_`` before the name means the second.

    3 and 4 are those of extra time.
    """
    match = re.match(r"([1-4])(_|$)", name.rpartition("/")[2])
    return Half(name, int(match[1]) if match else 1)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what can be read below a folder, in order, without looking into folders of images."""
    for path in sorted(folder.iterdir()):
        if _is_input(path):
            yield path
        elif path.is_dir():
            yield from _walk(path)


def _is_input(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return holds_images(path)
    return path.suffix.lower() in SUFFIXES
