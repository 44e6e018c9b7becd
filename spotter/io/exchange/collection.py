"""What all such files hold, in one form: videos with events, in the words of the official format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from spotter.checks import to_fraction
from spotter.errors import UserError, shorten
from spotter.io.game_files import check_game, fault_of
from spotter.types import Half, Period

Row = dict[str, Any]
SPLIT_NAMES = {"train": "train", "valid": "valid", "val": "valid", "test": "test", "challenge": "challenge"}
_VIDEO = re.compile(r"(?:(?P<half>[1-9])_)?(?:\d+p|HQ|LQ)|(?P<alone>[1-9])")
_FEATURES = re.compile(r"(?P<half>[1-9])_.+")
_CLOCK = re.compile(r"(?:(?P<half>\d+)\s*-\s*)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Video:
    """Hold the events of one half.

    rows : each with ``label`` and ``position``, whole milliseconds from the start of the half, and where known with
        ``team``, ``visibility`` and ``confidence``; other keys as the file has them
    inputs : what it was labelled on, as OSL lists it: ``type``, ``path`` relative to the file, ``fps``
    more : other keys of the video in its file, kept for writing it again
    period : where the half lies in its video, which holds others, too; None where it is a video of its own
    """

    half: Half
    rows: list[Row]
    inputs: list[Row] = field(default_factory=list)
    split: str | None = None
    more: Row = field(default_factory=dict)
    period: Period | None = None

    @property
    def start(self) -> int:
        """Return the milliseconds of the video at which the half begins."""
        return 0 if self.period is None else round(1000 * self.period.start)

    @property
    def fps(self) -> float | None:
        """Return the declared frames per second."""
        return next(filter(None, map(declared_fps, self.inputs)), None)

    @property
    def file_stem(self) -> str | None:
        """Return what the file of its video is called, without its ending; None where it is unknown or no safe name."""
        paths = (str(given["path"]) for given in self.inputs if given.get("type") == "video" and "path" in given)
        stem = next((PurePosixPath(below(path)).stem for path in paths), "")
        return None if fault_of(stem) else stem


@dataclass(frozen=True, slots=True)
class Collection:
    """Hold videos, the classes in the order of their file, and whether events are predictions.

    more : other keys of the file
    lost : what the file says that this form has no place for, counted
    """

    videos: list[Video]
    classes: list[str]
    predictions: bool = False
    more: Row = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    def named_classes(self) -> list[str]:
        """Return the classes, those that the file does not list after the others, in the order of the alphabet."""
        others = {str(row["label"]) for video in self.videos for row in video.rows} - set(self.classes)
        return [*self.classes, *sorted(others)]


def with_inputs(collection: Collection, known: Collection) -> Collection:
    """Return a collection with the inputs, ids, splits and classes of another; raises UserError where a half lacks."""
    halves = {video.half: video for video in known.videos}
    lacking = [video.half for video in collection.videos if video.half not in halves]
    if lacking:
        raise UserError(f"--inputs-of: does not name half {lacking[0].number} of {lacking[0].game!r}: give its labels")
    videos = []
    for video, like in ((video, halves[video.half]) for video in collection.videos):
        more = {**video.more, **like.more}
        videos.append(replace(video, inputs=like.inputs, split=like.split, period=like.period, more=more))
    return replace(collection, videos=videos, classes=known.classes)


def by_file(videos: Iterable[Video]) -> list[list[Video]]:
    """Return halves in groups that share a video; those without a period are alone."""
    groups: dict[tuple[str, int, str], list[Video]] = {}
    for video in videos:
        path = str(video.inputs[0].get("path")) if video.inputs else ""
        alone = (video.half.game, video.half.number, "")
        groups.setdefault(alone if video.period is None else (video.half.game, 0, path), []).append(video)
    return list(groups.values())


def declared_fps(given: Row) -> float:
    """Return the frames per second that an input declares, a number or a text as 30000/1001; 0 where it does not."""
    return max(0.0, float(to_fraction(given.get("fps")) or 0))


def half_of_path(path: str, where: str) -> Half:
    """Return the half that a video or feature file is of, by its name.

    ``<game>/2_224p.mkv`` is half 2 of a game, ``<game>/224p.mp4`` its first; any other file is a game of its own. How
    far above the file the path begins is no part of the name.

    Raises UserError for a name that leads out of its folder.
    """
    pure = PurePosixPath(below(path))
    match = (_FEATURES if pure.suffix == ".npy" else _VIDEO).fullmatch(pure.stem)
    if match and pure.parent.parts:
        found = match.groupdict()
        return Half(check_game(pure.parent.as_posix(), where), int(found["half"] or found.get("alone") or 1))
    return Half(check_game(pure.with_suffix("").as_posix(), where), 1)


def below(path: str) -> str:
    """Return a path with slashes, without what it begins with above the folder of its file."""
    return re.sub(r"^(\.\.?/)+", "", path.replace("\\", "/"))


def parse_clock(text: object) -> tuple[int | None, int]:
    """Return the half, where there is one, and milliseconds of ``2 - 12:34``, ``1:02:03.5`` or ``12:34``.

    Raises ValueError for anything else.
    """
    match = _CLOCK.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{shorten(text)} is no time")
    seconds = 3600 * int(match["hours"] or 0) + 60 * int(match["minutes"]) + float(match["seconds"])
    return int(match["half"]) if match["half"] else None, round(1000 * seconds)


def whole(value: object) -> int:
    """Return whole milliseconds; raises TypeError or ValueError for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{shorten(value)} is no number")
    try:
        return round(float(value))
    except ValueError as error:
        raise ValueError(f"{shorten(value)} is no number") from error


def checked_rows(rows: object, where: str) -> list[Row]:
    """Return a list of objects; raises UserError for anything else."""
    if not isinstance(rows, list):
        raise UserError(f"{where}: expected a list of events, found {shorten(rows)}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise UserError(f"{where}: event {number} is not an object: correct the file")
        if not isinstance(row.get("label"), str):
            raise UserError(f"{where}: event {number} has the label {shorten(row.get('label'))}, not text")
    return rows


def without(row: Mapping[str, Any], *keys: str) -> Row:
    """Return the other keys of a row."""
    return {key: value for key, value in row.items() if key not in keys}
