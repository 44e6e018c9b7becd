"""Periods of a file are read, timed and scored as if each were a file of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.data.features import FeatureSource
from spotter.data.periods import PeriodSource
from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.types import Clip, Half, Period
from tests.helpers.videos import number_of, write_video

FILE = Half("match", 1)
FIRST, SECOND = Half("match", 1), Half("match", 2)


def features(
    folder: Path, rows: np.ndarray, half: Half = FILE, fps: float = 2, match_clock: bool = False
) -> FeatureSource:
    path = folder / f"{len(rows)}.npy"
    np.save(path, rows)
    streams = {"a": {"file": "a", "fps": fps, "width": rows.shape[1]}}
    return FeatureSource(streams, files={half: {"a": path}}, match_clock=match_clock)


@pytest.mark.parametrize("match_clock", [False, True])
def test_a_period_is_read_as_the_file_that_was_cut_there(tmp_path: Path, match_clock: bool) -> None:
    """All clips, also those over its ends, are those of two files that hold the halves alone."""
    rows = np.random.default_rng(0).random((100, 3), np.float32)
    whole = features(tmp_path, rows, match_clock=match_clock)
    parts = {FIRST: (FILE, Period(5, 20.5)), SECOND: (FILE, Period(30, 48))}
    source = PeriodSource(whole, parts)
    clips = [Clip(0, start) for start in range(-6, 40, 3)]
    for half, (first, last) in {FIRST: (10, 41), SECOND: (60, 96)}.items():
        alone = features(tmp_path, rows[first:last], half, match_clock=match_clock)
        assert (source.length(half), source.offset(half)) == (alone.length(half), 0)
        found, expected = source.read([half], clips, 7)[0], alone.read([half], clips, 7)[0]
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)


@settings(max_examples=60, deadline=None)
@given(start=st.floats(0, 20), seconds=st.floats(0.6, 30), offset=st.floats(0, 0.5))
def test_every_frame_has_the_time_from_the_start_of_its_period(
    tmp_path_factory: pytest.TempPathFactory, start: float, seconds: float, offset: float
) -> None:
    path = tmp_path_factory.mktemp("rows") / "x.npy"
    np.save(path, np.arange(100, dtype=np.float32)[:, None])
    whole = FeatureSource({"a": {"file": "a", "fps": 2, "width": 1, "offset": offset}}, files={FILE: {"a": path}})
    source = PeriodSource(whole, {SECOND: (FILE, Period(start, start + seconds))})
    length = source.length(SECOND)
    rows = source.read([SECOND], [Clip(0, 0)], length)[0]["a"][0, :, 0].numpy()
    times = offset + rows / 2
    assert times == pytest.approx(start + source.offset(SECOND) + np.arange(length) / 2)
    assert times[0] >= start - 1e-5
    assert times[-1] < start + seconds + 1e-5
    inside = offset + np.arange(100) / 2
    assert length == max(1, np.count_nonzero((inside >= start - 1e-6) & (inside < start + seconds - 1e-6)))


def test_streams_of_another_rate_end_with_the_period(tmp_path: Path) -> None:
    for name, count in (("a", 40), ("b", 100)):
        np.save(tmp_path / f"{name}.npy", np.ones((count, 1), np.float32))
    streams = {"a": {"file": "a", "fps": 2, "width": 1}, "b": {"file": "b", "fps": 5, "width": 1}}
    whole = FeatureSource(streams, files={FILE: {name: tmp_path / f"{name}.npy" for name in "ab"}})
    source = PeriodSource(whole, {FIRST: (FILE, Period(4, 8))})
    inputs, phase = source.read([FIRST], [Clip(0, -2), Clip(0, 4)], 8)
    assert inputs["a"][:, :, 0].tolist() == [[0, 0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0]]
    times = -1 + (np.arange(inputs["b"].shape[1]) - float(phase["b"][0])) / 5
    assert inputs["b"][0, :, 0].tolist() == [float(-1e-3 <= time < 4) for time in times]


def test_images_of_a_period(tmp_path: Path) -> None:
    video = write_video(tmp_path / "match.mp4", 60, 5, gop=10)
    source = PeriodSource(VideoSource(5, [64, 96], files={FILE: video}), {SECOND: (FILE, Period(4.1, 8))})
    assert (source.length(SECOND), source.offset(SECOND)) == (19, pytest.approx(0.1))
    images = source.read([SECOND], [Clip(0, -1), Clip(0, 17)], 4)[0]["video"].numpy()
    assert [number_of(image) for image in images[0, 1:]] == [21, 22, 23]
    assert [number_of(image) for image in images[1, :2]] == [38, 39]
    assert not images[0, 0].any()
    assert not images[1, 2:].any()


def test_another_half_is_its_whole_file_and_a_period_behind_the_end_is_named(tmp_path: Path) -> None:
    source = PeriodSource(features(tmp_path, np.ones((20, 1), np.float32)), {SECOND: (FILE, Period(15))})
    assert (source.length(FIRST), source.offset(FIRST)) == (20, 0)
    with pytest.raises(UserError, match=r"half 2 of 'match' begins at 15\.0 s of a file that ends at 10\.0 s"):
        source.length(SECOND)
