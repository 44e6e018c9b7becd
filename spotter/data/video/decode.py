"""Decode images of a video by their numbers, exactly, at any size, in any process."""

from __future__ import annotations

import gc
import itertools
import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from spotter.data.video.containers import open_video
from spotter.data.video.index import Index, scan
from spotter.data.video.packets import NONE, video_packets
from spotter.data.video.scale import Images, Scaler, shown_size
from spotter.data.video.times import Numbers, Times, clock
from spotter.errors import UserError, plural

log = logging.getLogger(__name__)

SKIP = 4  # images: to a keyframe further ahead than this the file is sought, in place of decoding all images up to it
UNKNOWN = 500  # packets after a seek in which a keyframe of the index is looked for
_orphans: list[Any] = []  # decoders of a parent process, which its forks must neither use nor free
# Nor may a fork's collector: containers refer to themselves, and freeing one waits for threads of the parent.
os.register_at_fork(after_in_child=gc.freeze)


class Decoder:
    """Find images in an open video by their numbers, or the nearest ones that can be decoded."""

    def __init__(self, path: Path, index: Index, threads: int) -> None:
        self._path, self._index, self._threads = path, index, threads
        self._container, self._stream = self._open_file()
        self.scale = Scaler()
        self._frames: Iterator[tuple[int, VideoFrame]] = self._decode(from_start=True)
        self._begin = 0  # number of the image at which decoding began after the last seek
        known = zip(index.stamps.tolist(), index.places.tolist(), strict=True)
        self._known_keys = {(_or_none(stamp), _or_none(place)): key for key, (stamp, place) in enumerate(known)}
        self._previous: tuple[int, VideoFrame] | None = None
        self._following: tuple[int, VideoFrame] | None = None

    @property
    def pixel(self) -> Fraction | None:
        """Return the width of a pixel against its height, None where the file does not say."""
        return self._stream.sample_aspect_ratio

    def find(self, number: int) -> tuple[int, VideoFrame] | None:
        """Return the decodable image nearest to ``number``, itself if it can be; None if there is none."""
        if not self._is_soon_after(number):
            self._seek(number)
        self._advance(number)
        around = [found for found in (self._previous, self._following) if found is not None]
        ticks = self._index.times.seconds
        return min(around, key=lambda found: abs(ticks(found[0]) - ticks(number)), default=None)

    def _is_soon_after(self, number: int) -> bool:
        """Tell whether decoding on from here reaches the image sooner than from the keyframe before it."""
        if number < self._begin or (self._previous is not None and number < self._previous[0]):
            return False
        at = self._begin if self._following is None else self._following[0]
        keys = self._index.keys
        return int(keys[self._key(number)]) <= at + SKIP

    def _key(self, number: int) -> int:
        """Return the index of the last keyframe that is not after the image."""
        return max(0, int(np.searchsorted(self._index.keys, number, side="right")) - 1)

    def _seek(self, number: int) -> None:
        """Go to the keyframe before ``number``, or further back where it cannot be decoded itself.

        At a point of gradual refresh decoders begin with images that are not whole, although they are not marked.
        """
        at, back = self._key(number), 0
        while True:
            key = max(0, at - back)
            self._begin, self._previous = int(self._index.keys[key]), None
            self._rewind(key)
            self._following = next(self._frames, None)
            if back >= at or (self._following is not None and self._following[0] == self._begin <= number):
                return
            back = 2 * back + 1

    def _rewind(self, at: int) -> None:
        """Go to a keyframe; to the start by opening the file again, since a seek there can miss stamps below 0."""
        index = self._index
        try:
            if at == 0:
                self._reopen()
            elif index.restarts:
                self._container.seek(int(index.places[at]), stream=self._stream, unsupported_byte_offset=True)
            else:
                self._container.seek(int(index.stamps[at]), stream=self._stream, backward=True)
        except av.FFmpegError:  # the container cannot seek, at least not there
            at = 0
            self._reopen()
        self._frames = self._decode(from_start=at == 0)

    def _reopen(self) -> None:
        self._container.close()
        self._container, self._stream = self._open_file()

    def _open_file(self) -> tuple[InputContainer, VideoStream]:
        container, stream = open_video(self._path)
        stream.thread_type = "NONE" if self._threads == 1 else "AUTO"
        stream.codec_context.thread_count = self._threads
        return container, stream

    def _advance(self, number: int) -> None:
        """Decode until the image, or one after it, is the following one."""
        while self._following is None or self._following[0] < number:
            following = next(self._frames, None)
            if following is None:
                return
            self._previous, self._following = self._following, following

    def _decode(self, from_start: bool) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the images that decode, with their numbers, in order of presentation."""
        order = itertools.count()
        for frame in self._decode_packets(from_start):
            packet = 0 if frame.pts is None else frame.pts
            number = next(order) if self._index.counted else int(self._index.numbers[packet])
            if self._begin <= number < self._index.times.count and not frame.is_corrupt:
                yield number, frame

    def _decode_packets(self, from_start: bool) -> Iterator[VideoFrame]:
        """Yield what decodes; the stamp of each image is the number of its packet in the file."""
        number, unknown, ready = 0 if from_start else None, 0, True
        try:
            for packet in video_packets(self._container, self._stream):
                if number is None:
                    number = self._recognise(packet)
                if number is None:
                    unknown += 1
                    if unknown > UNKNOWN:
                        return
                    continue
                if number in self._index.restarts:
                    yield from self._drain()
                    ready = False  # what precedes a recording's first keyframe would be made of the images before it
                ready |= packet.is_keyframe
                packet.pts, number = number, number + 1
                try:
                    yield from packet.decode() if ready else ()
                except av.FFmpegError:
                    continue  # the images of this packet are missing, and their neighbours are shown instead
            yield from self._drain()
        except av.FFmpegError:
            return  # the file ends early, as the index knows

    def _drain(self) -> Iterator[VideoFrame]:
        """Yield the images that the decoder still holds."""
        yield from self._stream.codec_context.decode(None)
        self._stream.codec_context.flush_buffers()

    def _recognise(self, packet: Packet) -> int | None:
        """Return the number of a packet after a seek, where it is a keyframe; decoding begins there."""
        key = self._known_keys.get((packet.pts, packet.pos))
        if key is None:
            return None
        self._begin = int(self._index.keys[key])
        return int(self._index.key_packets[key])


class Video:
    """Read images of one video file, which each process opens when it reads the first of them.

    threads : of the decoder; 1 in the processes that load data
    replaced : numbers of the images that could not be decoded so far, in whose place others were shown
    """

    _open: Decoder | None
    _kept: Images  # of the last call
    _known: dict[int, tuple[int, int]]  # by number: the index in ``_kept``, and the number of the image it shows

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path, self._threads = Path(path), threads
        self.index = scan(path)
        self.replaced: set[int] = set()
        self._reset()

    @property
    def times(self) -> Times:
        """Return when the images are shown."""
        return self.index.times

    def size(self) -> tuple[int, int]:
        """Return the height and width of the images as players show them."""
        decoder = self._decoder()
        found = decoder.find(0)
        if found is None:
            raise UserError(f"{self.path}: no image can be decoded")
        return shown_size(found[1], decoder.pixel)

    def read(self, numbers: Numbers, out: Images) -> Numbers:
        """Decode the images of ascending ``numbers`` into ``out``, (n, H, W, 3) RGB or (n, H, W, 1) grey, scaled.

        An image that cannot be decoded is replaced by the nearest that can, with one warning for the file. Images
        of the last call are not decoded again.

        Returns the numbers of the images that are shown, (n,). Raises UserError if there is none to show.
        """
        shown = numbers.copy()
        decoder = self._decoder()
        known = {} if self._kept.shape[1:] != out.shape[1:] else self._known
        for i, number in enumerate(numbers.tolist()):
            if number in known:
                at, shown[i] = known[number]
                out[i] = self._kept[at]
            elif i and number == numbers[i - 1]:
                out[i], shown[i] = out[i - 1], shown[i - 1]
            else:
                found = decoder.find(number)
                if found is None:
                    raise UserError(f"{self.path}: no image near {clock(self.times.seconds(number))} can be decoded")
                decoder.scale(found[1], out[i])
                shown[i] = found[0]
        self._kept = out.copy()
        self._known = {number: (i, int(shown[i])) for i, number in enumerate(numbers.tolist())}
        replaced = shown != numbers
        if replaced.any() and not self.replaced:
            count, first = int(replaced.sum()), clock(self.times.seconds(int(numbers[replaced][0])))
            log.warning("%s: %s from %s on cannot be decoded, maybe more; each shows its nearest neighbour", self.path,
                        plural(count, "image"), first)  # fmt: skip
        self.replaced.update(numbers[replaced].tolist())
        return shown

    def close(self) -> None:
        """Close the file and drop its images; the index stays, and the next read opens the file again."""
        if self._open is not None and self._pid != os.getpid():
            _orphans.append(self._open)
        self._reset()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_threads": self._threads, "index": self.index, "replaced": self.replaced}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def _reset(self) -> None:
        self._open, self._pid = None, -1
        self._kept = np.empty((0, 0, 0, 3), np.uint8)
        self._known = {}

    def _decoder(self) -> Decoder:
        if self._open is not None and self._pid != os.getpid():
            self.close()
        if self._open is None:
            self._open, self._pid = Decoder(self.path, self.index, self._threads), os.getpid()
        return self._open


def _or_none(number: int) -> int | None:
    return None if number == NONE else number
