"""Training on a file of labels: its splits, its input, relative to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch

from spotter.data.video.find import find_input
from spotter.errors import UserError
from spotter.io.exchange.annotations import root_of_labels
from spotter.training.datamodule import SpottingDataModule
from tests.helpers.trees import TASK, source_of, write_game

CLIPS = {"clip_len": 8, "per_epoch": 4}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Return OSL JSON of three games, whose features lie beside it and whose official labels do not."""
    data: list[dict[str, Any]] = []
    for game, split in (("l/a", "train"), ("l/b", "valid"), ("l/c", "test")):
        write_game(tmp_path, game, {1: 60, 2: 40}, spots=None)
        for half in (1, 2):
            event = {"head": "action", "label": "Goal", "position_ms": 5000 * half}
            inputs = [{"type": "features", "path": f"{game}/{half}_feature.npy"}]
            data.append({"id": f"{game}/{half}", "split": split, "inputs": inputs, "events": [event]})
    path = tmp_path / "annotations.json"
    path.write_bytes(orjson.dumps({"version": "2.0", "labels": {"action": {"labels": ["Goal"]}}, "data": data}))
    return path


def module(path: Path, **more: Any) -> SpottingDataModule:
    root = root_of_labels(path, None)
    made = SpottingDataModule(
        TASK.to_dict(), source_of(Path(root)), CLIPS, root, labels=str(path), batch_size=2, **more
    )
    made.setup("fit")
    return made


def test_splits_labels_and_input_are_those_of_the_file(labels: Path) -> None:
    data = module(labels)
    assert {split: [tuple(each.half) for each in records] for split, records in data.records.items()} == {
        "train": [("l/a", 1), ("l/a", 2)],
        "valid": [("l/b", 1), ("l/b", 2)],
        "test": [("l/c", 1), ("l/c", 2)],
    }
    first, second = data.records["train"]
    assert first.spots is not None
    assert second.spots is not None
    assert (first.spots.time.tolist(), second.spots.time.tolist()) == ([5.0], [10.0])
    assert [record.frames for record in data.records["train"]] == [60, 40]


def test_a_split_may_be_replaced_and_a_file_without_splits_needs_that(labels: Path) -> None:
    assert [each.half.game for each in module(labels, splits={"train": ["l/a", "l/b"]}).records["train"]] == [
        *("l/a", "l/a", "l/b", "l/b")
    ]
    content = orjson.loads(labels.read_bytes())
    for sample in content["data"]:
        del sample["split"]
    labels.write_bytes(orjson.dumps(content))
    with pytest.raises(UserError, match=r"split train lists no game; give data\.splits\.train"):
        module(labels)


def test_a_folder_has_a_file_for_each_split(labels: Path) -> None:
    content = orjson.loads(labels.read_bytes())
    for split in ("train", "valid"):
        data = [{**sample} for sample in content["data"] if sample["split"] == split]
        for sample in data:
            del sample["split"]
        (labels.parent / f"annotations_{split}.json").write_bytes(orjson.dumps({**content, "data": data}))
    labels.unlink()
    assert [record.half.game for record in module(labels.parent).records["valid"]] == ["l/b", "l/b"]


def test_periods_of_one_file_are_halves_to_train_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Four halves, with time before, between and after them, of which nothing is read."""
    data: list[dict[str, Any]] = []
    for game, split in (("l/a", "train"), ("l/b", "valid")):
        write_game(tmp_path, game, {1: 400}, spots=None)
        edges = [(20, 100), (130, 210), (230, 260), (270, 299.5)]
        about = {"intervals": [{"start_time_ms": 1000 * a, "end_time_ms": 1000 * b} for a, b in edges]}
        events = [{"label": "Goal", "position_ms": at} for at in (500, 25_500, 140_000, 231_000, 290_000, 399_000)]
        inputs = [{"type": "features", "path": f"{game}/1_feature.npy"}]
        data.append({"id": game, "split": split, "inputs": inputs, "metadata": about, "events": events})
    path = tmp_path / "annotations.json"
    path.write_bytes(orjson.dumps({"version": "2.0", "labels": {"action": {"labels": ["Goal"]}}, "data": data}))
    made = module(path)
    records = made.records["train"]
    assert [(each.half.number, each.frames) for each in records] == [(1, 80), (2, 80), (3, 30), (4, 30)]
    assert [each.spots.time.tolist() for each in records if each.spots] == [[5.5], [10.0], [1.0], [20.0]]
    assert [each.half.number for each in made.records["valid"]] == [1, 2, 3, 4]
    assert caplog.text.count("left out 4 events outside of all intervals") == 1
    rows = torch.cat([batch["inputs"]["only"][..., 0].flatten() for batch in made.train_dataloader()])
    played = {0, *(row for first, last in edges for row in range(first, int(np.ceil(last))))}
    assert {int(row) for row in rows.unique()} <= played


def test_a_table_of_labels_trains(tmp_path: Path) -> None:
    for game in ("a", "b"):
        write_game(tmp_path, game, {1: 60, 2: 40}, spots=None)
    (tmp_path / "labels.csv").write_text("game,half,clock,class\na,1,00:05,Goal\na,2,0:30,Foul\nb,1,0:20,Goal\n")
    made = module(tmp_path / "labels.csv", splits={"train": ["a"], "valid": ["b"]})
    assert [each.spots.time.tolist() for each in made.records["train"] if each.spots] == [[5.0], [30.0]]
    assert [len(each.spots or ()) for each in made.records["valid"]] == [1, 0]


def test_a_video_may_lie_in_place_of_its_game(tmp_path: Path) -> None:
    from fractions import Fraction

    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "match 1.mp4").touch()
    assert find_input(tmp_path / "test" / "match 1", 1, 224, Fraction(25)) == tmp_path / "test" / "match 1.mp4"
    assert find_input(tmp_path / "test" / "match 1", 2, 224, Fraction(25)) is None


def test_a_root_of_the_environment_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCCERNET_ROOT", "/data/SoccerNet")
    assert root_of_labels("/osl/a.json", "/data/SoccerNet") == "/osl"
    assert root_of_labels("/osl/a.json", "/elsewhere") == "/elsewhere"
