"""JPEG images, and the folders of them that E2E-Spot's tools write: ``000000.jpg``, … and ``fps.txt``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import simplejpeg

from spotter.data.fps import parse_fps
from spotter.data.video.scale import Images
from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError

Box = tuple[slice, slice]  # rows and columns of an image
WHOLE = (slice(None), slice(None))


class Unpacker:
    """Decode JPEG images straight into their arrays; a part of an image takes one more copy.

    height, width : of every image
    box : the part that is wanted
    """

    def __init__(self, height: int, width: int, box: Box = WHOLE) -> None:
        self._shape, self._box = (height, width, 3), box
        self._whole = np.empty(self._shape, np.uint8)
        self._direct = self._whole[box].shape == self._shape

    def __call__(self, jpeg: bytes | memoryview, out: Images) -> None:
        """Decode one image; raises ValueError when it is damaged or of another size."""
        target = out if self._direct else self._whole
        found = simplejpeg.decode_jpeg(jpeg, buffer=target).shape
        if found != self._shape:
            raise ValueError(f"is {found[1]}x{found[0]}, expected {self._shape[1]}x{self._shape[0]}")
        if not self._direct:
            out[:] = target[self._box]


class JpegFolder:
    """Read images of a folder that holds one half."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        names = {file.name for file in self.path.glob("*.jpg")}
        lacking = next((n for n in range(len(names)) if f"{n:06d}.jpg" not in names), None)
        if not names or lacking is not None:
            raise UserError(f"{self.path}: lacks {lacking or 0:06d}.jpg; expected 000000.jpg and so on, without gaps")
        self.times = Times.regular(len(names), read_rate(self.path))
        try:
            self.height, self.width = simplejpeg.decode_jpeg_header(self.jpeg(0))[:2]
        except ValueError as error:
            raise UserError(f"{self.path / '000000.jpg'}: not a JPEG image ({error})") from error

    def jpeg(self, number: int) -> bytes:
        """Return an image as it is stored."""
        return (self.path / f"{number:06d}.jpg").read_bytes()

    def read(self, numbers: Numbers, out: Images, box: Box = WHOLE) -> None:
        """Decode the part ``box`` of images into ``out``, (n, h, w, 3) RGB; raises UserError naming a damaged one."""
        unpack = Unpacker(self.height, self.width, box)
        for number, image in zip(numbers.tolist(), out, strict=True):
            try:
                unpack(self.jpeg(number), image)
            except (OSError, ValueError) as error:
                raise UserError(f"{self.path / f'{number:06d}.jpg'}: {error}; extract the half again") from error


def read_rate(folder: Path) -> Fraction:
    """Return the images per second of a folder, from its ``fps.txt``."""
    file = folder / "fps.txt"
    if not file.is_file():
        raise UserError(f"{file}: no such file; write the images per second into it, such as 25 or 25/12")
    return parse_fps(file.read_text(encoding="utf-8", errors="replace").strip(), str(file))
