"""What recorders and cutters make of the videos in ``videos.py``: cut, joined, field-coded, with several streams."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from tests.helpers.videos import burn, number_of, write_sound

TS_PACKET = 188
_START = b"\0\0\0\1"


def decoded_by_ffmpeg(path: Path) -> list[int]:
    """Return the numbers of all images that FFmpeg decodes, in their order."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
        frames = (frame for packet in container.demux(stream) for frame in packet.decode())
        return [number_of(frame.to_ndarray(format="rgb24")) for frame in frames if not frame.is_corrupt]


def cut_bytes(path: Path, part: float) -> Path:
    """Leave out the first part of a file, at a border of transport packets."""
    content = path.read_bytes()
    path.write_bytes(content[int(part * len(content)) // TS_PACKET * TS_PACKET :])
    return path


def join_bytes(path: Path, parts: Iterable[Path]) -> Path:
    """Write files one after the other."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def copy_from(path: Path, source: Path, number: int, late: float = 0.0, **options: str) -> Path:
    """Copy packets without encoding, from the keyframe before an image on, which is shown at time ``late``."""
    with av.open(str(source)) as container, av.open(str(path), "w", container_options=options) as target:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        start = sorted(packet.pts for packet in packets)[number]
        keys = [i for i, packet in enumerate(packets) if packet.is_keyframe and packet.pts <= start]
        out = target.add_stream_from_template(stream)
        shift = start - round(Fraction(late) / stream.time_base)
        for packet in packets[max(keys) :]:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = out
            target.mux(packet)
    return path


def join_streams(path: Path, videos: Iterable[Path], default: int) -> Path:
    """Copy videos into one file as its streams; the default one is that which players show."""
    containers = [av.open(str(video)) for video in videos]
    with av.open(str(path), "w") as target:
        outs = [target.add_stream_from_template(container.streams.video[0]) for container in containers]
        for number, out in enumerate(outs):
            out.disposition = Disposition.default if number == default else Disposition(0)
        for container, out in zip(containers, outs, strict=True):
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    packet.stream = out
                    target.mux(packet)
            container.close()
    return path


def add_sound(path: Path, source: Path, late: float, seconds: float) -> Path:
    """Copy a video, whose image begins ``late`` seconds after the sound, which lasts for ``seconds``."""
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        stream = container.streams.video[0]
        out, sound = target.add_stream_from_template(stream), target.add_stream("aac", rate=8000)
        for packet in container.demux(stream):
            if packet.size:
                shift = round(Fraction(late) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, out
                target.mux(packet)
        write_sound(target, sound, seconds)
    return path


def set_edits(path: Path, parts: Sequence[tuple[float, int]]) -> Path:
    """Make an MP4 of images at 25 a second show parts of itself: for so many seconds, from an image on."""
    content = bytearray(path.read_bytes())
    *outer, (begin, size) = find_boxes(content, [b"moov", b"trak", b"edts", b"elst"])
    header = find_boxes(content, [b"moov", b"trak", b"mdia", b"mdhd"])[-1][0]
    (scale,) = struct.unpack(">I", content[header + 20 : header + 24])
    (first,) = struct.unpack(">i", content[begin + 20 : begin + 24])
    edits = [struct.pack(">IiI", round(1000 * seconds), first + at * scale // 25, 1 << 16) for seconds, at in parts]
    body = bytes(content[begin + 4 : begin + 12]) + struct.pack(">I", len(edits)) + b"".join(edits)
    content[begin : begin + size] = struct.pack(">I", len(body) + 4) + body
    for box, length in outer:
        content[box : box + 4] = struct.pack(">I", length + len(body) + 4 - size)
    path.write_bytes(content)
    return path


def find_boxes(content: bytearray, names: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return where boxes of an MP4 begin, each within the one before, and their sizes."""
    found: list[tuple[int, int]] = []
    at = 0
    for name in names:
        while content[at + 4 : at + 8] != name:
            at += struct.unpack(">I", content[at : at + 4])[0]
        found.append((at, struct.unpack(">I", content[at : at + 4])[0]))
        at += 8
    return found


def write_fields(path: Path, count: int, paired: bool = False, gop: int = 10) -> Path:
    """Write images of 25 a second as H.264 with a picture for each field (PAFF), all macroblocks uncompressed.

    paired : whether both fields are in one packet, as some cameras write them
    """
    units = _Units(frame_bits=4)
    stream_bytes = path.with_suffix(".h264")
    pictures = [units.picture(burn(number), number % gop, number // gop) for number in range(count)]
    stream_bytes.write_bytes(b"".join(first + second for first, second in pictures))
    with av.open(str(stream_bytes)) as container, av.open(str(path), "w") as target:
        stream = container.streams.video[0]
        out = target.add_stream_from_template(stream)
        unit = Fraction(1, 50)
        for number, (first, second) in enumerate(pictures):
            contents = [first + second] if paired else [first, second]
            for half, content in enumerate(contents):
                packet = av.Packet(content)
                packet.pts = packet.dts = 2 * number + half
                packet.time_base, packet.stream = unit, out
                packet.duration = 2 // len(contents)
                packet.is_keyframe = number % gop == 0 and half == 0
                target.mux(packet)
    stream_bytes.unlink()
    return path


class _Units:
    """Write units of H.264 (ITU-T H.264, 7.3) with fields of I_PCM macroblocks: main profile, no reordering."""

    def __init__(self, frame_bits: int) -> None:
        self._frame_bits = frame_bits

    def picture(self, image: NDArray[np.uint8], frame_num: int, group: int) -> tuple[bytes, bytes]:
        """Return the units of both fields of an image; parameters come before every keyframe."""
        luma = image.mean(axis=2).clip(16, 235).astype(np.uint8)
        height, width = luma.shape
        fields = [self._slice(luma[parity::2], frame_num, group, parity) for parity in (0, 1)]
        return (self._parameters(height, width) if frame_num == 0 else b"") + fields[0], fields[1]

    def _parameters(self, height: int, width: int) -> bytes:
        """Write the parameters of the sequence and of pictures."""
        sequence = f"{77:08b}{0:08b}{40:08b}" + _ue(0) + _ue(self._frame_bits - 4) + _ue(2) + _ue(2) + "0"
        sequence += _ue(width // 16 - 1) + _ue(height // 32 - 1) + "0" + "0" + "1" + "0" + "0"
        picture = _ue(0) + _ue(0) + "0" + "0" + _ue(0) + _ue(0) + _ue(0) + "0" + "00" + _se0() * 3 + "0" + "0" + "0"
        return _unit(0x67, sequence + "1") + _unit(0x68, picture + "1")

    def _slice(self, field: NDArray[np.uint8], frame_num: int, group: int, parity: int) -> bytes:
        """Write a field; the second one of a keyframe is an ordinary one, which begins no group."""
        key = frame_num == 0 and parity == 0
        bits = _ue(0) + _ue(7) + _ue(0) + f"{frame_num:0{self._frame_bits}b}" + "1" + str(parity)
        bits += (_ue(group % 2) + "00" if key else "0") + _se0()
        content = bytearray()
        for row in range(0, field.shape[0], 16):
            for column in range(0, field.shape[1], 16):
                bits += _ue(25)
                bits += "0" * (-len(bits) % 8)
                content += int(bits, 2).to_bytes(len(bits) // 8, "big")
                content += field[row : row + 16, column : column + 16].tobytes() + bytes([128]) * 128
                bits = ""
        return _START + bytes([0x65 if key else 0x61]) + bytes(content).replace(b"\0\0", b"\0\0\3") + b"\x80"


def _unit(kind: int, bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return _START + bytes([kind]) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def _ue(number: int) -> str:
    """Write an unsigned Exp-Golomb number."""
    return f"{number + 1:b}".zfill(2 * (number + 1).bit_length() - 1)


def _se0() -> str:
    return _ue(0)
