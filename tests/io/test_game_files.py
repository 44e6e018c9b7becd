"""Names of games from files: none leads out of the folder that is read or written, wherever it is named."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spotter.cli import main
from spotter.errors import UserError
from spotter.io.game_files import check_game, game_file, game_file_to_write
from spotter.io.predictions import find_predictions, read_predictions, write_predictions
from spotter.io.scores import Scores, save_scores
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import load_splits
from spotter.io.transcripts.trees import read_transcripts
from spotter.io.trees import find_games
from spotter.simulation.features import simulate
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

TASK = Task.load("soccernet-v2")
EVIL = [
    "../outside", "a/../../outside", "/tmp/outside", "//server/share", "C:/outside", "c:outside", "a/D:x", "..", "a//b",
    "a/./b", "a/... /b", "a\\..\\..\\outside", "\\\\server\\share", "a/b\0c", "a/b\nc", "NUL", "a/con", "l/s/COM1.txt",
    "lpt9/x", "aux /x", "x" * 300, "é" * 200, "a/\udc80", "",
]  # fmt: skip
GOOD = [
    "england_epl/2014-2015/2015-02-21 - 18-00 Chelsea 1 - 1 Burnley", "l/s/2015 Málaga 1 - 0 it's", ".", "match (1)",
    "a,b", "${e}", "epoch=3", "console/nullable/12:30", "x..y",
]  # fmt: skip
LABELS = json.dumps({"annotations": [{"gameTime": "1 - 00:10", "label": "Goal", "position": "10000"}]})
ONE = HalfPredictions(np.array([0]), np.array([1.0]), np.array([0.5]))


@pytest.mark.parametrize("game", EVIL, ids=ascii)
def test_a_name_that_leads_elsewhere_is_refused(game: str, tmp_path: Path) -> None:
    """By every way in; the message is one short line and names the file."""
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"train": [game]}))
    single = tmp_path / "one.json"
    single.write_text(json.dumps({"UrlLocal": game or 3, "annotations": []}))
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"game": game, "half": 1, "segments": []}))
    ways: list[Callable[[], object]] = [
        lambda: check_game(game, splits),
        lambda: game_file(tmp_path, game, "x.json"),
        lambda: game_file_to_write(tmp_path, game, "x.json"),
        lambda: load_splits(TASK, tmp_path),
        lambda: load_splits(TASK, overrides={"test": [game or "/"]}),
        lambda: find_games(single, TASK.label_file),
        lambda: SoccerNet().missing(tmp_path, [game], TASK),
        lambda: SoccerNet().read(tmp_path, [game], TASK),
        lambda: SoccerNet().write(tmp_path, {Half(game, 1): Spots.empty()}, TASK),
        lambda: read_predictions(tmp_path, [game], TASK),
        lambda: write_predictions(tmp_path / "out", {Half(game, 1): ONE}, TASK),
        lambda: save_scores(tmp_path / "out", Half(game, 1), Scores(np.zeros((2, 17), np.float32), None, 1.0)),
        lambda: list(read_transcripts(lines)),
    ]
    for way in ways:
        with pytest.raises(UserError) as raised:
            way()
        assert len(str(raised.value)) < 300 + len(str(tmp_path))
        assert str(raised.value).isprintable()


@pytest.mark.parametrize("game", GOOD)
def test_names_that_stay_are_taken(game: str, tmp_path: Path) -> None:
    assert check_game(game, "here") == game
    assert game_file_to_write(tmp_path, game, "x.json") == tmp_path / game / "x.json"


@given(st.text(st.sampled_from("abC:/\\.. \0~$nul1é\ud800"), max_size=12))
@example("CONIN$")
def test_what_is_taken_lies_below_the_root(game: str) -> None:
    try:
        path = game_file("/root/of/games", game, "x.json")
    except UserError:
        return
    assert path.resolve().is_relative_to("/root/of/games")


@pytest.mark.parametrize("game", [game for game in EVIL if max(game, default="") < "\ud800" and "\0" not in game])
def test_zips(game: str, tmp_path: Path) -> None:
    """Of labels, of predictions: refused as a whole, before anything is written."""
    packed = tmp_path / "labels.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{game}/{TASK.label_file}", LABELS)
        archive.writestr(f"{game}/results_spotting.json", '{"predictions": []}')
    before = sorted(tmp_path.rglob("*"))
    for way in (find_games, lambda root, _: find_predictions(root)):
        with pytest.raises(UserError, match=r"labels\.zip: names the game"):
            way(packed, TASK.label_file)
    status = main(["demo", str(tmp_path / "demo"), "--labels", str(packed), "--games", "1", "0", "0"])
    assert status == 1
    assert [path for path in sorted(tmp_path.rglob("*")) if "demo" not in str(path)] == before


def test_a_link_in_a_zip_is_not_followed(tmp_path: Path) -> None:
    packed = tmp_path / "labels.zip"
    link = zipfile.ZipInfo(f"l/s/g/{TASK.label_file}")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(link, "/etc/hostname")
    with pytest.raises(UserError, match="is a link, which is not followed"):
        SoccerNet().read(packed, ["l/s/g"], TASK)
    with pytest.raises(UserError, match="is a link, which is not followed"):
        simulate(tmp_path / "demo", games=(1, 0, 0), minutes=1, width=32, labels=packed)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Into a folder that somebody else has laid out."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (out / "league").symlink_to(outside)
    with pytest.raises(UserError, match=r"a link leads out of .*out"):
        write_predictions(out, {Half("league/s/g", 1): ONE}, TASK)
    with pytest.raises(UserError, match="a link leads out"):
        SoccerNet().write(out, {Half("league/s/g", 1): Spots.empty()}, TASK)
    (out / "l/s/g").mkdir(parents=True)
    (out / "l/s/g/results_spotting.json").symlink_to(outside / "file")
    with pytest.raises(UserError, match="a link leads out"):
        write_predictions(out, {Half("l/s/g", 1): ONE}, TASK)
    assert not any(outside.iterdir())


@pytest.mark.parametrize("game", ["{outside}", "../outside", "linked"])
def test_an_earlier_zip_gets_nothing_deleted_outside(
    game: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By an absolute member, a relative one and a link; predictions are written, and a warning says what was left."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    for folder in (outside, out):
        folder.mkdir()
    (outside / "results_spotting.json").write_text("keep me")
    (out / "linked").symlink_to(outside)
    with zipfile.ZipFile(out / "results_spotting.zip", "w") as archive:
        archive.writestr(f"{game.format(outside=outside)}/results_spotting.json", "{}")
    write_predictions(out, {Half("l/s/g", 1): ONE}, TASK)
    assert (outside / "results_spotting.json").read_text() == "keep me"
    assert (out / "l/s/g/results_spotting.json").is_file()
    assert "not written by spotter, files of earlier predictions are left" in caplog.text


def test_a_demo_tree_of_somebody_else(tmp_path: Path) -> None:
    """Its ``splits.json`` names where inputs would be made."""
    root = simulate(tmp_path / "tree", games=(1, 0, 0), minutes=1, width=32)
    (root / "splits.json").write_text(json.dumps({"train": ["../../outside"], "valid": [], "test": []}))
    with pytest.raises(UserError, match=r"splits\.json: names the game '\.\./\.\./outside'"):
        simulate(root, games=(1, 0, 0), minutes=1, width=32)


@pytest.mark.parametrize("file", ["../x", "/x", "a/b", "a\\b", "..", "."])
def test_files_of_tasks_and_streams_are_plain_names(file: str) -> None:
    from spotter.data.streams import Stream

    with pytest.raises(UserError, match="label_file must be a plain name"):
        Task.load({**TASK.to_dict(), "label_file": file})
    with pytest.raises(UserError, match=r"data\.streams\.x\.file: expected the name of a file"):
        Stream.load("x", {"file": file, "fps": 1, "width": 3})
