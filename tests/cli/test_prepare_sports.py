"""``spotter prepare ngs`` and ``tennis``: small files of the published form become trees that train and are scored."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.cli import main
from spotter.cli.prepare.ngs import PLAYS, POSITIONS
from spotter.cli.prepare.tennis import POINTS
from spotter.io.formats import format_of
from spotter.io.splits import load_splits
from spotter.tasks import Task
from spotter.types import Half


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(lzma.compress("\n".join(map(json.dumps, rows)).encode()))


def write_plays(folder: Path, games: int = 12, frames: int = 30) -> np.ndarray:
    """Write two plays of each game; return the positions (plays * frames, 23, 3)."""
    rng = np.random.default_rng(0)
    positions = rng.integers(0, 5000, (2 * games * frames, 23, 3)).astype(np.int16)
    positions[:5, 3] = -30_000
    deltas = np.diff(positions.astype(np.int64), axis=0, prepend=0).astype(np.int16).transpose(1, 2, 0)
    with lzma.open(folder / POSITIONS, "wb") as file:
        np.save(file, deltas)
    plays = [
        {
            "index": i,
            "game": 2018 + i // 2,
            "play": 10 + i,
            "season": 2018,
            "frames": frames,
            "direction": "left" if i % 2 else "right",
            "events": [[3, "ball_snap"], [3, "line_set"], [20, "tackle"], [21, "qb_kneel"]],
        }
        for i in range(2 * games)
    ]
    write_lines(folder / PLAYS, plays)
    return positions


def test_plays_become_games_that_run_the_same_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    positions, root = write_plays(tmp_path), tmp_path / "tree"
    assert main(["prepare", "ngs", str(tmp_path), str(root)]) == 0
    assert "24 events of 1 other kinds are left out" in caplog.text
    task = Task.load("ngs")
    splits = load_splits(task, root)
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [16, 4, 4]
    owner = {game.rpartition("-")[0]: name for name, games in splits.items() for game in games}
    assert all(owner[game.rpartition("-")[0]] == name for name, games in splits.items() for game in games)
    spots = format_of(task).read(root, ["nfl/2018/2018-10"], task)[Half("nfl/2018/2018-10", 1)]
    assert [task.classes[label] for label in spots.label] == ["ball_snap", "line_set", "tackle"]
    assert spots.time.tolist() == [0.3, 0.3, 2.0]
    right, left = (np.load(root / f"nfl/2018/2018-{play}/1_tracking.npy").reshape(30, 23, 5) for play in (10, 11))
    field = 2 * positions[:, :, :2] / 100 / [120, 160 / 3] - 1
    assert right[9, 1, :2] == pytest.approx(field[9, 1], abs=1e-5)
    assert left[9, 1, :2] == pytest.approx(-field[39, 1], abs=1e-5), "a play to the left is turned"
    assert right[0, 3, 2] == 0
    angle = np.deg2rad(positions[9, 1, 2] / 10)
    assert right[9, 1, 3:] == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-5)


def write_points(folder: Path, count: int = 20) -> None:
    points = []
    for i in range(count):
        frame = [500 * i + k for k in range(60) if k not in (20, 21)]
        seen = [int(k % 3 > 0) for k in frame]
        place: dict[str, list[float | None]] = {"x": [], "y": []}
        for k, visible in zip(frame, seen, strict=True):
            place["x"].append(960.0 + k % 500 if visible else None)
            place["y"].append(270.0 if visible else None)
        hits = {"hit": [500 * i + 29], "bounce": [500 * i + 10, 500 * i + 40]}
        points.append({"point": i + 1, "frame": frame, **place, "visible": seen, **hits})
    write_lines(folder / POINTS, points)


def test_points_become_games_with_all_their_frames(tmp_path: Path) -> None:
    write_points(tmp_path)
    root = tmp_path / "tree"
    assert main(["prepare", "tennis", str(tmp_path / POINTS), str(root)]) == 0
    task = Task.load("tennis")
    splits = load_splits(task, root)
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [11, 3, 6]
    game = splits["train"][1]
    spots = format_of(task).read(root, [game], task)[Half(game, 1)]
    assert [task.classes[label] for label in spots.label] == ["bounce", "hit", "bounce"]
    assert spots.time.tolist() == [0.2, 0.58, 0.8]
    rows = np.load(root / game / "1_tracking.npy")
    assert rows.shape == (60, 3), "frames that the file leaves out are rows, too"
    assert rows[19:23, 2].tolist() == [0 if (500 + k) % 3 == 0 or k in (20, 21) else 1 for k in range(19, 23)]
    assert rows[11] == pytest.approx([11 / 960, -0.5, float(511 % 3 > 0)], abs=1e-5)


@pytest.mark.parametrize(("kind", "file"), [("ngs", PLAYS), ("tennis", POINTS)])
def test_a_file_that_is_not_there_or_is_damaged_is_named(
    kind: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", kind, str(tmp_path), str(tmp_path / "tree")]) == 1
    assert file in capsys.readouterr().err
    (tmp_path / file).write_bytes(b"no xz")
    assert main(["prepare", kind, str(tmp_path), str(tmp_path / "tree")]) == 1
    assert f"{file}: no readable" in capsys.readouterr().err


POINT = {"point": 1, "frame": [5, 7], "x": [1, None], "y": [1, 2.5], "visible": [1, 0], "hit": [5], "bounce": []}
PLAY = {"game": 1, "play": 2, "season": 3, "frames": 4, "direction": "left", "events": [[3, "tackle"]]}


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("tennis", "point", "a"),
        ("tennis", "frame", []),
        ("tennis", "frame", [7, 5]),
        ("tennis", "frame", [5, 1_000_000_000]),
        ("tennis", "x", [1]),
        ("tennis", "y", [1, "2"]),
        ("tennis", "hit", None),
        ("ngs", "season", None),
        ("ngs", "frames", None),
        ("ngs", "frames", 0),
        ("ngs", "direction", "up"),
        ("ngs", "events", [[3]]),
    ],
)
def test_a_line_that_is_not_as_published_is_named(
    kind: str, key: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, good = (POINTS, POINT) if kind == "tennis" else (PLAYS, PLAY)
    write_plays(tmp_path)
    write_lines(tmp_path / file, [good, {**good, key: value}])
    assert main(["prepare", kind, str(tmp_path), str(tmp_path / "tree")]) == 1
    assert f"{file} line 2: {key} is {value!r}, which no p" in capsys.readouterr().err


def test_a_tree_of_other_games_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_points(tmp_path)
    root = tmp_path / "tree"
    root.mkdir()
    (root / "splits.json").write_text('{"train": ["my/own/game"]}')
    assert main(["prepare", "tennis", str(tmp_path), str(root)]) == 1
    assert "splits.json: lists other games, such as my/own/game: give a folder of" in capsys.readouterr().err
    assert [path.name for path in root.iterdir()] == ["splits.json"]
    (root / "splits.json").unlink()
    assert main(["prepare", "tennis", str(tmp_path), str(tmp_path / POINTS)]) == 2
    assert "is a file; give a folder" in capsys.readouterr().err
    for _ in range(2):
        assert main(["prepare", "tennis", str(tmp_path), str(root)]) == 0


def test_two_records_of_one_name_are_no_two_games(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(tmp_path / POINTS, [POINT, POINT])
    assert main(["prepare", "tennis", str(tmp_path), str(tmp_path / "tree")]) == 1
    assert "point-001: two points have this name" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ngs", "tennis"])
def test_such_a_tree_trains_and_is_scored_in_frames(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (write_plays if kind == "ngs" else write_points)(tmp_path)
    root, run = tmp_path / "tree", tmp_path / "run"
    assert main(["prepare", kind, str(tmp_path), str(root)]) == 0
    monkeypatch.chdir(tmp_path)
    small = ["model.network.dim=16", "model.network.layers=1", "model.network.heads=2", "model.clips.per_epoch=8"]
    clip = ["model.clips.clip_len=64", "data.batch_size=4", "trainer.max_epochs=1", f"hydra.run.dir={run}"]
    assert main(["train", f"data={kind}", f"data.root={root}", *small, *clip]) == 0
    task = Task.load(kind)
    scores = json.loads((run / "metrics.json").read_text())
    assert set(scores) == {"valid", "test"}
    assert {f"within_{frames}" for frames in task.tolerances} | {"frames"} <= set(scores["valid"])
    header, *_ = (run / "metrics.csv").read_text().splitlines()
    assert f"val/{task.monitor}" in header.split(",")
    found = tmp_path / "scores.json"
    assert main(["evaluate", str(root), str(run / "predictions/test"), "--json", str(found)]) == 0
    assert json.loads(found.read_text())["frames"] == scores["test"]["frames"], "the same from files"
