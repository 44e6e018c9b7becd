"""From matches to what comes after clips of them: any dense system, the result file, and what it is compared with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import spotter
from spotter.cli import main
from spotter.inference.usual import NONE, UsualActions, cut_labels
from spotter.io.anticipation import OBSERVED, SECONDS, ClipOf, read_anticipation
from spotter.simulation.features import simulate
from spotter.tasks import Task
from spotter.types import Half, Spots

DENSE = ["transformer", *(pytest.param(name, marks=pytest.mark.slow) for name in ("linear", "tcn", "unet"))]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("ahead"), games=(1, 1, 1), minutes=6, width=32)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a task that asks of matches of SoccerNet-v2 what the challenge asks of ball actions."""
    known = Task.load("soccernet-v2").to_dict()
    known |= {"name": "ahead", "metric": "anticipation", "monitor": "anticipation", "splits": ""}
    path = tmp_path_factory.mktemp("task") / "ahead.yaml"
    path.write_text(json.dumps({key: value for key, value in known.items() if value or key == "fps"}))
    return path


def words(model: str, tree: Path, task: Path, out: Path) -> list[str]:
    out.mkdir()
    return [
        *("experiment=anticipation", f"model={model}", "data=demo", f"data.root={tree}", f"run_dir={out}"),
        *("data._target_=spotter.training.anticipation.AnticipationDataModule", "~data.demo", f"data.task={task}"),
        *("+data.clip_seconds=20", "data.width=32", "data.source.streams.demo.groups=null", "model.clips.per_epoch=32"),
        *(
            "trainer=cpu",
            "trainer.max_epochs=1",
            "trainer.check_val_every_n_epoch=1",
            "data.batch_size=8",
            "logger=none",
        ),
    ]


@pytest.mark.parametrize("model", DENSE)
def test_any_dense_system_anticipates(model: str, tree: Path, task: Path, tmp_path: Path) -> None:
    run = spotter.train(words(model, tree, task, tmp_path / "run"))
    scores = run.metrics["test"]
    assert 0 <= scores["anticipation"]["map"] <= 1
    assert scores["anticipation"]["map"] == pytest.approx(
        np.mean([scores[name]["map"] for name in ("at_1", "at_2", "at_3", "at_4", "at_5", "at_inf")])
    )
    assert "val/anticipation_map" in (run.folder / "metrics.csv").read_text().splitlines()[0]
    found = read_anticipation(run.folder / "predictions" / "test", Task.load(task))
    assert len(found) == scores["games"] > 20
    times = np.concatenate([spots.time for spots in found.values()])
    assert OBSERVED <= times.min() <= times.max() < SECONDS
    assert not (run.folder / "report.html").exists()
    assert spotter.evaluate(tree, run.folder, task=task)["at_inf"]["map"] == pytest.approx(scores["at_inf"]["map"])


@pytest.mark.slow
def test_what_was_trained_is_used(tree: Path, task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = spotter.train(words("linear", tree, task, tmp_path / "run"))
    ckpt, first = run.folder / "checkpoints" / "best.ckpt", run.folder / "predictions" / "test"
    assert main(["predict", f"ckpt={ckpt}", f"data.root={tree}", f"out={tmp_path / 'out'}", "trainer=cpu"]) in (0, None)
    again, known = (read_anticipation(folder, Task.load(task)) for folder in (tmp_path / "out", first))
    assert list(again) == list(known)
    for clip, spots in known.items():
        np.testing.assert_array_equal(again[clip].time, spots.time)
        np.testing.assert_allclose(again[clip].confidence, spots.confidence, rtol=1e-4)
    game = next(iter(known)).game.rpartition("/")[0]
    own = run.load("cpu").predict(tree / game / "1_baidu_soccer_embeddings.npy", start=60, end=120, progress=False)
    assert [ClipOf.of(half).start for half in own] == [60, 65, 70, 75, 80, 85]
    capsys.readouterr()
    assert main(["predict", f"ckpt={ckpt}", f"data.root={tree}", "format=csv"]) == 2
    assert "leave them out" in capsys.readouterr().err

    out = tmp_path / "usual"
    arguments = ["anticipate", str(tree), str(run.folder), "--task", str(task), "--split", "test", "-o", str(out)]
    assert main([*arguments, "--json", str(tmp_path / "scores.json")]) == 0
    assert "resamplesofclips" in "".join(capsys.readouterr().out.split())
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert list(scores) == ["system", "frequencies", "last_action"]
    assert "differences" in scores["last_action"]["bootstrap"]
    assert scores["frequencies"]["anticipation"]["map"] > 0
    assert len({str(each.time) for each in read_anticipation(out / "frequencies", Task.load(task)).values()}) == 1


def test_usual_actions_follow_the_last_one() -> None:
    """A PASS 2 s after every DRIVE, nothing after an OUT: the better answer knows the last action."""
    task = Task.load("baa-2026")
    drive, out, passed = (task.classes.index(name) for name in ("DRIVE", "OUT", "PASS"))
    clips = {
        Half(f"clip_{number}", 1): Spots(np.array(labels), np.array(times), np.ones(len(labels), bool))
        for number, (labels, times) in enumerate(40 * [([drive, passed], [29.0, 32.0]), ([drive, out], [28.0, 29.0])])
    }
    usual = {by_last: UsualActions.learn(clips, task, by_last) for by_last in (False, True)}
    assert usual[True].rates[drive][20, passed] > 1.8 * usual[False].rates[NONE][20, passed]
    answers = usual[True].expect(clips, 10.0)
    first, second = answers[Half("clip_0", 1)], answers[Half("clip_1", 1)]
    best = first.confidence.argmax()
    assert (first.label[best], first.time[best]) == (passed, pytest.approx(32.0, abs=0.11))
    assert second.confidence.max() < 0.3 * first.confidence.max()
    assert len(first) <= len(task.classes), "in 10 s an action is expected once"


def test_labels_of_matches_are_cut_and_those_of_clips_left() -> None:
    spots = Spots(np.array([0, 1]), np.array([33.0, 37.5]), np.ones(2, bool))
    assert [ClipOf.of(clip).start for clip in cut_labels({Half("match", 1): spots})] == [0, 1, 2]
    assert list(cut_labels({Half("test/clip_3", 1): spots.take(np.array([0]))})) == [Half("test/clip_3", 1)]
