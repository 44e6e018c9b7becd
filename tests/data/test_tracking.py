"""Positions as feature files: rows, gaps, and a clock that is made of times."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.data.features import FeatureSource
from spotter.data.streams import Stream
from spotter.data.tracking import Track, fill_gaps, resample_times, write_track
from spotter.errors import UserError
from spotter.types import Clip, Half

NAN = np.nan
HALF = Half("league/season/game", 2)


def described(**changes: Any) -> dict[str, Any]:
    return {"file": "tracking", "fps": 5, "width": 12, "entities": {"ball": 1, "home": 2, "away": 1}} | changes


def test_a_row_holds_every_entity_one_after_the_other() -> None:
    position = np.array([[[0.5, -0.5], [NAN, NAN]]])
    looks = np.array([[[1.0, 0.0], [NAN, NAN]]])
    rows = Track(position, {"ball": 1, "home": 1}, Fraction(5), vectors=[looks]).rows()
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0.5, -0.5, 1, 1, 0, 0, 0, 0, 0, 0]]


def test_gaps_are_filled_from_neighbours_in_time_and_said_to_be_gaps() -> None:
    column = np.array([NAN, 1.0, NAN, 3.0, NAN])
    filled = fill_gaps(np.stack([column, np.full(5, NAN)], axis=-1)[:, None])
    assert filled[:, 0, 0].tolist() == [1, 1, 2, 3, 3]
    assert filled[:, 0, 1].tolist() == [0] * 5
    rows = Track(np.stack([column, column], axis=-1)[:, None], {"ball": 1}, Fraction(5)).rows()
    assert rows[:, 2].tolist() == [0, 1, 0, 1, 0]


def test_times_are_the_clock_whatever_is_missing_or_out_of_order() -> None:
    times = np.array([-0.2, 0.0, 0.2, 0.6, 0.4, 2.0])
    values = np.array([-1.0, 0.0, 1.0, 3.0, 2.0, 10.0])
    found = resample_times(times, values, Fraction(10))
    assert len(found) == 21
    assert found[:7] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3])
    assert np.isnan(found[9:17]).all(), "nothing is known within a quarter of a second"
    assert found[20] == 10


@pytest.mark.parametrize("times", [np.zeros(0), np.array([-2.0, -1.0])])
def test_times_before_the_half_alone_are_refused(times: np.ndarray) -> None:
    with pytest.raises(UserError, match="none of them is 0 or later"):
        resample_times(times, times, Fraction(10))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(["25", "10", "30000/1001", "25/12"]), st.integers(1, 400), st.floats(-3, 3))
def test_a_straight_run_stays_one_at_any_rate(fps: str, count: int, start: float) -> None:
    rate = Fraction(fps)
    times = start + np.arange(count) / 25
    if times[-1] < 0:
        return
    found = resample_times(times, 2 * times, rate)
    at = np.arange(len(found)) / float(rate)
    known = ~np.isnan(found)
    assert at[-1] <= times[-1] + 1e-6 < at[-1] + 1 / float(rate) + 1e-6
    between = known & (at >= times[0]) & (at <= times[-1])
    assert found[between] == pytest.approx(2 * at[between], abs=1e-3)


def test_what_is_written_is_read_as_a_stream(tmp_path: Path) -> None:
    position = np.random.default_rng(0).uniform(-1, 1, (30, 4, 2))
    track = Track(position, {"ball": 1, "home": 2, "away": 1}, Fraction(5))
    path = write_track(tmp_path, HALF, track, provider="tracab")
    assert path == tmp_path / "league/season/game/2_tracking.npy"
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["entities"] == {"ball": 1, "home": 2, "away": 1}
    assert (about["fps"], about["offset"], about["width"], about["provider"]) == ("5", 0, 12, "tracab")
    source = FeatureSource({"tracking": described()}, tmp_path)
    inputs, _ = source.read([HALF], [Clip(0, -2)], 6)
    assert not inputs["tracking"][0, :2].any()
    assert inputs["tracking"][0, 2:, 3:5].numpy() == pytest.approx(position[:4, 1])
    assert source.spec.layout["tracking"]["entities"] == {"ball": 1, "home": 2, "away": 1}


@pytest.mark.parametrize(("wrong", "said"), [({"fps": 25}, "fps=5"), ({"offset": 1.5}, "offset=0.0")])
def test_features_of_another_clock_are_refused(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    track = Track(np.zeros((30, 4, 2)), {"ball": 1, "home": 2, "away": 1}, Fraction(5))
    path = write_track(tmp_path, HALF, track)
    with pytest.raises(UserError, match=f"2_tracking.npy: has .* by 2_tracking.json.* set data.{said}"):
        FeatureSource({"tracking": described(**wrong)}, tmp_path).length(HALF)
    for content in (b"no JSON", b"[]", b"{}"):
        path.with_suffix(".json").write_bytes(content)
        assert FeatureSource({"tracking": described(**wrong)}, tmp_path).length(HALF) == 30, "a file of somebody else"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"entities": {}}, "entities"),
        ({"entities": {"ball": 0}}, "entities"),
        ({"entities": 4}, "entities"),
        ({"width": 13}, "width"),
        ({"width": 16}, "width"),
        ({"columns": [0, 3]}, "leave columns and groups out"),
        ({"groups": [6, 6]}, "leave columns and groups out"),
    ],
)
def test_a_wrong_description_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Stream.load("tracking", described(**changes))


def test_a_description_comes_back_from_plain_values() -> None:
    stream = Stream.load("tracking", described())
    assert Stream.load("tracking", stream.to_dict()) == stream
    plain = Stream.load("baidu", {"file": "baidu", "fps": 1, "width": 4})
    assert "entities" not in plain.to_dict()
