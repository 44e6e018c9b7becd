"""Stored scores come back bit for bit; what is damaged or foreign is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotter.errors import UserError
from spotter.io.scores import (
    SCORES_INFO,
    Scores,
    ScoresInfo,
    check_whole,
    delete_scores,
    load_scores,
    load_scores_info,
    save_scores,
    save_scores_info,
)
from spotter.io.splits import USER_FILES
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half


def random_scores(seed: int, displaced: bool = True) -> Scores:
    rng = np.random.default_rng(seed)
    logits, displacement = rng.normal(size=(2, 7, 3)).astype(np.float32)
    return Scores(logits, displacement if displaced else None, fps=25 / 12, offset=0.5)


def test_scores_come_back_in_order(tmp_path: Path) -> None:
    halves = [Half("league/2015-2016/a - b", 1), Half("league/2015-2016/a - b", 2), Half("league/Málaga.x", 1)]
    for seed, half in enumerate(reversed(halves)):
        save_scores(tmp_path, half, random_scores(seed, displaced=seed > 0))
    loaded = list(load_scores(tmp_path))
    assert [half for half, _ in loaded] == halves
    for seed, (_, scores) in enumerate(reversed(loaded)):
        expected = random_scores(seed, displaced=seed > 0)
        assert scores.logits.tobytes() == expected.logits.tobytes()
        assert (scores.displacement is None) == (seed == 0)
        if scores.displacement is not None:
            np.testing.assert_array_equal(scores.displacement, expected.displacement)
        assert (scores.fps, scores.offset) == (25 / 12, 0.5)


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_scores(tmp_path / name, Half("game", 1), random_scores(0))
    assert (tmp_path / "a/game/1.npz").read_bytes() == (tmp_path / "b/game/1.npz").read_bytes()


def test_what_scores_are_of_comes_back(tmp_path: Path) -> None:
    info = ScoresInfo(Task.load("ball-2023"), "valid", Postprocess("soft_nms", (1.0, 0.5), 0.01))
    save_scores_info(tmp_path, info)
    assert load_scores_info(tmp_path) == info


def test_missing_halves_are_named(tmp_path: Path) -> None:
    halves = (Half("a/b", 1), Half("a/b", 2))
    info = ScoresInfo(Task.load("ball-2023"), "valid", Postprocess("nms", 1.0), halves)
    save_scores_info(tmp_path, info)
    assert load_scores_info(tmp_path) == info
    check_whole(tmp_path, info, set(halves))
    with pytest.raises(UserError, match="lacks the scores of 1 of 2 halves, first a/b, half 2"):
        check_whole(tmp_path, info, {halves[0]})


def test_the_word_of_earlier_versions_for_user_files(tmp_path: Path) -> None:
    save_scores_info(tmp_path, ScoresInfo(Task.load("ball-2023"), "own", Postprocess("nms", 1.0)))
    assert load_scores_info(tmp_path).split == USER_FILES


def test_no_scores_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scores"):
        next(load_scores(tmp_path))
    with pytest.raises(UserError, match=r"scores\.json: no such file"):
        load_scores_info(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "object", "foreign", "shape", "fps"])
def test_damaged_scores_are_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "game" / "1.npz"
    save_scores(tmp_path, Half("game", 1), random_scores(0))
    whole = path.read_bytes()
    arrays = {"logits": np.zeros((3, 2), np.float32), "fps": np.float64(2), "offset": np.float64(0)}
    if damage in ("cut", "text", "empty"):
        path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[damage])
    elif damage == "foreign":
        np.savez(path, features=np.zeros(3))
    else:
        wrong = {"object": ("logits", np.array([{}])), "shape": ("displacement", np.zeros(3)), "fps": ("fps", 0.0)}
        np.savez(path, **arrays | dict([wrong[damage]]))
    with pytest.raises(UserError, match=r"game/1\.npz: damaged, or not raw scores"):
        list(load_scores(tmp_path))


def test_another_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "features.npz", x=np.zeros(3))
    with pytest.raises(UserError, match="not the scores of a half"):
        list(load_scores(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"task": {}}', '{"task": {"name": 1}, "split": "valid"}'])
def test_damaged_header_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / SCORES_INFO).write_text(content)
    with pytest.raises(UserError, match="does not describe raw scores"):
        load_scores_info(tmp_path)


def test_earlier_scores_are_forgotten_but_nothing_else(tmp_path: Path) -> None:
    save_scores_info(tmp_path / "scores", ScoresInfo(Task.load("ball-2023"), "valid", Postprocess("nms", 1.0)))
    (tmp_path / "notes").mkdir()
    for name in ("scores", "scores", "notes"):
        delete_scores(tmp_path / name)
    assert not (tmp_path / "scores").exists()
    assert (tmp_path / "notes").is_dir()
