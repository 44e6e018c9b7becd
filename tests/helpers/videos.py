"""Videos for tests: every image carries its number as dark and light blocks, so that it can be told after scaling."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import orjson
from numpy.typing import NDArray

BITS = 12  # 3 rows of 4 blocks


def burn(number: int, height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """Return an image that shows ``number`` over a background that differs from image to image."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8).reshape(3, 4) * 175 + 40
    rows, columns = np.arange(height) * 3 // height, np.arange(width) * 4 // width
    image = np.repeat(bits[rows][:, columns, None], 3, axis=2)
    image[: height // 8, :, 0] ^= np.uint8(number * 37 % 64)  # a changing edge, so that images differ in detail
    return image


def number_of(image: NDArray[np.uint8]) -> int:
    """Read the number that an image shows, from the middle of its blocks."""
    height, width = image.shape[:2]
    rows, columns = (np.arange(3) * 2 + 1) * height // 6, (np.arange(4) * 2 + 1) * width // 8
    middle = image[rows][:, columns].mean(axis=2)
    return sum(1 << i for i, value in enumerate(middle.ravel()) if value > 127)


def numbers_of(images: NDArray[np.uint8]) -> list[int]:
    """Read the numbers of images, (n, H, W, 3)."""
    return [number_of(image) for image in images]


def write_video(
    path: Path,
    count: int,
    fps: float | Fraction = 25,
    size: tuple[int, int] = (64, 96),
    gop: int = 12,
    b_frames: int = 2,
    codec: str = "libx264",
    start: float = 0.0,
    stamps: Sequence[float] | None = None,
    audio: bool = False,
    rotation: int = 0,
    pixel: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write ``count`` numbered images; ``stamps`` are the seconds of each where the rate varies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p" if codec != "mjpeg" else "yuvj420p"
        if size[1] % 2 or size[0] % 2:
            stream.pix_fmt = "yuv444p"
        unit = 1 / rate if stamps is None and not start else Fraction(1, 90000)
        stream.time_base = stream.codec_context.time_base = unit
        stream.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        x264 = {"preset": "ultrafast", "bf": str(b_frames), "sc_threshold": "0", "crf": "20"}
        stream.options = {**(x264 if codec == "libx264" else {}), **(options or {})}
        if pixel:
            stream.codec_context.sample_aspect_ratio = pixel
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=8000) if audio else None
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(burn(number, *size), "rgb24")
            seconds = Fraction(number) / rate if stamps is None else Fraction(stamps[number])
            frame.pts, frame.time_base = round((seconds + Fraction(start)) / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            write_sound(container, sound, count / float(rate))
    return path


def write_sound(container: av.container.OutputContainer, stream: av.audio.stream.AudioStream, seconds: float) -> None:
    """Write silence."""
    for i in range(int(seconds * 8000) // 1024 + 1):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, i * 1024, Fraction(1, 8000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_audio(path: Path) -> Path:
    """Write a file that holds sound alone."""
    with av.open(str(path), "w") as container:
        write_sound(container, container.add_stream("aac", rate=8000), 1.0)
    return path


def damage(path: Path, begin: float, end: float) -> Path:
    """Overwrite a part of a file, given as fractions of it, with zeros."""
    content = bytearray(path.read_bytes())
    first, last = int(begin * len(content)), int(end * len(content))
    content[first:last] = bytes(last - first)
    path.write_bytes(content)
    return path


def cut_off(path: Path, part: float) -> Path:
    """Leave only the first part of a file."""
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    return path


def write_matches(root: Path) -> Path:
    """Write a tree in the layout of ball-2023: three matches of ten seconds with a spot every second or so."""
    for index, game in enumerate(("l/s/a", "l/s/b", "l/s/c")):
        write_video(root / game / ("224p.mp4" if index else "1_720p.mkv"), 250, size=(36, 64))
        spots = [
            {"gameTime": "1 - 00:00", "label": label, "position": str(time), "visibility": "visible"}
            for time, label in zip(range(400, 10_000, 1100 + 100 * index), 9 * ("PASS", "DRIVE"), strict=False)
        ]
        (root / game / "Labels-ball.json").write_bytes(orjson.dumps({"annotations": spots}))
    (root / "splits.json").write_bytes(orjson.dumps({"train": ["l/s/a"], "valid": ["l/s/b"], "test": ["l/s/c"]}))
    return root
