"""Systems of a sweep side by side: means, differences to the best, and a sweep that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from spotter.cli.comparison import ScoredJob, compare, comparison_markdown, read_scored_job
from spotter.errors import UserError
from spotter.io.exchange.annotations import Exchange
from spotter.io.predictions import write_scored
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions, Spots
from tests.conftest import process

V2, TENNIS = Task.load("soccernet-v2"), Task.load("tennis")
COST = {"parameters": 1200.0, "clips": 640.0, "cpu_seconds": 91.0}


def run(
    model: str, score: float, spread: float, task: Task = V2, names: tuple[str, ...] = ("tight", "loose")
) -> ScoredJob:
    """Return a run of a system; its resamples lie around its score."""
    resampled = np.append(score, score + np.random.default_rng(0).normal(0, spread, 400))
    return ScoredJob("demo", model, task, "test", dict.fromkeys(names, score), resampled, COST)


def write_job(
    job: Path, task: Task, found: dict[Half, HalfPredictions], root: str | Path, labels: Path | None = None
) -> Path:
    """Write what a comparison reads of a finished job; return its folder."""
    write_scored(job / "predictions" / "test", found, task, {}, "test")
    config = {"data": {"task": task.name, "root": str(root), "labels": labels and str(labels)}}
    choices = {"hydra": {"runtime": {"choices": {"data": "ball", "model": "rms"}}}}
    metrics = {"test": {"tight": {"map": 0.5}, "loose": {"map": 0.5}}}
    for name, content in (("config", config), ("hydra", choices)):
        (job / ".hydra").mkdir(exist_ok=True)
        (job / ".hydra" / f"{name}.yaml").write_bytes(orjson.dumps(content))
    for name, content in (("metrics", metrics), ("cost", COST)):
        (job / f"{name}.json").write_bytes(orjson.dumps(content))
    return job


def test_the_best_comes_first_and_the_others_are_compared_with_it() -> None:
    rows = compare([run("a", 0.1, 0.01), run("b", 0.3, 0.02), run("a", 0.2, 0.01), run("b", 0.32, 0.02)])
    assert [row["model"] for row in rows] == ["b", "a"]
    assert rows[0]["against_best"] is None
    assert rows[1]["scores"]["tight"] == {"mean": pytest.approx(0.15), "deviation": pytest.approx(0.0707, abs=1e-3)}
    gain = rows[1]["against_best"]
    assert gain["value"] == pytest.approx(-0.16)
    assert gain["interval"][0] < -0.16 < gain["interval"][1] < 0, "the resamples are paired: both systems have the same"
    assert gain["better"] == 0
    assert rows[1] | COST == rows[1]


def test_the_table_has_the_scores_that_the_task_names() -> None:
    runs = [run("a", 0.5, 0.01, TENNIS, ("within_0", "frames")), run("b", 0.4, 0.01, TENNIS, ("within_0", "frames"))]
    lines = comparison_markdown("tennis", runs[0], compare(runs)).splitlines()
    assert lines[0].startswith("| tennis, test, mAP in % | within_0 | frames | map_within_0: to the best, 95 % |")
    assert lines[2] == "| `a` | 50.0 | 50.0 | best | 1 | 1,200 | 640 | 91 |"
    assert lines[3].startswith("| `b` | 40.0 | 40.0 | -10.0 (")
    assert len({line.count("|") for line in lines}) == 1


def test_labels_of_a_job_may_be_a_file(tmp_path: Path) -> None:
    task, half, labels = Task.load("ball-2023"), Half("m", 1), tmp_path / "labels.json"
    Exchange().write(labels, {half: Spots(np.zeros(1, int), np.ones(1), np.ones(1, bool))}, task)
    found = {half: HalfPredictions(np.zeros(1, int), np.ones(1), np.ones(1))}
    job = write_job(tmp_path / "job", task, found, tmp_path, labels)
    assert read_scored_job(job).resampled.tolist() == [0.5] * 1001, "one of two classes has labels"


def test_a_root_that_is_no_longer_set_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {Half("league/season/game", 1): HalfPredictions(np.zeros(1, int), np.ones(1), np.ones(1))}
    job = write_job(tmp_path / "job", V2, found, "${oc.env:SOCCERNET_ROOT,null}")
    monkeypatch.delenv("SOCCERNET_ROOT", raising=False)
    with pytest.raises(UserError, match=r"job: its data\.root is a variable of the environment that is not set now"):
        read_scored_job(job)


@pytest.mark.slow
def test_a_comparison_goes_on_with_the_runs_that_are_missing(tiny: list[str], tmp_path: Path) -> None:
    tiny = [word for word in tiny if not word.startswith(("trainer.max", "trainer.check"))]
    words = ["--multirun", "experiment=compare_real", "data=demo", "model=linear", *tiny]

    def sweep(*more: str) -> tuple[int, str, Any]:
        ran = process("train.py", *words, *more, cwd=tmp_path)
        table = tmp_path / "multirun" / "compare_real" / "comparison.json"
        return ran.returncode, ran.stderr, orjson.loads(table.read_bytes())["demo"]

    status, said, (row,) = sweep("seed=1", "trainer.max_cpu_seconds=1")
    assert (status, row["seeds"]) == (0, 1), said
    assert row["cpu_seconds"] == pytest.approx(1, abs=0.2)
    assert row["clips"] > 0
    best = tmp_path / "multirun" / "compare_real" / "demo-linear-1" / "checkpoints" / "best.ckpt"
    written = best.stat().st_mtime_ns
    status, said, (row,) = sweep("seed=1,2", "trainer.max_cpu_seconds=1")
    assert (status, row["seeds"]) == (0, 2), said
    assert "finished before" in said
    assert best.stat().st_mtime_ns == written
    status, said, (row,) = sweep("seed=1", "trainer.max_cpu_seconds=2")
    assert status == 1
    assert "trainer.max_cpu_seconds=2); give another hydra.sweep.dir" in said


@pytest.mark.slow
def test_the_systems_of_video_are_compared(tmp_path: Path) -> None:
    """All five, in their small versions, for a second each."""
    words = ["data.demo.games=[1,1,1]", "data.demo.minutes=1", "data.demo.height=64", "trainer.max_cpu_seconds=1"]
    sizes = ["data.size=[64,112]", "model.clips.per_epoch=16", "trainer=cpu", "seed=1"]
    ran = process("train.py", "--multirun", "experiment=compare_video", *words, *sizes, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    table = orjson.loads((tmp_path / "multirun" / "compare_video" / "comparison.json").read_bytes())
    systems = {row["model"]: row["parameters"] for row in table["demo_video"]}
    assert set(systems) == {"e2e_spot", "t_deed", "baikulov", "adaspot", "comedian"}
    assert all(count < 2_000_000 for count in systems.values()), systems
