"""Other formats: nothing is lost on the way there and back, and every trap of theirs is stepped over."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.cli import main
from spotter.errors import UserError
from spotter.evaluation.evaluate import evaluate
from spotter.io.exchange.annotations import Exchange, read_any_predictions
from spotter.io.exchange.collection import Collection, Video, half_of_path
from spotter.io.exchange.files import is_exchange, kind_of, read_collection, write_collection
from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.types import Half, Spots

TASK = Task.load("ball-2025")
EVENT = {"head": "action", "label": "PASS", "position_ms": 190256, "gameTime": "1 - 02:09", "team": "left"}
V2: dict[str, Any] = {
    "version": "2.0",
    "date": "2026-11-26",
    "task": "action_spotting",
    "dataset_name": "demo",
    "modalities": ["video"],
    "metadata": {"split": "test", "who": "we"},
    "labels": {"action": {"type": "single_label", "labels": ["SHOT", "PASS"]}},
    "colour": "blue",
    "data": [
        {
            "id": "match_1",
            "inputs": [{"type": "video", "path": "test/match_1.mp4", "fps": 25.0, "codec": "h264"}],
            "metadata": {"annotation_status": "verified"},
            "weather": "rain",
            "events": [{**EVENT, "visibility": "visible", "player": 7}],
        }
    ],
}
V1: dict[str, Any] = {
    "version": 1,
    "date": "2023.08.31",
    "labels": ["Penalty", "Kick-off"],
    "videos": [
        {
            "path_video": "england_epl/2014-2015/a_game/2_224p.mkv",
            "path_features": "england_epl/2014-2015/a_game/2_ResNET_TF2_PCA512.npy",
            "annotations": [
                {"gameTime": "2 - 05:31", "label": "Foul", "position": 331000, "team": "home", "visibility": "visible"}
            ],
        }
    ],
}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(content))
    return path


def changed(**event: Any) -> dict[str, Any]:
    """Return the file of version 2 with one event changed; None takes a key away."""
    row = {key: value for key, value in {**V2["data"][0]["events"][0], **event}.items() if value is not None}
    return {**V2, "data": [{**V2["data"][0], "events": [row]}]}


def only(path: Path) -> Any:
    (video,) = read_collection(path).videos
    return video


@pytest.mark.parametrize(("content", "target"), [(V2, "osl"), (V1, "osl-v1")])
def test_reading_and_writing_gives_the_same_file_with_all_its_keys(
    content: dict[str, Any], target: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "a.json", content)
    write_collection(tmp_path / "b.json", read_collection(source), target, "")
    again = orjson.loads((tmp_path / "b.json").read_bytes())
    expected = orjson.loads(orjson.dumps(content))
    if target == "osl-v1":
        expected["labels"].append("Foul")
    assert again == expected


EVENTS = st.fixed_dictionaries(
    {"label": st.sampled_from(["PASS", "SHOT", "GOAL"]), "position": st.integers(0, 5_400_000)},
    optional={"team": st.sampled_from(TASK.teams), "visibility": st.sampled_from(["visible", "not shown"])},
)
VIDEOS = st.lists(
    st.tuples(st.sampled_from(["league/season/a", "league/season/b"]), st.integers(1, 4), st.lists(EVENTS, max_size=6)),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each[:2],
)


@settings(max_examples=25, deadline=None)
@given(VIDEOS, st.booleans())
def test_conversions_there_and_back_keep_every_event(videos: Any, predictions: bool) -> None:
    import tempfile

    rows = [
        Video(Half(game, number), [{**event, "confidence": 0.25} if predictions else event for event in events])
        for game, number, events in videos
    ]
    content = Collection(rows, ["PASS", "SHOT", "GOAL"], predictions)
    expected = {
        (video.half, row["label"], row["position"], row.get("team"), float(row.get("confidence", 0)))
        for video in rows
        for row in video.rows
    }
    with tempfile.TemporaryDirectory() as folder:
        for target, name in (("osl", "a.json"), ("soccernet", "tree"), ("csv", "a.csv"), ("osl-v1", "v1.json")):
            path = Path(folder, name)
            if (target == "osl-v1" and predictions) or (target == "soccernet" and not expected):
                continue
            write_collection(path, content, target, TASK.label_file)
            found = read_collection(path)
            assert {
                (video.half, row["label"], row["position"], row.get("team"), float(row.get("confidence", 0)))
                for video in found.videos
                for row in video.rows
            } == expected, target
        frames = Path(folder, "spot")
        write_collection(frames, content, "e2e-spot", "")
        found = read_collection(frames)
        rate = 25
        got = sorted((v.half, r["label"], r["position"] * rate // 1000) for v in found.videos for r in v.rows)
        assert got == sorted(
            (half, label, position * rate // 1000)
            for half, label, position, *_ in ((v.half, r["label"], r["position"]) for v in rows for r in v.rows)
        )


def test_e2e_spot_says_what_it_cannot_hold(tmp_path: Path) -> None:
    lost = write_collection(tmp_path / "spot", read_collection(write(tmp_path / "a.json", V2)), "e2e-spot", "")
    assert [line.partition(" ")[0] for line in lost] == ["other", "the", "the", "what"]
    assert (tmp_path / "spot" / "class.txt").read_text() == "SHOT\nPASS"
    (entry,) = orjson.loads((tmp_path / "spot" / "test.json").read_bytes())
    assert entry["events"] == [{"frame": 4756, "label": "PASS", "comment": "left; visible"}]
    assert entry["fps"] == 25


@pytest.mark.parametrize(
    ("event", "position"),
    [
        ({}, 190_256),
        ({"position_ms": None, "position": "1234"}, 1234),
        ({"position_ms": None, "gameTime": "1 - 62:03"}, 3_723_000),
        ({"position_ms": 12.6}, 13),
        ({"timestamp_utc": "2026-01-01T15:00:02.500Z"}, 2500),
        ({"timestamp_utc": "no time of day", "position_ms": 12}, 12),
        ({"frame": 7, "position_ms": 12}, 12),
    ],
)
def test_the_time_of_an_event(event: dict[str, Any], position: int, tmp_path: Path) -> None:
    """The clock of the recording counts first, then the position, then the clock of the match."""
    content = changed(**event)
    content["data"][0]["inputs"] = [{"type": "video", "path": "m.mp4", "UTC_time_start": "2026-01-01T15:00:00Z"}]
    assert only(write(tmp_path / "a.json", content)).rows[0]["position"] == position


@pytest.mark.parametrize("key", ["confidence", "confidence_score"])
def test_either_key_of_the_score_is_read_and_both_are_written(key: str, tmp_path: Path) -> None:
    path = write(tmp_path / "results_spotting.json", changed(**{key: 0.75}))
    collection = read_collection(path)
    assert collection.predictions
    assert collection.videos[0].rows[0]["confidence"] == 0.75
    write_collection(tmp_path / "b.json", collection, "osl", "")
    (event,) = orjson.loads((tmp_path / "b.json").read_bytes())["data"][0]["events"]
    assert event["confidence"] == event["confidence_score"] == 0.75


def test_two_schemas_share_one_name_and_are_told_apart(tmp_path: Path) -> None:
    """Both codebases write results_spotting.json."""
    official = write(tmp_path / "a" / "results_spotting.json", {"UrlLocal": "g", "predictions": []})
    other = write(tmp_path / "b" / "results_spotting.json", V2)
    assert not is_exchange(official)
    assert is_exchange(other)
    assert kind_of(V1) == "osl-v1"
    assert kind_of({"Url": "a.mp4", "fps": 2, "predictions": []}) == "osl-v1-predictions"


def test_a_sample_may_lack_id_task_and_labels(tmp_path: Path) -> None:
    """SN-GAR has game_id and split instead; classes are then those that occur."""
    sample = {"game_id": 10502, "split": "train", "events": [{"label": "Pass", "position_ms": 5}]}
    collection = read_collection(write(tmp_path / "a.json", {"data": [sample]}))
    assert collection.videos[0].half == Half("10502", 1)
    assert collection.videos[0].split == "train"
    assert collection.named_classes() == ["Pass"]
    spots = Exchange().read(tmp_path / "a.json", ["10502"], Task.load("sngar-2022"))
    assert spots[Half("10502", 1)].label.tolist() == [0], "in whatever letters it is written"


def test_other_heads_and_excluded_videos_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = changed()
    content["labels"] = {**content["labels"], "mood": {"labels": ["calm"]}}
    content["data"][0]["events"].append({"head": "mood", "label": "calm", "position_ms": 1})
    content["data"].append({"id": "x", "metadata": {"annotation_status": "excluded"}, "events": []})
    source = write(tmp_path / "a.json", content)
    caplog.set_level(logging.INFO)
    assert main(["convert", str(source), str(tmp_path / "out.csv"), "--to", "csv"]) == 0
    said = [record.message for record in caplog.records]
    assert "not kept: 1 videos that are excluded" in said
    assert "not kept: 1 events of other heads" in said
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("path", "half"),
    [
        ("england_epl/s/game/2_224p.mkv", Half("england_epl/s/game", 2)),
        ("england_epl/s/game/224p.mp4", Half("england_epl/s/game", 1)),
        ("./test/match_1.mp4", Half("test/match_1", 1)),
        ("a/b/1_ResNET_TF2_PCA512.npy", Half("a/b", 1)),
        ("match (1).mp4", Half("match (1)", 1)),
        ("../videos/a/b.mp4", Half("videos/a/b", 1)),
        ("Clips\\m.mp4", Half("Clips/m", 1)),
    ],
)
def test_the_half_of_a_path(path: str, half: Half) -> None:
    assert half_of_path(path, "here") == half


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(position_ms="soon"), "event 1 has no time"),
        (changed(position_ms=None, gameTime="now"), "event 1 has no time"),
        (changed(label=5), "event 1 has the label 5"),
        ({**V2, "data": [5]}, "data 1: is not an object"),
        ({**V2, "data": [{"events": []}]}, "has neither inputs nor an id"),
        ({**V2, "data": [{**V2["data"][0], "inputs": [{"path": "a/../../m.mp4"}]}]}, "leads out of its folder"),
        ({"videos": [{}]}, "has neither path_video nor path_features"),
        ([{"video": "a", "fps": 0}], "has the fps 0"),
        ([{"video": "a", "fps": 25, "events": [{"label": "PASS"}]}], "without a frame"),
        ({"what": 1}, "known format"),
    ],
)
def test_what_is_wrong_is_named(content: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        read_collection(write(tmp_path / "a.json", content))


def test_evaluation_takes_them_as_labels_and_as_predictions(tmp_path: Path) -> None:
    """Whatever the format, the scores are those of the official files."""
    rng, task = np.random.default_rng(0), Task.load("soccernet-v2")
    labels = {
        Half(f"l/s/{game}", half): Spots(
            rng.integers(0, 17, 30), rng.integers(0, 2_700_000, 30) / 1000, rng.random(30) < 0.8
        )
        for game in "ab"
        for half in (1, 2)
    }
    SoccerNet().write(tmp_path / "labels", labels, task)
    assert main(["convert", str(tmp_path / "labels"), str(tmp_path / "osl.json"), "--to", "osl"]) == 0
    assert main(["convert", str(tmp_path / "labels"), str(tmp_path / "t.csv"), "--to", "csv"]) == 0
    expected = None
    for source in ("labels", "osl.json", "t.csv"):
        for predicted in ("osl.json", "t.csv"):
            form = evaluate(tmp_path / source, tmp_path / predicted, task=task)
            expected = expected or form
            assert form == expected
    assert expected is not None
    assert expected["at_1"]["map"] > 0.9
    with pytest.raises(UserError, match="no predictions of elsewhere"):
        read_any_predictions(tmp_path / "t.csv", ["elsewhere"], task)


def test_a_game_without_events_stays(tmp_path: Path) -> None:
    write(tmp_path / "out" / "l" / "g" / "results_spotting.json", {"UrlLocal": "l/g", "predictions": []})
    write_collection(tmp_path / "a.json", read_collection(tmp_path / "out"), "osl", "")
    assert read_any_predictions(tmp_path / "a.json", ["l/g"], TASK)[Half("l/g", 1)].label.tolist() == []


def test_a_zip_says_the_splits_that_its_folder_does(tmp_path: Path) -> None:
    task, tree = Task.load("soccernet-v2"), tmp_path / "tree"
    SoccerNet().write(tree, {Half(f"l/s/{name}", 1): Spots.empty() for name in "ab"}, task)
    (tree / "splits.json").write_text('{"train": ["l/s/a"], "valid": ["l/s/b"]}')
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", tree)
    for source in (tree, packed):
        assert {video.half.game: video.split for video in read_collection(source).videos} == {
            "l/s/a": "train",
            "l/s/b": "valid",
        }
