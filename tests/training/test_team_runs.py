"""A task with teams from end to end: train, predict, evaluate; the team is in every file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from spotter.evaluation.evaluate import evaluate
from spotter.io.run_folders import find_predictions_of
from spotter.predictions import Predictions
from spotter.tasks import Task
from spotter.training.callbacks import average_map
from spotter.training.callbacks.progress import EpochLine
from spotter.training.loggers.dashboard import Dashboard
from spotter.types import OWN, Half, HalfRecord, Spots
from tests.conftest import call
from tests.helpers.predicting import history
from tests.helpers.videos import write_matches


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return matches whose labels name a side, except for every fifth of a training match."""
    root = write_matches(tmp_path_factory.mktemp("team matches"))
    for file in root.rglob("Labels-ball.json"):
        content = orjson.loads(file.read_bytes())
        for number, entry in enumerate(content["annotations"]):
            if number % 5 or "l/s/a" not in str(file):
                entry["team"] = ("left", "right")[number % 2]
            else:
                entry.pop("team", None)
        file.write_bytes(orjson.dumps(content))
    return root


@pytest.mark.slow
@pytest.mark.parametrize(("teams", "model"), [("joint", "e2e_spot"), ("head", "e2e_spot_dense")])
def test_a_run_with_teams(teams: str, model: str, matches: Path, tmp_path: Path) -> None:
    words = [
        *(f"model={model}", f"model.teams={teams}", "data=ball_2025", f"data.root={matches}", "data.size=[32,48]"),
        *("data.batch_size=2", "data.eval_batch_size=2", "data.num_workers=0", "model.pretrained=false"),
        *("model.network.backbone=regnety_002", "model.clips.clip_len=16", "model.clips.per_epoch=6"),
        *("trainer=cpu", "trainer.max_epochs=2", "logger=none"),
    ]
    called = call("train.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    assert called.err.count("Team-mAP has no value") >= 1, "most actions do not occur"
    run = next(tmp_path.glob(f"outputs/{model}-ball_2025/*"))
    form = orjson.loads((run / "metrics.json").read_bytes())["test"]["at_1"]
    assert form["map_team"] is None
    assert 0 <= form["map_team_present"] <= 1
    assert len(form["per_class_team"]) == 12
    rows = history(run)
    assert all(0 <= float(row["val/team_map_at_1_present"]) <= 1 for row in rows)
    assert not any(row.get("val/team_map_at_1") for row in rows)
    written = next((run / "predictions" / "test").rglob("results_spotting.json"))
    entries = orjson.loads(written.read_bytes())["predictions"]
    assert {entry["team"] for entry in entries} == {"left", "right"}
    assert (run / "report.html").is_file()

    again = call("predict.py", f"ckpt={run}", "split=test", f"data.root={matches}", "trainer=cpu", cwd=tmp_path)
    assert again.status == 0, again.err
    predictions = find_predictions_of(run, "test")
    scored = evaluate(matches, predictions)
    assert scored["at_1"] == form
    table = Predictions.read(predictions, "ball-2025").to_frame()
    assert list(table.columns) == ["game", "half", "time", "clock", "class", "team", "confidence"]
    assert set(table["team"]) == {"left", "right"}


def test_whatever_follows_a_score_follows_one_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    system, record = SimpleNamespace(task=Task.load("ball-2025")), HalfRecord(Half("g", 1), 10, Spots.empty())
    monkeypatch.setattr(average_map, "systems_of", lambda module: {OWN: system})
    monkeypatch.setattr(average_map, "data_of", lambda trainer: SimpleNamespace(records={"valid": [record]}))
    official = "val/team_map_at_1"
    callbacks = [Dashboard(official), EpochLine(official), EpochLine("val/loss"), average_map.AverageMap()]
    average_map.AverageMap().setup(SimpleNamespace(callbacks=callbacks), None, "fit")
    assert [each.monitor for each in callbacks[:3]] == [f"{official}_present", f"{official}_present", "val/loss"]
