"""What is said of videos as they come from recorders and cutters."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spotter.data.video.containers import open_container
from spotter.data.video.packets import AHEAD, NONE, Packets
from spotter.data.video.times import Times, clock
from spotter.errors import UserError, plural

log = logging.getLogger(__name__)

SOUND_AHEAD = Fraction(1, 2)  # seconds: from then on it is said that the sound begins before the image
HEAD, TAIL = 8, 1 << 26  # bytes: what a joined recording is recognised by, and how far after the last packet


def warn_of_oddities(
    path: str | Path,
    packets: Packets,
    times: Times,
    lost: NDArray[np.bool_],
    numbers: NDArray[np.int32],
    sound: Fraction | None,
) -> None:
    """Say what is left out, and how the times differ from what a player shows, in one line.

    lost : (P,) packets that cannot be decoded
    numbers : (P,) images of packets, -1 without one
    sound : when the sound begins, seconds
    """
    notes: list[str] = []
    first = packets.pts[np.argmax(numbers == 0)]
    if lost.any():
        early = packets.pts[lost & (packets.pts != NONE)]
        seconds = float((first - early.min(initial=first)) * packets.unit)
        notes.append(
            f"begins between two keyframes, so that its first {plural(lost.sum(), 'image')} ({seconds:.2f} s) "
            "cannot be decoded; times count from the first that can"
        )
    unstamped = int(np.sum(packets.images & (packets.pts == NONE) & ~lost))
    if unstamped:
        notes.append(f"{plural(unstamped, 'image')} without a time stamp left out")
    twice = int(np.sum(packets.images & (packets.pts != NONE) & ~lost & (numbers < 0)))
    if twice:
        notes.append(f"{plural(twice, 'image')} with the time stamp of another left out")
    after = [clock(times.seconds(max(0, int(numbers[:begin].max())))) for begin in packets.begins[1:]]
    if after:
        notes.append(
            f"its time stamps start again after {' and '.join(after[:3])}{' and so on' * (len(after) > 3)}; "
            "read on without a gap, as FFmpeg does"
        )
    steps = np.diff(np.zeros(1, np.int64) if times.ticks is None else times.ticks)
    gap = float(steps.max(initial=0) * times.unit)
    if gap > AHEAD:
        at = int(np.argmax(steps))
        notes.append(f"shows nothing new for {gap:.0f} s after {clock(times.seconds(at))}")
    ahead = Fraction(0) if sound is None else int(first) * packets.unit - sound
    if ahead >= SOUND_AHEAD:
        notes.append(f"its sound begins {float(ahead):.2f} s before its first image, at which times begin")
    if notes:
        log.warning("%s: %s", path, "; ".join(notes))


def sound_start(container: InputContainer) -> Fraction | None:
    """Return when the first sound of an open video begins, seconds; None without one."""
    sounds = [s.start_time * s.time_base for s in container.streams.audio if s.start_time is not None and s.time_base]
    return min(sounds, default=None)


def check_joined(path: str | Path, packets: Packets) -> None:
    """Raise UserError where the beginning of the file comes again after the last packet that FFmpeg reads."""
    with Path(path).open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(HEAD, int(packets.places.max())))
        if head in file.read(TAIL):
            raise UserError(
                f"{path}: is several recordings joined as bytes, of which FFmpeg reads only the first; "
                "join them by `ffmpeg -f concat` instead"
            )


def warn_if_cut_off(path: str | Path, container: InputContainer, stream: VideoStream, packets: Packets) -> None:
    """Compare the length that the file's header states with what is there, of the image or else of any sound."""
    known = packets.pts[packets.pts != NONE]
    found = (int(np.ptp(known)) if len(known) else 0) * packets.unit
    stated = Fraction(container.duration or 0, av.time_base)
    if stream.duration and stream.time_base:
        stated = stream.duration * stream.time_base
    if _is_short(found, stated) and (stream.duration or _is_short(_sound_length(path), stated)):
        log.warning("%s: is cut off: holds %.0f of %.0f seconds", path, found, stated)


def _is_short(found: Fraction, stated: Fraction) -> bool:
    return found + 2 < stated * Fraction(99, 100)


def _sound_length(path: str | Path) -> Fraction:
    """Read through a file's sound and return when it ends, seconds from the start of the file."""
    end = Fraction(0)
    with open_container(Path(path).absolute()) as container:
        try:
            for packet in container.demux(container.streams.audio):
                if packet.size and packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            pass  # it ends there
        return end - Fraction(container.start_time or 0, av.time_base)
