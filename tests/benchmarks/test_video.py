"""What a prepared store costs beside JPEG files that torchvision reads.

Both hold the same images, textured and moving as real ones are, at the same quality.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.io import read_image

from spotter.data.video.jobs import QUALITY
from spotter.data.video.source import VideoSource
from spotter.types import Clip
from tests.benchmarks.conftest import Note
from tests.benchmarks.images import HALF, make_images, write_store
from tests.benchmarks.pairs import compare

FRAMES, HEIGHT, WIDTH = 1000, 224, 398


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a store and a folder of files of the same images."""
    root = tmp_path_factory.mktemp("images")
    folder, made = root / "files", list(make_images(FRAMES, HEIGHT, WIDTH))
    folder.mkdir()
    for number, image in enumerate(made):
        Image.fromarray(image).save(folder / f"{number:06d}.jpg", quality=QUALITY, subsampling="4:2:0")
    return write_store(root, made, HEIGHT, WIDTH, Fraction(25)), folder


def files_clip(folder: Path, start: int, length: int) -> Tensor:
    """Return a clip as torchvision gives it, (T, 3, H, W)."""
    return torch.stack([read_image(str(folder / f"{start + n:06d}.jpg")) for n in range(length)])


def test_clips(note: Note, images: tuple[Path, Path]) -> None:
    """The same clips of 64, (T, H, W, 3) uint8, in no more disk space."""
    store, folder = images
    source, rng = VideoSource(25, root=store.parents[3]), np.random.default_rng(1)

    def ours(start: int | None = None) -> Tensor:
        start = int(rng.integers(FRAMES - 64)) if start is None else start
        return source.read([HALF], [Clip(0, start)], 64)[0]["video"][0]

    def theirs(start: int | None = None) -> Tensor:
        start = int(rng.integers(FRAMES - 64)) if start is None else start
        return files_clip(folder, start, 64).permute(0, 2, 3, 1).contiguous()

    assert torch.equal(ours(7), theirs(7))
    kept, files = store.stat(), [file.stat() for file in folder.iterdir()]
    assert kept.st_blocks <= sum(file.st_blocks for file in files)
    assert kept.st_size <= sum(file.st_size for file in files)
    sys.stdout.write(f"\n{kept.st_size / FRAMES / 1000:.1f} kB an image")
    note("video", compare(ours, theirs, 15))


@pytest.mark.parametrize("crop", [None, (224, 224)], ids=["whole", "crop 224"])
def test_training_item(note: Note, images: tuple[Path, Path], crop: tuple[int, int] | None) -> None:
    """A clip of 100 frames and its mixup partner, against what the reference's worker does for them."""
    store, folder = images
    source, rng = VideoSource(25, crop=crop, root=store.parents[3]), np.random.default_rng(1)

    def ours() -> Tensor:
        clips = [Clip(0, int(rng.integers(FRAMES - 100)), (rng.random(), rng.random())) for _ in range(2)]
        return source.read([HALF], clips, 100)[0]["video"]

    def augmented() -> Tensor:
        first = int(rng.integers(FRAMES - 100))
        clip = torch.stack([read_image(str(folder / f"{first + n:06d}.jpg")).float() / 255 for n in range(100)])
        if crop:
            top, left = int(rng.integers(HEIGHT - crop[0] + 1)), int(rng.integers(WIDTH - crop[1] + 1))
            clip = clip[..., top : top + crop[0], left : left + crop[1]]
        return clip.flip(-1) if rng.random() < 0.5 else clip

    def theirs() -> Tensor:
        share = float(rng.beta(0.2, 0.2))
        return share * augmented() + (1 - share) * augmented()

    note("item_crop" if crop else "item", compare(ours, theirs, 7))
