"""Features are read by the paths that a file of labels names; the rates that it declares are checked, not used."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.data.features import FeatureSource
from spotter.data.games import find_halves, warn_of_rates
from spotter.data.periods import PeriodSource
from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.io.exchange.annotations import Exchange, listed_files
from spotter.io.exchange.files import read_collection, write_collection
from spotter.tasks import Task
from spotter.types import Half
from tests.conftest import call
from tests.helpers.videos import write_video

TASK = Task.load("ball-2024")
EVENT = {"head": "action", "label": "PASS", "position_ms": 1000}


def stream(file: str = "mine") -> dict[str, Any]:
    return {"file": file, "fps": 2, "width": 4}


def osl(folder: Path, *samples: dict[str, Any]) -> Path:
    """Write OSL JSON of samples in split test, and rows for every path to features that is there."""
    path = folder / "annotations_test.json"
    labels = {"action": {"type": "single_label", "labels": ["PASS"]}}
    path.write_text(json.dumps({"version": "2.0", "labels": labels, "data": list(samples)}))
    for sample in samples:
        for each in sample["inputs"]:
            if each["path"].endswith(".npy"):
                place = folder / each["path"]
                place.parent.mkdir(parents=True, exist_ok=True)
                np.save(place, np.full((20, 4), len(each["path"]), np.float32))
    return path


def sample(*paths: str, **more: Any) -> dict[str, Any]:
    kinds = {".npy": "features", ".mp4": "video"}
    inputs = [{"type": kinds[Path(path).suffix], "path": path, **more} for path in paths]
    return {"id": "x", "inputs": inputs, "events": [EVENT]}


@pytest.mark.parametrize(
    ("paths", "file", "read"),
    [
        (["features/match_1.npy"], "mine", "features/match_1.npy"),
        (["videos/match_1.mp4", "features/match_1.npy"], "mine", "features/match_1.npy"),
        (["videos/m.mp4", "f/m_other.npy", "f/m_mine.npy"], "mine", "f/m_mine.npy"),
        (["videos/m.mp4", "other/m.npy", "f/mine.npy"], "mine", "f/mine.npy"),
    ],
)
def test_features_lie_where_the_file_says(paths: list[str], file: str, read: str, tmp_path: Path) -> None:
    labels = osl(tmp_path, sample(*paths))
    source = FeatureSource({"mine": stream(file)}, tmp_path, labels=labels)
    games = Exchange(labels).games(tmp_path, TASK)
    (record,) = find_halves(tmp_path, "test", games, TASK, source, annotations=Exchange(labels))
    assert [path for path, _ in source.rows(record.half)] == [str(tmp_path / read)]
    assert record.frames == 20


def test_what_is_not_listed_lies_in_the_official_place(tmp_path: Path) -> None:
    labels = osl(tmp_path, sample("a/match.mp4"))
    half = Half("a/match", 1)
    missing = FeatureSource({"mine": stream()}, tmp_path, labels=labels).missing(half)
    assert missing == [tmp_path / "a" / "match" / "1_mine.npy"]
    labels = osl(tmp_path, sample("a/match.mp4", "f/match.npy"))
    (tmp_path / "f" / "match.npy").unlink()
    assert FeatureSource({"mine": stream()}, tmp_path, labels=labels).missing(half) == [tmp_path / "f" / "match.npy"]


def test_images_in_an_array_are_no_features(tmp_path: Path) -> None:
    labels = osl(tmp_path, sample("f/m.npy", "f/images.npy"))
    content = json.loads(labels.read_text())
    for kind in ("frames_npy", "frame_npy"):
        content["data"][0]["inputs"][1]["type"] = kind
        labels.write_text(json.dumps(content))
        source = FeatureSource({"mine": stream()}, tmp_path, labels=labels)
        assert [path for path, _ in source.rows(Half("f/m", 1))] == [str(tmp_path / "f" / "m.npy")]


def test_two_streams_are_told_apart_by_name(tmp_path: Path) -> None:
    labels = osl(tmp_path, sample("f/1_sound.npy", "f/1_mine.npy"))
    source = FeatureSource({"mine": stream(), "sound": stream("sound")}, tmp_path, labels=labels)
    assert [Path(path).name for path, _ in source.rows(Half("f", 1))] == ["1_mine.npy", "1_sound.npy"]


@pytest.mark.parametrize("path", ["/etc/x.npy", "a/../../x.npy", "C:/x.npy"])
def test_no_path_leads_out(path: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"data": [{"id": "a", "inputs": [{"path": "a/m.mp4"}, {"path": path}]}]}))
    with pytest.raises(UserError, match=r"which leads out of its folder|which means something else"):
        listed_files(labels, tmp_path, (".npy",))


def test_a_run_on_listed_features_is_that_on_the_official_tree(trained: Path, tree: Path, tmp_path: Path) -> None:
    """The same predictions to the byte, except for the names of games, with data.labels alone."""
    collection = read_collection(tree, Task.load("soccernet-v2"))
    games = json.loads((tree / "splits.json").read_text())["test"]
    test = [video for video in collection.videos if video.half.game in games]
    for video in test:
        name = f"elsewhere/{video.half.game.rpartition('/')[2]}/{video.half.number}_of_two.npy"
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (source,) = (tree / video.half.game).glob(f"{video.half.number}_*.npy")
        shutil.copy(source, tmp_path / name)
        video.inputs[:] = [{"type": "features", "path": name, "fps": 1}]
    write_collection(tmp_path / "annotations_test.json", replace(collection, videos=test), "osl", "")
    words = (f"ckpt={trained}", f"data.labels={tmp_path}/annotations_test.json", f"out={tmp_path}/out", "trainer=cpu")
    called = call("predict.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    assert "another rate" not in called.err
    official = trained / "predictions" / "test"
    for game in games:
        here = tmp_path / "out" / "elsewhere" / game.rpartition("/")[2] / "results_spotting.json"
        there = official / game / "results_spotting.json"
        assert json.loads(here.read_text())["predictions"] == json.loads(there.read_text())["predictions"] != []
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["tight"]["map"] is not None


def test_a_declared_rate_is_checked_against_the_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SN-GAR declares 30 for 29.97, six seconds off at full time; times come from the file, one line says so."""
    for name, rate in (("a", Fraction(30000, 1001)), ("b", Fraction(25)), ("c", Fraction(25))):
        write_video(tmp_path / f"{name}.mp4", 30, rate)
    labels = osl(tmp_path, sample("a.mp4", fps=30.0), sample("b.mp4", fps=25.0), sample("c.mp4"))
    source, exchange = VideoSource(25, size=(32, 64), root=tmp_path), Exchange(labels)
    records = find_halves(tmp_path, "test", ["a", "b", "c"], TASK, source, annotations=exchange)
    warn_of_rates(exchange, tmp_path, TASK, source, [record.half for record in records])
    (line,) = [record.getMessage() for record in caplog.records if "labels declare" in record.getMessage()]
    assert line == ("1 inputs have another rate than the labels declare, which is not used; "
                    "first a: 30 declared, 29.97 by the video")  # fmt: skip


