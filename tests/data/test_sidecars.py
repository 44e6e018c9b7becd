"""Features that were extracted are trained on by their name: the JSON files beside them say the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spotter.data.sidecars import describe_streams
from spotter.errors import UserError
from tests.conftest import call
from tests.helpers.configs import composed, configs


def test_streams_are_what_lies_beside_the_files(features: Path) -> None:
    with configs():
        words = ["data=features", f"data.root={features}", "data.name=[mine,other]", "data.columns=[2,10]"]
        data = composed("train", *words).data
    assert (data.fps, data.width, data.offset) == ("1", 16, 0.0)
    assert list(data.source.streams) == ["mine", "other"]
    first, second = data.source.streams.values()
    assert (first.file, first.fps, first.width, first.columns) == ("mine", "1", 16, [2, 10])
    assert (second.file, second.fps, second.width, second.columns) == ("other", "2", 8, None)


def test_the_files_are_looked_for_once(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def describe(root: str, names: str, columns: object = None) -> Any:
        looked.append(names)
        return describe_streams(root, names, columns)

    monkeypatch.setattr("spotter.cli.compose.describe_streams", describe)
    with configs():
        data = composed("train", "data=features", f"data.root={features}", "data.name=mine").data
    assert (data.fps, data.width, looked) == ("1", 16, ["mine"])


def test_what_is_missing_is_named(features: Path, tmp_path: Path) -> None:
    for words, expected in (
        ([f"data.root={features}"], "data.name: give data.name=…"),
        (["data.name=mine"], "data.root: give the folder that holds the features"),
        ([f"data.root={features}", "data.name=[mine,wrong]"], "no <game>/1_wrong.npy with a JSON file beside it"),
    ):
        called = call("train.py", "data=features", *words, cwd=tmp_path, env={"SOCCERNET_ROOT": ""})
        assert called.status != 0
        assert expected in called.err
        assert called.err.count("\n") == 1
    (tmp_path / "g").mkdir()
    (tmp_path / "g/1_mine.npy").touch()
    for odd in ({"offset": None}, {"offset": "1"}, {"width": "x"}, {"width": 0}, {"fps": None}):
        (tmp_path / "g/1_mine.json").write_text(json.dumps({"fps": "1", "width": 16, "offset": 0} | odd))
        with pytest.raises(UserError, match=rf"1_mine\.json: {next(iter(odd))}: expected"):
            describe_streams(str(tmp_path), "mine")
    (tmp_path / "g/1_mine.npy").unlink()
    with pytest.raises(UserError, match=r"no <game>/1_mine\.npy"):
        describe_streams(str(tmp_path), "mine")
