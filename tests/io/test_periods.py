"""Where halves lie in a video goes through every format, and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.cli import main
from spotter.errors import UserError
from spotter.io.exchange.annotations import read_any_predictions
from spotter.io.exchange.collection import Collection, Video
from spotter.io.exchange.files import read_collection, write_collection
from spotter.io.periods import match_clock, read_intervals, write_intervals
from spotter.io.predictions import read_predictions
from spotter.tasks import Task
from spotter.types import Half, Period

PERIODS = {1: Period(61, 2890), 2: Period(3700.5, 6600), 3: Period(7000, 7920), 4: Period(8000, 8930)}
INPUTS = [{"type": "video", "path": "cup/match.mp4"}]


def match() -> Collection:
    """Return predictions of a match of four periods in one video."""
    videos = [
        Video(
            Half("cup/match", number),
            [{"label": "PASS", "position": 1000 * number, "team": "left", "confidence": 0.5}],
            INPUTS,
            period=period,
        )
        for number, period in PERIODS.items()
    ]
    return Collection(videos, ["PASS"], True)


def rows_of(collection: Collection) -> list[Any]:
    return [
        (v.half, v.start, r["label"], r["position"], float(r["confidence"])) for v in collection.videos for r in v.rows
    ]


@pytest.mark.parametrize(("target", "name"), [("osl", "a.json"), ("csv", "a.csv"), ("soccernet", "tree")])
def test_periods_survive_a_round_trip(target: str, name: str, tmp_path: Path) -> None:
    write_collection(tmp_path / name, match(), target, "")
    found = read_collection(tmp_path / name)
    assert rows_of(found) == rows_of(match())
    ends = [3700.5, 7000, 8000, math.inf] if target == "csv" else [period.end for period in PERIODS.values()]
    assert [video.period.end for video in found.videos if video.period] == ends  # a table knows where the next begins
    write_collection(tmp_path / f"again-{name}", found, target, "")
    assert rows_of(read_collection(tmp_path / f"again-{name}")) == rows_of(match())


def test_osl_has_one_video_with_times_of_the_file(tmp_path: Path) -> None:
    write_collection(tmp_path / "a.json", match(), "osl", "")
    (sample,) = orjson.loads((tmp_path / "a.json").read_bytes())["data"]
    assert sample["inputs"] == INPUTS
    assert sample["metadata"]["intervals"][1] == {"period": "H2", "start_time_ms": 3_700_500, "end_time_ms": 6_600_000}
    assert [(e["position_ms"], e["gameTime"]) for e in sample["events"]] == [
        (62_000, "1 - 00:01"),
        (3_702_500, "2 - 00:02"),
        (7_003_000, "3 - 00:03"),
        (8_004_000, "4 - 00:04"),
    ]


def test_the_table_and_subtitles_show_the_clock_of_the_match(tmp_path: Path) -> None:
    write_collection(tmp_path / "a.csv", match(), "csv", "")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "game,half,time,clock,match_clock,video_time,class,team,confidence"
    assert lines[2] == "cup/match,2,2.0,00:02,45:02,3702.5,PASS,left,0.5"
    write_collection(tmp_path / "out", match(), "srt", "")
    text = (tmp_path / "out" / "cup" / "match" / "match.srt").read_text()
    assert "01:01:41,500 --> 01:01:44,500\n45:02 PASS, left (0.50)" in text
    assert main(["convert", str(tmp_path / "a.csv"), str(tmp_path / "match.srt"), "--to", "srt"]) == 0
    assert (tmp_path / "match.srt").read_text() == text


@pytest.mark.parametrize("starts", [(0, 0), (5, 3), (0,)])
def test_times_of_a_video_for_each_half_are_no_periods(starts: tuple[int, ...], tmp_path: Path) -> None:
    lines = [f"g,{half},1,{start + 1},PASS" for half, start in enumerate(starts, start=1)]
    (tmp_path / "a.csv").write_text("\n".join(["game,half,time,video_time,class", *lines]))
    assert [video.period for video in read_collection(tmp_path / "a.csv").videos] == [None] * len(starts)


def test_events_outside_of_all_intervals_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = [{"label": "PASS", "position_ms": at} for at in (0, 10_000, 20_000, 60_000)]
    about = {"intervals": [{"period": "H1", "start_time_ms": 5000, "end_time_ms": 20_000}]}
    sample = {"inputs": INPUTS, "metadata": about, "events": events}
    (tmp_path / "a.json").write_bytes(orjson.dumps({"version": "2.0", "data": [sample]}))
    main(["convert", str(tmp_path / "a.json"), str(tmp_path / "b.csv"), "--to", "csv"])
    assert "not kept: 3 events outside of all intervals" in caplog.text
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 2


def test_a_strict_task_reads_the_halves_of_one_video(tmp_path: Path) -> None:
    """Elsewhere the kit's rule holds: a match is one half, whatever its file says."""
    write_collection(tmp_path / "tree", match(), "soccernet", "")
    task = Task.load("ball-2025")
    found = read_predictions(tmp_path / "tree", ["cup/match"], task)
    assert {half.number: spots.time.tolist() for half, spots in found.items()} == {1: [1], 2: [2], 3: [3], 4: [4]}
    write_collection(tmp_path / "a.json", match(), "osl", "")
    other = read_any_predictions(tmp_path / "a.json", ["cup/match"], task)
    assert {half: spots.time.tolist() for half, spots in other.items()} == {
        half: spots.time.tolist() for half, spots in found.items()
    }


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)), max_size=6))
def test_intervals_are_read_as_they_are_written(steps: list[tuple[int, int]]) -> None:
    periods, at = {}, 0
    for number, (gap, length) in enumerate(steps, start=1):
        periods[number] = Period((at + gap) / 1000, (at + gap + length) / 1000)
        at += gap + length
    assert read_intervals(write_intervals(periods), "x") == periods


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([{"period": "H2", "start_time_ms": 5000}], {2: Period(5, math.inf)}),
        ([{"period": "ET1", "start_time_ms": 0, "end_time_ms": 9}], {3: Period(0, 0.009)}),
        (
            [{"start_time_ms": 0, "end_time_ms": 9}, {"start_time_ms": 9}],
            {1: Period(0, 0.009), 2: Period(0.009)},
        ),
        ([{"period": "play", "start_time_ms": 0}], {1: Period(0)}),
        ([{"start_time_ms": 0}, {"start_time_ms": 7000}], {1: Period(0, 7), 2: Period(7)}),
        (None, {}),
        ([], {}),
    ],
)
def test_numbers_come_from_names_or_the_order(intervals: Any, expected: dict[int, Period]) -> None:
    assert read_intervals(intervals, "x") == expected


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        ([{"period": "H1"}], "interval 1 has no start_time_ms"),
        (["H1"], "interval 1 has no start_time_ms"),
        ([{"start_time_ms": 5000, "end_time_ms": 5000}], "half 1, from 5 to 5 s, is empty"),
        ([{"start_time_ms": 0, "end_time_ms": 9000}, {"start_time_ms": 8000}], "begins before 9 s"),
    ],
)
def test_wrong_intervals_are_named(intervals: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_intervals(intervals, "x")


def test_added_time_stands_on_its_own() -> None:
    shown = [
        match_clock(*each)
        for each in ((1, 0), (1, 2_699_999), (2, 2_700_000), (4, 904_000), (5, 60_000), (0, 3_600_000))
    ]
    assert shown == ["00:00", "44:59", "90+0:00", "120+0:04", "01:00", "60:00"]
