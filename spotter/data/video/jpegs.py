"""JPEG images, and folders of them: ``000000.jpg``, … as E2E-Spot names them, or as others do, and ``fps.txt``."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import simplejpeg

from spotter.data.fps import parse_fps
from spotter.data.video.scale import Images
from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError

Box = tuple[slice, slice]  # rows and columns of an image
WHOLE = (slice(None), slice(None))
PROBED = 20  # files by which a folder of images is recognised; it may hold 100,000
_NAME = re.compile(r"(?P<before>((frame|image|img)[-_]?)?)(?P<number>\d+)(?P<after>\.jpe?g)", re.IGNORECASE)


def holds_images(folder: Path) -> bool:
    """Return whether a folder is one of numbered JPEG images, whose first is called 0, or 1 and is followed by 2."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as files:
        found = next((match for file in islice(files, PROBED) if (match := _NAME.fullmatch(file.name))), None)
    if found is None:
        return False
    names = [
        [f"{found['before']}{n:0{digits}d}{found['after']}" for n in range(3)] for digits in (1, len(found["number"]))
    ]
    there = [[(folder / name).is_file() for name in first] for first in names]
    return any(zero or (one and two) for zero, one, two in there)


class Unpacker:
    """Decode JPEG images straight into their arrays; a part of an image takes one more copy.

    height, width : of every image
    box : the part that is wanted
    channels : 3 for RGB, 1 for grey
    """

    def __init__(self, height: int, width: int, box: Box = WHOLE, channels: int = 3) -> None:
        self._shape, self._box = (height, width, channels), box
        self._colours = "RGB" if channels == 3 else "GRAY"
        self._whole = np.empty(self._shape, np.uint8)
        self._direct = self._whole[box].shape == self._shape

    def __call__(self, jpeg: bytes | memoryview, out: Images) -> None:
        """Decode one image; raises ValueError when it is damaged or of another size."""
        target = out if self._direct else self._whole
        found = simplejpeg.decode_jpeg(jpeg, self._colours, buffer=target).shape
        if found != self._shape:
            raise ValueError(f"is {found[1]}x{found[0]}, expected {self._shape[1]}x{self._shape[0]}")
        if not self._direct:
            out[:] = target[self._box]


class JpegFolder:
    """Read images of a folder that holds one half: ``000000.jpg``, ``00000001.jpg``, ``frame0.jpg``, … and so on."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        found = [match for name in os.listdir(self.path) if (match := _NAME.fullmatch(name))]
        names = {match[0] for match in found}
        first = min(found, key=lambda match: int(match["number"]), default=None)
        self._begin = min(1, int(first["number"])) if first else 0
        digits = min((len(match["number"]) for match in found), default=6)
        before, after = (first["before"], first["after"]) if first else ("", ".jpg")
        self._name = f"{before}%0{digits}d{after}"
        lacking = next((n for n in range(len(names)) if self.file(n).name not in names), None)
        if not names or lacking is not None:
            name = self.file(lacking or 0).name
            raise UserError(f"{self.path}: lacks {name}; expected {self.file(0).name} and so on, without gaps")
        self.times = Times.regular(len(names), read_rate(self.path))
        try:
            self.height, self.width = simplejpeg.decode_jpeg_header(self.jpeg(0))[:2]
        except ValueError as error:
            raise UserError(f"{self.file(0)}: not a JPEG image ({error})") from error

    def file(self, number: int) -> Path:
        """Return the file of an image; of some codebases the first is called 1."""
        return self.path / (self._name % (self._begin + number))

    def jpeg(self, number: int) -> bytes:
        """Return an image as it is stored."""
        return self.file(number).read_bytes()

    def read(self, numbers: Numbers, out: Images, box: Box = WHOLE) -> None:
        """Decode the part ``box`` of images into ``out``, (n, h, w, 3) RGB or (n, h, w, 1) grey.

        Raises UserError naming a damaged one.
        """
        unpack = Unpacker(self.height, self.width, box, out.shape[-1])
        for number, image in zip(numbers.tolist(), out, strict=True):
            try:
                unpack(self.jpeg(number), image)
            except (OSError, ValueError) as error:
                raise UserError(f"{self.file(number)}: {error}; extract the half again") from error


def read_rate(folder: Path) -> Fraction:
    """Return the images per second of a folder, from its ``fps.txt``."""
    file = folder / "fps.txt"
    if not file.is_file():
        raise UserError(f"{file}: no such file; write the images per second into it, such as 25 or 25/12")
    return parse_fps(file.read_text(encoding="utf-8", errors="replace").strip(), str(file))
