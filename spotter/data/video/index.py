"""List the images of a video with their times, without decoding more than the first."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.data.video.containers import open_video
from spotter.data.video.oddities import check_joined, sound_start, warn_if_cut_off, warn_of_oddities
from spotter.data.video.packets import NONE, TS_DISCONT, Packets, list_packets
from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Hold when the images of a video are shown, and at which of them decoding can begin.

    numbers : (P,) by packet in the order of the file: the number of its image, -1 without one
    keys : (K,) ascending numbers of the images at which decoding can begin; the first means the start of the file
    key_packets : (K,) the packets of the keys
    stamps, places : (K,) presentation stamp and place in the file of these packets, by which they are known
    restarts : packets at which a joined recording begins; if any, stamps start again, and the file is sought by places
    counted : whether the container has no reliable presentation stamps, so that images are numbered by their order
    """

    times: Times
    numbers: NDArray[np.int32]
    keys: Numbers
    key_packets: Numbers
    stamps: Numbers
    places: Numbers
    restarts: frozenset[int]
    counted: bool


def scan(path: str | Path) -> Index:
    """Read through a video's packets and return its index.

    What FFmpeg shows is listed: not what an edit list hides, nor what precedes the first image that can be decoded
    where the file begins between two keyframes; stamps that start again are read on without a gap.

    Raises UserError as ``open_video`` does, for a video without images, and for recordings joined in a container of
    which only the first is read; warns of a file that is cut off, and of what is left out.
    """
    container, stream = open_video(path)
    with container:
        packets = list_packets(container, stream)
        if packets.error:
            log.warning("%s: broken after %d images (%s); the rest is left out", path, len(packets.pts), packets.error)
        if not packets.images.any():
            raise UserError(f"{path}: holds no image; expected a video file")
        # AVI knows no presentation times; with B-frames, those that FFmpeg makes up are wrong.
        avi = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        leaps = bool(container.format.flags & TS_DISCONT)  # then a stated length is no more than a difference of stamps
        if not leaps:
            check_joined(path, packets)
        if not leaps and not packets.error:
            warn_if_cut_off(path, container, stream, packets)
        sound = sound_start(container)
        if avi or np.mean(packets.pts == NONE) > 0.5:
            return _count(packets, stream.average_rate or Fraction(25))
    return _index(path, packets, sound, leaps)


def _count(packets: Packets, rate: Fraction) -> Index:
    """Return the index of a file whose images are numbered as they come out of the decoder, always from its start."""
    dts = packets.dts[packets.images]
    stamped = (dts != NONE).all() and (np.diff(dts) > 0).all()
    times = Times.stamped(dts, packets.unit) if stamped else Times.regular(len(dts), rate)
    start, numbers = np.zeros(1, np.int64), np.zeros(len(packets.pts), np.int32)
    return Index(times, numbers, start, start, start, start, frozenset(), counted=True)


def _index(path: str | Path, packets: Packets, sound: Fraction | None, leaps: bool) -> Index:
    """Return the index of a file with presentation stamps, and warn of what is left out of it."""
    lost = _undecodable(packets)
    shown = packets.images & (packets.pts != NONE) & ~lost
    if not shown.any():
        raise UserError(f"{path}: holds no keyframe, so no image can be decoded")
    at = np.flatnonzero(shown)
    order, kept = np.unique(_read_on(packets, shown)[at], return_index=True)
    numbers = np.full(len(shown), -1, np.int32)
    numbers[at[kept]] = np.arange(len(order))
    times, joined = Times.stamped(order, packets.unit), len(packets.begins) > 1
    warn_of_oddities(path, packets, times, lost, numbers, sound)
    usable = packets.keys & (packets.places != NONE if joined else True) & (leaps or not joined)
    keys, at = _keys(usable, numbers)
    return Index(
        times, numbers, keys, at, packets.pts[at], packets.places[at], frozenset(packets.begins[1:]), counted=False
    )


def _undecodable(packets: Packets) -> NDArray[np.bool_]:
    """Return which images cannot be decoded, (P,), since the file begins between two keyframes."""
    lost = np.zeros(len(packets.pts), bool)
    key = int(np.argmax(packets.keys)) if packets.keys.any() else packets.first
    first = key if packets.first is None else packets.first  # some images from which decoding can begin have no mark
    if key is None or first is None:
        return lost
    lost[: min(key, first)] = packets.images[: min(key, first)]
    end = (*packets.begins, len(lost))[1]
    begin = min(packets.pts[key], packets.pts[first])
    lost[:end] |= packets.images[:end] & (packets.pts[:end] < begin) & (packets.pts[:end] != NONE)
    return lost


def _read_on(packets: Packets, shown: NDArray[np.bool_]) -> Numbers:
    """Return presentation stamps, (P,), which go on where those of the file start again."""
    stamps = packets.pts.copy()
    end = (*packets.begins, len(stamps))[1]
    known = np.sort(stamps[:end][shown[:end]])
    step = max(1, int(np.median(np.diff(known)))) if len(known) > 1 else 1
    last: int | None = None
    for begin, end in zip(packets.begins, [*packets.begins[1:], len(stamps)], strict=True):
        part, images = stamps[begin:end], shown[begin:end]
        if images.any():
            if last is not None:
                part += last + step - int(part[images].min())
            last = int(part[images].max())
    return stamps


def _keys(usable: NDArray[np.bool_], numbers: NDArray[np.int32]) -> tuple[Numbers, Numbers]:
    """Return the images from which on decoding from a keyframe shows everything, ascending, and these packets."""
    at = np.flatnonzero(usable)
    first = numbers[at].astype(np.int64)
    for i in np.flatnonzero(first < 0):  # hidden by an edit list: what follows in the file can be shown
        following = numbers[at[i] : at[i + 1] if i + 1 < len(at) else None]
        first[i] = following[following >= 0].min(initial=len(numbers))
    used = (first > 0) & (first < len(numbers))
    keys, kept = np.unique(np.concatenate([[0], first[used]]), return_index=True)
    return keys, np.concatenate([[0], at[used]])[kept]
