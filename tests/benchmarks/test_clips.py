"""How fast random clips come from a warm cache, in one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from spotter.data.features import FeatureSource
from spotter.types import Clip, Half
from tests.helpers.sparse import ROWS, WIDTH

HALVES, BATCH, CLIP = 12, 64, 50
WANTED = 4000  # clips a second


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


@pytest.mark.parametrize("columns", [None, [4096, 4480]], ids=["all columns", "VTN only"])
def test_random_clips(benchmark: BenchmarkFixture, halves: tuple[Path, list[Half]], columns: list[int] | None) -> None:
    """Batches of 64 clips of 50 rows, each from a random half."""
    root, found = halves
    source = FeatureSource({"baidu": {"file": "baidu", "fps": 1, "width": WIDTH, "columns": columns}}, root)
    rng = np.random.default_rng(0)

    def read() -> None:
        where = zip(
            rng.integers(HALVES, size=BATCH).tolist(), rng.integers(ROWS - CLIP, size=BATCH).tolist(), strict=True
        )
        source.read(found, [Clip(half, start) for half, start in where], CLIP)

    benchmark.pedantic(read, rounds=40, warmup_rounds=3)
    rate = BATCH / benchmark.stats["median"]
    benchmark.extra_info["clips_per_second"] = round(rate)
    assert rate >= WANTED
