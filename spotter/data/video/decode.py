"""Decode images of a video by their numbers, exactly, at any size, in any process."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from spotter.data.video.index import Index, open_video, scan
from spotter.data.video.scale import Images, Scaler, upright_size
from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError

log = logging.getLogger(__name__)

SKIP = 4  # images: to a keyframe further ahead than this the file is sought, in place of decoding all images up to it
_orphans: list[Any] = []  # decoders of a parent process, which its forks must neither use nor free


class Decoder:
    """Find images in an open video by their numbers, or the nearest ones that can be decoded."""

    def __init__(self, path: Path, index: Index, threads: int) -> None:
        self._path, self._index, self._threads = path, index, threads
        self._container, self._stream = self._open_file()
        self.scale = Scaler()
        self._frames: Iterator[tuple[int, VideoFrame]] = self._decode()
        self._begin = 0  # number of the image at which decoding began after the last seek
        self._previous: tuple[int, VideoFrame] | None = None
        self._following: tuple[int, VideoFrame] | None = None

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
        """Go to the keyframe before ``number``, or further back where nothing can be decoded from there."""
        keys = self._index.keys
        at, back = self._key(number), 0
        while True:
            self._begin, self._previous = int(keys[max(0, at - back)]), None
            self._rewind(self._begin)
            self._following = next(self._frames, None)
            if back >= at or (self._following is not None and self._following[0] <= number):
                return
            back = 2 * back + 1

    def _rewind(self, key: int) -> None:
        """Go to a keyframe; to the start by opening the file again, since a seek there can miss stamps below 0."""
        try:
            if self._index.counted or key == 0:
                self._reopen()
            else:
                ticks = self._index.times.ticks
                stamp = self._index.origin + (0 if ticks is None else int(ticks[key]))
                self._container.seek(stamp, stream=self._stream, backward=True)
        except av.FFmpegError:  # the container cannot seek, at least not there
            self._reopen()
        self._frames = self._decode()

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

    def _decode(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the images that decode, with their numbers, in order of presentation."""
        order = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue  # the images of this packet are missing, and their neighbours are shown instead
                for frame in frames:
                    stamp = frame.pts
                    number = order if self._index.counted else None if stamp is None else self._index.number(stamp)
                    order += 1
                    if number is not None and number < self._index.times.count and not frame.is_corrupt:
                        yield number, frame
        except av.FFmpegError:
            return  # the file ends early, as the index knows


class Video:
    """Read images of one video file, which each process opens when it reads the first of them.

    threads : of the decoder; 1 in the processes that load data
    """

    _open: Decoder | None
    _kept: Images  # of the last call
    _known: dict[int, tuple[int, int]]  # by number: the index in ``_kept``, and the number of the image it shows

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path, self._threads = Path(path), threads
        self.index = scan(path)
        self._warned = False
        self._reset()

    @property
    def times(self) -> Times:
        """Return when the images are shown."""
        return self.index.times

    def size(self) -> tuple[int, int]:
        """Return the height and width of the images as they are in the file."""
        found = self._decoder().find(0)
        if found is None:
            raise UserError(f"{self.path}: no image can be decoded")
        return upright_size(found[1])

    def read(self, numbers: Numbers, out: Images) -> Numbers:
        """Decode the images of ascending ``numbers`` into ``out``, (n, H, W, 3) RGB, scaled to its size.

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
        if replaced.any() and not self._warned:
            self._warned = True
            count, first = int(replaced.sum()), clock(self.times.seconds(int(numbers[replaced][0])))
            images = f"{count} {'image' if count == 1 else 'images'} from {first} on"
            log.warning("%s: %s cannot be decoded, maybe more; each shows its nearest neighbour", self.path, images)
        return shown

    def close(self) -> None:
        """Close the file and drop its images; the index stays, and the next read opens the file again."""
        if self._open is not None and self._pid != os.getpid():
            _orphans.append(self._open)
        self._reset()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_threads": self._threads, "index": self.index, "_warned": self._warned}

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


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{int(seconds) // 60:02d}:{seconds % 60:04.1f}"
