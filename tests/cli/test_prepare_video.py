"""``spotter prepare video`` from its command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from spotter.cli import main
from spotter.data.video.source import VideoSource
from spotter.data.video.store import Store
from spotter.types import Half
from tests.conftest import environment, files_below
from tests.data.test_video_source import shown
from tests.helpers.videos import write_video

GAME = "league/season/a - b"


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Return a tree of two halves and a match of its own, with labels and splits."""
    src = tmp_path / "src"
    write_video(src / GAME / "1_224p.mkv", 60)
    write_video(src / GAME / "2_224p.mkv", 48)
    write_video(src / "it's, mine (1).mp4", 24)
    (src / GAME / "Labels-v2.json").write_bytes(b'{"annotations": []}')
    (src / "splits.json").write_bytes(orjson.dumps({"train": [GAME]}))
    return src


def prepare(src: Path, dst: Path, *more: str) -> int:
    return main(["prepare", "video", str(src), str(dst), "--height", "64", *more])


def test_a_tree_becomes_a_data_root(src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dst = tmp_path / "dst"
    assert prepare(src, dst, "--fps", "25/12") == 0
    assert "3 stores made, 0 were there, 0 failed, 11 images, " in capsys.readouterr().out
    assert sorted(files_below(dst)) == [
        "it's, mine (1)/1_64p_25-12fps.frames",
        f"{GAME}/1_64p_25-12fps.frames",
        f"{GAME}/2_64p_25-12fps.frames",
        f"{GAME}/Labels-v2.json",
        "splits.json",
    ]
    source = VideoSource("25/12", [64, 96], root=dst)
    assert [source.length(Half(GAME, number)) for number in (1, 2)] == [5, 4]
    assert shown(source, 0, 5, Half(GAME, 1)) == [0, 12, 24, 36, 48]

    before = files_below(dst)
    (src / GAME / "2_224p.mkv").touch()
    assert prepare(src, dst, "--fps", "25/12") == 0
    assert "0 stores made, 3 were there, 0 failed" in capsys.readouterr().out
    assert files_below(dst) == before


def test_any_number_of_workers_writes_the_same_bytes(src: Path, tmp_path: Path) -> None:
    for workers in ("1", "2"):
        assert prepare(src, tmp_path / workers, "--fps", "2", "--workers", workers) == 0
    assert files_below(tmp_path / "1") == files_below(tmp_path / "2")


def test_source_and_target_may_be_one(src: Path) -> None:
    assert prepare(src, src, "--fps", "25", "--workers", "1") == 0
    assert prepare(src, src, "--fps", "25") == 0
    assert Store(src / GAME / "1_64p_25fps.frames").header.count == 60


def test_a_tree_of_several_shapes_is_told(src: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_video(src / GAME / "2_224p.mkv", 10, size=(64, 120))
    assert prepare(src, tmp_path / "dst", "--fps", "2") == 0
    assert "stores are 96, 120 wide; a network needs one --width" in caplog.text


def test_labels_that_were_changed_are_kept(src: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dst = tmp_path / "dst"
    mine = dst / GAME / "Labels-v2.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("relabelled")
    assert prepare(src, dst, "--fps", "2") == 0
    assert mine.read_text() == "relabelled"
    assert f"kept, though not as in {src}: 1 file in {dst}, first {mine}" in caplog.text


def test_a_bad_file_does_not_stop_the_others(
    src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (src / GAME / "1_224p.mkv").write_text("no video")
    assert prepare(src, tmp_path / "dst", "--fps", "2") == 1
    assert "2 stores made, 0 were there, 1 failed" in capsys.readouterr().out
    assert "1_224p.mkv: cannot be read" in caplog.text
    assert prepare(src, tmp_path / "dst", "--fps", "2", "--quality", "50") == 1
    assert "made with quality 88, not 50" in caplog.text


def test_a_task_names_its_games(src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(src, tmp_path / "dst", "--fps", "2", "--task", "soccernet-v2") == 0
    assert "2 stores made" in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupt_leaves_no_half_file_and_can_be_gone_on_from(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "dst"
    for number in (1, 2):
        write_video(src / GAME / f"{number}_224p.mkv", 1200)
    command = ["prepare", "video", str(src), str(dst), "--fps", "25", "--height", "512"]
    python = [sys.executable, "-m", "spotter", *command]
    running = subprocess.Popen(python, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    for _ in range(600):
        if list(dst.rglob("*.part")):
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert not list(dst.rglob("*.part"))
    assert not (dst / GAME / "2_512p_25fps.frames").exists()
    assert main([*command[:-1], "64"]) == 0


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--fps", "fast"), 1, "--fps: expected a positive number"),
        (("--fps", "2", "--quality", "0"), 2, "--quality: expected 1 to 100, found 0"),
        (("--fps", "2", "--workers", "0"), 2, "--workers: expected 1 to 1024, found 0"),
        (("--fps", "2", "--task", "chess"), 1, "task 'chess' is unknown"),
    ],
)
def test_mistakes_get_one_line(
    src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], status: int, message: str
) -> None:
    assert prepare(src, tmp_path / "dst", *more) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_tree_without_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(tmp_path, tmp_path / "dst", "--fps", "2") == 1
    assert "holds no video; expected for example" in capsys.readouterr().err
