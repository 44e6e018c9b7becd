"""Second fields of interlaced H.264, which make no image of their own: read from the heads of slices (ITU-T H.264)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from av.packet import Packet
from av.video.stream import VideoStream

SLICE, IDR, PARAMETERS = 1, 5, 7  # kinds of units
_START = re.compile(rb"\x00\x00\x01")
_WITH_CHROMA = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244}  # profiles, 7.3.2.1.1


class FieldPairs:
    """Tell which packets hold the second field of an image whose first field was in the packet before."""

    def __init__(self, stream: VideoStream) -> None:
        codec = stream.codec_context
        extra = bytes(codec.extradata or b"")
        self._is_h264 = codec.name == "h264"
        self._length_size = (
            (extra[4] & 3) + 1 if extra[:1] == b"\x01" and len(extra) > 6 else 0
        )  # 0 where start codes part units
        self._frame_bits: int | None = None  # of frame_num; None where all images are whole
        self._planes = False
        self._first: tuple[int, int] | None = None  # frame_num and parity of a field that waits for its second
        if self._is_h264:
            self._read_parameters(_parts(extra) if self._length_size else _units(extra, 0))

    def is_second(self, packet: Packet) -> bool:
        """Take the next packet and tell whether it holds a second field alone."""
        if self._is_h264 and packet.is_keyframe:  # of a joined recording parameters may be others
            self._read_parameters(_units(memoryview(packet), self._length_size))
        if self._frame_bits is None:
            return False
        field = self._field(memoryview(packet))
        second = field is not None and self._first == (field[0], 1 - field[1])
        self._first = None if second else field
        return second

    def _read_parameters(self, units: Iterator[bytes]) -> None:
        """Take what precedes the first slice."""
        for unit in units:
            kind = unit[0] & 31
            if kind == PARAMETERS and len(unit) > 4:
                self._frame_bits, self._planes = _read_parameters(unit)
            elif kind in (SLICE, IDR):
                return

    def _field(self, content: memoryview) -> tuple[int, int] | None:
        """Return frame_num and parity of the field that a packet begins with, None for a whole image."""
        for unit in _units(content, self._length_size):
            if unit[0] & 31 in (SLICE, IDR):
                bits = _Bits(unit[1:64])
                for _ in range(3):  # first macroblock, type, picture parameters
                    bits.number()
                bits.read(2 if self._planes else 0)
                frame_num = bits.read(self._frame_bits or 0)
                return (frame_num, bits.read(1)) if bits.read(1) else None
        return None


def _units(content: bytes | memoryview, length_size: int) -> Iterator[bytes]:
    """Yield the beginnings of units, which have their length before them or a start code."""
    if not length_size:
        for match in _START.finditer(content):
            yield bytes(content[match.end() : match.end() + 1024]) or b"\0"
        return
    at = 0
    while at + length_size < len(content):
        length = int.from_bytes(content[at : at + length_size], "big")
        at += length_size
        yield bytes(content[at : at + min(length, 1024)]) or b"\0"
        at += length


def _parts(extra: bytes) -> Iterator[bytes]:
    """Yield the parameter sets of ``avcC`` (ISO/IEC 14496-15)."""
    at = 6
    for _ in range(extra[5] & 31):
        length = int.from_bytes(extra[at : at + 2], "big")
        yield extra[at + 2 : at + 2 + length] or b"\0"
        at += 2 + length


def _read_parameters(unit: bytes) -> tuple[int | None, bool]:
    """Return the bits of frame_num, None where images have no fields, and whether colours are coded apart (7.3.2.1)."""
    bits, planes = _Bits(unit[4:]), False
    bits.number()
    if unit[1] in _WITH_CHROMA:
        chroma = bits.number()
        planes = bool(bits.read(1)) if chroma == 3 else False
        bits.number(), bits.number(), bits.read(1)
        if bits.read(1):
            for index in range(12 if chroma == 3 else 8):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    frame_bits = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.read(1), bits.number(), bits.number()
        for _ in range(min(255, bits.number())):
            bits.number()
    bits.number(), bits.read(1), bits.number(), bits.number()
    whole = bits.read(1) == 1 or frame_bits > 16  # which only damaged ones have
    return (None if whole else frame_bits), planes


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    """Skip one list, if it is there (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size if bits.read(1) else 0):
        if following:
            code = bits.number()
            following = (last + (code + 1 >> 1 if code & 1 else -(code >> 1))) % 256
        last = following or last


class _Bits:
    """Read bits and Exp-Golomb numbers; zeros follow the end."""

    def __init__(self, content: bytes) -> None:
        content = content.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def read(self, count: int) -> int:
        """Return the next bits as a number."""
        self._left -= count
        bits = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return bits & (1 << count) - 1

    def number(self) -> int:
        """Return the next Exp-Golomb number (9.1)."""
        zeros = 0
        while zeros < 32 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
