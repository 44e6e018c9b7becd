"""The W&B dashboard, read back from offline runs: curves, summaries, tables, charts, pictures and artifacts."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import numpy as np
import orjson
import pytest
import wandb
from PIL import Image

from spotter.evaluation.average_map import average_map
from spotter.evaluation.events import collect_events
from spotter.tasks import Task
from spotter.training.loggers import charts
from spotter.training.loggers.timeline import INK, draw_timeline
from spotter.types import Half, HalfPredictions, Spots
from tests.conftest import PROJECT, call, on_ranks, process
from tests.helpers.offline_runs import OfflineRun, offline_runs
from tests.helpers.predicting import history
from tests.helpers.wandb_server import serving

OFFLINE = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
WORDS = ["logger=wandb", "trainer.log_every_n_steps=1", "trainer.max_epochs=3"]
TASK = Task.load("soccernet-v2")


@pytest.fixture(scope="module")
def folder(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of three epochs."""
    cwd = tmp_path_factory.mktemp("wandb")
    called = call("train.py", *tiny, *WORDS, cwd=cwd, env=OFFLINE)
    assert called.status == 0, called.err
    assert "W&B" not in called.err
    (run,) = cwd.glob("outputs/*/*")
    return run


@pytest.fixture(scope="module")
def run(folder: Path) -> OfflineRun:
    """Return what W&B has kept of it."""
    (only,) = offline_runs(folder)
    return only


@pytest.mark.slow
def test_run_says_what_it_is_made_of(run: OfflineRun, folder: Path) -> None:
    """Config, exact command, folder, state of the code and statistics."""
    assert (run.exit, wandb.run) == (0, None)
    assert run.run.display_name == f"transformer-demo/{folder.name}"
    assert list(run.run.tags) == ["transformer", "demo"]
    assert run.config["seed"] == 1
    assert run.config["model"]["lr"] > 0
    assert run.config["folder"] == str(folder)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.config["git"].get("commit", "") == head.stdout.strip()
    assert run.config["statistics"]["train"]["games"] == 2
    (logged,) = run.logged("statistics/path")
    rows = run.table(logged["statistics/path"])
    assert [row["class"] for row in rows] == list(TASK.classes)
    assert sum(row["train"] for row in rows) == run.config["statistics"]["train"]["spots"]


def test_every_number_is_logged_once_over_its_axis(run: OfflineRun, folder: Path) -> None:
    """Scores over epochs, the loss of each step over steps; the same numbers as in ``metrics.csv``."""
    rows = history(folder)
    for key in ("val/tight_map", "val/loss", "train/loss", "val/tight_ap/Foul"):
        logged = run.logged(key)
        assert [row["epoch"] for row in logged] == [0, 1, 2]
        assert [row[key] for row in logged] == pytest.approx([float(row[key]) for row in rows])
        assert run.metrics[key].step_metric == "epoch"
    assert [row["trainer/global_step"] for row in run.logged("train/loss_step")] == list(range(12))
    assert [row["trainer/global_step"] for row in run.logged("lr-AdamW/pg1")] == list(range(12))
    assert run.metrics["*"].step_metric == "trainer/global_step"
    assert len(run.logged("test/tight_map")) == 1


def test_classes_share_one_panel(run: OfflineRun) -> None:
    """Their numbers are logged, without a panel each; a chart shows all of an epoch."""
    hidden = {key for key, metric in run.metrics.items() if metric.options.hidden}
    assert {f"val/{average}_ap/{name}" for average in ("tight", "loose") for name in TASK.classes} <= hidden
    assert "val/tight_map_unshown" not in hidden
    path = run.logged("val/ap_table/path")[-1]["val/ap_table/path"]
    for row in run.table(path):
        assert row["AP"] == pytest.approx(
            run.logged(f"val/tight_ap/{row['class']}")[-1][f"val/tight_ap/{row['class']}"]
        )
    assert len(run.table(path)) == len(TASK.classes)


def test_views_are_shown_where_labels_tell_them_apart() -> None:
    """A task whose broadcast shows all that happens has neither shown nor unshown."""
    ball, half = Task.load("ball-2023"), Half("a/b/c", 1)
    columns = np.array([0, 1]), np.array([10.0, 20.0])
    predictions = {half: HalfPredictions(*columns, np.array([0.9, 0.8]))}
    for shown, names in (
        ([True, True], ["tight", "loose"]),
        ([True, False], ["tight", "tight_shown", "tight_unshown"]),
    ):
        labels = {half: Spots(*columns, np.array(shown))}
        events = collect_events(labels, predictions, ball)
        table = charts.class_table(average_map(labels, predictions, ball), events, ball)
        assert [name for name in table.columns if str(name).startswith(("tight", "loose"))][: len(names)] == names
        assert ("not shown" in table.columns) == (not all(shown))


