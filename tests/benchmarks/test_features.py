"""Random clips of features from files in the cache, in one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotter.data.features import FeatureSource
from spotter.types import Clip, Half
from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import compare
from tests.helpers.sparse import ROWS, WIDTH

HALVES, BATCH, CLIP = 12, 64, 50
BATCHES = 10  # of one measurement


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Half]]:
    """Return real files of float16, small enough in all to stay in the cache."""
    root, found = tmp_path_factory.mktemp("clips"), []
    for number in range(HALVES):
        half = Half(f"league/season/{number}", 1)
        (root / half.game).mkdir(parents=True)
        rows = np.random.default_rng(number).standard_normal((ROWS, WIDTH), dtype=np.float32).astype(np.float16)
        np.save(root / half.game / "1_baidu.npy", rows)
        (root / half.game / "1_baidu.npy").read_bytes()
        found.append(half)
    return root, found


@pytest.mark.parametrize(("key", "columns"), [("clips", None), ("clips_columns", [4096, 4480])])
def test_clips(note: Note, halves: tuple[Path, list[Half]], key: str, columns: list[int] | None) -> None:
    """Batches of 64 clips of 50 rows, each from a random half."""
    root, found = halves
    source = FeatureSource({"baidu": {"file": "baidu", "fps": 1, "width": WIDTH, "columns": columns}}, root)
    maps = [np.load(root / half.game / "1_baidu.npy", mmap_mode="r") for half in found]
    rng, taken = np.random.default_rng(0), slice(*(columns or [None]))

    def draw() -> list[tuple[int, int]]:
        return list(zip(rng.integers(HALVES, size=BATCH), rng.integers(ROWS - CLIP, size=BATCH), strict=True))

    def ours() -> None:
        for _ in range(BATCHES):
            source.read(found, [Clip(int(half), int(start)) for half, start in draw()], CLIP)

    def theirs() -> None:
        for _ in range(BATCHES):
            np.stack([maps[half][start : start + CLIP, taken] for half, start in draw()])

    note(key, compare(ours, theirs, 9))
