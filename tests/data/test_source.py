"""Sources by their description, and parts of halves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.features import FeatureSource
from spotter.data.source import Excerpt, load_source
from spotter.errors import UserError
from spotter.types import Clip, Half
from tests.helpers.trees import source_of, write_game

HALF = Half("a/b/c", 1)


def test_what_describe_says_is_what_load_source_takes(tmp_path: Path) -> None:
    source = FeatureSource({"a": {"file": "a", "fps": "25/12", "width": 3, "offset": 0.5}}, tmp_path)
    again = load_source(source.describe(), source.describe()["root"])
    assert isinstance(again, FeatureSource)
    assert again.describe() == source.describe()
    assert again.facts["fps"] == pytest.approx(25 / 12)


def test_unknown_kind() -> None:
    with pytest.raises(UserError, match=r"kind 'radio' is unknown: expected one of features, video"):
        load_source({"kind": "radio"})


class Counting:
    """A source whose frames are their own numbers."""

    kind, fps, offset, layout, facts = "features", 2.0, 0.25, {}, {}  # type: ignore[var-annotated]

    def length(self, half: Half) -> int:
        return 100

    def read(self, halves: object, clips: list[Clip], clip_len: int) -> object:
        return [clip.start for clip in clips], clip_len

    def missing(self, half: Half) -> list[Path]:
        return []

    def video(self, half: Half) -> Path | None:
        return None

    def describe(self) -> dict[str, object]:
        return {}


@given(st.floats(0, 49), st.floats(0.01, 80))
def test_excerpt_holds_the_frames_within_its_times(start: float, seconds: float) -> None:
    """No frame lies before its start or after its end, none in between is missing, and its times are the half's."""
    end = start + seconds
    part = Excerpt(Counting(), start, end)  # type: ignore[arg-type]
    times = [part.offset + i / part.fps for i in range(part.length(HALF))]
    inside = [t for t in (0.25 + i / 2 for i in range(100)) if start - 1e-6 <= t <= end + 1e-6]
    assert times == pytest.approx(inside or times[:1])  # of an excerpt between two frames the next one is shown
    starts, _ = part.read([HALF], [Clip(0, 0), Clip(0, -3)], 4)  # type: ignore[misc]
    first = round((part.offset - 0.25) * 2)
    assert starts == [first, first - 3]  # type: ignore[comparison-overlap]


def test_excerpt_beyond_the_end_or_backwards() -> None:
    with pytest.raises(UserError, match=r"'a/b/c' ends after 50\.2 seconds, before the part"):
        Excerpt(Counting(), 60).length(HALF)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"end=3 must lie behind start=5"):
        Excerpt(Counting(), 5, 3)  # type: ignore[arg-type]


def test_excerpt_of_features(tmp_path: Path) -> None:
    """Rows around the excerpt are read as context, its own frames count from its start."""
    write_game(tmp_path, "a/b/c", {1: 20})
    part = Excerpt(source_of(tmp_path), 4.5, 9)
    assert (part.offset, part.length(HALF)) == (5.0, 5)
    rows, _ = part.read([HALF], [Clip(0, -2)], 4)
    assert rows["only"][0, :, 0].tolist() == [3, 4, 5, 6]
