"""What opensportslib 0.3.3 has read is what spotter still writes, and reads with the same counts and scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spotter.cli import main
from spotter.io.exchange.files import read_collection, write_collection
from spotter.io.exchange.shards import TABLE, unpack_inputs
from tests.fixtures import make_osl
from tests.fixtures.make_osl import FOLDER

TASK = """\
name: three
classes: [SHOT, PASS, GOAL]
label_file: Labels-three.json
fps: 25
monitor: map_at_1
halves: [1]
"""


def content(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", ["labels", "predictions", "periods"])
def test_what_it_read_is_still_written(name: str, tmp_path: Path) -> None:
    write_collection(tmp_path / "new.json", getattr(make_osl, name)(), "osl", "")
    assert content(tmp_path / "new.json") == content(FOLDER / f"{name}.json")


@pytest.mark.parametrize(("name", "halves", "events"), [("labels", 2, 12), ("predictions", 2, 12), ("periods", 4, 10)])
def test_the_counts_are_those_that_it_read(name: str, halves: int, events: int) -> None:
    found = read_collection(FOLDER / f"{name}.json")
    assert (len(found.videos), sum(len(video.rows) for video in found.videos)) == (halves, events)


def test_the_scores_are_those_that_it_computed(tmp_path: Path) -> None:
    (tmp_path / "three.yaml").write_text(TASK)
    words = [str(FOLDER / "labels.json"), str(FOLDER / "predictions.json"), "--task", str(tmp_path / "three.yaml")]
    assert main(["evaluate", *words, "--json", str(tmp_path / "scores.json")]) == 0
    scores = content(tmp_path / "scores.json")
    assert scores["at_1"]["map"] == scores["tight"]["map"] == pytest.approx(0.6161616, abs=1e-6)


def test_the_shards_that_it_unpacked_hold_the_labels_and_both_inputs(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert read_collection(FOLDER / "shards").videos == read_collection(FOLDER / "labels.json").videos
    assert unpack_inputs(FOLDER / "shards" / TABLE, tmp_path) == (2, 0)
    for name in ("one", "two"):
        assert (tmp_path / f"test/{name}/224p.mp4").read_bytes() == (FOLDER / f"test/{name}/224p.mp4").read_bytes()
    make_osl.write(tmp_path / "new")
    for name in ("metadata", "shard_manifest"):
        tables = [parquet.read_table(folder / "shards" / f"{name}.parquet") for folder in (FOLDER, tmp_path / "new")]
        assert tables[0].equals(tables[1])
    tars = [folder / "shards" / "shards" / "shard-000000.tar" for folder in (FOLDER, tmp_path / "new")]
    assert tars[0].read_bytes() == tars[1].read_bytes()


def test_predictions_take_the_paths_of_the_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its evaluator finds predictions by path, and takes those of another for none."""
    found, labels = str(FOLDER / "predictions.json"), str(FOLDER / "labels.json")
    assert main(["convert", found, str(tmp_path / "official"), "--to", "soccernet"]) == 0
    words = ["convert", str(tmp_path / "official"), str(tmp_path / "back.json"), "--to", "osl"]
    assert main(words) == 0
    assert content(tmp_path / "back.json")["data"][0]["inputs"][0]["path"] == "test/one/1_224p.mkv"
    assert main([*words, "--inputs-of", labels]) == 0
    assert content(tmp_path / "back.json") == content(FOLDER / "predictions.json")
    (tmp_path / "other.json").write_text('{"data": [{"id": "x", "events": []}]}')
    assert main([*words, "--inputs-of", str(tmp_path / "other.json")]) == 1
    assert "--inputs-of: does not name half 1 of 'test/one': give its labels" in capsys.readouterr().err


@pytest.mark.parametrize("zipped", [False, True])
def test_results_as_it_saves_them_a_file_for_each_video(zipped: bool, tmp_path: Path) -> None:
    """They are called as the official ones, and lie in folders called as the videos."""
    document = content(FOLDER / "predictions.json")
    for sample in document["data"]:
        place = tmp_path / "results" / Path(sample["inputs"][0]["path"]).with_suffix("") / "results_spotting.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({**document, "data": [sample]}))
    results = tmp_path / "results"
    if zipped:
        results = Path(shutil.make_archive(str(tmp_path / "sent"), "zip", results))
    assert read_collection(results).videos == read_collection(FOLDER / "predictions.json").videos
    (tmp_path / "three.yaml").write_text(TASK)
    words = [str(FOLDER / "labels.json"), str(results), "--task", str(tmp_path / "three.yaml")]
    assert main(["evaluate", *words, "--json", str(tmp_path / "scores.json")]) == 0
    assert content(tmp_path / "scores.json")["at_1"]["map"] == pytest.approx(0.6161616, abs=1e-6)
