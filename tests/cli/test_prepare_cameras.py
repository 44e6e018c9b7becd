"""Camera shots become rows: which camera, whether a replay, and for how long."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main
from spotter.tasks import Task


def test_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shots = [
        {"gameTime": "1 - 00:03", "label": "Main camera center", "replay": "real-time"},
        {"gameTime": "1 - 00:05", "label": "Spider camera", "replay": "replay"},
        {"gameTime": "1 - 00:06", "label": "I don't know", "replay": "other"},
        {"gameTime": "2 - 00:01", "label": "Public", "replay": "real-time"},
    ]
    game = tmp_path / "l" / "s" / "g"
    game.mkdir(parents=True)
    (game / "Labels-cameras.json").write_text(json.dumps({"annotations": shots}))
    assert main(["prepare", "cameras", str(tmp_path)]) == 0
    rows, second = (np.load(game / f"{half}_cameras.npy") for half in (1, 2))
    assert rows.shape == (12, 15)
    assert rows.dtype == np.float32
    cameras = Task.load("camera-shots").classes
    assert rows[:6, cameras.index("Main camera center")].tolist() == [1] * 6
    assert rows[6:10, cameras.index("Spider camera")].tolist() == [1] * 4
    assert not rows[10:, :13].any()
    assert rows[:, 13].tolist() == [0] * 6 + [1] * 4 + [0] * 2
    np.testing.assert_allclose(np.expm1(rows[:, 14]), [0, 0.5, 1, 1.5, 2, 2.5, 0, 0.5, 1, 1.5, 0, 0.5], atol=1e-6)
    assert second[:, cameras.index("Public")].tolist() == [1, 1]
    assert main(["prepare", "cameras", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
