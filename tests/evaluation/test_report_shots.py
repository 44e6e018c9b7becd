"""A report shows camera shots above the timeline, and replays with their actions and answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main
from spotter.io.predictions import write_predictions
from spotter.tasks import Task
from spotter.types import Half, HalfPredictions
from tests.evaluation.test_report import content
from tests.helpers.reports import chromium

TASK = Task.load("soccernet-v2")
GAME = "l/s/g"
LINK = {"label": "Goal", "half": "1", "time": "00:40", "position": "40500"}
SHOTS = [
    {"gameTime": "1 - 01:00", "label": "Main camera center", "replay": "real-time"},
    {"gameTime": "1 - 01:12", "label": "Spider camera", "replay": "replay", "link": LINK},
    {"gameTime": "1 - 02:00", "label": "Public", "replay": "replay"},
    {"gameTime": "2 - 00:30", "label": "Public", "replay": "real-time"},
]
ANSWER = {"half": 1, "start": 60, "end": 72, "detection": [{"time": t, "score": s} for t, s in ((10, 0.2), (41, 0.9))]}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    spots = HalfPredictions(np.array([2]), np.array([40.0]), np.array([0.9]))
    write_predictions(tmp_path / "predictions", {Half(GAME, 1): spots, Half(GAME, 2): spots}, TASK)
    files = {"Labels-cameras.json": {"annotations": SHOTS}, "results_grounding.json": {"Replays": [ANSWER]}}
    for name, written in files.items():
        (tmp_path / "tree" / GAME).mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / GAME / name).write_text(json.dumps(written))
    tree = str(tmp_path / "tree")
    return [
        "report",
        str(tmp_path / "predictions"),
        "--cameras",
        tree,
        "--answers",
        tree,
        "-o",
        str(tmp_path / "r.html"),
    ]


def test_shots_are_in_the_page(words: list[str]) -> None:
    assert main(words) == 0
    first, second = content(Path(words[-1]))[0]["shots"]
    assert first[0] == {"from": 0, "to": 60000, "camera": "Main camera center"}
    assert first[1] == {
        "from": 60000,
        "to": 72000,
        "camera": "Spider camera",
        "replay": True,
        "action": 40500,
        "answers": [[41000, 0.9], [10000, 0.2]],
    }
    assert (first[2]["action"], first[2]["answers"]) == (None, [])
    assert [shot["to"] for shot in second] == [30000]


def test_what_does_not_fit_is_said(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words[:2], *words[4:]]) == 2
    assert "give --cameras, too" in capsys.readouterr().err
    assert main([*words[:3], str(tmp_path / "predictions")]) == 1
    assert "holds no Labels-cameras.json of these games" in capsys.readouterr().err


def test_a_browser_draws_them(words: list[str]) -> None:
    assert main(words) == 0
    with chromium() as page:
        page.open(Path(words[-1]))
        row = "const c = document.getElementById('canvas'), y = Math.round((76 * c.width) / c.clientWidth); "
        row += "return [...c.getContext('2d').getImageData(0, y, c.width, 1).data]"
        pixels = np.array(page(row)).reshape(-1, 4)[:, :3]
        assert (np.ptp(pixels, axis=1) > 60).sum() > 50, "the band of a replay is coloured"
        assert page("return document.documentElement.dataset.failed ?? null") is None
        assert page.complaints() == []
