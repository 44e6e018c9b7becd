"""Which stores a tree needs, what is in them, and what they will cost."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from spotter.data.video.estimate import estimate
from spotter.data.video.jobs import QUALITY, Job, Recipe, plan_jobs
from spotter.data.video.prepare import check, make
from spotter.data.video.store import Store
from spotter.errors import UserError
from tests.data.test_video_store import read, write_folder, write_store
from tests.helpers.videos import damage, write_video

FULL, TWO = Recipe(Fraction(25), 64), Recipe(Fraction(25, 12), 64)


def job(tmp_path: Path, source: Path, recipe: Recipe = FULL) -> Job:
    return Job(source, tmp_path / "out" / "1.frames", recipe)


@pytest.mark.parametrize(
    ("fps", "rate", "wanted"),
    [
        (25, "25/12", range(0, 120, 12)),
        (25, "25", range(120)),
        (50, "25", range(0, 120, 2)),
        (Fraction(30000, 1001), "25", [round(i * 30000 / 1001 / 25) for i in range(100)]),
        (25, "2", [0, 12, 25, 37, 50, 62, 75, 87, 100, 112]),  # of two equally near the earlier
    ],
)
def test_a_store_holds_the_nearest_images(
    tmp_path: Path, fps: float | Fraction, rate: str, wanted: range | list[int]
) -> None:
    video = write_video(tmp_path / "a.mp4", 120, fps, gop=20)
    told: list[int] = []
    header, there = make(job(tmp_path, video, Recipe(Fraction(rate), 64)), told.append)
    assert (header.count, sum(told), there) == (len(wanted), len(wanted), False)
    assert (header.fps, header.height, header.width, header.quality) == (rate, 64, 96, QUALITY)
    assert (header.source, header.source_bytes, header.replaced) == ("a.mp4", video.stat().st_size, 0)
    assert read(Store(tmp_path / "out" / "1.frames"), list(range(header.count))) == list(wanted)


@pytest.mark.parametrize(
    ("size", "height", "width"),
    [((720, 1280), 224, 398), ((224, 398), 224, 398), ((225, 399), 112, 198), ((64, 96), 32, 48)],
)
def test_the_width_keeps_the_shape(tmp_path: Path, size: tuple[int, int], height: int, width: int) -> None:
    header, _ = make(job(tmp_path, write_video(tmp_path / "a.mkv", 3, size=size), Recipe(Fraction(25), height)))
    assert (header.height, header.width) == (height, width)


def test_what_cannot_be_decoded_is_counted(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", 200, gop=10, b_frames=0, container_options={"movflags": "faststart"})
    header, _ = make(job(tmp_path, damage(whole, 0.5, 0.7)))
    assert (header.count, 20 < header.replaced < 70) == (200, True)
    assert Store(tmp_path / "out" / "1.frames").header == header


def test_jpeg_files_are_copied_unchanged(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "1", 30)
    header, _ = make(job(tmp_path, folder, Recipe(Fraction(25, 12), 64)))
    assert (header.count, header.quality, header.source) == (3, None, "1")
    content = (tmp_path / "out" / "1.frames").read_bytes()
    for number in (0, 12, 24):
        assert (folder / f"{number:06d}.jpg").read_bytes() in content
    with pytest.raises(UserError, match=r"are 96x64, and are copied as they are; give --height 64"):
        make(Job(folder, tmp_path / "b.frames", Recipe(Fraction(25), 32)))
    with pytest.raises(UserError, match=r"has 25 images per second; give --fps 25"):
        make(Job(folder, tmp_path / "b.frames", Recipe(Fraction(50), 64)))
    (folder / "000012.jpg").write_bytes(simplejpeg.encode_jpeg(np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(UserError, match=r"000012\.jpg: is 8x8, the first is 96x64"):
        make(Job(folder, tmp_path / "b.frames", FULL))
    assert not (tmp_path / "b.frames").exists()


def test_what_is_there_is_kept_unless_it_is_another_or_broken(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv", 20)
    task = job(tmp_path, video)
    first, _ = make(task)
    before = task.target.stat()
    assert make(task) == (first, True)
    assert task.target.stat() == before
    with pytest.raises(UserError, match=r"is there already, made with quality 88, not 50; delete it"):
        make(Job(video, task.target, Recipe(Fraction(25), 64, quality=50)))
    with pytest.raises(UserError, match=r"made with width 96, not 100"):
        make(Job(video, task.target, Recipe(Fraction(25), 64, width=100)))
    task.target.write_bytes(task.target.read_bytes()[:1000])
    assert make(task) == (first, False)
    write_video(video, 25)
    with pytest.raises(UserError, match=r"size of the source"):
        make(task)


def test_a_bad_store_does_not_pass_the_check(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.frames", 10)
    check(path, 10)
    with pytest.raises(UserError, match="holds 10 images, expected 11"):
        check(path, 11)
    assert not path.exists()


def test_a_plan_covers_a_tree(tmp_path: Path) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    files = ["l/s/g1/1_224p.mkv", "l/s/g1/1_720p.mkv", "l/s/g1/2_720p.mkv", "l/s/g2/224p.mp4", "l/s/g3/720p.mkv"]
    files += ["match (1).mp4", "deep/Málaga.avi", "deep/notes.txt", "deep/.hidden.mp4", "l/s/g1/1_224p_2fps.frames"]
    for name in files:
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).touch()
    write_folder(src / "l/s/g3/1", 5)
    write_folder(src / "l/s/g2/2", 5, "1")
    write_folder(src / "l/s/g4", 5)  # a game of one video, as sn-teamspotting has it
    planned = {
        job.target.relative_to(dst).as_posix(): job.source.relative_to(src).as_posix()
        for job in plan_jobs(src, dst, TWO)
    }
    assert planned == {
        "match (1)/1_64p_25-12fps.frames": "match (1).mp4",
        "deep/Málaga/1_64p_25-12fps.frames": "deep/Málaga.avi",
        "l/s/g1/1_64p_25-12fps.frames": "l/s/g1/1_224p.mkv",
        "l/s/g1/2_64p_25-12fps.frames": "l/s/g1/2_720p.mkv",
        "l/s/g2/1_64p_25-12fps.frames": "l/s/g2/224p.mp4",
        "l/s/g2/2_64p_25-12fps.frames": "l/s/g2/2",
        "l/s/g3/1_64p_25-12fps.frames": "l/s/g3/1",
        "l/s/g4/1_64p_25-12fps.frames": "l/s/g4",
    }
    (only,) = plan_jobs(src, dst, Recipe(Fraction(25), 720), games=["l/s/g3"])
    assert (only.source, only.target) == (src / "l/s/g3/720p.mkv", dst / "l/s/g3/1_720p_25fps.frames")
    with pytest.raises(UserError, match="holds no video of its 1 game;"):
        plan_jobs(src, dst, TWO, games=["l/s/g9"])
    with pytest.raises(UserError, match="no such folder"):
        plan_jobs(tmp_path / "nowhere", dst, TWO)
    (src / "match (1).mkv").touch()
    with pytest.raises(UserError, match="differ only in their suffix"):
        plan_jobs(src, dst, TWO)


def test_an_estimate_is_near_what_comes_out(tmp_path: Path) -> None:
    (tmp_path / "broken.mkv").touch()
    jobs = [
        job(tmp_path, tmp_path / "broken.mkv"),
        job(tmp_path, write_video(tmp_path / "a.mkv", 200)),
        Job(write_folder(tmp_path / "1", 30), tmp_path / "b.frames", FULL),
    ]
    cost = estimate(jobs)
    assert cost.images == pytest.approx(230, abs=2)
    assert cost.seconds > 0
    for each in jobs[1:]:
        make(each)
    assert cost.disk == pytest.approx(sum(each.target.stat().st_size for each in jobs[1:]), rel=0.25)
