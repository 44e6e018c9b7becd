"""List the packets of a video stream: when each is shown, and which hold no image of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spotter.data.video.fields import FieldPairs
from spotter.data.video.times import Numbers

BACK, AHEAD, FAR_AHEAD = 1, 10, 30 * 3600  # seconds: stamps that leap further start again, as in the command of FFmpeg
TS_DISCONT = 0x0200  # flag of containers whose stamps may leap by AHEAD, such as transport streams; others by FAR_AHEAD
AROUND = 16  # packets by which images may be out of order, at most, as in H.264
TRIED = 300  # packets in which the first image that can be decoded is looked for
NONE = np.iinfo(np.int64).min  # in place of a stamp or a place that is not known


@dataclass(slots=True, eq=False)
class Packets:
    """Hold the packets of a video stream, in the order of the file.

    unit : seconds of a stamp
    pts : (P,) presentation stamps; NONE where the container has none
    dts : (P,) decoding stamps, the same
    places : (P,) where in the file each begins, in bytes; NONE where that is not known
    keys : (P,) whether decoding can begin there
    images : (P,) whether an image comes of it: not of what an edit list hides, nor of a second field
    begins : packets at which stamps start again, 0 first
    first : the packet of the first image that can be decoded, None if none was found
    error : what ended reading before the end of the file, empty otherwise
    """

    unit: Fraction
    pts: Numbers
    dts: Numbers
    places: Numbers
    keys: NDArray[np.bool_]
    images: NDArray[np.bool_]
    begins: list[int]
    first: int | None
    error: str


def video_packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Yield the packets of a stream that hold something; raises FFmpegError where the file is broken."""
    return (packet for packet in container.demux(stream) if packet.size)


def list_packets(container: InputContainer, stream: VideoStream) -> Packets:
    """Read through an open video once; only the first images are decoded."""
    rows: list[tuple[int, int, int, bool, bool]] = []
    fields, first = FieldPairs(stream), _First(stream)
    error = ""
    try:
        for packet in video_packets(container, stream):
            pts, dts, place = packet.pts, packet.dts, packet.pos
            shown = not fields.is_second(packet) and not packet.is_discard
            rows.append((
                NONE if pts is None else pts, NONE if dts is None else dts, NONE if place is None else place,
                packet.is_keyframe, shown,
            ))  # fmt: skip
            if first.is_wanted:
                first.add(len(rows) - 1, packet)
    except av.FFmpegError as broken:
        error = str(broken.strerror)
    table = np.array(rows, np.int64).reshape(-1, 5)
    pts, dts, places = np.ascontiguousarray(table[:, :3].T)
    keys, images = table[:, 3:].astype(bool).T
    ahead = AHEAD if container.format.flags & TS_DISCONT else FAR_AHEAD
    unit = stream.time_base or Fraction(1, 1000)
    pts[find_outliers(pts, float(AHEAD / unit))] = NONE
    begins = find_jumps(np.where(images, pts, NONE), keys, float(BACK / unit), float(ahead / unit))
    return Packets(unit, pts, dts, places, keys, images, begins, first.packet, error)


def find_jumps(pts: Numbers, keys: NDArray[np.bool_], back: float, ahead: float) -> list[int]:
    """Return the packets at which presentation stamps start again, 0 first.

    keys : (P,) keyframes, which are shown after all that precedes them in the file
    back, ahead : units by which the stamps of all next packets fall behind the highest, or leap ahead of it; a keyframe
        may fall behind by a tenth of ``back``
    """
    at = np.flatnonzero(pts != NONE)
    known, begins, begin = pts[at], [0], 0
    following = np.concatenate([known, np.repeat(known[-1:], AROUND - 1)])
    near = np.lib.stride_tricks.sliding_window_view(following, AROUND) if len(known) else known.reshape(0, 1)
    lowest, highest = near.min(axis=1), near.max(axis=1)
    while begin < len(known):
        before = np.maximum.accumulate(known[begin:])[:-1]
        jumps = (highest[begin + 1 :] < before - back) | (lowest[begin + 1 :] > before + ahead)
        jumps[1 - AROUND :] &= keys[at[begin + 1 :]][1 - AROUND :]  # fewer than AROUND packets follow
        jumps |= keys[at[begin + 1 :]] & (known[begin + 1 :] < before - back / 10)
        if not jumps.any():
            break
        begin += int(np.argmax(jumps)) + 1
        begins.append(int(at[begin]))
    return begins


def find_outliers(pts: Numbers, ahead: float) -> NDArray[np.bool_]:
    """Return which stamps, (P,), lie alone far ahead of or behind all around them: damage in a transport stream."""
    outliers = np.zeros(len(pts), bool)
    if len(pts) > 2 * AROUND and (pts != NONE).all():
        near = np.lib.stride_tricks.sliding_window_view(pts, 2 * AROUND + 1).copy()
        here = near[:, AROUND].copy()
        near[:, AROUND] = near[:, 0]
        outliers[AROUND:-AROUND] = (here > near.max(axis=1) + ahead) | (here < near.min(axis=1) - ahead)
    return outliers


class _First:
    """Find the packet of the first image that can be decoded."""

    def __init__(self, stream: VideoStream) -> None:
        self.packet: int | None = None
        self.is_wanted = True
        stream.codec_context.thread_type = "NONE"

    def add(self, number: int, packet: Packet) -> None:
        """Take the next packet, and change its stamp."""
        packet.pts = number
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = []
        self.packet = next((frame.pts for frame in frames if not frame.is_corrupt), None)
        self.is_wanted = self.packet is None and number < TRIED
