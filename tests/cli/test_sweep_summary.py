"""The table of a sweep in Markdown, and what a run has cost."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from omegaconf import OmegaConf
from rich.console import Console

from spotter.cli.sweep_summary import read_job, summarise_jobs, summary_markdown, summary_table, write_summary
from spotter.tasks import ASSETS, Task
from tests.conftest import PROJECT

V2 = Task.load("soccernet-v2")


def job(
    folder: Path,
    number: int,
    overrides: list[str],
    score: float,
    team: tuple[float | None, ...] = (),
    task: str = "soccernet-v2",
) -> dict[str, Any]:
    """Write what a run leaves and read it as a sweep does."""
    run = folder / str(number)
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides), encoding="utf-8")
    (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump({"data": {"task": task}}), encoding="utf-8")
    of_teams = dict(zip(("map_team", "map_team_present"), team, strict=False))
    form = {name: {"map": score, **of_teams} for name in ("tight", "loose", "at_1")}
    (run / "metrics.json").write_bytes(orjson.dumps({"valid": form, "test": form}))
    cost = {"parameters": 1234, "epochs": 3, "cpu_seconds_per_epoch": 2.0 * number, "seconds_per_epoch": 1.0}
    (run / "cost.json").write_bytes(orjson.dumps(cost))
    return read_job(run)


def test_means_stand_beside_published_scores_and_their_sources(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, 0, ["data=demo", "model=netvlad", "seed=1"], 0.1),
        job(tmp_path, 1, ["data=demo", "model=netvlad", "seed=2"], 0.3),
        job(tmp_path, 2, ["data=demo", "model=unet", "seed=1"], 0.5),
        job(tmp_path, 3, ["data=demo", "model=unet", "seed=2"], 0.5),
        job(tmp_path, 4, ["data=demo", "model=linear", "seed=1"], 0.1),
        job(tmp_path, 5, ["data=demo", "model=linear", "seed=2"], 0.1),
    ]
    lines = summary_markdown(summarise_jobs(jobs)["over_seeds"], V2).splitlines()
    assert lines[0].startswith("| test, mAP in % | tight | loose | parameters | CPU s an epoch |")
    assert [line.count("|") for line in lines] == [7] * 5
    assert lines[2].startswith(
        "| `model=netvlad` | 20.0 ± 14.1 | 20.0 ± 14.1 | 1,234 | 1.00 | 4.20 / 31.37 (ResNet PCA512;"
    )
    assert "67.81 / 78.05 (Baidu + ResNet, challenge;" in lines[3], "without a score on test that of the challenge"
    assert lines[4].endswith("|  |"), "of most models nothing is published"


def test_a_sweep_of_one_model_knows_what_is_published_of_it(tmp_path: Path) -> None:
    jobs = [job(tmp_path, seed, ["model=netvlad", f"seed={seed}"], 0.1) for seed in (1, 2)]
    (row,) = summarise_jobs(jobs)["over_seeds"]
    assert row["differs"] == ""
    assert "4.20 / 31.37" in summary_markdown([row], V2)


def test_folds_of_a_task_with_teams_have_a_mean_by_what_it_is_judged_by(tmp_path: Path) -> None:
    """An action that no label names a team of leaves no Team-mAP over all: the one over the others takes its place."""
    jobs = [job(tmp_path, fold, [f"data.fold={fold}/2"], 0.1, team=(None, 0.2 + 0.2 * fold)) for fold in (0, 1)]
    summary = summarise_jobs(jobs)
    (row,) = summary["over_seeds"]
    assert row["test"]["team_at_1"]["mean"] == pytest.approx(0.3)
    head, _, line = summary_markdown([row], Task.load("ball-2025")).splitlines()
    assert head.startswith("| test, mAP in % | tight | loose | team_at_1 | parameters |")
    assert line.startswith("| `all` | 10.0 ± 0.0 | 10.0 ± 0.0 | 30.0 ± 14.1 | 1,234 |")
    console = Console(width=200, record=True, file=StringIO())
    console.print(summary_table(summary))
    shown = console.export_text()
    assert "2 runs" in shown
    assert "team_at_1" in shown
    assert "40.00" in shown


def test_each_task_of_a_sweep_has_a_table_of_its_own(tmp_path: Path) -> None:
    """Columns and published scores are those of the job's own data, not of the data set that is the default."""
    for number, task in enumerate(("ball-2023", "soccernet-v2")):
        for seed in (1, 2):
            job(tmp_path, 2 * number + seed, [f"data={task}", "model=netvlad", f"seed={seed}"], 0.1, task=task)
    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    write_summary(config)
    ball, broadcasts = (tmp_path / "sweep.md").read_text(encoding="utf-8").split("\n\n")
    assert "at_1" in ball.splitlines()[0]
    assert "published on ball-2023" in ball.splitlines()[0]
    assert "`data=ball-2023`" in ball
    assert "4.20 / 31.37" in broadcasts
    assert "4.20 / 31.37" not in ball


def test_published_models_are_options() -> None:
    table = yaml.safe_load((ASSETS / "report" / "published.yaml").read_text(encoding="utf-8"))
    named = {row["model"] for splits in table.values() for rows in splits.values() for row in rows if "model" in row}
    assert len(named) > 5
    short = yaml.safe_load((PROJECT / "conf" / "options.yaml").read_text(encoding="utf-8"))["model"]
    assert named <= {path.stem for path in (PROJECT / "conf" / "model").glob("*.yaml")} | set(short)


def test_a_run_says_what_it_cost(trained: Path) -> None:
    cost = orjson.loads((trained / "cost.json").read_bytes())
    assert cost["parameters"] > 100_000
    assert cost["epochs"] == 2
    assert 0 < cost["cpu_seconds_per_epoch"] < 60
