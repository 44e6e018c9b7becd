"""Sweeps as a user starts them: one folder, whole job folders, a table over seeds, and the score for the sweeper."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from spotter.training.sweep import over_seeds
from tests.conftest import call, process

TINIEST = ["trainer.max_epochs=1", "model.clips.per_epoch=16"]


def sweep_folder(cwd: Path) -> Path:
    """Return the only sweep below ``cwd``, beside which there is nothing."""
    assert [path.name for path in cwd.iterdir()] == ["multirun"]
    (folder,) = cwd.glob("multirun/*")
    return folder


def check_jobs(folder: Path, seeds: list[str]) -> dict[str, Any]:
    """Assert that the jobs are whole and that the table tells of them; return the table."""
    for job, seed in enumerate(seeds):
        for name in (
            "checkpoints/best.ckpt",
            "checkpoints/last.ckpt",
            "metrics.csv",
            "metrics.json",
            "predictions/test",
        ):
            assert (folder / str(job) / name).exists(), name
        overrides = yaml.safe_load((folder / str(job) / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
        assert f"seed={seed}" in overrides
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [str(job) for job in range(len(seeds))]
    table = orjson.loads((folder / "sweep.json").read_bytes())
    assert [job["job"] for job in table["jobs"]] == [str(job) for job in range(len(seeds))]
    (row,) = table["over_seeds"]
    forms = [orjson.loads((folder / str(job) / "metrics.json").read_bytes()) for job in range(len(seeds))]
    for split in ("valid", "test"):
        for name in ("tight", "loose", "at_1"):
            scores = [form[split][name]["map"] for form in forms]
            assert row[split][name] == {"mean": statistics.fmean(scores), "deviation": statistics.stdev(scores)}
    assert forms[0]["valid"]["tight"]["map"] != forms[1]["valid"]["tight"]["map"]
    return table


def test_several_devices(tiny: list[str], tmp_path: Path) -> None:
    """Each job has its own ranks; children do not start the sweep again, nor fold into one another."""
    ran = process("train.py", "--multirun", "seed=1,2", *tiny, *TINIEST, "trainer=ddp_cpu", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    check_jobs(sweep_folder(tmp_path), ["1", "2"])
    assert "2 seeds" in ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason='pip install "spotter[optuna]"')
def test_optuna_gets_the_score(tiny: list[str], tmp_path: Path) -> None:
    """A sweeper that searches gets the task's metric of each job; one device."""
    words = ["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_trials=2"]
    words += ["hydra.sweeper.direction=maximize", "hydra.sweeper.n_jobs=1", "seed=choice(1,2)"]
    called = call("train.py", "--multirun", *tiny, *TINIEST, *words, cwd=tmp_path)
    assert called.status == 0, called.err
    folder = sweep_folder(tmp_path)
    seeds = [yaml.safe_load((folder / job / ".hydra" / "config.yaml").read_text())["seed"] for job in ("0", "1")]
    table = check_jobs(folder, [str(seed) for seed in seeds])
    found = yaml.safe_load((folder / "optimization_results.yaml").read_text(encoding="utf-8"))
    assert found["best_value"] == max(job["valid"]["tight"] for job in table["jobs"])


@pytest.mark.parametrize(("left", "status"), [(1, 1), (2, 1), (130, 130)])
def test_failed_job_ends_the_sweep(
    tiny: list[str], tmp_path: Path, left: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed job does not keep the others from running, an interrupted one does; the sweep ends as they did."""
    started = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, left)

    monkeypatch.setattr("spotter.training.sweep.subprocess.run", run)
    called = call("train.py", "--multirun", "seed=1,2", *tiny, cwd=tmp_path)
    assert called.status == status
    assert ("error: job 0 of the sweep failed" in called.err) == (status == 1)
    assert "Traceback" not in called.err
    assert len(started) == (1 if status == 130 else 2)
    assert {"seed=1", "hydra.mode=RUN"} <= set(started[0])
    assert not {"-m", "--multirun"} & set(started[0])


def test_over_seeds_groups_what_differs_in_the_seed_only() -> None:
    """Jobs with other overrides are kept apart; a lone job has no deviation."""

    def job(number: int, differs: str, score: float) -> dict[str, Any]:
        scores = {"tight": score, "loose": score, "at_1": score}
        return {"job": str(number), "differs": differs.split(), "valid": scores}

    jobs = [job(0, "seed=1 lr=1", 0.1), job(1, "seed=2 lr=1", 0.3), job(2, "lr=2 seed=1", 0.5)]
    (row,) = over_seeds(jobs)
    assert (row["differs"], row["seeds"]) == ("lr=1", 2)
    assert row["valid"]["tight"]["mean"] == pytest.approx(0.2)
    assert row["valid"]["tight"]["deviation"] == pytest.approx(statistics.stdev([0.1, 0.3]))
    assert row["test"] == {}
