"""Videos as they come from recorders and cutters: what FFmpeg shows, in any order, with one line said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotter.data.video.decode import Video
from spotter.errors import UserError
from tests.helpers.recorders import (
    add_sound,
    copy_from,
    cut_bytes,
    decoded_by_ffmpeg,
    join_bytes,
    join_streams,
    set_edits,
    write_fields,
)
from tests.helpers.videos import cut_off, numbers_of, write_video

OPEN = {"x264-params": "open-gop=1"}
HEVC = {"x265-params": "log-level=none:open-gop=1:bframes=4:b-adapt=0:keyint=20:min-keyint=20:scenecut=0"}
CODECS: dict[str, dict[str, Any]] = {
    "h264": {"gop": 20},
    "h264 open": {"gop": 20, "b_frames": 3, "options": OPEN},
    "hevc open": {"codec": "libx265", "gop": 20, "b_frames": 4, "options": HEVC},
    "mpeg2": {"codec": "mpeg2video", "gop": 20, "b_frames": 2},
    "vp9": {"codec": "libvpx-vp9", "gop": 20, "b_frames": 0, "options": {"deadline": "realtime", "cpu-used": "8"}},
}
RESTART, MID_GROUP = "time stamps start again after 00:02.4", "begins between two keyframes"


def read_everything(path: Path) -> tuple[Video, list[int]]:
    """Return the numbers that all images show, after comparing them with what single reads at random show."""
    video = Video(path)
    count = video.times.count
    out = np.zeros((count, *video.size(), 3), np.uint8)
    shown = video.read(np.arange(count), out)
    again, one = Video(path), np.zeros((1, *video.size(), 3), np.uint8)
    for number in np.random.default_rng(0).permutation(count).tolist():
        assert again.read(np.array([number]), one).tolist() == [shown[number]]
        np.testing.assert_array_equal(one[0], out[number])
    return video, numbers_of(out)


@pytest.mark.parametrize(
    ("codec", "suffix"), [(c, s) for c in CODECS for s in ("mp4", "mov") if (c, s) != ("vp9", "mov")]
)
def test_what_an_edit_list_hides_is_not_shown(tmp_path: Path, codec: str, suffix: str) -> None:
    source = write_video(tmp_path / "a.mp4", 100, **CODECS[codec])
    video, numbers = read_everything(copy_from(tmp_path / f"cut.{suffix}", source, 53))
    assert numbers == list(range(53, 100))
    assert (video.times.seconds(1), video.times.fps) == (pytest.approx(0.04), 25)


@pytest.mark.parametrize("parts", [[(2, 13)], [(2, 0), (1.2, 63)], [(1, 50), (1, 10)], [(1, 50), (1, 60)]])
def test_edit_lists_of_several_parts(tmp_path: Path, parts: list[tuple[float, int]], caplog: Any) -> None:
    path = set_edits(write_video(tmp_path / "a.mp4", 100, gop=20), parts)
    wanted = [number for seconds, first in parts for number in range(first, first + int(25 * seconds))]
    assert read_everything(path)[1] == wanted
    assert not caplog.records


@pytest.mark.parametrize("codec", ["h264", "hevc open", "vp9"])
def test_images_before_the_start_of_matroska_have_no_stamps(
    tmp_path: Path, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(tmp_path / "a.mp4", 100, **CODECS[codec])
    _, numbers = read_everything(copy_from(tmp_path / "cut.mkv", source, 53, avoid_negative_ts="disabled"))
    assert numbers == list(range(53, 100))
    assert "images without a time stamp left out" in caplog.text


def test_leading_images_of_open_groups_are_not_counted(tmp_path: Path) -> None:
    """At time 0 stands the first image that can be decoded, not the four that precede it and cannot."""
    source = write_video(tmp_path / "a.mp4", 100, **CODECS["hevc open"])
    for suffix in ("mkv", "ts", "mp4"):
        _, numbers = read_everything(copy_from(tmp_path / f"cut.{suffix}", source, 40))
        assert numbers == list(range(40, 100))


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [*((codec, "ts") for codec in CODECS if codec != "vp9"), ("h264", "m2ts"), ("mpeg2", "mpg"), ("mpeg2", "vob")],
)
def test_a_recording_from_the_middle_of_a_group(
    tmp_path: Path, codec: str, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = cut_bytes(write_video(tmp_path / f"a.{suffix}", 100, **CODECS[codec]), 1 / 3)
    _, numbers = read_everything(path)
    assert numbers == decoded_by_ffmpeg(path) == list(range(numbers[0], 100))
    assert 20 < numbers[0] < 60
    assert MID_GROUP in caplog.text
    assert len(caplog.records) == 2  # once for each Video


@pytest.mark.parametrize(
    ("codec", "suffix", "late"),
    [
        *((codec, "ts", late) for codec in CODECS if codec != "vp9" for late in (0, 3600, -3600)),
        *(("h264", "mkv", late) for late in (0, -3600)),  # an hour ahead is a gap there
    ],
)
def test_joined_recordings_are_read_on(
    tmp_path: Path, codec: str, suffix: str, late: float, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(tmp_path / f"0.{'mp4' if suffix == 'mkv' else suffix}", 60, **CODECS[codec])
    one, two = (copy_from(tmp_path / f"{t}.{suffix}", source, 0, t) for t in (0, abs(late)))
    path = join_bytes(tmp_path / f"joined.{suffix}", [one, two] if late >= 0 else [two, one])
    video, numbers = read_everything(path)
    assert numbers == [*range(60), *range(60)]
    assert RESTART in caplog.text
    assert [video.times.seconds(n) for n in (59, 60, 119)] == pytest.approx([2.36, 2.4, 4.76])


def test_short_recordings_are_read_on(tmp_path: Path) -> None:
    one = write_video(tmp_path / "1.ts", 12, gop=6)
    assert read_everything(join_bytes(tmp_path / "joined.ts", [one, one, one]))[1] == [*range(12)] * 3


def test_images_that_can_be_decoded_need_no_mark(tmp_path: Path) -> None:
    """These groups begin with a keyframe, but all images can be decoded alone, and FFmpeg does."""
    path = cut_bytes(write_fields(tmp_path / "a.ts", 60, gop=10), 0.24)
    _, numbers = read_everything(path)
    assert numbers == decoded_by_ffmpeg(path) == list(range(numbers[0], 60))
    assert numbers[0] % 10


def test_a_joined_recording_from_the_middle_of_a_group(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What precedes its first keyframe shows its neighbours, never something made of the recording before."""
    one = write_video(tmp_path / "1.ts", 60, gop=20)
    two = cut_bytes(copy_from(tmp_path / "2.ts", one, 0, 3600), 1 / 3)
    _, numbers = read_everything(join_bytes(tmp_path / "joined.ts", [one, two]))
    assert numbers[:60] == list(range(60))
    assert numbers[-20:] == list(range(40, 60))
    assert set(numbers) <= {*range(60)}
    assert "cannot be decoded" in caplog.text


