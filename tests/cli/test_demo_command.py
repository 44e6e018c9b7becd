"""``spotter demo`` from its command line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from spotter.cli import main


def demo(root: Path, *more: str) -> int:
    return main(["demo", str(root), "--games", "1", "0", "1", "--minutes", "2", "--width", "64", *more])


def test_writes_a_tree_that_evaluate_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = tmp_path / "data", tmp_path / "oracle"
    assert demo(root, "--kind", "features", "--oracle", str(out)) == 0
    assert capsys.readouterr().out == f"{root} is ready\n"
    assert len(list(root.glob("*/*/*/[12]_baidu_soccer_embeddings.npy"))) == 4
    assert main(["evaluate", str(root), str(out), "--split", "test"]) == 0


def test_rate_may_be_a_fraction(tmp_path: Path) -> None:
    assert demo(tmp_path, "--file", "mine", "--fps", "25/12") == 0
    rows = np.load(next(tmp_path.glob("*/*/*/1_mine.npy")))
    assert len(rows) >= int(120 * 25 / 12)


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--fps", "fast"), 1, "--fps"),
        (("--width", "8"), 1, "error: width must be at least 32, found 8"),
        (("--labels", "nowhere.zip"), 1, "error: nowhere.zip: no such folder or zip"),
    ],
)
def test_mistakes_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], status: int, message: str
) -> None:
    assert demo(tmp_path / "data", *more) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_oracle_needs_a_test_game(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo(tmp_path / "data", "--games", "1", "0", "0", "--oracle", str(tmp_path / "out")) == 1
    assert "has no game in split test" in capsys.readouterr().err


@pytest.mark.slow
def test_kind_video_writes_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--games", "1", "0", "1", "--minutes", "0.1", "--height", "32", "--fps", "25/12", "--kind", "video")
    assert main(["demo", str(tmp_path / "data"), *words]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'data'} is ready\n"
    names = sorted(file.name for file in tmp_path.glob("data/*/*/*/*"))
    assert names == 2 * ["32p.mp4"] + 2 * ["Labels-ball.json"]


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("video", ("--width", "64"), "error: --width belongs to --kind features: leave it out with --kind video"),
        ("video", ("--oracle", "out"), "--oracle belongs to --kind features"),
        ("video", ("--file", "mine"), "--file belongs to --kind features"),
        ("features", ("--height", "112"), "--height belongs to --kind video"),
        ("video", ("--height", "15"), "height must be even"),
        ("video", ("--fps", "fast"), "--fps"),
    ],
)
def test_options_of_the_other_kind_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, more: tuple[str, ...], message: str
) -> None:
    assert main(["demo", str(tmp_path / "data"), "--kind", kind, *more]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the pages that a desktop's browser was asked to open."""
    urls: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: urls.append(url) or True)
    return urls


@pytest.mark.slow
def test_play_shows_a_match_and_finds_most_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    """Without any argument; what it leaves are a tree and predictions as any others."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--play"]) == 0
    found, honest, own, ready = capsys.readouterr().out.splitlines()
    folder, page = Path("outputs", "demo-play"), Path("outputs", "demo-play", "predictions", "report.html")
    hits, actions, right = map(int, re.findall(r"\d+", found))
    assert actions == 9
    assert hits >= 0.6 * actions
    assert right >= 60
    assert "rendered" in honest
    assert own.endswith(f"spotter predict ckpt={folder / 'model.safetensors'} input=VIDEO")
    assert (folder / "model.safetensors").is_file()
    assert ready == f"{page} is open in the browser"
    assert opened == [page.absolute().as_uri()]
    assert len(list(folder.glob("match/*/*/*/*.mp4"))) == 1
    assert main(["evaluate", str(folder / "match"), str(folder / "predictions"), "--split", "test"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--no-open",), ()])
def test_play_without_a_desktop_says_where_the_report_lies(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    opened: list[str],
    words: tuple[str, ...],
) -> None:
    if not words:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.delenv(name, raising=False)
    assert main(["demo", "--play", str(tmp_path), "--minutes", "0.1", *words]) == 0
    assert capsys.readouterr().out.endswith("report.html is ready: open it in a browser\n")
    assert (tmp_path / "predictions" / "report.html").is_file()
    assert opened == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--play", "--kind", "video"), "--kind: with --play there are --minutes, --seed and --no-open"),
        (("--play", "--games", "1", "1", "1"), "--games: with --play"),
        (("--no-open", "somewhere"), "--no-open is for --play"),
        ((), "DIR: give the folder to write to, or --play"),
    ],
)
def test_play_and_the_rest_do_not_mix(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    assert main(["demo", *words]) == 2
    assert message in capsys.readouterr().err
