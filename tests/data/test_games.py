"""What is missing on disk is said in one line with the remedy, or left out and counted."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotter.data.features import FeatureSource
from spotter.data.games import drop_spots_beyond_end, find_halves, require_spots
from spotter.errors import UserError
from spotter.types import Half, HalfRecord
from tests.helpers.trees import TASK, source_of, write_game


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree of three games; b lacks half 2, c its labels."""
    write_game(tmp_path, "l/s/a", {1: 30, 2: 20}, [(1, "Goal", 1_500), (2, "Foul", 3_000)], hidden=[1])
    write_game(tmp_path, "l/s/b", {1: 30}, [(1, "Foul", 2_000)])
    write_game(tmp_path, "l/s/c", {1: 30, 2: 30}, None)
    return tmp_path


def find(root: Path | None, games: list[str], split: str = "train", **more: Any) -> list[HalfRecord]:
    return find_halves(root, split, games, TASK, source_of(root or Path()), **more)


def test_halves_come_in_order_with_length_and_spots(root: Path) -> None:
    first, second = find(root, ["l/s/a"])
    assert (first.half, first.frames, second.half, second.frames) == (Half("l/s/a", 1), 30, Half("l/s/a", 2), 20)
    assert first.spots is not None
    assert second.spots is not None
    assert (first.spots.label.tolist(), first.spots.time.tolist()) == ([0], [1.5])
    assert (second.spots.label.tolist(), second.spots.visible.tolist()) == ([1], [False])


def test_extra_time_is_taken_where_it_was_played(root: Path) -> None:
    task = replace(TASK, halves=(1, 2, 3, 4))
    write_game(root, "l/s/d", {1: 30, 2: 20, 3: 10, 4: 12}, [(3, "Goal", 4000), (4, "Foul", 5000)])
    games = ["l/s/a", "l/s/d"]
    found = find_halves(root, "train", games, task, source_of(root))
    assert [(each.half.game[-1], each.half.number) for each in found] == [
        *(("a", 1), ("a", 2), ("d", 1), ("d", 2), ("d", 3), ("d", 4))
    ]
    assert [each.spots.time.tolist() for each in found[4:] if each.spots] == [[4.0], [5.0]]


def test_labels_of_extra_time_without_input_are_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = replace(TASK, halves=(1, 2, 3, 4))
    write_game(root, "l/s/d", {1: 30, 2: 20}, [(1, "Goal", 4000), (3, "Foul", 5000)])
    assert [each.half.number for each in find_halves(root, "train", ["l/s/d"], task, source_of(root))] == [1, 2]
    assert "half 3 (1)" in caplog.text


