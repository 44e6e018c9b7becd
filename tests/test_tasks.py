"""A task is data: the shipped ones are the official ones, a user's own is one YAML, mistakes are named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.tasks import MONITORS, Task, full_name, monitor_name, monitors, shipped_tasks

CONTENT: dict[str, Any] = {
    "name": "hockey",
    "classes": ["Goal", "Face-off"],
    "label_file": "Labels.json",
    "fps": 5,
    "monitor": "loose_map",
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def test_soccernet_v2_has_the_official_classes_in_metric_order() -> None:
    task = Task.load("soccernet-v2")
    assert task.classes == (
        *("Penalty", "Kick-off", "Goal", "Substitution", "Offside", "Shots on target", "Shots off target"),
        *("Clearance", "Ball out of play", "Throw-in", "Foul", "Indirect free-kick", "Direct free-kick", "Corner"),
        *("Yellow card", "Red card", "Yellow->red card"),
    )
    assert (task.label_file, task.fps, task.monitor, task.halves) == ("Labels-v2.json", 2, "tight_map", (1, 2))


def test_ball_2023_has_one_video_a_game_and_is_chosen_by_one_second() -> None:
    task = Task.load("ball-2023")
    assert task.classes == ("PASS", "DRIVE")
    assert (task.label_file, task.fps, task.monitor, task.halves) == ("Labels-ball.json", 25, "map_at_1", (1,))


@pytest.mark.parametrize("name", shipped_tasks())
def test_plain_values_give_the_task_back(name: str) -> None:
    task = Task.load(name)
    plain = task.to_dict()
    assert Task.load(plain) == task
    assert Task.load(yaml.safe_load(yaml.safe_dump(plain))) == task, "checkpoints and YAML hold plain values"


def test_a_users_task_is_one_yaml(tmp_path: Path) -> None:
    file = tmp_path / "hóckey (1).yaml"
    file.write_text(yaml.safe_dump(CONTENT), encoding="utf-8")
    task = Task.load(str(file))
    assert task == Task.load(file) == Task.load(CONTENT)
    assert (task.classes, task.fps, task.halves) == (("Goal", "Face-off"), 5, (1, 2))
    assert Task.load({**CONTENT, "halves": [1]}).halves == (1,)
    assert Task.load({**CONTENT, "halves": [3, 1, 2]}).halves == (1, 2, 3), "ice hockey has three"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"classes": "Goal"}, "list of names"),
        ({"classes": []}, "list of names"),
        ({"classes": None}, "list of names"),
        ({"classes": 17}, "list of names"),
        ({"classes": ["Goal", 1]}, "list of names"),
        ({"classes": ["Goal", "Goal"]}, "twice"),
        ({"fps": 0}, "fps"),
        ({"fps": 2.5}, "fps"),
        ({"fps": True}, "fps"),
        ({"monitor": "tightest"}, "tight_map, "),
        ({"halves": []}, "halves"),
        ({"halves": 2}, "halves"),
        ({"halves": [1, 1]}, "halves"),
        ({"halves": [0, 1]}, "halves"),
        ({"halves": ["1"]}, "halves"),
        ({"tolerances": 1}, "tolerances"),
        ({"tolerances": [0, -1]}, "tolerances"),
        ({"tolerances": [1, 1]}, "tolerances"),
        ({"tolerances": [0.5]}, "tolerances"),
        ({"monitor": "map_within_1"}, "unknown: give one of tight_map"),
        ({"monitor": "within_1", "tolerances": [0, 2]}, "map_within_0, map_within_2, frames_map"),
        ({"window": 20}, "unknown key 'window'"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Task.load({**CONTENT, **change})


@pytest.mark.parametrize("key", sorted(CONTENT))
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(UserError, match=f"lacks '{key}'"):
        Task.load({k: value for k, value in CONTENT.items() if k != key})


def test_a_task_may_be_judged_by_tolerances_in_frames() -> None:
    task = Task.load({**CONTENT, "tolerances": [2, 0], "monitor": "within_2"})
    assert (task.tolerances, task.monitor) == ((0, 2), "map_within_2")
    assert Task.load({**CONTENT, "tolerances": [1], "monitor": "frames"}).monitor == "frames_map"
    assert Task.load(task.to_dict()) == task


@given(st.sampled_from([*sorted(CONTENT), "halves", "tolerances"]), JUNK)
def test_no_value_leads_to_anything_but_a_task_or_one_line(key: str, value: Any) -> None:
    with suppress(UserError):
        task = Task.load({**CONTENT, key: value})
        assert task.fps >= 1
        assert task.classes
        assert task.monitor in monitors(task.tolerances)
        assert Task.load(task.to_dict()) == task


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=f"unknown: give one of {', '.join(shipped_tasks())}, or the path"):
        Task.load("soccernet")


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"- a\n- b\n", b""])
def test_a_file_that_holds_no_task_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "task.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"task\.yaml: "):
        Task.load(file)


@pytest.mark.parametrize("key", ["label", "event"])
def test_an_entry_becomes_a_class_and_back(key: str) -> None:
    task = Task.load({**CONTENT, "class_key": key})
    assert task.entry_of(1) == {key: "Face-off"}
    assert [task.class_of(task.entry_of(index)) for index in range(2)] == [0, 1]
    assert task.class_of({key: "Tea", "position": 1}) is None
    assert task.class_name({key: "Tea"}) == "Tea"
    assert Task.load(task.to_dict()) == task


@pytest.mark.parametrize(("entry", "problem"), [({}, "lacks 'label'"), ({"label": ["Goal"]}, "not text")])
def test_an_entry_without_a_class_is_named(entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        Task.load(CONTENT).class_of(entry)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("tight", "tight_map"), ("loose", "loose_map"), ("at_1", "map_at_1"), *zip(MONITORS, MONITORS, strict=True)],
)
def test_a_score_may_be_typed_short(typed: str, shown: str) -> None:
    assert monitor_name(typed) == shown
    assert full_name(f"val/{typed}") == f"val/{shown}"
    assert full_name("val/loss") == "val/loss"


def test_a_task_shows_one_spelling_of_its_score() -> None:
    assert Task.load({**CONTENT, "monitor": "at_1"}).monitor == "map_at_1"
