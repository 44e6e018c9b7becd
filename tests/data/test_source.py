"""Sources by their description, and parts of halves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.excerpt import Excerpt
from spotter.data.registry import open_source
from spotter.data.source import InputSpec
from spotter.errors import UserError
from spotter.types import Clip, Half
from tests.helpers.trees import source_of, write_game

HALF = Half("a/b/c", 1)


FEATURES = {"kind": "features", "streams": {"a": {"file": "a", "fps": "25/12", "width": 3, "offset": 0.5}}}
VIDEO = {"kind": "video", "fps": "25/12", "size": [64, 96], "crop": [32, 40]}


@pytest.mark.parametrize("content", [FEATURES, VIDEO])
def test_a_spec_survives_a_checkpoint_and_opens_its_source(tmp_path: Path, content: dict[str, Any]) -> None:
    spec = InputSpec.load({**content, "root": "/elsewhere"})  # as checkpoints of version 0.1 say
    assert InputSpec.load(spec.to_dict()) == spec
    assert spec.fps == 25 / 12
    source = open_source(spec, tmp_path)
    assert (source.spec, source.fps, source.offset(HALF)) == (spec, spec.fps, spec.offset)


def test_a_layout_has_what_networks_take_their_sizes_from() -> None:
    assert InputSpec.load(FEATURES).layout == {"a": {"fps": 25 / 12, "clock_fps": 25 / 12, "groups": [3]}}
    assert InputSpec.load(VIDEO).layout == {"video": {"fps": 25 / 12, "height": 32, "width": 40, "channels": 3}}


def test_unknown_kind() -> None:
    with pytest.raises(UserError, match=r"kind 'radio' is unknown: expected one of features, video"):
        InputSpec.load({"kind": "radio"})


class Counting:
    """A source whose frames are their own numbers."""

    fps, spec = 2.0, InputSpec("features", 2.0, 0.25)

    def offset(self, half: Half) -> float:
        return 0.25

    def length(self, half: Half) -> int:
        return 100

    def read(self, halves: object, clips: list[Clip], clip_len: int) -> object:
        return [clip.start for clip in clips], clip_len


@given(st.floats(0, 49), st.floats(0.01, 80))
def test_excerpt_holds_the_frames_within_its_times(start: float, seconds: float) -> None:
    """No frame lies before its start or after its end, none in between is missing, and its times are the half's."""
    end = start + seconds
    part = Excerpt(Counting(), start, end)  # type: ignore[arg-type]
    times = [part.offset(HALF) + i / part.fps for i in range(part.length(HALF))]
    inside = [t for t in (0.25 + i / 2 for i in range(100)) if start - 1e-6 <= t <= end + 1e-6]
    assert times == pytest.approx(inside or times[:1])  # of an excerpt between two frames the next one is shown
    starts, _ = part.read([HALF], [Clip(0, 0), Clip(0, -3)], 4)  # type: ignore[misc]
    first = round((part.offset(HALF) - 0.25) * 2)
    assert starts == [first, first - 3]  # type: ignore[comparison-overlap]


def test_excerpt_beyond_the_end_or_backwards() -> None:
    with pytest.raises(UserError, match=r"'a/b/c' ends after 50\.2 seconds, before the part"):
        Excerpt(Counting(), 60).length(HALF)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"end=3 must be later than start=5"):
        Excerpt(Counting(), 5, 3)  # type: ignore[arg-type]


def test_excerpt_of_features(tmp_path: Path) -> None:
    """Rows around the excerpt are read as context, its own frames count from its start."""
    write_game(tmp_path, "a/b/c", {1: 20})
    part = Excerpt(source_of(tmp_path), 4.5, 9)
    assert (part.offset(HALF), part.length(HALF)) == (5.0, 5)
    rows, _ = part.read([HALF], [Clip(0, -2)], 4)
    assert rows["only"][0, :, 0].tolist() == [3, 4, 5, 6]
