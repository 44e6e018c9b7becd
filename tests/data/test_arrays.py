"""Arrays in memory are read as files of the same rows are, and refused when the model reads something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spotter.data.arrays import ArraySource
from spotter.data.features import FeatureSource
from spotter.data.source import InputSpec
from spotter.errors import UserError
from spotter.types import Clip, Half


def spec_of(**stream: Any) -> InputSpec:
    return InputSpec.load({"kind": "features", "streams": {"a": {"file": "f", "fps": 2, "width": 6, **stream}}})


@pytest.mark.parametrize("columns", [None, [2, 5]])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_array_gives_the_clips_of_its_file(tmp_path: Path, dtype: type, columns: list[int] | None) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 9, 6)).astype(dtype)
    clips = [Clip(0, -2), Clip(1, 3), Clip(0, 20)]
    spec, halves = spec_of(columns=columns, offset=0.5), [Half("m", 1), Half("m", 2)]
    (tmp_path / "m").mkdir()
    for number, half in enumerate(rows, start=1):
        np.save(tmp_path / "m" / f"{number}_f.npy", half)
    files, memory = FeatureSource.of_spec(spec, tmp_path), ArraySource(list(rows), 2, spec, game="m")
    assert (memory.halves, memory.length(halves[0]), memory.offset(halves[0])) == (halves, files.length(halves[0]), 0.5)
    (inputs, phase), (expected, expected_phase) = (each.read(halves, clips, 4) for each in (memory, files))
    assert inputs["a"].dtype == expected["a"].dtype
    np.testing.assert_array_equal(inputs["a"], expected["a"])
    np.testing.assert_array_equal(phase["a"], expected_phase["a"])


def test_one_array_is_one_half_and_any_numbers_do() -> None:
    source = ArraySource(np.arange(12).reshape(2, 6), "2", spec_of())
    assert source.halves == [Half("features", 1)]
    assert source.read(source.halves, [Clip(0, 1)], 2)[0]["a"].tolist() == [[[6, 7, 8, 9, 10, 11], [0] * 6]]
    for foreign in (np.arange(12.0).reshape(2, 1, 6), np.arange(12, dtype=">f4").reshape(1, 2, 6)):
        read = ArraySource(foreign, 2, spec_of()).read(source.halves, [Clip(0, 1)], 1)[0]["a"]
        assert (read.tolist(), read.dtype) == ([[[6, 7, 8, 9, 10, 11]]], torch.float32)
    read_columns = ArraySource(np.ones((3, 3)), 2, spec_of(columns=[0, 3]))
    assert read_columns.length(read_columns.halves[0]) == 3


@pytest.mark.parametrize(
    ("array", "fps", "said"),
    [
        (np.ones((4, 6)), 1, r"fps: 1 rows per second were given, and this model reads 2"),
        (np.ones((4, 6)), "fast", r"fps: expected a positive number"),
        (np.ones((4, 5)), 2, r"features: half 1 has 5 columns, and this model reads 6"),
        (np.ones(6), 2, r"features: expected numbers \(T, D\) for half 1, found float64 of shape \(6,\)"),
        (np.ones((0, 6)), 2, r"features: expected numbers \(T, D\)"),
        (np.full((4, 6), "x"), 2, r"features: expected numbers \(T, D\)"),
    ],
)
def test_what_the_model_does_not_read_is_refused(array: np.ndarray, fps: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        ArraySource(array, fps, spec_of())


def test_a_model_of_video_or_of_several_streams_reads_no_array() -> None:
    stream = {"file": "f", "fps": 2, "width": 6}
    several = InputSpec.load({"kind": "features", "streams": {"a": stream, "b": stream}})
    video = InputSpec.load({"kind": "video", "fps": 25, "size": [64, 96]})
    for spec, reads in ((several, "2 feature streams"), (video, "video")):
        with pytest.raises(UserError, match=f"reads {reads}, not one array"):
            ArraySource(np.ones((4, 6)), 2, spec)
