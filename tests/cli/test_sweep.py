"""Sweeps as a user starts them: one folder, whole job folders, a table over seeds, and the score for the sweeper."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from spotter.cli.sweep_summary import over_seeds
from tests.conftest import PROJECT, call, environment, process
from tests.helpers.offline_runs import offline_runs

Job = tuple[list[str], dict[str, str]]  # command and environment
Prepare = Callable[..., list[Job]]
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
            spread = {"mean": statistics.fmean(scores), "deviation": statistics.stdev(scores)}
            assert row[split][name] == pytest.approx(spread)
    assert forms[0]["valid"]["tight"]["map"] != forms[1]["valid"]["tight"]["map"]
    return table


@pytest.mark.slow
def test_several_devices(tiny: list[str], tmp_path: Path) -> None:
    """Each job has its own ranks; children do not start the sweep again, nor fold into one another."""
    ran = process("train.py", "--multirun", "seed=1,2", *tiny, *TINIEST, "trainer=ddp_cpu", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    check_jobs(sweep_folder(tmp_path), ["1", "2"])
    assert "2 runs" in ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sweep", "words", "trainer"),
    [("grid", ["model.lr=1e-3", "model.head.radius=1.5", "seed=3"], "cpu"), ("optuna", ["seed=3"], "ddp_cpu")],
)
def test_examples_run(tiny: list[str], tmp_path: Path, sweep: str, words: list[str], trainer: str) -> None:
    """One job of each, on one device and on two ranks; the command line wins over the file."""
    if sweep == "optuna":
        pytest.importorskip("optuna")
        words = [*words, "hydra.sweeper.n_trials=1"]
    words = [f"sweep={sweep}", f"trainer={trainer}", *words]
    called = call("train.py", "--multirun", *tiny, *TINIEST, *words, cwd=tmp_path)
    assert called.status == 0, called.err
    folder = sweep_folder(tmp_path)
    (job,) = orjson.loads((folder / "sweep.json").read_bytes())["jobs"]
    assert {"seed=3", f"sweep={sweep}"} <= set(job["overrides"])
    config = yaml.safe_load((folder / "0" / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    assert 1 <= config["model"]["head"]["radius"] <= 3
    assert config["callbacks"]["early_stopping"]["patience"] == (3 if sweep == "optuna" else 10)


@pytest.mark.parametrize("trainer", ["cpu", pytest.param("ddp_cpu", marks=pytest.mark.slow)])
def test_wandb_agent_starts_a_job(tiny: list[str], tmp_path: Path, trainer: str) -> None:
    """The command is built from the file by W&B's own code, and run as its agent runs it: one W&B run, its own id."""
    sweep = yaml.safe_load((PROJECT / "conf" / "wandb_sweep.yaml").read_text(encoding="utf-8"))
    drawn = {key: {"value": each.get("min") or each["values"][0]} for key, each in sweep["parameters"].items()}
    variables = create_sweep_command_args({"args": drawn})
    variables |= {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [sweep["program"]]}
    command: list[str] = []
    for word in create_sweep_command(sweep["command"]):
        command += variables[word[2:-1]] if word.startswith("${") else [word]
    assert command[:6] == ["/usr/bin/env", "python", "-m", "spotter", "train", "logger=wandb"]
    mine = [word for word in tiny if not word.startswith(("logger=", "trainer="))]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "WANDB_SWEEP_ID": "sweep1", "WANDB_RUN_ID": "run1", "WANDB_MODE": "offline"}
    words = [*command, *mine, *TINIEST, f"trainer={trainer}"]
    if trainer == "cpu":  # within this process, which is faster
        called = call("train.py", *words[5:], cwd=tmp_path, env=env)
        assert called.status == 0, called.err
    else:
        ran = subprocess.run(words, cwd=tmp_path, env=environment(env), capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    (run,) = offline_runs(tmp_path / "multirun" / "sweep1" / "run1")
    assert run.run.run_id == "run1"
    assert run.exit == 0
    assert len(run.logged(sweep["metric"]["name"])) == 1
    assert run.summary[sweep["metric"]["name"]] == pytest.approx(run.logged("val/tight_map")[0]["val/tight_map"])
    assert run.config["model"]["lr"] == sweep["parameters"]["model.lr"]["min"]


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="pip install hydra-optuna-sweeper")
@pytest.mark.slow
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


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Return a function that lets jobs end at once, each with its status; it returns those that are started."""

    def prepare(*statuses: int, splits: tuple[str, ...] = ("valid",)) -> list[Job]:
        started: list[Job] = []

        def run(
            command: list[str], check: bool, env: dict[str, str], stdout: BinaryIO, stderr: int
        ) -> subprocess.CompletedProcess[str]:
            started.append((command, env))
            (folder,) = (word.partition("=")[2].strip("'") for word in command if word.startswith("hydra.run.dir="))
            status = statuses[len(started) - 1]
            if not status:
                form = {key: {"map": len(started) / 10} for key in ("tight", "loose", "at_1")}
                Path(folder, "metrics.json").write_bytes(orjson.dumps(dict.fromkeys(splits, form)))
            return subprocess.CompletedProcess(command, status)

        monkeypatch.setattr("spotter.cli.sweep.subprocess.run", run)
        return started

    return prepare


@pytest.mark.slow
def test_failed_job_is_named_beside_the_others(tiny: list[str], tmp_path: Path, jobs: Prepare) -> None:
    """It keeps neither the others from running nor the table from being written; the sweep ends with status 1."""
    started = jobs(0, 1, 0)
    called = call("train.py", "--multirun", "seed=1,2,3", *tiny, cwd=tmp_path)
    assert called.status == 1
    folder = sweep_folder(tmp_path)
    assert f"error: job 1 of the sweep failed, see output.txt of each in multirun/{folder.name}\n" in called.err
    assert "Traceback" not in called.err
    table = orjson.loads((folder / "sweep.json").read_bytes())
    assert [(job["job"], job["failed"], job["differs"]) for job in table["jobs"]] == [
        ("0", False, ["seed=1"]), ("1", True, ["seed=2"]), ("2", False, ["seed=3"]),
    ]  # fmt: skip
    assert table["over_seeds"][0]["seeds"] == 2
    (row,) = (line for line in called.out.splitlines() if "seed=2" in line and "#" not in line)
    assert "failed" in row
    assert {"seed=1", "hydra.mode=RUN"} <= set(started[0][0])
    assert not {"-m", "--multirun"} & set(started[0][0])


@pytest.mark.slow
def test_jobs_have_a_line_each_and_the_users_configs(tiny: list[str], tmp_path: Path, jobs: Prepare) -> None:
    """What differs, where the output is, the score; YAML files of the user's own are found by every job."""
    started = jobs(0, 0)
    (tmp_path / "my conf" / "model").mkdir(parents=True)
    (tmp_path / "my conf" / "model" / "mine.yaml").write_text("defaults: [linear]\nlr: 0.5\n", encoding="utf-8")
    called = call("train.py", "--config-dir", "my conf", "--multirun", "model=mine", "seed=1,2", *tiny, cwd=tmp_path)
    assert called.status == 0, called.err
    (folder,) = tmp_path.glob("multirun/*")
    lines = called.err.splitlines()
    assert len(lines) == 5
    assert lines[4] == f"sweep: multirun/{folder.name}"
    assert lines[0] == f"job 0: seed=1, output in multirun/{folder.name}/0/output.txt"
    assert lines[1].startswith("job 0: tight_map 10.00 % after ")
    for command, _ in started:
        assert command[command.index("--config-dir") + 1] == str(tmp_path / "my conf")


