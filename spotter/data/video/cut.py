"""Cut stretches out of a video, with their sound: packets as they are where a keyframe is near, else re-encoded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from spotter.data.video.containers import open_video
from spotter.data.video.decode import Video
from spotter.data.video.scale import Images
from spotter.io.files import atomic_file

NEAR = 0.2  # seconds from where a clip should begin to a keyframe at which it may begin as well
AT_ONCE = 8  # images
TICK = Fraction(1, 90_000)  # seconds
CODECS = ("h264", "hevc")  # copied, from containers that keep their parameters apart
CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
SOUNDS = ("aac", "mp3", "ac3", "eac3", "alac")  # that MP4 holds and players know
OPTIONS = {"preset": "veryfast", "crf": "20"}


class Sound(NamedTuple):
    """Name how sound is coded; packets of equal ones can follow each other."""

    codec: str
    rate: int
    layout: str
    parameters: bytes


class Cutter:
    """Read stretches of one video; times are seconds from its first image.

    Raises UserError for a file that is no video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._video = Video(path, threads=0)
        index, times = self._video.index, self._video.times
        self.size = self._video.size()
        self.rate, self.duration = times.fps, float(times.duration)
        ticks = index.keys if times.ticks is None else times.ticks[index.keys]
        self._keys = ticks * float(times.unit)
        self._seekable = not index.counted and not index.restarts
        container, stream = open_video(path)
        with container:
            self._zero = index.stamps[0] * (stream.time_base or Fraction(1))
            upright = self.size == (stream.codec_context.height, stream.codec_context.width)
            known = stream.codec_context.name in CODECS and container.format.name in CONTAINERS
            self.sound = _sound_of(next(iter(container.streams.audio), None)) if self._seekable else None
        self._copied = known and upright and self._seekable

    def images(self, start: float, end: float) -> Iterator[tuple[float, Images]]:
        """Yield the images that are shown within a stretch, (H, W, 3) RGB, with the times at which they begin."""
        times = self._video.times
        count = np.arange(times.count) if times.ticks is None else times.ticks
        first, last = np.searchsorted(count * float(times.unit), [start - 1e-6, end - 1e-6])
        for number in range(int(first), int(last), AT_ONCE):
            numbers = np.arange(number, min(number + AT_ONCE, int(last)))
            out = np.empty((len(numbers), *self.size, 3), np.uint8)
            self._video.read(numbers, out)
            yield from zip(map(times.seconds, numbers.tolist()), out, strict=True)

    def sound_packets(self, start: float, end: float) -> Iterator[tuple[float, Packet]]:
        """Yield the packets of sound that begin within a stretch, with their times."""
        container, _ = open_video(self.path)
        with container, suppress(av.FFmpegError):
            stream = container.streams.audio[0]
            container.seek(max(0, math.floor((start + self._zero) * 1_000_000)))
            for packet in container.demux(stream):
                seconds = math.inf if packet.pts is None else float(packet.pts * packet.time_base - self._zero)
                if seconds >= end:
                    return
                if seconds >= start:
                    yield seconds, packet

    def copy(self, start: float, end: float, path: Path) -> bool:
        """Write a stretch without encoding it, if a keyframe lies near enough to its start; return whether it was.

        Its last image may lie a few after ``end``, where others are coded by it.
        """
        near = int(np.argmin(np.abs(self._keys - start)))
        if not self._copied or abs(self._keys[near] - start) > NEAR:
            return False
        container, stream = open_video(self.path)
        with container:
            packets = self._packets(container, stream, near, end)
            try:
                if packets:
                    self._write(packets, stream, near, end, path)
            except av.FFmpegError:  # MP4 does not take them as they are
                return False
        return bool(packets)

    def _write(self, packets: Sequence[Packet], stream: VideoStream, key: int, end: float, path: Path) -> None:
        with atomic_file(path) as file, av.open(file, "w", format="mp4") as target:
            out = target.add_stream_from_template(stream)
            sound = _SoundWriter.open(target, self) if self.sound else None
            shift = int(self._video.index.stamps[key])
            for packet in packets:
                packet.pts, packet.dts = (packet.pts or 0) - shift, (packet.dts or 0) - shift
                packet.stream = out
                target.mux(packet)
            if sound is not None:
                sound.write(self, float(self._keys[key]), end, 0.0)

    def _packets(self, container: InputContainer, stream: VideoStream, key: int, end: float) -> list[Packet]:
        """Return the packets of images from a keyframe to ``end``, in their order; none where a stamp is missing."""
        stamp, last = int(self._video.index.stamps[key]), end + self._zero - 1e-6
        packets: list[Packet] = []
        unit = stream.time_base or Fraction(1)
        if key:
            container.seek(stamp, stream=stream, backward=True)
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard or (not packets and packet.pts != stamp):
                continue
            if packet.pts is None:
                return []
            if packet.dts is not None and packet.dts * unit >= last:
                break
            packets += [packet] if packet.pts >= stamp else []  # others begin in the stretch before
        while packets and (packets[-1].pts or 0) * unit >= last:
            packets.pop()
        return _in_order(packets)


