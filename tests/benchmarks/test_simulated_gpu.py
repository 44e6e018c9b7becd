"""A GPU that takes 50 ms a step, whatever it computes: what readers of features and video need to keep it busy."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from spotter.cli.compose import prepare_hydra
from spotter.data.video.source import VideoSource
from spotter.inference.allocator import keep_freed_memory
from spotter.training.run import build_data
from spotter.types import Clip
from tests.benchmarks.conftest import Note
from tests.benchmarks.images import HALF, make_images, write_store
from tests.benchmarks.pairs import Pairs, cpu_seconds
from tests.conftest import PROJECT
from tests.helpers.sparse import sparse_tree

STEP = 0.05  # seconds
STEPS, FRAMES = 40, 300


def recipe(name: str, *words: str) -> DictConfig:
    """Return the config of a published recipe."""
    prepare_hydra()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return compose("train", [f"experiment={name}", "run_dir=.", *words])


def test_readers_of_features(note: Note, tmp_path: Path) -> None:
    """Steps of 64 clips of 200 rows: what reading them costs, and how busy two readers keep the GPU."""
    root = sparse_tree(tmp_path, (4, 1, 1), "float16")  # so few that they lie in the cache
    keep_freed_memory()  # as training does
    for workers in (0, 2):
        data = build_data(recipe("baidu_transformer", f"data.root={root}", f"data.num_workers={workers}"))
        data.setup("fit")
        batches = iter(data.train_dataloader())
        for _ in range(3):
            next(batches)
        begin = time.perf_counter()
        spent = []
        for _ in range(STEPS):
            spent.append(cpu_seconds(lambda: next(batches)))  # noqa: B023
            if workers:
                time.sleep(STEP)
        if workers:
            note("gpu_busy", Pairs([STEPS * STEP], [time.perf_counter() - begin]))
        else:
            note("gpu_features", Pairs(spent, [STEP] * STEPS))


@pytest.mark.parametrize(("key", "name"), [("gpu_e2e", "e2e_ball"), ("gpu_t_deed", "t_deed_ball")])
def test_readers_of_video(note: Note, tmp_path: Path, key: str, name: str) -> None:
    """Steps of 8 clips of 100 images at 224p, and of 4 at 448p; mixup takes its partners from the batch."""
    cfg = recipe(name, f"data.root={tmp_path}")
    height, width = cfg.data.size
    write_store(tmp_path, make_images(FRAMES, height, width), height, width, Fraction(str(cfg.data.fps)))
    source = VideoSource(cfg.data.fps, (height, width), cfg.data.crop, root=tmp_path)
    rng, length = np.random.default_rng(0), cfg.model.clips.clip_len

    def read() -> None:
        starts = rng.integers(FRAMES - length, size=cfg.data.batch_size).tolist()
        source.read([HALF], [Clip(0, start, (rng.random(), rng.random())) for start in starts], length)

    read()
    note(key, Pairs([cpu_seconds(read) for _ in range(5)], [STEP] * 5))
