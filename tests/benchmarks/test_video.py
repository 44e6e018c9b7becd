"""What a prepared store costs beside JPEG files that torchvision reads: ratios within one run, CPU time, one thread.

Both hold the same images, textured and moving as real ones are, at the same quality.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.io import read_image

from spotter.data.video.jobs import QUALITY
from spotter.data.video.prepare import encode
from spotter.data.video.source import VideoSource
from spotter.data.video.store import StoreHeader, StoreWriter, store_name
from spotter.io.files import atomic_file
from spotter.types import Clip, Half

HALF = Half("league/season/match", 1)
FRAMES, HEIGHT, WIDTH = 1000, 224, 398
FASTER_CLIPS, FASTER_ITEMS = 1.8, 2.0


def texture(number: int, rng: np.random.Generator, ground: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return an image of rough ground under a moving camera, with players and noise: about 22 kB as JPEG."""
    left, top = 3 * number % 600, number % 90
    image = ground[top : top + HEIGHT, left : left + WIDTH].copy()
    for player in range(22):
        x, y = (player * 53 + number * (player % 5)) % (WIDTH - 8), (player * 31 + number // 3) % (HEIGHT - 16)
        image[y : y + 16, x : x + 8] = [(player * 40) % 256, (player * 90) % 256, 200 * (player % 2)]
    return np.clip(image + rng.integers(-6, 7, (HEIGHT, WIDTH, 1)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a store and a folder of files of the same images."""
    root = tmp_path_factory.mktemp("images")
    folder, store = root / "files", root / HALF.game / store_name(1, HEIGHT, Fraction(25))
    folder.mkdir()
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 30, ((HEIGHT + 90) // 3 + 1, (WIDTH + 600) // 3 + 1, 1)).repeat(3, 0).repeat(3, 1)
    ground = rough + np.array([40, 110, 50]) + np.linspace(0, 60, rough.shape[1]).astype(np.int64)[:, None]
    with atomic_file(store) as file:
        writer = StoreWriter(file)
        for number in range(FRAMES):
            image = texture(number, rng, ground)
            Image.fromarray(image).save(folder / f"{number:06d}.jpg", quality=QUALITY, subsampling="4:2:0")
            writer.add(encode(image, QUALITY))
        writer.finish(StoreHeader("25", HEIGHT, WIDTH, QUALITY, "made.mkv", 0), replaced=0)
    return store, folder


def seconds(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of several ways, taken in turn."""
    torch.set_num_threads(1)
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 2):
        for name, way in ways.items():
            began = time.process_time()
            way()
            spent[name].append(time.process_time() - began)
    return {name: float(np.median(each[2:])) for name, each in spent.items()}


def files_clip(folder: Path, start: int, length: int) -> Tensor:
    """Return a clip as torchvision gives it, (T, 3, H, W)."""
    return torch.stack([read_image(str(folder / f"{start + n:06d}.jpg")) for n in range(length)])


def test_random_clips_from_the_store(images: tuple[Path, Path]) -> None:
    """The same clips of 64, (T, H, W, 3) uint8: 1.8 times as many frames a CPU second, in no more disk space."""
    store, folder = images
    source, rng = VideoSource(25, root=store.parents[3]), np.random.default_rng(1)

    def ours(start: int | None = None) -> Tensor:
        start = int(rng.integers(FRAMES - 64)) if start is None else start
        return source.read([HALF], [Clip(0, start)], 64)[0]["video"][0]

    def planes(start: int | None = None) -> Tensor:
        return files_clip(folder, int(rng.integers(FRAMES - 64)) if start is None else start, 64)

    def theirs(start: int | None = None) -> Tensor:
        return planes(start).permute(0, 2, 3, 1).contiguous()

    assert torch.equal(ours(7), theirs(7))
    spent = seconds({"ours": ours, "theirs": theirs, "planes": planes}, rounds=21)
    kept, files = store.stat(), [file.stat() for file in folder.iterdir()]
    on_disk = kept.st_blocks * 512, sum(file.st_blocks for file in files) * 512
    length = kept.st_size, sum(file.st_size for file in files)
    ratio = spent["theirs"] / spent["ours"]
    rates = ", ".join(f"{name} {64 / each:.0f}" for name, each in spent.items())
    sizes = " MB, ".join(f"{size / 1e6:.1f}" for size in (*on_disk, *length))
    sys.stdout.write(
        f"\n{length[0] / FRAMES / 1000:.1f} kB an image; frames a CPU second: {rates}: {ratio:.2f} times, "
        f"{spent['planes'] / spent['ours']:.2f} where theirs stay planes; store and files on disk, and their lengths: "
        f"{sizes} MB\n"
    )
    assert ratio >= FASTER_CLIPS
    assert on_disk[0] <= on_disk[1]
    assert length[0] <= length[1]


@pytest.mark.parametrize("crop", [None, (224, 224)], ids=["whole", "crop 224"])
def test_training_item(images: tuple[Path, Path], crop: tuple[int, int] | None) -> None:
    """A clip of 100 frames and its mixup partner: at least twice as fast as in the reference's worker."""
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

    spent = seconds({"ours": ours, "theirs": theirs}, rounds=7)
    ratio = spent["theirs"] / spent["ours"]
    sys.stdout.write(
        f"\ncrop {crop}: {spent['ours'] * 1e3:.0f} and {spent['theirs'] * 1e3:.0f} ms: {ratio:.2f} times\n"
    )
    assert ratio >= FASTER_ITEMS
