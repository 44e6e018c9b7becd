"""Clips of feature files: the very rows, at the very times, whatever the rates, and nothing else in memory."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.features import FeatureSource
from spotter.errors import UserError
from spotter.models.blocks.stream_embedding import resample
from spotter.types import Clip, Half
from tests.helpers.videos import write_video

HALVES = [Half("league/season/a", 1), Half("league/season/a", 2)]
RATES = ["25/12", "25/6", 0.5, 1, 2, 3, 25]


def write(root: Path, half: Half, file: str, rows: np.ndarray) -> Path:
    path = root / half.game / f"{half.number}_{file}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, rows)
    return path


def one(width: int, **more: Any) -> dict[str, dict[str, Any]]:
    return {"only": {"file": "feature", "fps": 1, "width": width, **more}}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Return a tree with one file of 37 rows, and the rows."""
    root = tmp_path_factory.mktemp("features")
    rows = np.random.default_rng(0).normal(size=(37, 6)).astype(np.float16)
    write(root, HALVES[0], "feature", rows)
    return root, rows


@given(starts=st.lists(st.integers(-60, 60), min_size=1, max_size=5), clip_len=st.integers(1, 50), cut=st.booleans())
def test_clips_are_slices_and_zero_beyond_the_ends(
    half: tuple[Path, np.ndarray], starts: list[int], clip_len: int, cut: bool
) -> None:
    root, rows = half
    columns = [1, 4] if cut else None
    source = FeatureSource(one(6, columns=columns), root)
    inputs, phase = source.read(HALVES, [Clip(0, start) for start in starts], clip_len)
    assert inputs["only"].dtype == torch.float16, "stored precision travels, the device casts"
    assert torch.all(phase["only"].abs() < 1e-5)
    padded = np.pad(rows, ((120, 120), (0, 0)))[:, slice(*columns) if columns else slice(None)]
    expected = np.stack([padded[start + 120 : start + 120 + clip_len] for start in starts])
    np.testing.assert_array_equal(inputs["only"].numpy(), expected)


def seconds_of(rows: int, fps: float, offset: float) -> np.ndarray:
    return (offset + np.arange(rows) / fps).astype(np.float32)[:, None]


@given(
    clock=st.sampled_from(RATES),
    other=st.sampled_from(RATES),
    offset=st.sampled_from([0.0, 0.5, 2.5, -1.25, 1 / 3]),
    lag=st.sampled_from([0.0, 0.0, 0.5, 2.5, -0.7]),
    start=st.integers(8, 60),
    clip_len=st.integers(1, 30),
)
def test_streams_of_other_rates_and_offsets_tell_the_clocks_time(
    tmp_path_factory: pytest.TempPathFactory,
    clock: Any,
    other: Any,
    offset: float,
    lag: float,
    start: int,
    clip_len: int,
) -> None:
    """Rows hold the second at which they lie, so interpolated rows must tell the frames' own seconds."""
    root = tmp_path_factory.mktemp("streams")
    streams = {
        "clock": {"file": "c", "fps": clock, "width": 1, "offset": offset},
        "other": {"file": "o", "fps": other, "width": 1, "offset": offset + lag},
    }
    source = FeatureSource(streams, root)
    minutes = 120 / source.fps + 20  # seconds of both files
    for stream in source.spec.streams:
        rows = seconds_of(math.ceil(minutes * stream.fps), stream.fps, stream.offset)
        write(root, HALVES[0], stream.file, rows)
    inputs, phase = source.read(HALVES, [Clip(0, start)], clip_len)
    frames = offset + (start + np.arange(clip_len)) / source.fps
    np.testing.assert_allclose(inputs["clock"][0, :, 0].numpy(), frames, rtol=1e-4, atol=1e-4)
    # the reference: interpolate the whole file at the frames' times; frames before its first row see zeros
    file = seconds_of(math.ceil(minutes * source.spec.streams[1].fps), source.spec.streams[1].fps, offset + lag)[:, 0]
    inside = frames >= offset + lag
    layout = source.spec.layout["other"]
    told = resample(inputs["other"], phase["other"], layout["fps"] / layout["clock_fps"], clip_len)[0, :, 0].numpy()
    np.testing.assert_allclose(told[inside], np.interp(frames, file, file)[inside], rtol=1e-4, atol=2e-3)
    assert -1e-5 < phase["other"] < 1


@pytest.mark.parametrize(("stored", "expected"), [("e", torch.float16), ("f", torch.float32), ("ef", torch.float32)])
def test_precision_is_kept_and_mixed_files_make_the_wider(tmp_path: Path, stored: str, expected: torch.dtype) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 9, 3))
    for i, code in enumerate((stored + stored)[:2]):
        write(tmp_path, HALVES[i], "feature", rows[i].astype(code))
    inputs, _ = FeatureSource(one(3), tmp_path).read(HALVES, [Clip(0, 2), Clip(1, 3)], 4)
    assert inputs["only"].dtype == expected
    np.testing.assert_allclose(inputs["only"][1].numpy(), rows[1, 3:7], rtol=2e-3)


