"""Checkpoints, predictions and reports are passed on: they name no folder of the machine, and no text acts as HTML."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.evaluation.report import write_report
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots
from tests.conftest import call

OWN = (".hydra", "run.log")  # of the user who trained, not of a checkpoint or report


def naming(folder: Path, *places: Path) -> list[str]:
    """Return the files below a folder that hold the path of one of some places."""
    texts = [str(place).encode() for place in places]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        path.relative_to(folder).as_posix()
        for path in files
        if path.relative_to(folder).parts[0] not in OWN and any(text in path.read_bytes() for text in texts)
    ]


def test_a_run_names_no_folder(trained: Path, tree: Path) -> None:
    assert naming(trained, tree, trained, Path.cwd(), Path.home() / "x") == []


def test_reports_link_videos_relatively(trained: Path, tree: Path, tmp_path: Path) -> None:
    """Those that lie beside the features."""
    copied = tmp_path / "it's data"
    shutil.copytree(tree, copied)
    (game,) = orjson.loads((copied / "splits.json").read_bytes())["test"]
    (copied / game / "1_720p.mkv").touch()
    words = [f"ckpt={trained}/checkpoints/best.ckpt", f"data.root={copied}", f"out={tmp_path}/out", "trainer=cpu"]
    called = call("predict.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    assert naming(tmp_path / "out", tmp_path, tree, trained) == []
    assert b'"../it%27s%20data/' in (tmp_path / "out" / "report.html").read_bytes()


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--<script>"])
def test_text_of_files_stays_text_in_reports(text: str, tmp_path: Path) -> None:
    """Names of classes, games, tasks, splits and titles."""
    task = Task.load({"name": "x", "classes": [text], "label_file": "L.json", "fps": 2, "monitor": "tight_map"})
    half = Half(text, 1)
    spots = Spots(np.array([0]), np.array([1.0]), np.array([True]))
    guess = HalfPredictions(np.array([0]), np.array([1.0]), np.array([0.5]))
    path = tmp_path / "report.html"
    write_report(
        path, {half: guess}, task, {half: spots}, title=text, split=text, videos={half: [f"javascript:{text}"]}
    )
    page = path.read_text(encoding="utf-8")
    assert text not in page
    assert page.count("alert(1)") >= 3 or "alert" not in text
