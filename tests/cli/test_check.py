"""``spotter check`` finds every kind of damage in a tree, names each file once, and says nothing of a sound one."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main
from tests.data.test_video_store import write_store
from tests.helpers.videos import write_video


def test_a_sound_tree(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tree)]) == 0
    assert capsys.readouterr().out == f"{tree}: 4 label files, 8 feature files; no problems\n"


def test_a_label_file_is_of_any_task_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Several tasks read Labels-ball.json, each its own actions; what the others do not know is not said."""
    for game, labels in (("l/s/a", ("PASS", "DRIVE")), ("l/s/b", ("HEADER", "THROW IN")), ("l/s/c", ("PASS", "DANCE"))):
        entries = ",".join(f'{{"gameTime": "1 - 00:01", "position": "1000", "label": "{name}"}}' for name in labels)
        (tmp_path / game).mkdir(parents=True)
        (tmp_path / game / "Labels-ball.json").write_text(f'{{"annotations": [{entries}]}}')
    assert main(["check", str(tmp_path)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{tmp_path}: 3 label files; 1 problem"
    assert len(lines) == 1
    assert "'DANCE'" in lines[0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_each_damaged_file_is_named(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(shutil.copytree(tree, tmp_path / "tree"))
    folders = sorted(path.parent for path in root.rglob("Labels-v2.json"))
    (folders[0] / "Labels-v2.json").write_text('{"annotations": [{"gameTime": "now"}]}', encoding="utf-8")
    features = [next(folder.glob("1_*.npy")) for folder in folders[:3]]
    rows = np.load(features[0])
    rows[[5, 9], 0] = [np.nan, -np.inf]
    np.save(features[0], rows)
    features[1].write_bytes(features[1].read_bytes()[:5000])
    np.save(features[2], np.zeros(7))
    store = write_store(folders[0] / "1_64p_25fps.frames", 10)
    content = bytearray(store.read_bytes())
    content[8:200] = bytes(192)
    store.write_bytes(content)
    write_store(folders[1] / "1_64p_25fps.frames", 10)
    (folders[2] / "1_224p.mkv").write_bytes(b"no video")
    write_video(folders[3] / "1_224p.mkv", 10)
    assert main(["check", str(root)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{root}: 4 label files, 8 feature files, 2 store files, 2 video files; 6 problems"
    damaged = [folders[0] / "Labels-v2.json", *features, store, folders[2] / "1_224p.mkv"]
    assert sorted(line.split(": ")[0] for line in lines) == sorted(map(str, damaged))
    assert f"{features[0]}: row 5 is not finite, and 1 more of its rows" in lines


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 1
    assert "holds no labels, features, stores or videos" in capsys.readouterr().err
    assert main(["check", str(tmp_path), "--task", "ball-2023"]) == 1
    assert "holds no Labels-ball.json, features, stores or videos" in capsys.readouterr().err
