"""Clips to anticipate from show nothing of what comes, and know when they are, at any rate and of any length."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spotter.data.anticipation import AnticipationSource
from spotter.data.arrays import ArraySource
from spotter.data.clips import evaluation_clips
from spotter.data.source import InputSpec
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.io.anticipation import OBSERVED, SECONDS, WINDOW, ClipOf
from spotter.settings import ClipConfig
from spotter.types import Clip, Half, HalfRecord, Spots


def source(fps: float, minutes: float = 2.0, offset: float = 0.0) -> ArraySource:
    """Return features whose one column is the time of the row, 1,000 s later so that none is zero."""
    spec = InputSpec.features([Stream.load("demo", {"file": "demo", "fps": fps, "width": 1, "offset": offset})])
    times = offset + np.arange(int(60 * minutes * fps)) / fps
    return ArraySource(1000 + times[:, None].astype(np.float32), spec.fps, spec)


@settings(max_examples=60, deadline=None)
@given(
    fps=st.sampled_from([1.0, 2.0, 25 / 12, 6.25, 25.0]),
    seconds=st.floats(WINDOW + 1, SECONDS),
    begin=st.integers(0, 60),
    moved=st.integers(-3, 3),
    offset=st.sampled_from([0.0, 0.25, 0.5]),
)
def test_nothing_of_what_comes_is_seen(fps: float, seconds: float, begin: int, moved: int, offset: float) -> None:
    match = source(fps, offset=offset)
    clips = AnticipationSource(match, seconds)
    clip = ClipOf(match.halves[0], begin).name
    frames = clips.length(clip)
    inputs, _ = clips.read([clip], [Clip(0, moved)], frames)
    rows = inputs["demo"][0, :, 0].numpy()
    assert len(rows) == frames == round(seconds * fps)
    time = clips.offset(clip) + (moved + np.arange(frames)) / fps  # since the clip began
    seen = rows != 0
    np.testing.assert_allclose(rows[seen] - 1000 - begin, time[seen], atol=1e-3)
    assert not seen[time >= OBSERVED - 1e-6].any()
    assert seen[(time < OBSERVED - 1e-3) & (time + begin >= offset)].all()
    assert -1e-3 <= clips.offset(clip) - (SECONDS - seconds) < 1 / fps


def test_matches_are_cut_every_five_seconds_and_clips_are_left() -> None:
    match = source(2.0, minutes=1.0)
    spots = Spots(np.array([0, 1, 2]), np.array([3.0, 33.0, 59.0]), np.ones(3, bool))
    clips = AnticipationSource(match).cut([HalfRecord(match.halves[0], 120, spots)])
    assert [ClipOf.of(clip.half).start for clip in clips] == [0, 5, 10, 15, 20, 25]
    assert {ClipOf.of(clip.half).half for clip in clips} == {match.halves[0]}
    times = [[3.0, 33.0], [28.0], [23.0], [18.0], [13.0], [8.0, 34.0]]
    assert [clip.spots.time.tolist() for clip in clips if clip.spots] == times
    assert {clip.frames for clip in clips} == {70}
    short = source(2.0, minutes=0.5)
    (clip,) = AnticipationSource(short, 20.0).cut([HalfRecord(short.halves[0], 60, spots)])
    assert (clip.half, clip.frames) == (short.halves[0], 40)
    assert clip.spots is spots


def test_a_clip_is_evaluated_as_one() -> None:
    clips = ClipConfig(clip_len=70, overlap=0.0, sampling="whole")
    assert evaluation_clips([70, 70], clips) == [Clip(0, 0), Clip(1, 0)]


def test_images_are_hidden_as_features_are() -> None:
    class Images:
        spec, fps = InputSpec.load({"kind": "video", "fps": 1, "size": [2, 2]}), 1.0

        def offset(self, half: Half) -> float:
            return 0.0

        def read(self, halves: list[Half], clips: list[Clip], clip_len: int) -> tuple[dict, dict]:
            assert clip_len == 30, "what is hidden is not decoded"
            return {"video": torch.full((len(clips), clip_len, 2, 2, 3), 7, dtype=torch.uint8)}, {
                "video": torch.zeros(1)
            }

    hidden = AnticipationSource(Images())  # type: ignore[arg-type]
    inputs, _ = hidden.read([Half("a", 1)], [Clip(0, 0)], 35)
    assert inputs["video"].dtype == torch.uint8
    assert inputs["video"][0, :30].eq(7).all()
    assert inputs["video"][0, 30:].eq(0).all()
    assert InputSpec.load(hidden.spec.to_dict()) == hidden.spec


@pytest.mark.parametrize("seconds", [5.0, 36.0])
def test_lengths_that_show_nothing_or_too_much_are_refused(seconds: float) -> None:
    with pytest.raises(UserError, match="clip_seconds: expected more than 5"):
        AnticipationSource(source(1.0), seconds)
