"""Open video files and choose the stream that is shown."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from spotter.errors import UserError


def open_container(path: str | Path) -> InputContainer:
    """Open a file of video or sound, with titles in any encoding; raises what PyAV raises."""
    # PyAV 19 takes any text and has no such option; before, a title that is not UTF-8 was an error.
    options = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
    container: InputContainer = av.open(str(path), **options)  # type: ignore[call-overload]
    return container


def open_video(path: str | Path) -> tuple[InputContainer, VideoStream]:
    """Open a video file and return its container and the video stream that players show.

    Raises UserError for anything but a video: a missing or empty file, text, audio alone.
    """
    path = Path(path).absolute()  # a relative "a:b.mp4" would be taken for a protocol
    try:
        container = open_container(path)
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
    stream = max(streams, key=_rank)  # the first of equals
    if stream.codec_context is None:
        container.close()
        raise UserError(f"{path}: its codec is unknown to this FFmpeg; convert the file, for example to H.264")
    return container, stream


def rate_of(path: str | Path) -> float:
    """Return the images per second that a video states of itself, 0 where it states none."""
    container, stream = open_video(path)
    with container:
        return float(stream.average_rate or 0)


def duration_of(path: str | Path) -> float:
    """Return the seconds that a video's header states; raises UserError as ``open_video`` does."""
    container, stream = open_video(path)
    with container:
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return float(container.duration or 0) / 1_000_000


def _rank(stream: VideoStream) -> tuple[bool, bool, int]:
    """Return what players choose by: whether it can be decoded and is the default one, then its size."""
    codec = stream.codec_context
    return codec is not None, bool(stream.disposition & Disposition.default), codec.width * codec.height if codec else 0
