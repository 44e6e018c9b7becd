"""Splits: the official lists, a tree's own, and what the user names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from omegaconf import OmegaConf

from spotter.errors import UsageError, UserError
from spotter.io.splits import SPLITS, check_split, hold_out, load_splits
from spotter.tasks import Task

SOCCER, BALL = Task.load("soccernet-v2"), Task.load("ball-2023")
OWN = Task.load({**BALL.to_dict(), "name": "hockey"})


@pytest.mark.parametrize(("task", "counts"), [(SOCCER, (300, 100, 100, 50)), (BALL, (4, 1, 2, 2))])
def test_the_official_lists_are_whole_and_disjoint(task: Task, counts: tuple[int, ...]) -> None:
    splits = load_splits(task)
    assert tuple(splits) == SPLITS
    assert tuple(map(len, splits.values())) == counts
    games = [game for split in splits.values() for game in split]
    assert len(set(games)) == sum(counts)
    assert all(game.count("/") == 2 and not game.endswith("/") for game in games)


def test_the_trees_own_list_takes_their_place(tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_bytes(orjson.dumps({"train": ["a"], "test": ["b", "c"]}))
    expected = {"train": ["a"], "valid": [], "test": ["b", "c"], "challenge": []}
    assert load_splits(SOCCER, tmp_path) == load_splits(OWN, str(tmp_path)) == expected
    assert load_splits(SOCCER, tmp_path, {"train": ["valid", "test"]})["train"] == ["b", "c"]
    shutil.make_archive(str(tmp_path / "tree"), "zip", tmp_path, "splits.json")
    assert load_splits(SOCCER, tmp_path / "tree.zip") == expected


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"train": "a"}', b'{"trian": []}', b"\xff"])
def test_a_damaged_list_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "splits.json").write_bytes(content)
    with pytest.raises(UserError, match=r"splits\.json|'trian' is unknown"):
        load_splits(SOCCER, tmp_path)


def test_a_task_without_lists_has_empty_splits() -> None:
    assert load_splits(OWN) == {name: [] for name in SPLITS}


@pytest.mark.parametrize("plain", [True, False])
def test_a_list_of_splits_joins_them_once(plain: bool) -> None:
    official = load_splits(SOCCER)
    names: Any = ["train", "valid", "train"] if plain else OmegaConf.create(["train", "valid", "train"])
    splits = load_splits(SOCCER, overrides={"train": names, "valid": None, "test": "valid"})
    assert splits["train"] == official["train"] + official["valid"]
    assert splits["valid"] == splits["test"] == official["valid"]


def test_overrides_name_the_official_splits_not_one_another() -> None:
    official = load_splits(SOCCER)
    splits = load_splits(SOCCER, overrides={"train": ["valid"], "valid": ["train"]})
    assert (splits["train"], splits["valid"]) == (official["valid"], official["train"])


def test_games_come_from_a_list_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gämes (1).txt"
    file.write_bytes("\ufeffl/s/Málaga - b/\r\n\n  l/s/c  \nchallenge\nl/s/c\n".encode())
    expected = ["l/s/Málaga - b", "l/s/c", *load_splits(BALL)["challenge"]]
    assert load_splits(BALL, overrides={"test": str(file)})["test"] == expected
    assert load_splits(BALL, overrides={"test": ["l/s/Málaga - b", "l/s/c/", "challenge"]})["test"] == expected


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"val": ["train"]}, "split 'val' is unknown; did you mean valid?"),
        ({"train": "val"}, r"data\.splits\.train: no file 'val'; give a list of games, of splits, or a text file"),
        ({"train": "games.txt"}, r"data\.splits\.train: no file 'games\.txt'"),
        ({"train": 3}, r"data\.splits\.train: expected a list of games"),
    ],
)
def test_a_wrong_override_names_its_key(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_splits(SOCCER, overrides=overrides)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "games.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UserError, match=r"data\.splits\.train: .*games\.npy' is no UTF-8 text"):
        load_splits(SOCCER, overrides={"train": str(tmp_path / "games.npy")})


def test_split_names_are_checked() -> None:
    assert [check_split(name) for name in SPLITS] == list(SPLITS)
    for name, remedy in (
        ("val", "did you mean valid"),
        ("training", "did you mean train"),
        ("", "there are challenge, "),
    ):
        with pytest.raises(UserError, match=f"is unknown; {remedy}"):
            check_split(name)


def test_folds_hold_every_labelled_game_out_once() -> None:
    """The seven labelled games of ball-2023 in seven folds; nothing held out is trained on or scored twice."""
    splits = load_splits(BALL)
    labelled = {game for name in ("train", "valid", "test") for game in splits[name]}
    held: list[str] = []
    for fold in range(7):
        part = hold_out(splits, f"{fold}/7")
        held += part["valid"]
        assert set(part["train"]) | set(part["valid"]) == labelled
        assert not set(part["train"]) & set(part["valid"])
        assert (part["test"], part["challenge"]) == ([], splits["challenge"])
    assert sorted(held) == sorted(labelled)
    assert [len(hold_out(splits, f"{fold}/3")["valid"]) for fold in range(3)] == [3, 2, 2]


@pytest.mark.parametrize("fold", ["7/7", "0/1", "0/8", "2", "a/b", "-1/3"])
def test_impossible_folds(fold: str) -> None:
    with pytest.raises(UsageError, match=r"data\.fold: expected i/n with 0 <= i < n and n of at most 7"):
        hold_out(load_splits(BALL), fold)
