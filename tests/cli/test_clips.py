"""``spotter clips`` cuts the right images, named so that they sort, copied or encoded, with one reel of all."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import orjson
import pytest

from spotter.cli import main
from tests.helpers.recorders import decoded_by_ffmpeg
from tests.helpers.videos import burn, number_of, write_video

FPS = 10


def write_predictions(path: Path, rows: list[tuple[int, int, str, float]]) -> Path:
    """Write official predictions of (half, milliseconds, class, confidence)."""
    entries = [
        {
            "gameTime": f"{half} - 00:00",
            "label": label,
            "position": str(time),
            "half": str(half),
            "confidence": str(score),
        }
        for half, time, label, score in rows
    ]
    path.write_bytes(orjson.dumps({"UrlLocal": "match", "predictions": entries}))
    return path


@pytest.fixture(scope="module")
def match(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 40 seconds at 10 fps with a keyframe every 2 s, and sound."""
    return write_video(tmp_path_factory.mktemp("match") / "match.mp4", 400, FPS, gop=20, audio=True)


def cut(*words: object) -> int:
    return main(["clips", *map(str, words)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_clips_hold_the_images_around_their_spots(
    match: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = write_predictions(
        tmp_path / "found.json",
        [
            (1, 25_500, "Goal", 0.9),
            (1, 10_000, "Corner", 0.6),
            (1, 500, "Yellow->red card", 0.7),
            (1, 30_000, "Foul", 0.1),
        ],
    )
    out = tmp_path / "clips"
    assert cut(found, match, out, "--before", 2, "--after", 1.5) == 0
    assert names(out) == [
        "1_000-00_Yellow-red-card_0.70.mp4",
        "1_000-10_Corner_0.60.mp4",
        "1_000-25_Goal_0.90.mp4",
        "reel.mp4",
    ]
    start, corner, goal, reel = (decoded_by_ffmpeg(out / name) for name in names(out))
    assert start == list(range(20))
    assert corner[:35] == list(range(80, 115))  # a keyframe: copied, with a few images more at most
    assert len(corner) <= 38
    assert goal == list(range(235, 270))
    assert reel == [*range(20), *range(80, 115), *range(235, 270)]
    assert "3 clips, 2 of them copied" in capsys.readouterr().out


def test_sound_goes_along(match: Path, tmp_path: Path) -> None:
    found = write_predictions(tmp_path / "found.json", [(1, 10_000, "Goal", 0.9), (1, 25_500, "Goal", 0.9)])
    cut(found, match, tmp_path / "out", "--before", 2, "--after", 2)
    for name, seconds in zip(names(tmp_path / "out"), (4, 4, 8), strict=True):
        with av.open(str(tmp_path / "out" / name)) as container:
            sound = container.streams.audio[0]
            assert float(sound.duration * sound.time_base) == pytest.approx(seconds, abs=0.3)


@pytest.mark.parametrize(("name", "copied"), [("a.mkv", 1), ("a.mov", 1), ("a.ts", 0), ("a.avi", 0)])
def test_other_containers(name: str, copied: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stamps of the file begin anywhere, and Matroska and transport streams tell less than MP4."""
    avi = name == "a.avi"
    more = {"b_frames": 0} if avi else {"start": 1.5, "audio": True}
    video = write_video(tmp_path / name, 120, FPS, gop=20, **more)
    found = write_predictions(tmp_path / "f.json", [(1, 5000, "Goal", 0.9), (1, 9300, "Goal", 0.9)])
    assert cut(found, video, tmp_path / "out", "--before", 1, "--after", 1) == 0
    first, second, reel = (decoded_by_ffmpeg(tmp_path / "out" / name) for name in names(tmp_path / "out"))
    assert (first[:20], second, reel[-20:]) == (list(range(40, 60)), list(range(83, 103)), list(range(83, 103)))
    assert f"2 clips, {copied} of them copied" in capsys.readouterr().out


def test_the_reel_shows_no_moment_twice(match: Path, tmp_path: Path) -> None:
    found = write_predictions(tmp_path / "f.json", [(1, 21_000, "Goal", 0.9), (1, 22_700, "Foul", 0.9)])
    cut(found, match, tmp_path / "out", "--before", 2, "--after", 2)
    clips = [decoded_by_ffmpeg(tmp_path / "out" / name) for name in names(tmp_path / "out")]
    assert [clips[0], clips[1]] == [list(range(190, 230)), list(range(207, 247))]
    assert clips[2] == list(range(190, 247))


def test_a_spot_is_burnt_in_around_its_time(match: Path, tmp_path: Path) -> None:
    found = write_predictions(tmp_path / "found.json", [(1, 10_000, "Goal", 0.9)])
    assert cut(found, match, tmp_path / "out", "--before", 3, "--after", 4, "--burn-in") == 0
    with av.open(str(tmp_path / "out" / "reel.mp4")) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert number_of(images[0]) == 70
    changed = [bool(np.abs(image.astype(int) - burn(70 + i)).max() > 120) for i, image in enumerate(images)]
    assert changed == [20 <= i < 50 for i in range(70)]


def test_halves_are_found_by_the_names_of_their_files_or_their_order(match: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1_720p.mp4", write_video(tmp_path / "2_720p.mp4", 60, FPS)
    first.write_bytes(match.read_bytes())
    found = write_predictions(tmp_path / "found.json", [(1, 30_500, "Goal", 0.9), (2, 3000, "Goal", 0.8)])
    other = tmp_path / "b.mp4"
    other.write_bytes(second.read_bytes())
    for index, given in enumerate(([second, first], [match, other])):
        assert cut(found, *given, tmp_path / f"out{index}", "--before", 1, "--after", 1) == 0
        one, two, _ = (decoded_by_ffmpeg(tmp_path / f"out{index}" / name) for name in names(tmp_path / f"out{index}"))
        assert (one, two) == (list(range(295, 315)), list(range(20, 40)))


def test_what_no_file_shows_is_counted(match: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = write_predictions(
        tmp_path / "found.json", [(1, 10_000, "Goal", 0.9), (1, 99_000, "Goal", 0.9), (2, 3000, "Goal", 0.8)]
    )
    assert cut(found, match, tmp_path / "out") == 0
    assert "1 spot left out: match.mp4 ends before them" in caplog.text
    assert "1 spot left out: half 2 has no VIDEO" in caplog.text


def test_other_forms_of_predictions_and_a_choice_of_classes(match: Path, tmp_path: Path) -> None:
    table = tmp_path / "found.csv"
    table.write_text("class,time,confidence\nGoal,10,0.9\nGoal,10.2,0.9\nFoul,20,0.8\n")
    assert cut(table, match, tmp_path / "out", "--classes", "Goal") == 0
    assert names(tmp_path / "out") == ["1_000-10_Goal_0.90.mp4", "1_000-10_Goal_0.90_2.mp4", "reel.mp4"]


def test_periods_of_one_file(match: Path, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    about = {"intervals": [{"start_time_ms": 1000, "end_time_ms": 9000}, {"start_time_ms": 20_500}]}
    events = [{"label": "Goal", "position_ms": at, "confidence": 0.9} for at in (3500, 25_500)]
    sample = {"inputs": [{"type": "video", "path": "match.mp4"}], "metadata": about, "events": events}
    found.write_bytes(orjson.dumps({"version": "2.0", "data": [sample]}))
    assert cut(found, match, tmp_path / "out", "--before", 1, "--after", 1) == 0
    assert names(tmp_path / "out") == ["1_000-02_Goal_0.90.mp4", "2_000-05_Goal_0.90.mp4", "reel.mp4"]
    assert decoded_by_ffmpeg(tmp_path / "out" / "reel.mp4") == [*range(25, 45), *range(245, 265)]


def test_periods_that_predictions_do_not_know(match: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = write_predictions(tmp_path / "found.json", [(1, 2500, "Goal", 0.9), (2, 5000, "Goal", 0.8)])
    words = (found, match, tmp_path / "out", "--before", 1, "--after", 1, "--periods")
    assert cut(*words, "0:01-0:09,0:20.5") == 0
    assert decoded_by_ffmpeg(tmp_path / "out" / "reel.mp4") == [*range(25, 45), *range(245, 265)]
    assert cut(*words, "0:01") == 1
    assert "--periods: PREDICTIONS have spots of half 2: say where it lies, too" in capsys.readouterr().err


def test_what_is_chosen_does_not_change_the_half_of_a_video(
    match: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = write_predictions(tmp_path / "found.json", [(1, 2500, "Foul", 0.9), (2, 5000, "Goal", 0.8)])
    first = tmp_path / "1_224p.mp4"
    first.write_bytes(match.read_bytes())
    for video in (first, match):
        assert cut(found, video, tmp_path / "out", "--classes", "Goal") == 1
        assert "VIDEO: shows none of these spots" in capsys.readouterr().err
    alone = write_predictions(tmp_path / "alone.json", [(2, 6500, "Goal", 0.8)])
    assert cut(alone, first, tmp_path / "out") == 1
    assert cut(alone, match, tmp_path / "out", "--before", 1, "--after", 1) == 0
    assert "1 clip, 0 of them copied" in capsys.readouterr().out


def test_spots_after_the_end_of_their_period_are_counted(
    match: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = write_predictions(tmp_path / "found.json", [(1, 2500, "Goal", 0.9), (1, 25_000, "Goal", 0.8)])
    assert cut(found, match, tmp_path / "out", "--periods", "0:01-0:09,0:20.5") == 0
    assert names(tmp_path / "out") == ["1_000-02_Goal_0.90.mp4", "reel.mp4"]
    assert "1 spot left out: half 1 ends before them" in caplog.text


def test_mistakes_are_named(match: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = write_predictions(tmp_path / "found.json", [(1, 10_000, "Goal", 0.4)])
    for words, status, said in (
        ((found, match, "out"), 1, "no spot reaches --threshold=0.5"),
        ((found, match, "out", "--classes", "Gaol"), 2, "did you mean Goal?"),
        ((found, tmp_path / "none.mp4", "out"), 1, "none.mp4"),
        ((found, match, "out", "--before", -1), 2, "--before"),
        ((found, match, found), 2, "is a file; give a folder"),
    ):
        assert cut(*words) == status
        assert said in capsys.readouterr().err
    assert not Path("out").exists()
