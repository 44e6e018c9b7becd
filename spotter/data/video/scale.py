"""Scale decoded images to a wanted size, in RGB or grey, upright and with square pixels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

Images = NDArray[np.uint8]
FLATTEST, NARROWEST = 4, Fraction(1, 4)  # pixels that are believed


def shown_size(frame: VideoFrame, pixel: Fraction | None) -> tuple[int, int]:
    """Return the height and width of a decoded image as players show it: upright, of square pixels.

    pixel : width of the video's pixels against their height, None where it does not say
    """
    width = round(frame.width * pixel) if pixel and NARROWEST <= pixel <= FLATTEST else frame.width
    return (frame.height, width) if frame.rotation // 90 % 2 == 0 else (width, frame.height)


class Scaler:
    """Write decoded images into arrays; fastest when all have one size."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame, out: Images) -> None:
        """Write an image into ``out``, (H, W, 3) or grey (H, W, 1), scaled to its size."""
        quarter_turns = frame.rotation // 90 % 4
        channels = out.shape[2]
        height, width = out.shape[:2] if quarter_turns % 2 == 0 else (out.shape[1], out.shape[0])
        # One thread: a scaler's own threads would outnumber the cores, and die in a fork.
        form = "rgb24" if channels == 3 else "gray"  # which is the luma, decoded without its colours
        scaled = self._reformatter.reformat(frame, width, height, form, interpolation=Interpolation.BILINEAR, threads=1)
        plane = scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, : channels * width]
        if quarter_turns:
            out[:] = np.rot90(rows.reshape(height, width, channels), quarter_turns)
        else:
            out.reshape(height, channels * width)[:] = rows
