"""Predictions in the formats that people use: the same spots, the video by its path."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import orjson
import pytest

from spotter.errors import UsageError
from spotter.inference.inputs import Input
from spotter.io.exchange.annotations import read_any_predictions
from spotter.io.predictions import read_predictions, write_predictions
from spotter.tasks import Task
from spotter.training.predict_formats import parse_formats, write_formats
from spotter.types import Half, HalfPredictions
from tests.helpers.videos import write_video

TASK = Task.load("ball-2025")
HALF = Half("match", 1)


def test_all_formats_hold_the_same_spots(tmp_path: Path) -> None:
    rows = HalfPredictions(np.array([0, 7]), np.array([1.25, 90.0]), np.array([0.875, 0.1]), np.array([1, 0]))
    out = tmp_path / "out"
    write_predictions(out, {HALF: rows}, TASK)
    source: Any = mock.Mock()
    source.video.return_value = tmp_path / "match.mp4"
    write_formats(out, parse_formats("json,csv,osl,srt"), Input("user_files", source, []), 0.5)
    expected = read_predictions(out, ["match"], TASK)[HALF]
    for name in ("predictions.csv", "predictions.osl.json"):
        found = read_any_predictions(out / name, ["match"], TASK)[HALF]
        for column in ("label", "time", "confidence", "team"):
            np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
    assert orjson.loads((out / "predictions.osl.json").read_bytes())["data"][0]["inputs"][0]["path"] == "../match.mp4"
    assert (out / "match" / "match.srt").read_text() == "1\n00:00:00,250 --> 00:00:03,250\n00:01 PASS, right (0.88)\n"


@pytest.mark.parametrize("kind", ["video", "features"])
def test_markers_count_frames_of_the_video_whatever_was_read(kind: str, tmp_path: Path) -> None:
    rate, number = Fraction(30_000, 1001), 100_000
    write_video(tmp_path / "match.mp4", 4, fps=rate)
    time = np.rint(1000 * np.array([number]) / float(rate)) / 1000
    write_predictions(tmp_path / "out", {HALF: HalfPredictions(np.array([0]), time, np.ones(1))}, TASK)
    source: Any = mock.Mock()
    source.video.return_value, source.native_fps.return_value = tmp_path / "match.mp4", float(rate)
    source.spec.kind = kind
    write_formats(tmp_path / "out", ["edl"], Input("user_files", source, []), 0.5)
    seconds, frame = divmod(number, 30)
    code = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"
    assert f"* LOC: {code} RED" in (tmp_path / "out" / "match" / "match.edl").read_text()


def test_a_rate_that_is_taken_for_want_of_a_video_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_predictions(tmp_path / "out", {HALF: HalfPredictions(np.array([0]), np.ones(1), np.ones(1))}, TASK)
    source: Any = mock.Mock()
    source.video.return_value = None
    write_formats(tmp_path / "out", ["edl", "srt"], Input("user_files", source, []), 0.5)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["not kept as edl: the rate of 1 video, which is taken as 25 fps"]


def test_an_unknown_format_is_named() -> None:
    assert parse_formats("json, csv") == ["csv"]
    with pytest.raises(UsageError, match="format: 'cvs' is unknown"):
        parse_formats("cvs")
