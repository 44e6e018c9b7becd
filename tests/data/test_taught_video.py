"""Video with a teacher's features beside it: the same seconds, whatever the rates, and nothing of another clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.data.periods import PeriodSource
from spotter.data.video.taught import TaughtVideoSource
from spotter.errors import UserError
from spotter.types import Clip, Half, Period
from tests.helpers.videos import numbers_of, write_video

HALF, SECONDS = Half("l/s/game", 1), 20
SIZE: Any = {"fps": 5, "size": (36, 64)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree with a video of numbered images, five a second."""
    folder = tmp_path_factory.mktemp("taught")
    write_video(folder / HALF.game / "1_224p.mp4", 5 * SECONDS, fps=5, size=(36, 64))
    return folder


def source(root: Path, fps: float = 1.0, offset: float = 0.0, seconds: float = SECONDS) -> TaughtVideoSource:
    """Return what reads the video, and features that are their own time and its double."""
    time = offset + np.arange(int(seconds * fps)) / fps
    np.save(root / HALF.game / f"1_at_{fps}_{offset}.npy", np.stack([time, 2 * time], 1).astype(np.float32))
    return TaughtVideoSource(
        {"file": f"at_{fps}_{offset}", "fps": fps, "width": 2, "offset": offset}, root=root, **SIZE
    )


@settings(max_examples=30, deadline=None)
@given(
    fps=st.sampled_from([0.5, 1.0, 2.0, 12.5]),
    late=st.booleans(),
    starts=st.lists(st.integers(-8, 96), min_size=1, max_size=3),
)
def test_features_are_those_of_the_time_of_each_image(root: Path, fps: float, late: bool, starts: list[int]) -> None:
    offset = 0.5 / fps if late else 0.0
    inputs, phase = source(root, fps, offset).read([HALF], [Clip(0, start) for start in starts], 9)
    time = (torch.tensor(starts)[:, None] + torch.arange(9)) / 5
    last = offset + (int(SECONDS * fps) - 1) / fps
    inside = (time >= offset) & (time <= last)
    torch.testing.assert_close(inputs["teacher"][inside], torch.stack([time, 2 * time], -1)[inside], rtol=0, atol=1e-4)
    assert not inputs["teacher"][(time <= offset - 1 / fps) | (time >= last + 1 / fps)].any()
    assert inputs["video"].shape == (len(starts), 9, 36, 64, 3)
    assert set(phase) == {"video", "teacher"}


def test_of_a_period_too(root: Path) -> None:
    whole, part = source(root), Half("l/s/game", 2)
    inputs, _ = PeriodSource(whole, {part: (HALF, Period(2, 8))}).read([part], [Clip(0, -4)], 10)
    assert inputs["teacher"][0, :, 0].tolist() == pytest.approx([0, 0, 0, 0, 2, 2.2, 2.4, 2.6, 2.8, 3])


def test_images_are_those_of_the_video(root: Path) -> None:
    inputs, _ = source(root).read([HALF], [Clip(0, 30)], 4)
    assert numbers_of(list(inputs["video"][0].numpy())) == [30, 31, 32, 33]


def test_features_of_another_rate_are_an_error(root: Path) -> None:
    """Rows that are two a second, read as one a second, would be those of another moment."""
    wrong = source(root, fps=1.0, offset=0.25, seconds=2 * SECONDS)
    with pytest.raises(UserError, match=r"40 rows last 40 s at 1 a second, but the video 20 s; set .*teacher\.fps"):
        wrong.length(HALF)
    assert source(root, seconds=SECONDS - 3).length(HALF) == 5 * SECONDS


def test_features_that_lack_are_named(root: Path) -> None:
    lacks = TaughtVideoSource({"file": "none", "fps": 1, "width": 2}, root=root, **SIZE)
    assert lacks.missing(HALF) == [root / HALF.game / "1_none.npy"]
    assert lacks.missing(Half("l/s/other", 1)) != [root / "l/s/other" / "1_none.npy"]


def test_a_wrong_width_names_its_key(root: Path) -> None:
    source(root, fps=2.0)
    wrong = TaughtVideoSource({"file": "at_2.0_0.0", "fps": 2, "width": 3}, root=root, **SIZE)
    with pytest.raises(UserError, match=r"is 2 wide, expected 3; set data\.source\.teacher\.width=2"):
        wrong.length(HALF)