def test_no_clips_make_an_empty_batch_of_the_right_width(tmp_path: Path) -> None:
    inputs, phase = FeatureSource(one(5, columns=[1, 4]), tmp_path).read(HALVES, [], 7)
    assert (inputs["only"].shape, phase["only"].shape) == ((0, 7, 3), (0,))


@pytest.mark.parametrize(
    ("clock", "other", "lag", "rows", "expected"),
    [
        (1, 2, 0.0, (100, 200), 100),
        (1, 2, 0.0, (100, 199), 99),
        (1, 2, 0.0, (100, 300), 100),
        (2, 1, 0.0, (201, 100), 200),
        ("25/12", 1, 0.0, (5625, 2700), 5625),
        (1, 1, 2.5, (100, 95), 97),  # its last row speaks of second 97, in the middle of what it has seen
        (1, 1, 0.0, (1, 3), 1),
    ],
)
def test_a_half_ends_where_its_first_stream_ends(
    tmp_path: Path, clock: Any, other: Any, lag: float, rows: tuple[int, int], expected: int
) -> None:
    streams = {
        "a": {"file": "a", "fps": clock, "width": 1},
        "b": {"file": "b", "fps": other, "width": 1, "offset": lag},
    }
    for file, count in zip("ab", rows, strict=True):
        write(tmp_path, HALVES[0], file, np.zeros((count, 1), np.float16))
    assert FeatureSource(streams, tmp_path).length(HALVES[0]) == expected


def test_a_source_travels_to_workers_without_its_features(half: tuple[Path, np.ndarray]) -> None:
    root, rows = half
    source = FeatureSource(one(6), root)
    assert source.length(HALVES[0]) == 37
    sent = pickle.dumps(source)
    assert len(sent) < 2000, "the features themselves must not travel"
    there = pickle.loads(sent)
    inputs, _ = there.read(HALVES, [Clip(0, 0)], 37)
    np.testing.assert_array_equal(inputs["only"][0].numpy(), rows)


def test_only_the_clip_is_read(tmp_path: Path) -> None:
    path = tmp_path / HALVES[0].game / "1_feature.npy"
    path.parent.mkdir(parents=True)
    width, length = 8576, 1_000_000  # 17 GB, sparse: reading it whole would not fit
    header = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(length, width))
    header[500_000] = 1
    header.flush()
    del header
    source = FeatureSource(one(width), tmp_path)
    assert source.length(HALVES[0]) == length
    inputs, _ = source.read(HALVES, [Clip(0, 499_999)], 3)
    assert inputs["only"][0].sum(1).tolist() == [0, width, 0]


@pytest.mark.parametrize("left", [0, 300])
@pytest.mark.parametrize("columns", [None, [1, 4]])
def test_a_file_that_became_shorter_is_named(tmp_path: Path, columns: list[int] | None, left: int) -> None:
    path = write(tmp_path, HALVES[0], "feature", np.ones((37, 6), np.float16))
    source = FeatureSource(one(6, columns=columns), tmp_path)
    source.length(HALVES[0])
    os.truncate(path, left)
    with pytest.raises(UserError, match=f"{path}: is shorter than it was"):
        source.read(HALVES, [Clip(0, 20)], 10)


def test_missing_files_are_listed_and_a_source_describes_itself(half: tuple[Path, np.ndarray]) -> None:
    root, _ = half
    source = FeatureSource({**one(6), "more": {"file": "more", "fps": 2, "width": 4, "groups": [1, 3]}}, root)
    game = root / HALVES[0].game
    assert source.missing(HALVES[0]) == [game / "1_more.npy"]
    assert source.missing(HALVES[1]) == [game / "2_feature.npy", game / "2_more.npy"]
    plain = source.spec.to_dict()
    again = FeatureSource(plain["streams"], root)
    assert (again.spec.layout, again.fps) == (source.spec.layout, source.fps)
    assert source.spec.layout["more"] == {"fps": 2, "clock_fps": 1, "groups": [1, 3]}
    assert plain["kind"] == "features"


def test_files_may_lie_anywhere(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((4, 2), np.float32))
    source = FeatureSource(one(2), files={HALVES[0]: {"only": tmp_path / "x.npy"}})
    assert pickle.loads(pickle.dumps(source)).length(HALVES[0]) == 4


def test_a_source_needs_a_stream() -> None:
    with pytest.raises(UserError, match="at least one feature stream"):
        FeatureSource({})


def test_the_rate_of_features_is_known_where_a_video_lies_beside_them(tmp_path: Path) -> None:
    half = HALVES[0]
    write(tmp_path, half, "feature", np.ones((8, 2), np.float32))
    source = FeatureSource(one(2), tmp_path)
    assert source.native_fps(half) is None
    write_video(tmp_path / half.game / "1_224p.mp4", 100, 25)
    assert source.native_fps(half) == pytest.approx(2)