@pytest.mark.parametrize("suffix", ["mp4", "mov", "flv", "wmv"])
def test_of_what_is_joined_nothing_is_lost_in_silence(tmp_path: Path, suffix: str) -> None:
    one = write_video(tmp_path / f"1.{suffix}", 30, codec="wmv2" if suffix == "wmv" else "libx264", b_frames=0)
    with pytest.raises(UserError, match=r"several recordings joined as bytes.*join them by `ffmpeg -f concat`"):
        Video(join_bytes(tmp_path / f"joined.{suffix}", [one, one]))
    assert Video(one).times.count == 30


def test_a_clock_that_ends_at_its_highest_number_is_read_on(tmp_path: Path) -> None:
    """After 26.5 hours the stamps of transport streams begin at 0 again."""
    source = write_video(tmp_path / "a.ts", 100, gop=20)
    video, numbers = read_everything(copy_from(tmp_path / "b.ts", source, 0, 2**33 / 90_000 - 2))
    assert numbers == list(range(100))
    assert video.times.seconds(99) == pytest.approx(3.96)


def test_a_gap_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stamps = [*(n / 25 for n in range(30)), *(3600 + n / 25 for n in range(30))]
    video = Video(write_video(tmp_path / "a.mkv", 60, stamps=stamps))
    assert video.times.seconds(30) == 3600
    assert "shows nothing new for 3599 s after 00:01.2" in caplog.text


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4", "mov"])
def test_fields_are_halves_of_images(tmp_path: Path, suffix: str, paired: bool) -> None:
    video, numbers = read_everything(write_fields(tmp_path / f"a.{suffix}", 40, paired))
    assert numbers == list(range(40))
    assert (video.times.fps, video.times.frames(Fraction(25))) == (25, 40)


def test_recordings_of_fields_and_of_whole_images_may_be_joined(tmp_path: Path) -> None:
    fields, whole = write_fields(tmp_path / "1.ts", 30), write_video(tmp_path / "2.ts", 30, size=(32, 64))
    for number, parts in enumerate(([fields, whole], [whole, fields])):
        assert read_everything(join_bytes(tmp_path / f"{number}.ts", parts))[1] == [*range(30)] * 2


@pytest.mark.parametrize("suffix", ["ts", "mp4"])
@pytest.mark.parametrize("scaling", ["flat", "jvt"])
def test_interlaced_images_in_one_packet_are_all_kept(tmp_path: Path, suffix: str, scaling: str) -> None:
    options = {"x264-params": f"interlaced=1:cqm={scaling}:8x8dct=1", "preset": "veryfast", "profile": "high"}
    _, numbers = read_everything(write_video(tmp_path / f"a.{suffix}", 40, options=options))
    assert numbers == list(range(40))


@pytest.mark.parametrize("suffix", ["ts", "mp4"])
def test_gradual_refresh_has_one_keyframe(tmp_path: Path, suffix: str) -> None:
    """From a later point of recovery FFmpeg decodes images that are wrong, and does not say so."""
    options = {"x264-params": "intra-refresh=1"}
    path = write_video(tmp_path / f"a.{suffix}", 90, gop=30, b_frames=0, options=options)
    assert read_everything(path)[1] == list(range(90))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("default", [0, 1])
def test_the_default_stream_is_shown(tmp_path: Path, suffix: str, default: int) -> None:
    videos = [write_video(tmp_path / f"{n}.mp4", 20 + n, size=(64, 96 + 32 * n)) for n in range(2)]
    video = Video(join_streams(tmp_path / f"a.{suffix}", videos, default))
    assert (video.times.count, video.size()) == (20 + default, (64, 96 + 32 * default))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov"])
def test_sound_that_begins_first_is_said(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    source = write_video(tmp_path / "source.mp4", 40)
    _, numbers = read_everything(add_sound(tmp_path / f"a.{suffix}", source, late=2, seconds=3))
    assert numbers == list(range(40))
    assert "its sound begins 2." in caplog.text


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "avi"])
def test_longer_sound_does_not_mean_that_a_file_is_cut_off(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(tmp_path / "source.mp4", 25, codec="mpeg4", b_frames=0)
    path = add_sound(tmp_path / f"a.{suffix}", source, late=0, seconds=20)
    Video(path)
    assert not caplog.records
    if suffix == "mkv":
        Video(cut_off(path, 0.7))
        assert "is cut off" in caplog.text
