"""Images textured and moving as real ones are, and a prepared store of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.data.video.jobs import QUALITY
from spotter.data.video.prepare import encode
from spotter.data.video.store import StoreHeader, StoreWriter, store_name
from spotter.io.files import atomic_file
from spotter.types import Half

HALF = Half("league/season/match", 1)


def make_images(count: int, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """Yield rough ground under a moving camera, with players and noise: of 224 x 398 about 22 kB as JPEG."""
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 30, ((height + 90) // 3 + 1, (width + 600) // 3 + 1, 1)).repeat(3, 0).repeat(3, 1)
    ground = rough + np.array([40, 110, 50]) + np.linspace(0, 60, rough.shape[1]).astype(np.int64)[:, None]
    for number in range(count):
        left, top = 3 * number % 600, number % 90
        image = ground[top : top + height, left : left + width].copy()
        for player in range(22):
            x, y = (player * 53 + number * (player % 5)) % (width - 8), (player * 31 + number // 3) % (height - 16)
            image[y : y + 16, x : x + 8] = [(player * 40) % 256, (player * 90) % 256, 200 * (player % 2)]
        yield np.clip(image + rng.integers(-6, 7, (height, width, 1)), 0, 255).astype(np.uint8)


def write_store(root: Path, images: Iterable[NDArray[np.uint8]], height: int, width: int, fps: Fraction) -> Path:
    """Write images as the prepared store of ``HALF`` in a tree, and return its path."""
    path = root / HALF.game / store_name(1, height, fps)
    with atomic_file(path) as file:
        writer = StoreWriter(file)
        for image in images:
            writer.add(encode(image, QUALITY))
        writer.finish(StoreHeader(str(fps), height, width, QUALITY, "made.mkv", 0), replaced=0)
    return path