def test_summary_is_of_the_best_epoch(run: OfflineRun, folder: Path) -> None:
    """All numbers are of the same epoch, the one that ``best.ckpt`` is of; W&B itself makes no summary of them."""
    rows = history(folder)
    best = max(rows, key=lambda row: float(row["val/tight_map"]))
    assert run.summary["best_epoch"] == int(best["epoch"])
    for key in ("val/tight_map", "val/loose_map_shown", "val/map_at_1", "val/loss", "val/loose_ap/Throw-in"):
        assert run.metrics[key].summary.none
        assert run.summary[key] == pytest.approx(float(best[key]))
    assert run.metrics["train/loss"].summary.min


def test_validation_is_shown_whole(run: OfflineRun, folder: Path) -> None:
    """Per epoch a table of classes, both charts, and the same halves drawn."""
    shown = run.logged("val/classes/path")
    assert [row["epoch"] for row in shown] == [0, 1, 2]
    form = orjson.loads((folder / "metrics.json").read_bytes())["valid"]
    best = run.table(shown[run.summary["best_epoch"]]["val/classes/path"])
    for row in best:
        assert row["tight_unshown"] == pytest.approx(form["tight"]["per_class_unshown"][row["class"]], abs=1e-6)
        assert row["loose"] == pytest.approx(form["loose"]["per_class"][row["class"]], abs=1e-6)
    counts = run.config["statistics"]["valid"]
    assert sum(row["spots"] for row in best) == counts["spots"]
    assert sum(row["not shown"] for row in best) == counts["not_shown"]
    for row in shown:
        curve = run.table(row["val/map_over_tolerance_table/path"])
        assert [point["step"] for point in curve if point["lineKey"] == "all"] == [*range(1, 6), *range(10, 61, 5)]
        lines = run.table(row["val/precision_recall_table/path"])
        assert {point["lineKey"] for point in lines} == {each["class"] for each in best if each["spots"]}
        assert all(0 <= point["step"] <= 1 and 0 <= point["lineVal"] <= 1 for point in lines)
        assert row["val/timelines/captions"] == shown[0]["val/timelines/captions"]
        assert len(row["val/timelines/filenames"]) == 2  # all that the split has
        with Image.open(run.files / row["val/timelines/filenames"][0]) as picture:
            assert picture.size == (row["val/timelines/width"], row["val/timelines/height"])


def test_best_checkpoint_is_an_artifact(run: OfflineRun, folder: Path) -> None:
    """It is taken from where it lies, not copied, with its score."""
    (model,) = (each for each in run.artifacts if each.type == "model")
    (entry,) = model.manifest.contents
    assert entry.local_path == str(folder / "checkpoints" / "best.ckpt")
    assert orjson.loads(model.metadata) == {"val/tight_map": run.summary["val/tight_map"]}
    assert set(model.aliases) >= {"best"}


@pytest.mark.slow
def test_resumed_run_stays_one(tiny: list[str], folder: Path) -> None:
    """It goes on under the same id, knows its best epoch, and takes a report along."""
    (folder / "report.html").write_text("<p>", encoding="utf-8")
    before = offline_runs(folder)[0]
    words = [f"ckpt={folder}/checkpoints/last.ckpt", "trainer.max_epochs=4", "model.lr=0", "logger=wandb"]
    called = call("train.py", *words, cwd=folder.parent.parent.parent, env=OFFLINE)
    assert called.status == 0, called.err
    first, second = offline_runs(folder)
    assert first.run.run_id == second.run.run_id
    assert [row["epoch"] for row in second.logged("val/tight_map")] == [3]
    assert {"model", "report"} <= {each.type for each in second.artifacts}
    assert second.summary.get("best_epoch", 3) == 3
    (value,) = (row["val/tight_map"] for row in second.logged("val/tight_map"))
    assert ("best_epoch" in second.summary) == (value > before.summary["val/tight_map"])


@pytest.mark.slow
def test_two_ranks_log_once(tiny: list[str], tmp_path: Path) -> None:
    """One run, every epoch once; the other rank begins none."""
    words = [*tiny, *WORDS, "trainer=ddp_cpu", "trainer.max_epochs=2", "hydra.run.dir=run"]
    assert on_ranks(2, lambda: call("train.py", *words, cwd=tmp_path, env=OFFLINE).status) == [0, 0]
    (run,) = offline_runs(tmp_path / "run")
    for key in ("val/tight_map", "val/classes/path", "train/loss"):
        assert [row["epoch"] for row in run.logged(key)] == [0, 1]
    assert len(run.logged("test/tight_map")) == 1
    assert [each.type for each in run.artifacts].count("model") == 1


