"""The prepared store: one file a half, JPEG images back to back, any of them read at once.

Layout: the magic, the images, their offsets as uint64 (one more than there are images), a JSON header, and a
trailer that says where the offsets begin and how long the header is. The trailer comes last, so a file that was not
written to its end is recognised.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from spotter.data.fps import parse_fps
from spotter.data.video.jpegs import WHOLE, Box, Unpacker
from spotter.data.video.scale import Images
from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError

MAGIC, VERSION = b"spotter\x01", 1
TRAILER = struct.Struct("<QII8s")  # offset of the offsets, length and checksum of the header, magic
CHECKED = 64  # images of a store that are decoded to see that it is sound
REMEDY = "make it again with `spotter prepare video`"


@dataclass(frozen=True, slots=True)
class StoreHeader:
    """Describe what a store holds and what it was made from.

    fps : images per second, an exact fraction such as ``25/12``
    quality : of the JPEG images, 1 to 100; None where they were copied unchanged
    source, source_bytes : name and size of the file it was made from
    count : number of images
    replaced : number of images that could not be decoded and show their nearest neighbour
    """

    fps: str
    height: int
    width: int
    quality: int | None
    source: str
    source_bytes: int
    count: int = 0
    replaced: int = 0
    version: int = VERSION


def store_name(number: int, height: int, fps: Fraction) -> str:
    """Return the name of a half's store, such as ``1_224p_25-12fps.frames``."""
    return f"{number}_{height}p_{str(fps).replace('/', '-')}fps.frames"


class StoreWriter:
    """Write the images of a half, one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offsets = [len(MAGIC)]
        file.write(MAGIC)

    def add(self, jpeg: bytes) -> None:
        """Append an image."""
        self._file.write(jpeg)
        self._offsets.append(self._offsets[-1] + len(jpeg))

    def finish(self, header: StoreHeader, replaced: int) -> None:
        """Write the table of offsets, the header and the trailer."""
        whole = asdict(header) | {"count": len(self._offsets) - 1, "replaced": replaced}
        content = orjson.dumps(whole)
        self._file.write(np.array(self._offsets, "<u8").tobytes())
        self._file.write(content)
        self._file.write(TRAILER.pack(self._offsets[-1], len(content), zlib.crc32(content), MAGIC))


class Store:
    """Read images of a prepared store; only its header is kept, the file is opened again for each clip."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self.header, self._table, self._bytes = _read_header(self.path, file)
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such store; {REMEDY}") from error
        self.times = Times.regular(self.header.count, parse_fps(self.header.fps, str(path)))
        self.height, self.width = self.header.height, self.header.width

    def read(self, numbers: Numbers, out: Images, box: Box = WHOLE) -> None:
        """Decode the part ``box`` of images into ``out``, (n, h, w, 3) RGB or (n, h, w, 1).

        numbers : (n,) ascending
        Raises UserError naming a damaged image, or a file that is not the one that was opened.
        """
        if not len(numbers):
            return
        unpack = Unpacker(self.height, self.width, box, out.shape[-1])
        for number, jpeg, image in zip(numbers.tolist(), self._jpegs(numbers), out, strict=True):
            try:
                unpack(jpeg, image)
            except ValueError as error:
                raise UserError(f"{self.path}: image {number} is damaged ({error}); {REMEDY}") from error

    def check_images(self) -> None:
        """Decode a sample of the images; raises UserError naming one that is damaged."""
        for number in np.unique(np.linspace(0, self.header.count - 1, CHECKED).astype(np.int64)):
            self.read(np.array([number]), np.empty((1, self.height, self.width, 3), np.uint8))

    def _jpegs(self, numbers: Numbers) -> Iterator[memoryview]:
        """Yield images as they are stored; neighbours are read together."""
        first, last = int(numbers[0]), int(numbers[-1])
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            if os.fstat(descriptor).st_size != self._bytes:
                raise UserError(f"{self.path}: has changed since it was opened; start again")
            table = os.pread(descriptor, (last - first + 2) * 8, self._table + 8 * first)
            offsets = np.frombuffer(table, "<u8").astype(np.int64)
            begins, ends = offsets[numbers - first], offsets[numbers - first + 1]
            if (ends < begins).any() or begins[0] < len(MAGIC) or ends[-1] > self._table:
                raise UserError(f"{self.path}: its table of images is damaged; {REMEDY}")
            if 2 * int(np.sum(ends - begins)) >= ends[-1] - begins[0]:
                near = memoryview(_pread(descriptor, int(ends[-1] - begins[0]), int(begins[0])))
                for begin, end in zip((begins - begins[0]).tolist(), (ends - begins[0]).tolist(), strict=True):
                    yield near[begin:end]
            else:
                for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
                    yield memoryview(_pread(descriptor, end - begin, begin))
        finally:
            os.close(descriptor)


def _pread(descriptor: int, length: int, offset: int) -> bytes:
    """Read a stretch of a file, which takes more than one call where a system limits what one returns."""
    content = os.pread(descriptor, length, offset)
    while len(content) < length:
        more = os.pread(descriptor, length - len(content), offset + len(content))
        if not more:
            break
        content += more
    return content


def _read_header(path: Path, file: BinaryIO) -> tuple[StoreHeader, int, int]:
    """Return the header, where the offsets begin, and the size of the file."""
    size = file.seek(0, os.SEEK_END)
    if size >= len(MAGIC) + TRAILER.size:
        file.seek(size - TRAILER.size)
        table, length, checksum, magic = TRAILER.unpack(file.read(TRAILER.size))
        file.seek(max(0, size - TRAILER.size - length))
        content = file.read(length)
        if magic == MAGIC and zlib.crc32(content) == checksum:
            fields: dict[str, Any] = orjson.loads(content)
            if fields.get("version") != VERSION:
                raise UserError(
                    f"{path}: is of version {fields.get('version')}, this spotter reads {VERSION}; {REMEDY}"
                )
            header = StoreHeader(**fields)
            if table + 8 * (header.count + 1) + length + TRAILER.size == size:
                return header, table, size
    raise UserError(f"{path}: is damaged or was not written to its end; {REMEDY}")
