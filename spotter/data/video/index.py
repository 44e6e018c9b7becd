"""Open video files and list the presentation times of all their images, without decoding one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Hold when the images of a video are shown, and at which of them decoding can begin.

    origin : presentation stamp of the first image
    keys : (K,) ascending numbers of the images at which decoding can begin
    counted : whether the container has no reliable presentation stamps, so that images are numbered by their order
    """

    times: Times
    origin: int
    keys: Numbers
    counted: bool

    def number(self, stamp: int) -> int | None:
        """Return the number of the image with a presentation stamp, None if there is none."""
        ticks = self.times.ticks
        at = 0 if ticks is None else int(np.searchsorted(ticks, stamp - self.origin))
        return at if ticks is not None and at < len(ticks) and ticks[at] == stamp - self.origin else None


def open_video(path: str | Path) -> tuple[InputContainer, VideoStream]:
    """Open a video file and return its container and video stream.

    Raises UserError for anything but a video: a missing or empty file, text, audio alone.
    """
    path = Path(path).absolute()  # a relative "a:b.mp4" would be taken for a protocol
    try:
        container = av.open(str(path), metadata_errors="replace")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such video file") from error
    except (av.FFmpegError, OSError) as error:
        reason = "is empty" if path.is_file() and path.stat().st_size == 0 else f"cannot be read ({error.strerror})"
        raise UserError(f"{path}: {reason}; expected a video file") from error
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = " and ".join(sorted({stream.type for stream in container.streams})) or "an empty container"
        container.close()
        raise UserError(f"{path}: holds no video, only {kinds}")
    if streams[0].codec_context is None:
        container.close()
        raise UserError(f"{path}: its codec is unknown to this FFmpeg; convert the file, for example to H.264")
    return container, streams[0]


def duration_of(path: str | Path) -> float:
    """Return the seconds that a video's header states; raises UserError as ``open_video`` does."""
    container, stream = open_video(path)
    with container:
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return float(container.duration or 0) / 1_000_000


def scan(path: str | Path) -> Index:
    """Read through a video's packets and return its index.

    Raises UserError as ``open_video`` does, and for a video without images; warns of one that is cut off.
    """
    container, stream = open_video(path)
    with container:
        unit = stream.time_base or Fraction(1, 1000)
        stamps: list[int] = []
        keys: list[bool] = []
        counted = False
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                stamp = packet.dts if packet.pts is None else packet.pts
                counted |= packet.pts is None
                stamps.append(len(stamps) if stamp is None else stamp)
                keys.append(packet.is_keyframe)
        except av.FFmpegError as error:
            log.warning("%s: broken after %d images (%s); the rest is left out", path, len(stamps), error.strerror)
        if not stamps:
            raise UserError(f"{path}: holds no image; expected a video file")
        # AVI knows no presentation times; with B-frames, those that FFmpeg makes up are wrong.
        counted |= container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        _warn_if_cut_off(path, container, stream, (max(stamps) - min(stamps)) * unit)
    order = np.unique(np.asarray(stamps, np.int64))
    starts = order[:1] if counted else np.asarray(stamps, np.int64)[np.asarray(keys, bool)]
    numbers = np.unique(np.searchsorted(order, starts))
    return Index(Times.stamped(order, unit), int(order[0]), numbers, counted)


def _warn_if_cut_off(path: str | Path, container: InputContainer, stream: VideoStream, found: Fraction) -> None:
    """Compare the length that the file's header states with what is there."""
    stated = Fraction(container.duration or 0, av.time_base)
    if stream.duration and stream.time_base:
        stated = stream.duration * stream.time_base
    if found + 2 < stated * Fraction(99, 100):
        log.warning("%s: is cut off: holds %.0f of %.0f seconds", path, found, stated)
