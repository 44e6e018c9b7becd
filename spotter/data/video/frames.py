"""Frames of a video for a notebook, as a network sees them."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.data.fps import parse_fps
from spotter.data.video.decode import Video
from spotter.data.video.find import find_videos
from spotter.data.video.readers import ImageReader, check_decoded, even_width, open_reader
from spotter.data.video.times import Numbers, Times
from spotter.errors import UserError


def read_video(
    path: str | Path,
    fps: float | str | None = None,
    start: float = 0.0,
    end: float | None = None,
    height: int | None = None,
) -> NDArray[np.uint8]:
    """Read the frames of a video that a network sees: upright, in RGB, scaled, at an exact rate.

    path : a video file, a prepared store, or a folder of JPEG images with its ``fps.txt``
    fps : frames per second, a number or a fraction such as ``25/12``; None for all images that there are
    start, end : seconds; frame i, at i / fps seconds, is returned where start <= i / fps < end
    height : of a frame in pixels, the width follows; None for the images as they are. Stores and folders have but one

    Returns (T, H, W, 3) uint8. All of it is in memory: an hour at 25 fps and 224 pixels takes 24 GB.
    Raises UserError where the file cannot be read, or holds nothing between ``start`` and ``end``.
    """
    found = find_videos(path)
    if len(found) > 1:
        raise UserError(f"{path}: holds {len(found)} videos, first {found[0][1]}; give one of them")
    reader = open_reader(found[0][1], threads=0)
    numbers = _numbers(reader.times, None if fps is None else parse_fps(fps), start, math.inf if end is None else end)
    if len(numbers) == 0:
        seconds = float(reader.times.duration)
        raise UserError(f"{path}: has no frame from start={start:g} to end={end}; it ends after {seconds:.1f} s")
    frames = np.empty((len(numbers), *_size(reader, height), 3), np.uint8)
    shown = reader.read(numbers, frames)
    if isinstance(reader, Video) and shown is not None:
        check_decoded(reader, numbers, shown)
        reader.close()
    return frames


def _numbers(times: Times, fps: Fraction | None, start: float, end: float) -> Numbers:
    """Return the images that are shown from ``start`` to before ``end``: all, or those nearest to frames of a rate."""
    if fps is None:
        seconds = float(times.unit) * (np.arange(times.count) if times.ticks is None else times.ticks)
        return np.flatnonzero((seconds > start - 1e-6) & (seconds < end - 1e-6))
    frames = np.arange(times.frames(fps))
    return times.nearest(frames[(frames > start * fps - 1e-6) & (frames < end * fps - 1e-6)], fps)


def _size(reader: ImageReader, height: int | None) -> tuple[int, int]:
    """Return the height and width to read at."""
    size = reader.size() if isinstance(reader, Video) else (reader.height, reader.width)
    if height is None or height == size[0]:
        return size
    if not isinstance(reader, Video):
        raise UserError(f"height: {reader.path} holds images of height {size[0]}, which are not scaled, not {height}")
    if height < 1:
        raise UserError(f"height: expected a number of pixels, found {height}")
    return height, even_width(height, size)