@pytest.mark.slow
def test_a_sweep_over_seeds_on_all_games_needs_no_score(tiny: list[str], tmp_path: Path, jobs: Prepare) -> None:
    """As for the runs that are fused for a challenge; a sweeper that searches does need one."""
    jobs(*[0] * 4, splits=())
    called = call("train.py", "--multirun", "seed=1,2", *tiny, cwd=tmp_path)
    assert called.status == 0, called.err
    assert "job 1: trained after " in called.err
    table = orjson.loads((sweep_folder(tmp_path) / "sweep.json").read_bytes())
    assert [job["failed"] for job in table["jobs"]] == [False, False]
    if importlib.util.find_spec("optuna") is not None:
        called = call("train.py", "--multirun", *tiny, "sweep=optuna", "hydra.sweeper.n_trials=2", cwd=tmp_path)
        assert called.status == 1
        assert "has no score on valid; this sweeper searches by it" in called.err


@pytest.mark.slow
def test_interruption_ends_the_sweep(tiny: list[str], tmp_path: Path, jobs: Prepare) -> None:
    """No further job is started; those before it stand in the comparison."""
    started = jobs(0, 130, 0)
    assert call("train.py", "--multirun", "seed=1,2,3", *tiny, cwd=tmp_path).status == 130
    assert len(started) == 2
    (job,) = (
        job for job in orjson.loads((sweep_folder(tmp_path) / "sweep.json").read_bytes())["jobs"] if not job["failed"]
    )
    assert job["valid"]["tight"] == 0.1, "what was done before is told"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="pip install hydra-optuna-sweeper")
