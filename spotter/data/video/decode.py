"""Decode images of a video by their number, exactly, at any size, in whichever process asks."""

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

SKIP = 4  # images: a keyframe further ahead than this is sought, not decoded up to
_orphans: list[Any] = []  # decoders of a parent process, which its forks must neither use nor free


class Decoder:
    """Walk through an open video: give the wanted images, or where one cannot be decoded its nearest neighbour."""

    def __init__(self, path: Path, index: Index, threads: int) -> None:
        self._path, self._index, self._threads = path, index, threads
        self._container, self._stream = self._opened()
        self.paint = Scaler()
        self._walk: Iterator[tuple[int, VideoFrame]] = self._decoded()
        self._begin = 0  # nothing before this image has been looked at since the last seek
        self._behind: tuple[int, VideoFrame] | None = None
        self._ahead: tuple[int, VideoFrame] | None = None

    def find(self, number: int) -> tuple[int, VideoFrame] | None:
        """Return the decodable image nearest to ``number``, itself if it can be; None if there is none."""
        if not self._leads_to(number):
            self._seek(number)
        self._forward(number)
        around = [found for found in (self._behind, self._ahead) if found is not None]
        ticks = self._index.times.seconds
        return min(around, key=lambda found: abs(ticks(found[0]) - ticks(number)), default=None)

    def _leads_to(self, number: int) -> bool:
        """Tell whether going on decoding reaches the image, and sooner than from the keyframe before it."""
        if number < self._begin or (self._behind is not None and number < self._behind[0]):
            return False
        at = self._begin if self._ahead is None else self._ahead[0]
        keys = self._index.keys
        return int(keys[self._key(number)]) <= at + SKIP

    def _key(self, number: int) -> int:
        """Return which of the keyframes is the last that is not behind the image."""
        return max(0, int(np.searchsorted(self._index.keys, number, side="right")) - 1)

    def _seek(self, number: int) -> None:
        """Start again at the keyframe before ``number``, or further back where nothing decodes from there."""
        keys = self._index.keys
        at, back = self._key(number), 0
        while True:
            self._begin, self._behind = int(keys[max(0, at - back)]), None
            self._rewind(self._begin)
            self._ahead = next(self._walk, None)
            if back >= at or (self._ahead is not None and self._ahead[0] <= number):
                return
            back = 2 * back + 1

    def _rewind(self, key: int) -> None:
        """Go to a keyframe; to the start by opening the file again, for a seek there can miss stamps below 0."""
        try:
            if self._index.counted or key == 0:
                self._reopen()
            else:
                ticks = self._index.times.ticks
                stamp = self._index.origin + (0 if ticks is None else int(ticks[key]))
                self._container.seek(stamp, stream=self._stream, backward=True)
        except av.FFmpegError:  # the container cannot seek, at least not there
            self._reopen()
        self._walk = self._decoded()

    def _reopen(self) -> None:
        self._container.close()
        self._container, self._stream = self._opened()

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        container, stream = open_video(self._path)
        stream.thread_type = "NONE" if self._threads == 1 else "AUTO"
        stream.codec_context.thread_count = self._threads
        return container, stream

    def _forward(self, number: int) -> None:
        """Decode until the image, or one behind it, is ahead."""
        while self._ahead is None or self._ahead[0] < number:
            following = next(self._walk, None)
            if following is None:
                return
            self._behind, self._ahead = self._ahead, following

    def _decoded(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the images that decode, with their numbers, in order of presentation."""
        order = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue  # the images of this packet are missing; who wants them takes a neighbour
                for frame in frames:
                    stamp = frame.pts
                    number = order if self._index.counted else None if stamp is None else self._index.number(stamp)
                    order += 1
                    if number is not None and number < self._index.times.count and not frame.is_corrupt:
                        yield number, frame
        except av.FFmpegError:
            return  # the file breaks off here, as the index knows


class Video:
    """Give images of one video file; nothing is opened before the first is wanted, and each process opens its own.

    threads : of the decoder, in processes that have cores to themselves; 1 in workers
    """

    _open: Decoder | None
    _kept: Images  # of the last call
    _known: dict[int, tuple[int, int]]  # where in it an image lies, and which one it really shows

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path, self._threads = Path(path), threads
        self.index = scan(path)
        self._warned = False
        self._forget()

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
        of the last call, and those that follow them, are not sought or decoded again.

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
                decoder.paint(found[1], out[i])
                shown[i] = found[0]
        self._kept = out.copy()
        self._known = {number: (i, int(shown[i])) for i, number in enumerate(numbers.tolist())}
        replaced = shown != numbers
        if replaced.any() and not self._warned:
            self._warned = True
            count, first = int(replaced.sum()), clock(self.times.seconds(int(numbers[replaced][0])))
            said = f"{count} {'image' if count == 1 else 'images'} from {first} on cannot be decoded, maybe more"
            log.warning("%s: %s; each shows its nearest neighbour instead", self.path, said)
        return shown

    def close(self) -> None:
        """Close the file and forget its images; the index stays, and the next read opens the file again."""
        if self._open is not None and self._pid != os.getpid():
            _orphans.append(self._open)
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_threads": self._threads, "index": self.index, "_warned": self._warned}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
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
