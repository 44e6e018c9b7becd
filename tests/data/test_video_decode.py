"""Images of videos: exact whatever the container, rate and order of access; nothing silently wrong."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from spotter.data.video import decode
from spotter.data.video.decode import Video
from spotter.errors import UserError
from tests.helpers.videos import cut_off, damage, numbers_of, write_audio, write_video

SIZE = (64, 96)
rng = np.random.default_rng(0)
UNEVEN = np.cumsum([0.0, *rng.choice([0.02, 0.04, 0.1, 0.5], size=99)]).tolist()
MADE: dict[str, Callable[[Path], Path]] = {
    "25 fps mp4": lambda folder: write_video(folder / "a.mp4", 100),
    "29.97 fps mkv": lambda folder: write_video(folder / "a.mkv", 100, Fraction(30000, 1001)),
    "29.97 fps mp4, long GOP, B-frames": lambda folder: write_video(
        folder / "b.mp4", 100, Fraction(30000, 1001), gop=250, b_frames=5
    ),
    "50 fps mkv, open GOP": lambda folder: write_video(
        folder / "a.mkv", 100, 50, b_frames=3, options={"x264-params": "open-gop=1"}
    ),
    "uneven mp4": lambda folder: write_video(folder / "a.mp4", 100, stamps=UNEVEN),
    "uneven mkv": lambda folder: write_video(folder / "a.mkv", 100, stamps=UNEVEN),
    "late start mp4, with sound": lambda folder: write_video(folder / "a.mp4", 100, start=7.3, audio=True),
    "late start ts": lambda folder: write_video(folder / "a.ts", 100, start=3, b_frames=3),
    "intra mkv": lambda folder: write_video(folder / "a.mkv", 100, codec="mjpeg", gop=1, b_frames=0),
    "avi with B-frames": lambda folder: write_video(folder / "a.avi", 100, b_frames=3),
    "avi without": lambda folder: write_video(folder / "a.avi", 100, codec="mpeg4", b_frames=0),
    "webm": lambda folder: write_video(
        folder / "a.webm", 40, codec="libvpx", b_frames=0, options={"deadline": "realtime", "cpu-used": "8"}
    ),
}


def read(video: Video, numbers: list[int], size: tuple[int, int] = SIZE) -> list[int]:
    out = np.zeros((len(numbers), *size, 3), np.uint8)
    assert video.read(np.array(numbers, np.int64), out).tolist() == numbers
    return numbers_of(out)


@pytest.mark.parametrize("name", list(MADE))
def test_every_image_is_the_one_that_was_asked_for(tmp_path: Path, name: str) -> None:
    video = Video(MADE[name](tmp_path))
    count = video.times.count
    assert count == (40 if name == "webm" else 100)
    assert video.size() == SIZE
    for first, last in ((0, 10), (10, 20), (15, 30), (count - 9, count), (2, 12)):
        assert read(video, list(range(first, last))) == list(range(first, last))
    order = np.random.default_rng(1)
    for stride in (1, 3, 12):
        for _ in range(6):
            start = int(order.integers(count - 2 * stride))
            wanted = list(range(start, count, stride))[:6]
            assert read(video, wanted) == wanted


def test_a_decoder_of_several_threads_is_as_exact(tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "a.mp4", 100, gop=30, b_frames=3), threads=3)
    for numbers in ([0, 1, 2], [3, 4, 50], [20, 21, 99], [98, 99], [5]):
        assert read(video, numbers) == numbers


def test_times_of_images(tmp_path: Path) -> None:
    uneven = Video(write_video(tmp_path / "a.mkv", 100, stamps=UNEVEN)).times
    assert [uneven.seconds(n) for n in range(100)] == pytest.approx(UNEVEN, abs=0.0011)
    late = Video(write_video(tmp_path / "b.mp4", 50, start=5)).times
    assert (late.seconds(0), late.seconds(25), late.fps) == (0.0, 1.0, 25)
    ntsc = Video(write_video(tmp_path / "c.mp4", 50, Fraction(30000, 1001))).times
    assert ntsc.fps == Fraction(30000, 1001)
    assert ntsc.frames(Fraction(30000, 1001)) == 50


@pytest.mark.parametrize(("size", "wanted"), [((64, 96), (32, 48)), ((65, 97), (224, 398)), ((90, 160), (65, 99))])
def test_odd_sizes_are_scaled(tmp_path: Path, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    video = Video(write_video(tmp_path / "a.mp4", 20, size=size))
    assert video.size() == size
    assert read(video, [0, 7, 19], wanted) == [0, 7, 19]


@pytest.mark.parametrize(
    ("pixel", "rotation", "shown"),
    [(Fraction(64, 45), 0, (64, 137)), (Fraction(64, 45), 90, (137, 64)), (Fraction(1000), 0, (64, 96))],
)
def test_pixels_that_are_not_square_are_shown_in_their_shape(
    tmp_path: Path, pixel: Fraction, rotation: int, shown: tuple[int, int]
) -> None:
    """As of PAL and NTSC; a shape that no camera has is not believed."""
    video = Video(write_video(tmp_path / "a.mp4", 20, pixel=pixel, rotation=rotation))
    assert video.size() == shown


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_turned_videos_are_turned_back(tmp_path: Path, rotation: int) -> None:
    video = Video(write_video(tmp_path / "a.mp4", 20, rotation=rotation))
    size = SIZE if rotation == 180 else SIZE[::-1]
    assert video.size() == size
    out = np.zeros((1, *size, 3), np.uint8)
    video.read(np.array([9]), out)
    assert numbers_of(np.rot90(out, -rotation // 90, axes=(1, 2))) == [9]


class Counted(decode.Decoder):
    """Count what is decoded and sought."""

    decoded = sought = 0

    def _decode(self, from_start: bool) -> Iterator[tuple[int, VideoFrame]]:
        for found in super()._decode(from_start):
            Counted.decoded += 1
            yield found

    def _seek(self, number: int) -> None:
        Counted.sought += 1
        super()._seek(number)


def test_going_on_decodes_every_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "Decoder", Counted)
    Counted.decoded = Counted.sought = 0
    video = Video(write_video(tmp_path / "a.mp4", 200, gop=25))
    for start in range(0, 180, 10):  # clips of 20 that overlap by half
        assert read(video, list(range(start, start + 20))) == list(range(start, start + 20))
    assert (Counted.decoded, Counted.sought) == (190, 0)
    assert read(video, [30, 100]) == [30, 100]
    assert Counted.sought == 2
    assert Counted.decoded <= 190 + 6 + 1


def test_damage_shows_the_nearest_image_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = write_video(tmp_path / "a.mp4", 200, gop=10, b_frames=0, container_options={"movflags": "faststart"})
    video = Video(damage(whole, 0.5, 0.6))
    assert video.times.count == 200
    out = np.zeros((200, *SIZE, 3), np.uint8)
    shown = video.read(np.arange(200), out)
    replaced = shown != np.arange(200)
    bad = np.flatnonzero(replaced)
    assert 10 <= len(bad) <= 40
    good = np.flatnonzero(~replaced)
    seen = np.array(numbers_of(out))
    intact = (good < bad[0] - 10) | (good > bad[-1] + 10)  # what refers to damaged images may be patched up
    np.testing.assert_array_equal(seen[good][intact], good[intact])
    assert len([record for record in caplog.records if "cannot be decoded" in record.message]) == 1
    assert f"{len(bad)} images from" in caplog.text

    again = Video(whole)  # at random, each image is the same as in order
    patched = set(good[~intact].tolist())
    for number in np.random.default_rng(0).permutation(200).tolist():
        one = np.zeros((1, *SIZE, 3), np.uint8)
        assert again.read(np.array([number]), one).tolist() == [shown[number]]
        assert number in patched or np.abs(one[0].astype(int) - out[number]).mean() < 2


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = Video(cut_off(write_video(tmp_path / "a.mkv", 250), 0.5))
    assert "a.mkv: is cut off: holds" in caplog.text
    count = video.times.count
    assert 50 < count < 200
    out = np.zeros((count, *SIZE, 3), np.uint8)
    assert (video.read(np.arange(count), out) != np.arange(count)).sum() <= 1
    assert numbers_of(out)[:-1] == list(range(count - 1))


def test_a_truncated_mp4_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UserError, match=r"a\.mp4: cannot be read"):
        Video(cut_off(write_video(tmp_path / "a.mp4", 250), 0.5))
    video = Video(cut_off(write_video(tmp_path / "b.mp4", 250, container_options={"movflags": "faststart"}), 0.5))
    assert 50 < video.times.count < 200
    assert "b.mp4: is cut off: holds" in caplog.text


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("gone.mp4", lambda path: None, "no such video file"),
        ("empty.mp4", lambda path: path.touch(), "is empty; expected a video file"),
        ("text.mp4", lambda path: path.write_text("Not a video at all.\n" * 50), "cannot be read"),
        ("sound.mp4", write_audio, "holds no video, only audio"),
        ("folder.mp4", lambda path: path.mkdir(), "cannot be read"),
    ],
)
def test_what_is_no_video_is_named(tmp_path: Path, name: str, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        Video(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["match (1).mp4", "Málaga.mp4", "it's.mp4", "a,b.mp4", "half:1.mp4", "100%d.mp4"])
def test_any_name_works(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "a.mp4", 5).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert read(Video(name), [3]) == [3]


def from_a_child(video: Video, pipe: multiprocessing.connection.Connection) -> None:
    pipe.send((read(video, [50, 51, 60]), len(decode._orphans)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_every_process_opens_its_own(tmp_path: Path, method: str) -> None:
    video = Video(write_video(tmp_path / "a.mp4", 100))
    assert read(video, [40, 41]) == [40, 41]
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=from_a_child, args=(video, theirs))
    child.start()
    assert read(video, [42, 43]) == [42, 43]
    assert ours.poll(60)
    assert ours.recv() == ([50, 51, 60], 1 if method == "fork" else 0)
    child.join()
    assert len(pickle.dumps(video)) < 10_000


def test_a_fork_does_not_wait_for_decoding_threads_of_its_parent(tmp_path: Path) -> None:
    """PyAV's containers refer to themselves: what the parent has not collected yet, a child must not free."""
    video = Video(write_video(tmp_path / "a.mp4", 100), threads=2)
    gc.collect()
    gc.disable()
    try:
        read(video, [40, 41])
        video.close()
        child = multiprocessing.get_context("fork").Process(target=gc.collect)
        child.start()
    finally:
        gc.enable()
    child.join(60)
    child.kill()
    assert child.exitcode == 0