@pytest.mark.parametrize("statuses", [(1, 0), (1, 1)], ids=["one failed", "all failed"])
def test_optuna_goes_on_after_a_failed_job(
    tiny: list[str], tmp_path: Path, jobs: Prepare, statuses: tuple[int, ...]
) -> None:
    """The example's own settings; a failed trial has no value, and where all failed the first is named."""
    started = jobs(*statuses)
    called = call("train.py", "--multirun", *tiny, "sweep=optuna", "hydra.sweeper.n_trials=2", cwd=tmp_path)
    assert (called.status, len(started)) == (1, 2)
    assert "error: job " in called.err
    assert "Traceback" not in called.err
    if 0 in statuses:
        table = orjson.loads((sweep_folder(tmp_path) / "sweep.json").read_bytes())
        assert sorted(job["failed"] for job in table["jobs"]) == [False, True]


@pytest.mark.slow
def test_jobs_are_named_in_wandb(tiny: list[str], tmp_path: Path, jobs: Prepare) -> None:
    """The sweep is their group; the name is what differs, on the command line or in the sweep's file."""
    started = jobs(*[0] * 7)
    called = call("train.py", "--multirun", "sweep=ball_folds", "seed=choice(3)", *tiny, cwd=tmp_path)
    assert called.status == 0, called.err
    folder = sweep_folder(tmp_path)
    assert {env["WANDB_RUN_GROUP"] for _, env in started} == {folder.name}
    names = {frozenset(env["WANDB_NAME"].split(",")) for _, env in started}
    assert names == {frozenset({"seed=3", f"data.fold={fold}/7"}) for fold in range(7)}


def test_over_seeds_groups_what_differs_in_the_seed_only() -> None:
    """Jobs with other overrides are kept apart; a lone job has no deviation."""

    def job(number: int, differs: str, score: float) -> dict[str, Any]:
        scores = {"tight": score, "loose": score, "at_1": score}
        return {
            "job": str(number),
            "task": "soccernet-v2",
            "failed": False,
            "differs": differs.split(),
            "valid": scores,
        }

    jobs = [job(0, "seed=1 lr=1", 0.1), job(1, "seed=2 lr=1", 0.3), job(2, "lr=2 seed=1", 0.5)]
    (row,) = over_seeds(jobs)
    assert (row["differs"], row["seeds"]) == ("lr=1", 2)
    assert row["valid"]["tight"]["mean"] == pytest.approx(0.2)
    assert row["valid"]["tight"]["deviation"] == pytest.approx(statistics.stdev([0.1, 0.3]))
    assert row["test"] == {}
