"""Networks that ground replays side by side: scored once, averaged over seeds, beside published scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from spotter.cli.ground_comparison import grounding_markdown
from tests.conftest import process


def job(tight: float, loose: float) -> dict[str, Any]:
    scores = {"tight": {"average_ap_all": tight}, "loose": {"average_ap_all": loose}}
    return {**scores, "cost": {"parameters": 1234, "cpu_seconds": 61.0}}


def test_the_best_comes_first_beside_published_scores() -> None:
    lines = grounding_markdown(
        {"grounding_calf": [job(0.1, 0.3), job(0.2, 0.4)], "grounding": [job(0.5, 0.8)]}
    ).splitlines()
    assert lines[2].startswith("| `grounding` | 50.0 | 80.0 | 1 | 1,234 | 61 |")
    assert lines[3].startswith("| `grounding_calf` | 15.0 ± 7.1 | 35.0 ± 7.1 | 2 |")
    assert "32.39 (test); 31.28 (challenge); 40.75 (challenge)" in lines[3]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.slow
def test_a_comparison_answers_each_finished_job(tmp_path: Path) -> None:
    small = [
        *("data.root=demo", "data.demo.games=[1,1,1]", "data.demo.minutes=12", "data.width=32", "trainer=cpu"),
        *("data.source.streams.demo.groups=null", "model.clips.per_epoch=16", "data.batch_size=8"),
    ]
    words = ["--multirun", "experiment=compare_grounding", "trainer.max_cpu_seconds=1", *small]
    ran = process("train.py", *words, "model=grounding", "seed=1,2", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    folder = tmp_path / "multirun" / "compare_grounding"
    (jobs,) = orjson.loads((folder / "grounding.json").read_bytes()).values()
    assert len(jobs) == 2
    assert all(0 <= each["loose"]["average_ap_all"] <= 1 and each["answered"] == each["replays"] for each in jobs)
    assert "`grounding`" in (folder / "grounding.md").read_text()
