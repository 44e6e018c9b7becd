"""Write predictions a second time, in formats that people and their tools use."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from spotter.errors import UsageError, UserError, did_you_mean
from spotter.inference.inputs import Input
from spotter.io.exchange.collection import Video
from spotter.io.exchange.files import at_least, write_collection
from spotter.io.exchange.official import read_tree

log = logging.getLogger(__name__)

OFFICIAL = "json"
FILES = {
    "csv": "predictions.csv",
    "osl": "predictions.osl.json",
    "srt": ".",
    "edl": ".",
}  # the last two beside the JSON
DECIMALS = 6  # of a rate: with three, 29.97 counts a frame less after minutes


def parse_formats(text: str) -> list[str]:
    """Return the formats that ``csv,osl`` names, except for the official one, which is always written.

    Raises UsageError for an unknown one.
    """
    named = [name.strip() for name in text.split(",") if name.strip()]
    for name in named:
        if name not in (OFFICIAL, *FILES):
            raise UsageError(f"format: {name!r} is unknown{did_you_mean(name, (OFFICIAL, *FILES))}")
    return [name for name in dict.fromkeys(named) if name != OFFICIAL]


def write_formats(out: Path, formats: Sequence[str], given: Input, threshold: float) -> None:
    """Write the predictions in ``out`` again, and say what a format does not hold; OSL JSON names the videos.

    A table or OSL JSON of earlier predictions is deleted, so that it never stands beside others.

    threshold : what subtitles and markers show at least; tables and OSL JSON hold all
    """
    for name, file in FILES.items():
        if file != "." and name not in formats:
            (out / file).unlink(missing_ok=True)
    if not formats:
        return
    collection = read_tree(out)
    collection = replace(collection, videos=[_with_video(video, given, out) for video in collection.videos])
    for name in formats:
        shown = at_least(collection, threshold) if FILES[name] == "." else collection
        for loss in write_collection(out / FILES[name], shown, name, ""):
            log.warning("not kept as %s: %s", name, loss)


def _with_video(video: Video, given: Input, out: Path) -> Video:
    path = given.source.video(video.half)
    if path is None:
        return video
    rate = given.source.native_fps(video.half) if given.source.spec.kind == "video" else _rate_beside(path)
    found = {"type": "video", "path": Path(os.path.relpath(path, out)).as_posix()}
    return replace(video, inputs=[found | ({"fps": round(rate, DECIMALS)} if rate else {})])


def _rate_beside(path: Path) -> float | None:
    """Return the rate of the video beside features; None where it cannot be read, which the predictions outlive."""
    from spotter.data.video.containers import rate_of  # here, so that networks train without PyAV
    from spotter.data.video.find import VIDEOS

    if path.suffix.lower() not in VIDEOS:
        return None
    with suppress(UserError):
        return rate_of(path)
    return None