def test_an_unset_or_wrong_root_names_key_and_variable(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root.*SOCCERNET_ROOT"):
        find(None, ["a"])
    with pytest.raises(UserError, match=r"data\.root: no folder .*/nowhere"):
        find(tmp_path / "nowhere", ["a"])


def test_a_split_without_games_says_how_to_name_some(root: Path) -> None:
    with pytest.raises(UserError, match=r"split valid lists no game; give data\.splits\.valid="):
        find(root, [], "valid")


@pytest.mark.parametrize(
    ("games", "count", "first"),
    [
        (["l/s/a", "l/s/x"], 1, "l/s/x/L.json"),
        (["l/s/a", "l/s/b"], 1, "l/s/b/2_feature.npy"),
        (["l/s/a", "l/s/c"], 1, "l/s/c/L.json"),
        (["l/s/x", "l/s/b", "l/s/c"], 3, "l/s/x/L.json"),
    ],
)
def test_a_missing_game_half_or_label_is_named(root: Path, games: list[str], count: int, first: str) -> None:
    said = rf"{count} files? of split train \({len(games)} games?\) .* first .*/{first}; .*data\.allow_missing=true"
    with pytest.raises(UserError, match=said):
        find(root, games)


def test_what_is_missing_can_be_left_out_and_is_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    games = ["l/s/a", "l/s/b", "l/s/c", "l/s/x"]
    with caplog.at_level(logging.WARNING):
        records = find(root, games, allow_missing=True)
    assert [record.half for record in records] == [Half("l/s/a", 1), Half("l/s/a", 2), Half("l/s/b", 1)]
    (warning,) = caplog.messages
    assert warning.startswith("3 files of split train (4 games) missing")


def test_nothing_at_all_is_an_error_even_then(root: Path) -> None:
    with pytest.raises(UserError, match=r"nothing of split train is there; expected for example .*/l/s/x/L\.json"):
        find(root, ["l/s/x"], allow_missing=True)


def test_a_split_may_have_no_labels_at_all(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = find(root, ["l/s/c"], "challenge", labels="optional")
    assert [(record.half.number, record.frames, record.spots) for record in records] == [(1, 30, None), (2, 30, None)]
    assert caplog.messages == []
    with pytest.raises(UserError, match=r"1 file of split challenge .*/l/s/c/L\.json"):
        find(root, ["l/s/a", "l/s/c"], "challenge", labels="optional")


def test_features_without_labels_still_miss_their_halves(tmp_path: Path) -> None:
    write_game(tmp_path, "c", {1: 5}, None)
    with pytest.raises(UserError, match=r"c/2_feature\.npy"):
        find(tmp_path, ["c"], "challenge", labels="optional")


def test_spots_beyond_the_end_are_not_trained_on_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spots = [(1, "Goal", 29_000), (1, "Goal", 30_900), (1, "Foul", 31_100), (2, "Goal", 99_000)]
    write_game(tmp_path, "a", {1: 30, 2: 20}, spots)
    records = find(tmp_path, ["a"])
    with caplog.at_level(logging.WARNING):
        kept = drop_spots_beyond_end(records, source_of(tmp_path), most=0.5)
    assert [record.spots.time.tolist() for record in kept if record.spots] == [[29.0, 30.9]]
    assert [len(record.spots) for record in kept if record.spots is not None] == [2, 0]
    assert caplog.messages == ["2 training spots lie beyond the end of the input and are left out"]
    assert [len(record.spots or ()) for record in records] == [3, 1], "what is scored stays whole"


def test_labels_of_halves_that_the_task_lacks_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_game(tmp_path, "a", {1: 30}, [(1, "Goal", 1000), (2, "Goal", 2000), (2, "Foul", 3000), (3, "Goal", 4000)])
    (record,) = find_halves(tmp_path, "train", ["a"], replace(TASK, halves=(1,)), source_of(tmp_path))
    assert len(record.spots or ()) == 1
    assert "skipped 1 of halves outside the task hockey: half 3 (1)" in caplog.text
    assert "skipped 2 of halves outside the task hockey: half 2 (2)" in caplog.text


def test_a_training_split_without_a_spot_is_refused(tmp_path: Path) -> None:
    write_game(tmp_path, "a", {1: 30, 2: 30}, [(1, "Handball", 1000)])
    write_game(tmp_path, "b", {1: 30, 2: 30}, [(1, "Goal", 1000)])
    require_spots(find(tmp_path, ["a", "b"]), tmp_path, TASK)
    with pytest.raises(UserError, match="split train has no spot to train on: none of the labels of its 2 halves"):
        require_spots(find(tmp_path, ["a"]), tmp_path, TASK)


def test_a_wrong_frame_rate_is_refused(tmp_path: Path) -> None:
    """Features of one row a second, read as two, end in the middle of a half."""
    write_game(tmp_path, "a", {1: 100, 2: 100}, [(half, "Goal", 1000 * time) for half in (1, 2) for time in range(99)])
    source = FeatureSource({"only": {"file": "feature", "fps": 2, "width": 2}}, tmp_path)
    records = find_halves(tmp_path, "train", ["a"], TASK, source)
    with pytest.raises(UserError, match=r"96 of 198 training spots \(48 %\) lie beyond .* check data\.fps") as caught:
        drop_spots_beyond_end(records, source)
    assert "a half 1 ends at 50 s by data.fps=2 and has spots until 98 s" in str(caught.value)
    assert sum(len(record.spots or ()) for record in drop_spots_beyond_end(records, source, most=1.0)) == 102


def test_two_percent_of_the_spots_may_lie_beyond_the_end(tmp_path: Path) -> None:
    for beyond in (2, 3):
        times = [*range(100 - beyond), *range(200, 200 + beyond)]
        write_game(tmp_path, f"{beyond}", {1: 150, 2: 150}, [(1, "Goal", 1000 * time) for time in times])
    assert [
        len(record.spots or ()) for record in drop_spots_beyond_end(find(tmp_path, ["2"]), source_of(tmp_path))
    ] == [98, 0]
    with pytest.raises(UserError, match=r"3 of 100 training spots \(3 %\)"):
        drop_spots_beyond_end(find(tmp_path, ["3"]), source_of(tmp_path))
