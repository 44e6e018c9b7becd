"""Damaged input in the middle of an epoch: named, or skipped and counted, whatever it is read from."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from spotter.data.clips import EvaluationBatches
from spotter.data.datasets import ClipDataset
from spotter.data.games import find_halves
from spotter.data.loaders import batch_loader
from spotter.data.skips import Skips
from spotter.data.source import Source
from spotter.data.video.jobs import Job, Recipe
from spotter.data.video.prepare import make
from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.io.files import json_bytes
from spotter.types import Clip, HalfRecord
from tests.helpers.trees import TASK, source_of, write_game
from tests.helpers.videos import cut_off, damage, write_video

LEN = 10
KINDS = ("features", "store", "video", "jpegs")
GAMES = ("a", "b")


def file_of(kind: str, root: Path) -> Path:
    """Return the file that holds the first half of the first game."""
    names = {"features": "1_feature.npy", "store": "1_36p_25fps.frames", "video": "1_224p.mkv", "jpegs": "1"}
    return root / "a" / names[kind]


def written(kind: str, root: Path) -> Source:
    for game in GAMES:
        write_game(root, game, {1: 100, 2: 100} if kind == "features" else {}, [(1, "Goal", 1000), (2, "Foul", 900)])
        for half in (1, 2) if kind != "features" else ():
            write_video(root / game / f"{half}_224p.mkv", 100, size=(36, 64))
            video, store = root / game / f"{half}_224p.mkv", root / game / f"{half}_36p_25fps.frames"
            if kind == "store":
                make(Job(video, store, Recipe(Fraction(25), 36)), lambda count: None)
            if kind == "jpegs":
                _write_jpegs(root / game / str(half))
            if kind != "video":
                video.unlink()
    return source_of(root) if kind == "features" else VideoSource(25, [36, 64], root=root)


def _write_jpegs(folder: Path) -> None:
    from PIL import Image

    folder.mkdir()
    for number in range(100):
        Image.new("RGB", (64, 36), (number, 0, 0)).save(folder / f"{number:06d}.jpg")
    (folder / "fps.txt").write_text("25\n", encoding="utf-8")


def hurt(kind: str, path: Path) -> None:
    """Damage what has been opened already, as a failing disk does."""
    if kind == "features":
        os.truncate(path, path.stat().st_size // 8)
    elif kind == "jpegs":
        for image in path.glob("*.jpg"):
            image.write_bytes(b"no image")
    else:
        damage(path, 0.02, 0.9)


def vanish(kind: str, path: Path) -> None:
    """Take away what has been found already."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def records_of(root: Path, source: Source, **settings: Any) -> list[HalfRecord]:
    return find_halves(root, "train", list(GAMES), TASK, source, **settings)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [hurt, vanish])
def test_mid_epoch(
    kind: str,
    fault: Callable[[str, Path], None],
    workers: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = written(kind, tmp_path)
    records = records_of(tmp_path, source)
    fault(kind, file_of(kind, tmp_path))
    batches = EvaluationBatches([[Clip(0, 60), Clip(2, 30)], [Clip(1, 5)], [Clip(0, 70)]])
    strict = batch_loader(ClipDataset(records, source, LEN, None), batches, workers, pin=False)
    with pytest.raises((UserError, OSError), match=f"a/{file_of(kind, tmp_path).name}"):
        list(strict)
    skips = Skips()
    lenient = list(batch_loader(ClipDataset(records, source, LEN, None, skips), batches, workers, pin=False))
    assert [batch["half"].tolist() for batch in lenient] == [[2, 2], [1], [1]], "others of the batch, or the next half"
    with caplog.at_level(logging.WARNING):
        skips.say()
    assert "2 clips could not be read since the last line like this and were skipped, 2 in all" in caplog.text


@pytest.mark.parametrize("kind", ["features", "store", "video"])
def test_before_the_run(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = written(kind, tmp_path)
    path = file_of(kind, tmp_path)
    if kind == "video":
        path.write_bytes(b"no video")
    else:
        cut_off(path, 0.01 if kind == "features" else 0.5)
    with pytest.raises(UserError, match=f"a/{path.name}"):
        records_of(tmp_path, source)
    kept = records_of(tmp_path, source, skip_damaged=True)
    assert [(record.half.game, record.half.number) for record in kept] == [("a", 2), ("b", 1), ("b", 2)]
    assert f"split train goes on without 1 damaged files, first {path}" in caplog.text


def test_a_damaged_label_leaves_out_its_game(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = written("features", tmp_path)
    label = tmp_path / "a" / TASK.label_file
    for content in (b"{", json_bytes({"annotations": [{"label": "Goal"}]})):
        label.write_bytes(content)
        with pytest.raises(UserError, match=str(label)):
            records_of(tmp_path, source)
        kept = records_of(tmp_path, source, skip_damaged=True)
        assert {record.half.game for record in kept} == {"b"}
    assert "split train goes on without 1 damaged files, first " in caplog.text


def test_where_nothing_can_be_read_the_first_error_comes_out(tmp_path: Path) -> None:
    source = written("features", tmp_path)
    records = records_of(tmp_path, source)
    for path in tmp_path.rglob("*.npy"):
        os.truncate(path, 100)
    with pytest.raises(UserError, match="is shorter than it was when the run began"):
        ClipDataset(records, source, LEN, None, Skips())[[Clip(0, 60)]]
