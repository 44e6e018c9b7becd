"""Clips of images: chosen by what lies on disk, decoded to their place, in any process."""

from __future__ import annotations

import pickle
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from spotter.data.datasets import ClipDataset
from spotter.data.source import InputSpec
from spotter.data.video.decode import Video
from spotter.data.video.find import find_input, find_videos
from spotter.data.video.jobs import Job, Recipe
from spotter.data.video.jpegs import JpegFolder
from spotter.data.video.prepare import make
from spotter.data.video.source import OPEN, VideoSource
from spotter.data.video.store import Store
from spotter.errors import UserError
from spotter.types import Clip, Half, HalfRecord
from tests.data.test_video_store import write_folder
from tests.helpers.videos import damage, numbers_of, write_video

GAME = "league/season/a - b"
HALF = Half(GAME, 1)
SIZE = [64, 96]


def source(root: Path, fps: float | str = 25, **more: object) -> VideoSource:
    return VideoSource(fps, size=SIZE, root=root, **more)  # type: ignore[arg-type]


def shown(source: VideoSource, start: int, length: int, half: Half = HALF) -> list[int]:
    return numbers_of(source.read([half], [Clip(0, start)], length)[0]["video"][0].numpy())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree whose game has a video, a store and a folder of images, of a half each, and a video for all."""
    root = tmp_path_factory.mktemp("tree")
    for number in (1, 2, 3):
        write_video(root / GAME / f"{number}_64p.mkv", 120)
    make(Job(root / GAME / "2_64p.mkv", root / GAME / "2_64p_25fps.frames", Recipe(Fraction(25), 64)))
    write_folder(root / GAME / "3", 120)
    return root


@pytest.mark.parametrize(("number", "kind"), [(1, Video), (2, Store), (3, JpegFolder)])
@pytest.mark.parametrize(("fps", "step"), [(25, 1), ("25/12", 12), (5, 5)])
def test_the_same_clips_whatever_they_are_stored_in(
    root: Path, number: int, kind: type, fps: float | str, step: int
) -> None:
    half, reader = Half(GAME, number), source(root, fps)
    assert isinstance(reader._reader(half), kind)
    assert reader.length(half) == 120 // step
    assert shown(reader, 2, 4, half) == [2 * step, 3 * step, 4 * step, 5 * step]
    batch, phase = reader.read([half], [Clip(0, -3), Clip(0, 120 // step - 2), Clip(0, 500)], 5)
    video = batch["video"]
    assert (video.shape, video.dtype) == ((3, 5, 64, 96, 3), torch.uint8)
    assert numbers_of(video[0, 3:].numpy()) == [0, step]
    assert numbers_of(video[1, :2].numpy()) == [120 - 2 * step, 120 - step]
    assert not torch.cat([video[0, :3], video[1, 2:], video[2]]).any()
    assert phase["video"].tolist() == [0.0, 0.0, 0.0]


def test_a_game_of_one_video_may_hold_its_images_itself(tmp_path: Path) -> None:
    write_folder(tmp_path / GAME, 30)
    (tmp_path / GAME / "Labels-ball.json").touch()
    assert shown(source(tmp_path), 7, 3) == [7, 8, 9]
    assert source(tmp_path).missing(Half(GAME, 2))


def test_an_empty_batch(root: Path) -> None:
    assert source(root).read([HALF], [], 7)[0]["video"].shape == (0, 7, 64, 96, 3)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_clip_says_where_its_crop_lies(root: Path, number: int) -> None:
    half = Half(GAME, number)
    whole = source(root).read([half], [Clip(0, 0)], 2)[0]["video"]
    places = [(0.0, 0.0), (0.5, 0.5), (1.0, 0.25)]
    clips = [Clip(0, 0, place) for place in places]
    crops = source(root, crop=[32, 40]).read([half], clips, 2)[0]["video"]
    for crop, (left, top) in zip(crops, [(0, 0), (28, 16), (56, 8)], strict=True):
        np.testing.assert_array_equal(crop, whole[0, :, top : top + 32, left : left + 40])


def test_it_says_what_it_is(root: Path) -> None:
    video = source(root, "25/12", crop=[32, 40])
    assert video.spec.layout == {"video": {"fps": 25 / 12, "height": 32, "width": 40, "channels": 3}}
    assert source(root).spec.layout["video"]["height"] == 64
    plain = video.spec.to_dict()
    assert {key: plain[key] for key in ("kind", "fps", "size", "crop")} == {
        "kind": "video",
        "fps": 25 / 12,
        "size": SIZE,
        "crop": [32, 40],
    }
    assert (video.spec.config_values(), video.offset(Half("a", 1))) == (plain | {"grey": False}, 0.0)
    assert InputSpec.load(plain) == VideoSource.of_spec(video.spec).spec == video.spec


def test_what_lies_on_disk_decides(tmp_path: Path) -> None:
    def found(height: int = 224, fps: str = "2", number: int = 1) -> str | None:
        path = find_input(tmp_path, number, height, Fraction(fps))
        return path and path.name

    assert found() is None
    assert find_input(tmp_path / "nowhere", 1, 224, Fraction(2)) is None
    for name in ("1_720p.mkv", "2_720p.mp4", "notes.txt", "1_224p.txt", "other.mkv"):
        (tmp_path / name).touch()
    assert (found(), found(number=2), found(number=3)) == ("1_720p.mkv", "2_720p.mp4", None)
    (tmp_path / "1_224p.mp4").touch()
    assert [found(height) for height in (112, 224, 225, 720, 1080)] == [
        *("1_224p.mp4", "1_224p.mp4"),
        *("1_720p.mkv", "1_720p.mkv", "1_720p.mkv"),
    ]
    for name in ("1_224p_2fps.frames", "1_224p_25fps.frames", "1_224p_25-12fps.frames", "1_448p_2fps.frames"):
        (tmp_path / name).touch()
    assert [found(fps=fps) for fps in ("1", "2", "25/12", "25/2", "3", "25", "50")] == [
        *("1_224p_2fps.frames", "1_224p_2fps.frames", "1_224p_25-12fps.frames"),
        *("1_224p_25fps.frames", "1_224p_25fps.frames", "1_224p_25fps.frames", "1_224p.mp4"),
    ]


@pytest.mark.parametrize("name", ["224p.mp4", "720p.mkv", "1_224p.webm", "1.MOV"])
def test_games_of_one_video_may_do_without_a_prefix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert find_input(tmp_path, 1, 224, Fraction(25)) == tmp_path / name
    assert find_input(tmp_path, 2, 224, Fraction(25)) is None


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert source(tmp_path).missing(HALF) == [tmp_path / GAME / "1_224p.mkv"]
    assert VideoSource(25, [448, 796], root=tmp_path).missing(HALF) == [tmp_path / GAME / "1_720p.mkv"]
    with pytest.raises(UserError, match=r"1_224p\.mkv: no such file, nor a prepared store"):
        source(tmp_path).length(HALF)
    own = source(tmp_path, files={HALF: tmp_path / "mine.mp4"})
    assert own.missing(HALF) == [tmp_path / "mine.mp4"]


@pytest.mark.parametrize("number", [2, 3])
def test_what_is_prepared_must_fit(root: Path, tmp_path: Path, number: int) -> None:
    half = Half(GAME, number)
    path = root / GAME / ("2_64p_25fps.frames" if number == 2 else "3")
    with pytest.raises(UserError, match=r"are 96x64, not 100x64; train on these by data\.size=\[64,96\]"):
        VideoSource(25, [64, 100], files={half: path}).length(half)
    with pytest.raises(UserError, match=r"has 25 images per second, 50 are needed; .*prepare video --fps 50"):
        VideoSource(50, SIZE, files={half: path}).length(half)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fps": 0}, "data.fps: expected a positive number"),
        ({"size": 224}, r"data.size: expected \[height,width\]"),
        ({"size": [0, 5]}, r"data.size: expected \[height,width\]"),
        ({"crop": [300, 100]}, r"data.crop: \[300, 100\] is larger than the image, data.size=\[224, 398\]"),
        ({"mean": [0.5]}, "data.mean: expected three numbers"),
    ],
)
def test_wrong_settings_name_their_key(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        VideoSource(**{"fps": 25, **wrong})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_what_this_process_reads(root: Path, method: str) -> None:
    records = [HalfRecord(Half(GAME, number), 120, None) for number in (1, 2, 3)]
    dataset = ClipDataset(records, source(root), 6, None)
    batches = [[Clip(half, start), Clip(half, start + 3)] for half in range(3) for start in (0, 40, 110)]
    here = [dataset[clips]["inputs"]["video"] for clips in batches]
    workers = 2 if method == "fork" else 1  # one that is spawned takes seconds to import everything
    loader = DataLoader(dataset, batch_size=None, sampler=batches, num_workers=workers, multiprocessing_context=method)
    for ours, batch in zip(here, loader, strict=True):
        assert torch.equal(ours, batch["inputs"]["video"])


def test_few_videos_stay_open(root: Path, tmp_path: Path) -> None:
    files = {Half(f"game {n}", 1): tmp_path / f"{n}.mkv" for n in range(OPEN + 3)}
    for file in files.values():
        shutil.copy(root / GAME / "1_64p.mkv", file)
    video = source(tmp_path, files=files)
    halves = list(files)
    for _ in range(2):
        clips = [Clip(n, 10 * n) for n in range(len(halves))]
        numbers = video.read(halves, clips, 2)[0]["video"][:, 0].numpy()
        assert numbers_of(numbers) == [10 * n for n in range(len(halves))]
    assert sum(reader._open is not None for reader in video._readers.values() if isinstance(reader, Video)) == OPEN
    assert shown(pickle.loads(pickle.dumps(video)), 7, 2, halves[2]) == [7, 8]


def test_a_clip_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", 400, gop=10, b_frames=0, container_options={"movflags": "faststart"})
    files = {HALF: damage(whole, 0.4, 0.8)}
    broken = source(tmp_path, files=files)
    assert shown(broken, 0, 20) == list(range(20))
    with pytest.raises(UserError, match=r"a\.mp4: nothing from 00:09\.6 to 00:10\.0 can be decoded; fetch the file"):
        broken.read([HALF], [Clip(0, 240)], 10)


def test_own_files_of_any_name(root: Path, tmp_path: Path) -> None:
    names = ["match (1).mkv", "Málaga.MP4", "it's.mkv", "a,b.webm", "deep/er/1_x.mkv", "deep/er/2_x.mkv", "2.frames"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / GAME / "1_64p.mkv", tmp_path / name)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000000.jpg").touch()
    found = dict(find_videos(tmp_path))
    assert found[Half("match (1)", 1)] == tmp_path / "match (1).mkv"
    assert set(found) == {
        *(Half(name, 1) for name in ("match (1)", "Málaga", "it's", "a,b", "deep/er/1_x", "images")),
        *(Half("deep/er/2_x", 2), Half("2", 2)),
    }
    ((half, path),) = find_videos(str(tmp_path / "a,b.webm"))
    assert (half, path) == (Half("a,b", 1), tmp_path / "a,b.webm")
    assert find_videos(tmp_path / "images") == [(Half("images", 1), tmp_path / "images")]
    assert shown(source(tmp_path, files={half: path}), 5, 2, half) == [5, 6]


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone.mp4", "no file or folder"), ("notes.txt", "is no video: expected"), ("bare", "no video in the folder")],
)
def test_own_files_that_cannot_be_read(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "bare").mkdir()
    with pytest.raises(UserError, match=message):
        find_videos(tmp_path / name)
    (tmp_path / "a.mkv").touch()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UserError, match="differ only in their suffix"):
        find_videos(tmp_path)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    stamps = np.cumsum([0.0, *np.random.default_rng(3).choice([0.02, 0.04, 0.3], size=79)]).tolist()
    path = write_video(tmp_path_factory.mktemp("uneven") / "a.mp4", 80, stamps=stamps, gop=9)
    return VideoSource(10, SIZE, files={HALF: path})


@given(start=st.integers(0, 60), length=st.integers(1, 12))
def test_frames_of_an_uneven_video_are_the_nearest_in_time(uneven: VideoSource, start: int, length: int) -> None:
    times = uneven._reader(HALF).times
    seconds = np.array([times.seconds(n) for n in range(80)])
    count = min(length, uneven.length(HALF) - start)
    wanted = [
        int(np.argmin(np.abs(seconds - i / 10) - 1e-9 * (80 - np.arange(80)))) for i in range(start, start + count)
    ]
    assert shown(uneven, start, length)[:count] == wanted


def test_the_rate_of_what_is_stored_is_known(root: Path) -> None:
    """A video, a store and a folder of images have one of their own, whatever the network reads."""
    for number in (1, 2, 3):
        assert source(root, 5).native_fps(Half(GAME, number)) == pytest.approx(25)


@pytest.mark.parametrize(("size", "said"), [((128, 192), True), ((64, 96), False), ((32, 48), False)])
def test_what_is_scaled_up_is_said_once(
    root: Path, caplog: pytest.LogCaptureFixture, size: tuple[int, int], said: bool
) -> None:
    files = {Half(GAME, number): root / GAME / f"{each}_64p.mkv" for number, each in ((1, 1), (2, 3))}
    reader = VideoSource(25, size=size, files=files)
    assert [reader.length(half) for half in files] == [120, 120]
    reader.read(list(files), [Clip(0, 0), Clip(1, 0)], 2)
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings == (
        [f"{root / GAME / '1_64p.mkv'}: its images of 96x64 are scaled up to the 192x128 that the network reads; "
         "a larger video shows more"] if said else []
    )  # fmt: skip
