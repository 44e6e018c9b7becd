"""A user's own files, wherever they lie and whatever they are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.data.registry import open_files
from spotter.data.source import InputSpec, Source
from spotter.errors import UserError
from spotter.types import Clip, Half

ONE: dict[str, dict[str, Any]] = {"a": {"file": "feat", "fps": 1, "width": 2}}
TWO = {**ONE, "b": {"file": "more", "fps": 2, "width": 3}}


def save(path: Path, rows: int = 4, width: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.full((rows, width), rows, np.float16))


def open_features(paths: Sequence[str | Path], streams: dict[str, Any]) -> tuple[list[Half], Source]:
    return open_files(InputSpec.load({"kind": "features", "streams": streams}), paths)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("match.npy", 1),
        ("1_feat.npy", 1),
        ("2_feat.npy", 2),
        ("2.npy", 2),
        ("20_games.npy", 1),
        ("match (1), it's Málaga.npy", 1),
        ("epoch=3.npy", 1),
    ],
)
def test_a_file_is_a_game_and_its_prefix_the_half(tmp_path: Path, name: str, number: int) -> None:
    save(tmp_path / name, rows=7)
    (half,), source = open_features([tmp_path / name], ONE)
    assert half == Half(name.removesuffix(".npy"), number)
    assert source.length(half) == 7
    assert source.read([half], [Clip(0, 5)], 4)[0]["a"][0, :, 0].tolist() == [7, 7, 0, 0]


def test_a_folder_holds_many_below_it(tmp_path: Path) -> None:
    for rows, name in enumerate(("x/1_feat.npy", "x/2_feat.npy", "y.npy"), start=1):
        save(tmp_path / name, rows)
    (tmp_path / "notes.txt").touch()
    halves, source = open_features([str(tmp_path)], ONE)
    assert {half: source.length(half) for half in halves} == {
        Half("x/1_feat", 1): 1,
        Half("x/2_feat", 2): 2,
        Half("y", 1): 3,
    }


def test_streams_of_a_match_are_found_by_their_endings(tmp_path: Path) -> None:
    for name in ("x/2_cup_feat.npy", "y_feat.npy"):
        save(tmp_path / name, 4, 2)
    for name in ("x/2_cup_more.npy", "y_more.npy"):
        save(tmp_path / name, 8, 3)
    halves, source = open_features([tmp_path], TWO)
    assert halves == [Half("x/2_cup", 2), Half("y", 1)]
    inputs, _ = source.read(halves, [Clip(1, 0)], 4)
    assert (inputs["a"].shape[2], inputs["b"].shape[2]) == (2, 3)


@pytest.mark.parametrize(
    ("files", "given", "streams", "said"),
    [
        ([], "nowhere.npy", ONE, r"no file or folder .*nowhere\.npy"),
        (["f.mp4"], "f.mp4", ONE, r"'f\.mp4' is no \.npy file, and this checkpoint reads features: .*extractor="),
        (["f.mp4"], "", ONE, r"no \.npy file in the folder"),
        (["x_feat.npy"], "", TWO, r"'x' lacks its _more\.npy; this checkpoint reads 2"),
        (["x.npy"], "", TWO, r"reads files that end in _feat\.npy, _more\.npy; none in"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, files: list[str], given: str, streams: dict[str, dict[str, Any]], said: str
) -> None:
    for file in files:
        (tmp_path / file).touch()
    with pytest.raises(UserError, match=f"input: .*{said}"):
        open_features([tmp_path / given], streams)


def test_features_of_another_width_get_advice_that_prediction_has(tmp_path: Path) -> None:
    save(tmp_path / "1_x.npy", 4, 5)
    (half,), source = open_features([tmp_path], ONE)
    with pytest.raises(
        UserError, match=r"1_x\.npy: is 5 wide, expected 2; give files of the features that this model was"
    ):
        source.length(half)
