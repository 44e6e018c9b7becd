"""Times as frames of a video, and what formats of frames say of an event."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.cli import main
from spotter.io.exchange.collection import Collection, Video, declared_fps
from spotter.io.exchange.e2e_spot import frame_of
from spotter.io.exchange.files import read_collection, write_collection
from spotter.types import Half

HALF = Half("league/season/a - b", 1)

RATES = ["24000/1001", "25/12", "25", "30000/1001", "30", "50", "60000/1001", "60"]
WHO = [{"visibility": "not shown"}, {"team": "home"}, {"team": "home", "visibility": "visible"}, {}]
CODES = [(25, "00:45:00:00"), (30000 / 1001, "00:44:57:09"), (60000 / 1001, "00:44:57:18"), (50, "00:45:00:00")]


@given(st.integers(0, 400_000), st.sampled_from(RATES))
def test_a_frame_stays_one_though_times_are_whole_milliseconds(frame: int, rate: str) -> None:
    fps = float(Fraction(rate))
    assert frame_of(round(1000 * frame / fps), fps) == frame


def test_frames_of_e2e_spot_come_back(tmp_path: Path) -> None:
    fps = 30000 / 1001
    events = [{"frame": frame, "label": "PASS", "comment": ""} for frame in range(0, 3000, 37)]
    video = {"video": "g/1", "fps": fps, "num_frames": 3000, "num_events": len(events), "events": events}
    (tmp_path / "a.json").write_bytes(orjson.dumps([video]))
    assert main(["convert", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--to", "osl"]) == 0
    assert main(["convert", str(tmp_path / "b.json"), str(tmp_path / "c.json"), "--to", "e2e-spot"]) == 0
    (back,) = orjson.loads((tmp_path / "c.json").read_bytes())
    assert [event["frame"] for event in back["events"]] == [event["frame"] for event in events]


@pytest.mark.parametrize("target", ["e2e-spot", "edl"])
def test_a_rate_that_is_not_known_is_said(target: str, tmp_path: Path) -> None:
    """Frames of both formats are counted at 25 to a second then."""
    lost = write_collection(tmp_path / "marks", Collection([Video(HALF, [])], ["Goal"], True), target, "")
    assert "the rate of 1 video, which is taken as 25 fps" in lost


@pytest.mark.parametrize("row", WHO)
def test_who_acts_and_what_is_shown_come_back(row: dict[str, str], tmp_path: Path) -> None:
    rows = [{"label": "Goal", "position": 10_000, **row}]
    write_collection(tmp_path / "labels.json", Collection([Video(HALF, rows)], ["Goal"]), "e2e-spot", "")
    assert read_collection(tmp_path / "labels.json").videos[0].rows == rows


@pytest.mark.parametrize(("fps", "code"), CODES)
def test_time_codes_count_frames(fps: float, code: str, tmp_path: Path) -> None:
    """Frame 80,919 of 29.97 a second is at 45 minutes, and has the code of 80,919 frames at 30 to a second."""
    rows = [{"label": "Goal", "position": 2_700_000, "confidence": 0.9}]
    video = Video(HALF, rows, [{"type": "video", "path": "match.mp4", "fps": fps}])
    write_collection(tmp_path / "marks.edl", Collection([video], ["Goal"], True), "edl", "")
    assert f"* LOC: {code} " in (tmp_path / "marks.edl").read_text()


@pytest.mark.parametrize("target", ["csv", "osl", "e2e-spot", "soccernet"])
def test_a_prediction_without_a_confidence_is_left_out_and_counted(
    target: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [
        {"gameTime": "1 - 00:10", "label": "Goal", "position": "10000", "half": "1", "confidence": value}
        for value in (None, "0.5")
    ]
    given = tmp_path / "g" / "results_spotting.json"
    given.parent.mkdir()
    given.write_bytes(orjson.dumps({"UrlLocal": "g", "predictions": entries}))
    out = tmp_path / "out" / ("" if target == "soccernet" else "file.json" if target != "csv" else "file.csv")
    assert main(["convert", str(given), str(out), "--to", target]) == 0
    back = read_collection(out)
    assert [float(row["confidence"]) for row in back.videos[0].rows] == [0.5]
    assert "not kept: 1 predictions without a confidence" in caplog.text
    assert main(["convert", str(out), str(tmp_path / "again.csv"), "--to", "csv"]) == 0


def test_a_confidence_that_is_no_number_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"gameTime": "1 - 00:10", "label": "Goal", "position": "10000", "half": "1", "confidence": "0,9"}
    (tmp_path / "a.json").write_bytes(orjson.dumps({"UrlLocal": "g", "predictions": [entry]}))
    assert main(["convert", str(tmp_path / "a.json"), str(tmp_path / "a.csv"), "--to", "csv"]) == 1
    assert "g, half 1: has the confidence '0,9', not a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        *((25, 25.0), (29.97, 29.97), ("30000/1001", 30000 / 1001), ("12.5", 12.5)),
        *((True, 0.0), (-25, 0.0), ("fast", 0.0), ("1/0", 0.0), (float("inf"), 0.0), (float("nan"), 0.0), (None, 0.0)),
    ],
)
def test_rates_may_be_text(stated: object, meant: float) -> None:
    assert declared_fps({"fps": stated}) == meant
