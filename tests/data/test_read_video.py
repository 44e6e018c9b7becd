"""Frames for a notebook are those that a network sees, from whatever a video is stored in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter import read_video
from spotter.data.fps import parse_fps
from spotter.data.video.jobs import Job, Recipe
from spotter.data.video.prepare import make
from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.types import Clip, Half
from tests.data.test_video_store import write_folder
from tests.helpers.videos import numbers_of, write_video

HALF = Half("m", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one match three times: as a video, a store and a folder of JPEG files."""
    folder = tmp_path_factory.mktemp("videos")
    video = write_video(folder / "video.mp4", 60, 25)
    make(Job(video, folder / "store.frames", Recipe(parse_fps(25), 64)))
    write_folder(folder / "jpegs", 60)
    return folder


@pytest.mark.parametrize("name", ["video.mp4", "store.frames", "jpegs"])
@pytest.mark.parametrize(("fps", "start", "end"), [(None, 0, None), (25, 0.4, 1), ("25/2", 0.1, 1.5), (12.5, 2.2, 99)])
def test_frames_are_those_a_network_sees(folder: Path, name: str, fps: Any, start: float, end: float | None) -> None:
    frames = read_video(str(folder / name), fps, start, end)
    rate = parse_fps(fps or 25)
    source = VideoSource(fps or 25, (64, 96), files={HALF: folder / name})
    inside = [i for i in range(source.length(HALF)) if start - 1e-6 <= i / rate < (end or 99)]
    expected = source.read([HALF], [Clip(0, inside[0])], len(inside))[0]["video"][0]
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, expected)
    assert numbers_of(frames) == [round(i * 25 / rate) for i in inside]


def test_consecutive_parts_are_the_whole(folder: Path) -> None:
    parts = [read_video(folder / "video.mp4", 25, at, at + 0.7) for at in np.arange(4) * 0.7]
    assert numbers_of(np.concatenate(parts)) == list(range(60))


def test_videos_are_scaled_in_their_shape(folder: Path) -> None:
    assert read_video(folder / "video.mp4", 1, height=32).shape == (3, 32, 48, 3)
    assert read_video(folder / "jpegs", 1, height=64).shape == (3, 64, 96, 3)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("nowhere.mp4", {}, "no file or folder"),
        ("", {}, "holds 3 videos, first .*; give one of them"),
        ("jpegs", {"height": 32}, r"height: .* holds images of height 64, which are not scaled, not 32"),
        ("video.mp4", {"height": 0}, "height: expected a number of pixels, found 0"),
        ("video.mp4", {"start": 3}, r"has no frame from start=3 to end=None; it ends after 2\.4 s"),
        ("video.mp4", {"start": 2, "end": 1}, "has no frame from start=2 to end=1"),
        ("video.mp4", {"fps": "fast"}, "fps: expected a positive number or a fraction"),
    ],
)
def test_a_mistake_gets_one_line(folder: Path, name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_video(folder / name, **settings)


@pytest.mark.parametrize("fps", ["60", "30000/1001", "24000/1001"])
def test_all_images_of_a_matroska_file_are_read_once(fps: str, tmp_path: Path) -> None:
    """Its stamps are whole milliseconds, so that images do not lie equally far apart."""
    path = write_video(tmp_path / "match.mkv", 90, Fraction(fps))
    assert numbers_of(read_video(path)) == list(range(90))
    shown = [number for number in range(90) if 0.5 <= number / Fraction(fps) < 1]
    assert numbers_of(read_video(path, start=0.5, end=1.0)) == shown
