"""Write images as an H.264 video, as broadcasts are: key frames every other second, B-frames, 4:2:0."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from spotter.io.files import atomic_file

KEY = 2.0  # seconds from key frame to key frame
OPTIONS = {  # without looking ahead, for what x264 makes of that can differ from one run to the next
    "preset": "veryfast", "crf": "21", "threads": "1", "x264-params": "rc-lookahead=0:mbtree=0:scenecut=0",
}  # fmt: skip


def write_video(path: Path, images: Iterable[NDArray[np.uint8]], fps: float, size: tuple[int, int]) -> None:
    """Encode images (height, width, 3) RGB of a ``size`` under a temporary name, then rename it to ``path``."""
    with atomic_file(path) as file, av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=OPTIONS)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = max(1, round(KEY * fps))
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
