"""A batch holds what its clips point at, and tells frames of the half from what lies beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotter.data.datasets import ClipDataset
from spotter.data.games import find_halves
from spotter.models.blocks.dense import DenseTargets
from spotter.types import Clip, HalfRecord, batch_size
from tests.helpers.trees import TASK, source_of, write_game

TARGETS = DenseTargets(2, 1.0, 3.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    write_game(root, "a", {1: 20, 2: 9}, [(1, "Goal", 5_000), (1, "Foul", 19_000), (2, "Goal", 0)])
    return root


def dataset(root: Path, targets: DenseTargets | None = TARGETS) -> ClipDataset:
    source = source_of(root)
    return ClipDataset(find_halves(root, "train", ["a"], TASK, source), source, 8, targets)


def test_a_batch_holds_its_clips(root: Path) -> None:
    clips = [Clip(0, 2), Clip(1, -3), Clip(1, 5), Clip(0, 16)]
    batch = dataset(root)[clips]
    assert batch_size(batch) == 4
    assert batch["half"].tolist() == [0, 1, 1, 0]
    assert batch["start"].tolist() == [2, -3, 5, 16]
    lengths = (20, 9)
    for i, (half, start, _) in enumerate(clips):
        frames = np.arange(start, start + 8)
        inside = (frames >= 0) & (frames < lengths[half])
        assert batch["valid"][i].tolist() == inside.tolist()
        assert batch["inputs"]["only"][i, :, 0].tolist() == np.where(inside, frames, 0).tolist()
    confidence = batch["targets"]["confidence"]
    assert confidence.shape == (4, 8, 2)
    assert confidence[0, :, 0].nonzero()[:, 0].tolist() == [2, 3, 4]  # frames 4, 5, 6 of half 1
    assert confidence[1, :, 0].nonzero()[:, 0].tolist() == [2, 3, 4], "spots of another half must not leak in"
    assert confidence[2].sum() == 0
    assert confidence[3, :, 1].nonzero()[:, 0].tolist() == [2, 3, 4]


def test_an_empty_batch_takes_part_in_an_epoch(root: Path) -> None:
    batch = dataset(root)[[]]
    assert batch_size(batch) == 0
    assert batch["inputs"]["only"].shape == (0, 8, 2)
    assert batch["valid"].shape == (0, 8)
    assert batch["targets"] == {}


def test_without_labels_or_targets_there_are_none(root: Path) -> None:
    assert dataset(root, targets=None)[[Clip(0, 0)]]["targets"] == {}
    known = dataset(root)
    records = [known.records[0], HalfRecord(known.records[1].half, 9, None)]
    assert ClipDataset(records, known.source, 8, TARGETS)[[Clip(0, 0)]]["targets"] == {}