@pytest.mark.slow
def test_whatever_fails_is_said_once(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart that cannot be made costs a warning, not the run."""

    def fail(*_: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("spotter.training.loggers.charts.class_table", fail)
    monkeypatch.setattr("spotter.training.loggers.charts.artifact", fail)
    called = call("train.py", *tiny, *WORDS, "trainer.max_epochs=2", cwd=tmp_path, env=OFFLINE)
    assert called.status == 0, called.err
    assert called.err.count("W&B: the validation could not be logged (no route); the run goes on") == 1
    assert called.err.count("W&B: ") == 1


@pytest.mark.slow
def test_server_that_goes_away(tiny: list[str], tmp_path: Path) -> None:
    """An online run whose connection is lost in the second of three epochs goes on, closes in time, and is whole."""
    with serving() as server:
        server.until, server.after = "valclasses-", 2
        env = {"WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}", "WANDB_API_KEY": "a" * 40}
        words = [*tiny, *WORDS, "model.clips.per_epoch=16", "hydra.run.dir=run"]
        words += ["logger.wandb.settings.finish_timeout=2"]
        more = {"HOME": str(tmp_path), "WANDB_HTTP_TIMEOUT": "1"}
        ran = process("train.py", *words, cwd=tmp_path, env={**env, **more})
    assert ran.returncode == 0, ran.stderr
    assert server.gone
    assert "Traceback" not in ran.stderr
    assert len(history(tmp_path / "run")) == 3
    assert any("UpsertBucket" in text and "statistics" in text for _, text in server.asked)
    (kept,) = (tmp_path / "run" / "wandb").glob("run-*")
    run = OfflineRun(kept)
    assert [row["epoch"] for row in run.logged("val/classes/path")] == [0, 1, 2]
    assert shlex.split(run.config["command"])[2:] == words  # as typed


@pytest.mark.slow
def test_slow_server_is_left_alone_for_a_while(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes long to log is not logged after every validation; the best scores are."""
    monkeypatch.setattr("spotter.training.loggers.dashboard.SLOW", 0.0)
    monkeypatch.setattr("spotter.training.loggers.dashboard.REST", 10_000)
    called = call("train.py", *tiny, *WORDS, "hydra.run.dir=run", cwd=tmp_path, env=OFFLINE)
    assert called.status == 0, called.err
    (run,) = offline_runs(tmp_path / "run")
    assert [row["epoch"] for row in run.logged("val/classes/path")] == [0]
    assert run.summary["val/tight_map"] == pytest.approx(
        max(float(row["val/tight_map"]) for row in history(tmp_path / "run"))
    )


@pytest.mark.slow
def test_run_begun_without_a_server_is_kept(tiny: list[str], tmp_path: Path) -> None:
    """It becomes an offline run, with one warning."""
    env = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "a" * 40, "WANDB_SILENT": "true"}
    env |= {"HOME": str(tmp_path), "WANDB_HTTP_TIMEOUT": "1"}
    words = [*tiny, *WORDS, "trainer.max_epochs=1", "hydra.run.dir=run", "logger.wandb.settings.init_timeout=1"]
    called = call("train.py", *words, cwd=tmp_path, env=env)
    assert called.status == 0, called.err
    assert called.err.count("for `wandb sync`") == 1
    (run,) = offline_runs(tmp_path / "run")
    assert len(run.logged("val/tight_map")) == 1


def test_who_never_logged_in_is_told(tiny: list[str], tmp_path: Path) -> None:
    """In one line, before data is rendered, and nothing is left."""
    words = [*tiny, *WORDS, "data.root=new"]
    called = call("train.py", *words, cwd=tmp_path, env={"HOME": str(tmp_path), "WANDB_SILENT": "true"})
    assert called.status == 1
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob("outputs/*"))
    assert "error: W&B: No API key" in called.err
    assert "WANDB_MODE=offline" in called.err
    assert "epoch 1/" not in called.err


def test_timeline_draws_labels_and_predictions() -> None:
    """A label above is black or, not shown, hollow; a prediction below is as dark as it is confident."""
    spots = Spots(np.array([0, 1]), np.array([10.0, 20.0]), np.array([True, False]))
    predictions = HalfPredictions(np.array([0, 1, 1]), np.array([10.0, 20.0, 5.0]), np.array([1.0, 0.4, 0.001]))
    picture = np.asarray(draw_timeline(Half("a/b/c", 1), 60.0, spots, predictions, ("Goal", "Foul")))
    assert picture[37, 365].tolist() == list(INK)
    assert picture.shape[2] == 3
    blue = np.unique(picture[50:55, 160:].reshape(-1, 3), axis=0).tolist()
    assert [20, 90, 200] in blue
    faint = np.unique(picture[76:80, 160:].reshape(-1, 3), axis=0).tolist()
    assert [161, 189, 233] in faint
    assert len(faint) <= 3  # white, the minute's line, one prediction; the third is too faint
