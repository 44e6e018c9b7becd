"""What the rules of the official reader are, other formats keep, and what they cannot keep is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from spotter.cli import main
from spotter.errors import UserError
from spotter.evaluation.evaluate import evaluate
from spotter.io.exchange.annotations import Exchange, read_any_predictions
from spotter.io.exchange.files import read_collection
from spotter.io.predictions import read_predictions, write_predictions
from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots

BALL = Task.load("ball-2025")


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(content))
    return path


def official(root: Path, key: str, rows: list[tuple[int, int, str]], name: str) -> Path:
    """Write a tree of one game, ``l/s/g``, with (half, milliseconds, class); predictions have falling confidences."""
    entries = [
        {"gameTime": f"{half} - 00:00", "label": label, "position": str(time), "team": "left"}
        | ({"half": str(half), "confidence": str(0.9 - 0.1 * index)} if key == "predictions" else {})
        for index, (half, time, label) in enumerate(rows)
    ]
    write(root / "l" / "s" / "g" / name, {"UrlLocal": "l/s/g", key: entries})
    return root


def labels(root: Path, *rows: tuple[int, int, str], name: str = "Labels-v2.json") -> Path:
    return official(root, "annotations", list(rows), name)


def predictions(root: Path, *rows: tuple[int, int, str]) -> Path:
    return official(root, "predictions", list(rows), "results_spotting.json")


def convert(source: Path, target: Path, kind: str, *words: str) -> Path:
    assert main(["convert", str(source), str(target), "--to", kind, *words]) == 0
    return target


def test_labels_of_soccernet_v2_are_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "a.csv"
    table.write_text("game,class,time\nl/s/g,Goal,1\n")
    convert(table, tmp_path / "tree", "soccernet")
    assert [path.name for path in (tmp_path / "tree").rglob("*.json")] == ["Labels-v2.json"]
    (tmp_path / "none.json").write_bytes(orjson.dumps({"data": [{"id": "g", "events": []}]}))
    assert main(["convert", str(tmp_path / "none.json"), str(tmp_path / "x"), "--to", "soccernet"]) == 2
    assert "are of tasks with Labels-ball.json and Labels-cameras.json" in capsys.readouterr().err


def test_halves_outside_the_task_are_skipped_in_any_format(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ((1, 5000, "PASS"), (2, 5000, "PASS"), (3, 5000, "PASS"))
    tree = labels(tmp_path / "tree", *rows, name=BALL.label_file)
    found = predictions(tmp_path / "found", *rows)
    expected = SoccerNet().read(tree, ["l/s/g"], BALL)
    spots = read_predictions(found, ["l/s/g"], BALL)
    for kind, name in (("osl", "a.json"), ("csv", "a.csv"), ("e2e-spot", "e.json")):
        given = convert(tree, tmp_path / name, kind, "--task", BALL.name)
        caplog.clear()
        other = Exchange().read(given, ["l/s/g"], BALL)
        assert {half: each.time.tolist() for half, each in other.items()} == {
            half: each.time.tolist() for half, each in expected.items()
        }
        assert "skipped 2 of halves outside the task ball-2025: half 2 (1), half 3 (1)" in caplog.text
        predicted = convert(found, tmp_path / f"found-{name}", kind)
        (half,) = read_any_predictions(predicted, ["l/s/g"], BALL).items()
        assert half[0] == Half("l/s/g", 1)
        assert half[1].time.tolist() == spots[half[0]].time.tolist() == [5, 5, 5]
        assert evaluate(given, predicted, task=BALL) == evaluate(tree, found, task=BALL)


def test_a_half_that_is_there_twice_is_named(tmp_path: Path) -> None:
    samples = [
        {"inputs": [{"type": "video", "path": f"g/{name}.mp4"}], "events": [{"label": "PASS", "position_ms": time}]}
        for name, time in (("224p", 1000), ("720p", 2000))
    ]
    path = write(tmp_path / "a.json", {"version": "2.0", "data": samples})
    for read in (lambda: Exchange().read(path, ["g"], BALL), lambda: read_any_predictions(path, ["g"], BALL)):
        with pytest.raises(UserError, match=r"half 1 of g is there twice, as g/224p\.mp4 and g/720p\.mp4"):
            read()


def test_tables_say_that_they_lose_halves_without_events_and_splits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels(tmp_path / "tree", (2, 1000, "Goal"))
    write(tmp_path / "tree" / "l" / "s" / "h" / "Labels-v2.json", {"annotations": []})
    write(tmp_path / "tree" / "splits.json", {"train": ["l/s/h"], "test": ["l/s/g"]})
    convert(tmp_path / "tree", tmp_path / "a.csv", "csv")
    assert "not kept: 1 half without events" in caplog.text
    assert "not kept: the split of 2 halves" in caplog.text
    assert "other keys" not in caplog.text
    split = convert(tmp_path / "tree", tmp_path / "osl", "osl")
    assert sorted(path.name for path in split.iterdir()) == ["annotations_test.json", "annotations_train.json"]
    again = convert(split, tmp_path / "again", "soccernet")
    assert orjson.loads((again / "splits.json").read_bytes()) == {"test": ["l/s/g"], "train": ["l/s/h"]}


@pytest.mark.parametrize(("kind", "name"), [("csv", "t.json"), ("osl", "t.csv"), ("osl-shards", "t.json")])
def test_the_ending_of_another_format_is_refused(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(predictions(tmp_path, (1, 1, "Goal"))), str(tmp_path / name), "--to", kind]) == 2
    assert f"--to {kind} writes no {name[1:]}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["convert", "a", "b", "--to", kind, "--threshold", "nan"])


def test_tables_of_predictions_keep_their_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = predictions(tmp_path / "found", (2, 1010, "Goal"), (1, 7000, "Goal"), (2, 1000, "Goal"))
    (first, second) = read_collection(convert(found, tmp_path / "a.csv", "csv")).videos
    assert [row["position"] for row in first.rows] == [7000]
    assert [row["position"] for row in second.rows] == [1010, 1000]
    assert "not kept" not in caplog.text
    tree = labels(tmp_path / "tree", (2, 1000, "Goal"))
    assert evaluate(tree, tmp_path / "a.csv") == evaluate(tree, found)


def test_predictions_of_version_1_stay_predictions(tmp_path: Path) -> None:
    source = predictions(tmp_path / "found", (1, 4000, "PASS"), (2, 9000, "SHOT"))
    convert(source, tmp_path / "v1.json", "osl-v1")
    again = convert(tmp_path / "v1.json", tmp_path / "again", "soccernet")
    games, task = ["l/s/g"], Task.load("ball-2024")
    expected, found = (read_predictions(each, games, task) for each in (source, again))
    for half, rows in expected.items():
        assert (found[half].time.tolist(), found[half].confidence.tolist()) == (
            rows.time.tolist(), rows.confidence.tolist())  # fmt: skip


def test_times_of_a_file_and_what_is_lost_of_its_halves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    intervals = [{"period": "H1", "start_time_ms": 60_000}, {"period": "H2", "start_time_ms": 3_600_000}]
    events = [{"label": "PASS", "position_ms": at} for at in (61_000, 3_607_000)]
    sample = {"inputs": [{"type": "video", "path": "m.mp4"}], "metadata": {"intervals": intervals}, "events": events}
    source = write(tmp_path / "a.json", {"data": [sample]})
    convert(source, tmp_path / "b.json", "osl-v1")
    (video,) = orjson.loads((tmp_path / "b.json").read_bytes())["videos"]
    assert video["path_video"] == "m.mp4"
    assert [row["position"] for row in video["annotations"]] == [61_000, 3_607_000]
    convert(source, tmp_path / "a.csv", "csv")
    assert "not kept: the end of 1 half within a video" in caplog.text, "the second has no end"


def test_a_single_file_knows_the_videos_beside_it(tmp_path: Path) -> None:
    (file,) = labels(tmp_path, (1, 4000, "Goal")).rglob("*.json")
    (file.parent / "1_720p.mkv").touch()
    assert [read_collection(each).videos[0].inputs for each in (tmp_path, file)] == 2 * [
        [{"type": "video", "path": "l/s/g/1_720p.mkv"}]
    ]


def test_classes_may_be_named_by_another_key(tmp_path: Path) -> None:
    task, half = Task.load("camera-changes"), Half("m", 1)
    rows = HalfPredictions(np.array([0, 2]), np.array([1.0, 2.0]), np.array([0.9, 0.8]))
    write_predictions(tmp_path / "found", {half: rows}, task)
    for kind, name in (("csv", "a.csv"), ("osl", "a.json")):
        file = convert(tmp_path / "found", tmp_path / name, kind)
        assert read_any_predictions(file, ["m"], task)[half].label.tolist() == [0, 2]
    spots = Spots(rows.label, rows.time, np.ones(2, bool))
    Exchange().write(tmp_path / "labels.json", {half: spots}, task)
    assert Exchange().read(tmp_path / "labels.json", ["m"], task)[half].label.tolist() == [0, 2]