def test_a_declared_rate_is_checked_against_that_of_features(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = osl(tmp_path, sample("a.npy", fps=1), sample("b.npy", fps=2.0), sample("c.npy", fps="2"))
    source, exchange = FeatureSource({"mine": stream()}, tmp_path, labels=labels), Exchange(labels)
    halves = [Half(name, 1) for name in "abc"]
    warn_of_rates(exchange, tmp_path, TASK, source, halves)
    assert "1 inputs have another rate than the labels declare" in caplog.text
    assert "first a: 1 declared, 2 by data.fps" in caplog.text


def test_periods_of_one_file_share_its_features(tmp_path: Path) -> None:
    """Both are read from the listed path, the second from where it begins."""
    about = [{"period": name, "start_time_ms": at, "end_time_ms": at + 4000} for name, at in (("H1", 0), ("H2", 5000))]
    labels = osl(tmp_path, {**sample("m.mp4", "f/m.npy"), "metadata": {"intervals": about}})
    exchange = Exchange(labels)
    source = PeriodSource(FeatureSource({"mine": stream()}, tmp_path, labels=labels), exchange.parts(tmp_path, TASK))
    records = find_halves(tmp_path, "test", exchange.games(tmp_path, TASK), TASK, source, annotations=exchange)
    assert [record.half.number for record in records] == [1, 2]
    for record in records:
        assert [path for path, _ in source.rows(record.half)] == [str(tmp_path / "f" / "m.npy")]
        assert record.frames == 8


def test_a_video_is_read_from_its_path_whatever_is_listed_first(tmp_path: Path) -> None:
    """A store or video in the folder of its game, which is called by the first input, comes before."""
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "m.mp4", 30, 25)
    labels = osl(tmp_path, sample("tracking/m.npy", "videos/m.mp4"), sample("tracking/n.npy", "videos/gone.mp4"))
    source, half = VideoSource(25, size=(32, 64), root=tmp_path, labels=labels), Half("tracking/m", 1)
    assert source.video(half) == tmp_path / "videos" / "m.mp4"
    assert source.length(half) == 30
    assert source.missing(Half("tracking/n", 1)) != []
    write_video(tmp_path / "tracking" / "m" / "1_224p.mp4", 20, 25)
    again = VideoSource(25, size=(32, 64), root=tmp_path, labels=labels)
    assert (again.video(half), again.length(half)) == (tmp_path / "tracking" / "m" / "1_224p.mp4", 20)