class Movie:
    """Write stretches one after the other as H.264 in MP4.

    size : height and width of its images; others are scaled
    sound : how its sound is coded; None for none
    """

    def __init__(self, file: BinaryIO, cutter: Cutter, sound: bool) -> None:
        self._container = av.open(file, "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=cutter.rate, options=OPTIONS)
        self._stream.height, self._stream.width = (max(2, length // 2 * 2) for length in cutter.size)
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = TICK
        self._sound = _SoundWriter.open(self._container, cutter) if sound else None
        self.seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def add(self, image: Images, seconds: float) -> None:
        """Append an image, ``seconds`` after the end of the stretches before."""
        height, width = self._stream.height, self._stream.width
        fits = image.shape[0] // 2 * 2 == height and image.shape[1] // 2 * 2 == width
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]) if fits else image, "rgb24")
        frame = frame if fits else frame.reformat(width, height)
        frame.pts, frame.time_base = round((self.seconds + seconds) / TICK), TICK
        self._container.mux(self._stream.encode(frame))

    def end_stretch(self, cutter: Cutter, start: float, end: float) -> None:
        """Add the sound of the stretch whose images were added, and begin another after it."""
        if self._sound is not None:
            self._sound.write(cutter, start, end, self.seconds)
        self.seconds += end - start


class _SoundWriter:
    """Write packets of sound as they are."""

    def __init__(self, container: av.container.OutputContainer, stream: AudioStream) -> None:
        self._container, self._stream = container, stream

    @classmethod
    def open(cls, container: av.container.OutputContainer, cutter: Cutter) -> Self:
        source, _ = open_video(cutter.path)
        with source:
            return cls(container, container.add_stream_from_template(source.streams.audio[0]))

    def write(self, cutter: Cutter, start: float, end: float, at: float) -> None:
        """Append the sound of a stretch, which begins ``at`` seconds."""
        for seconds, packet in cutter.sound_packets(start, end):
            packet.pts = packet.dts = round((at + seconds - start) / packet.time_base)
            packet.stream = self._stream
            self._container.mux(packet)


def _in_order(packets: list[Packet]) -> list[Packet]:
    """Return packets with decoding stamps, which Matroska does not tell of the first ones after a seek."""
    if any(packet.dts is None for packet in packets):
        shown = [packet.pts or 0 for packet in packets]
        ascending = sorted(shown)
        late = max(stamp - own for stamp, own in zip(ascending, shown, strict=True))
        for packet, stamp in zip(packets, ascending, strict=True):
            packet.dts = stamp - late
    return packets


def _sound_of(stream: AudioStream | None) -> Sound | None:
    if stream is None or stream.codec_context is None or stream.codec_context.name not in SOUNDS:
        return None
    codec = stream.codec_context
    known = Sound(codec.name, codec.sample_rate, codec.layout.name, bytes(codec.extradata or b""))
    return known if known.parameters or codec.name != "aac" else None  # in transport streams it is framed otherwise
