"""Labels in a format of the user's own: trained on, predicted, scored, as the official ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from spotter.cli import main
from spotter.evaluation.evaluate import evaluate
from spotter.io.formats import format_of
from spotter.tasks import Task
from tests.conftest import call

OFFICIAL = Task.load("soccernet-v2")
OWN = replace(OFFICIAL, name="own", label_file="labels.txt", format="lines")
EXTENSIONS = str(Path(__file__).parent.parent / "extensions")


@pytest.mark.slow
def test_labels_of_another_format_are_trained_on_and_scored(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXTENSIONS)
    root, task = tmp_path / "tree", tmp_path / "own.yaml"
    shutil.copytree(tree, root)
    games = format_of(OFFICIAL).games(root, OFFICIAL)
    lines = [
        f"{half.game};{half.number};{time};{OFFICIAL.classes[label]}"
        for half, spots in format_of(OFFICIAL).read(root, games, OFFICIAL).items()
        for label, time in zip(spots.label, spots.time, strict=True)
    ]
    (root / OWN.label_file).write_text("\n".join(lines), encoding="utf-8")
    for file in root.rglob(OFFICIAL.label_file):
        file.unlink()
    task.write_text(yaml.safe_dump(OWN.to_dict()), encoding="utf-8")
    words = [
        "model=linear",
        "trust=my_format",
        "data=baidu",
        f"data.root={root}",
        f"data.task={task}",
        "data.width=32",
        "data.source.streams.baidu.groups=null",
        "data.batch_size=8",
        "data.num_workers=0",
        "model.clips.per_epoch=16",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "logger=none",
    ]
    trained = call("train.py", *words, cwd=tmp_path)
    assert trained.status == 0, trained.err
    run = next(tmp_path.glob("outputs/*/*"))
    metrics = yaml.safe_load((run / "metrics.json").read_text("utf-8"))["test"]
    best = f"ckpt={run / 'checkpoints/best.ckpt'}"
    predicted = call("predict.py", best, "out=out", "trainer=cpu", "trust=my_format", cwd=tmp_path)
    assert predicted.status == 0, predicted.err
    assert evaluate(root, tmp_path / "out") == {**metrics, "task": "own", "split": "test"}
    assert "results_spotting.zip: 1 of 1 game" in predicted.err
    scores = tmp_path / "scores.json"
    words = ["evaluate", str(root), str(run), "--trust", "my_format", "--json", str(scores)]
    assert main(words) == 0
    assert yaml.safe_load(scores.read_text("utf-8"))["tight"] == metrics["tight"]
