"""Tables that people write, and what players and editors of video show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spotter.cli import main
from spotter.errors import UserError
from spotter.io.exchange.collection import Collection, Video
from spotter.io.exchange.files import read_collection, write_collection
from spotter.types import Half


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("class,time\nPASS,1.5\n", [(Half("own", 1), "PASS", 1500)]),
        ("game;half;Label;gameTime\ng/h;2;PASS;2 - 01:02\n", [(Half("g/h", 2), "PASS", 62_000)]),
        ("\ufeffaction\ttime\tconfidence\nShot\t1:02:03.25\t0.5\n", [(Half("own", 1), "Shot", 3_723_250)]),
        ("event,clock\nGOAL,3 - 91:00\n", [(Half("own", 3), "GOAL", 5_460_000)]),
        ("event,time\nGOAL,2 - 12:34\n", [(Half("own", 2), "GOAL", 754_000)]),
        ("class,time\rPASS,1.5\rDRIVE,2\r", [(Half("own", 1), "PASS", 1500), (Half("own", 1), "DRIVE", 2000)]),
    ],
)
def test_tables_of_people_are_read(text: str, rows: list[Any], tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(text, encoding="utf-8", newline="")
    found = read_collection(tmp_path / "own.csv")
    assert [(v.half, r["label"], r["position"]) for v in found.videos for r in v.rows] == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "columns class and time"),
        ("class,time\nPASS,soon\n", "line 2"),
        (f"class,{140_000 * 'x'}\n", "no table"),
    ],
)
def test_a_wrong_table_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        read_collection(tmp_path / "own.csv")


def test_subtitles_show_every_event_and_share_moments(tmp_path: Path) -> None:
    rows = [
        {"label": "PASS", "position": 500, "team": "left", "confidence": 0.9},
        {"label": "SHOT", "position": 2000, "confidence": 0.6},
        {"label": "GOAL", "position": 3_600_500, "confidence": 0.1},
    ]
    source = Collection([Video(Half("l/g", 1), rows)], [], True)
    write_collection(tmp_path / "a.json", source, "osl", "")
    words = ["--to", "srt", "--threshold", "0.5"]
    assert main(["convert", str(tmp_path / "a.json"), str(tmp_path / "a.srt"), *words]) == 0
    assert (tmp_path / "a.srt").read_text().split("\n\n") == [
        "1\n00:00:00,000 --> 00:00:01,000\n00:00 PASS, left (0.90)",
        "2\n00:00:01,000 --> 00:00:02,500\n00:00 PASS, left (0.90)\n00:02 SHOT (0.60)",
        "3\n00:00:02,500 --> 00:00:04,000\n00:02 SHOT (0.60)\n",
    ]
    write_collection(tmp_path / "out", source, "edl", "")
    lines = (tmp_path / "out" / "l" / "g" / "1.edl").read_text().splitlines()
    assert lines[3] == "001  AX       V     C        00:00:00:12 00:00:01:12 00:00:00:12 00:00:01:12"
    assert lines[-1] == "* LOC: 01:00:00:12 RED     60:00 GOAL (0.10)"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["l/g/1_224p.mkv", "l/g/2_224p.mkv"], ["1_224p.srt", "2_224p.srt"]),
        (["../Málaga (1).mp4", "x.y.mov"], ["Málaga (1).srt", "x.y.srt"]),
        (["first/match.mp4", "second/match.mp4"], ["1.srt", "2.srt"]),  # a name for both would lose one
        (["..", "a/nul.mp4"], ["1.srt", "2.srt"]),
        ([None, "2.mp4"], ["1.srt", "2.srt"]),
    ],
)
def test_subtitles_are_called_as_their_video(paths: list[str | None], names: list[str], tmp_path: Path) -> None:
    rows = [{"label": "PASS", "position": 500}]
    halves = [
        Video(Half("l/g", number), rows, [{"type": "video", "path": path}] if path else [])
        for number, path in enumerate(paths, start=1)
    ]
    write_collection(tmp_path, Collection(halves, [], True), "srt", "")
    assert sorted(file.name for file in (tmp_path / "l" / "g").iterdir()) == sorted(names)


def test_a_file_of_subtitles_shows_one_half(tmp_path: Path) -> None:
    two = Collection([Video(Half("l/g", n), [{"label": "PASS", "position": 500}]) for n in (1, 2)], [], True)
    with pytest.raises(UserError, match="these are 2: give a folder"):
        write_collection(tmp_path / "b.srt", two, "srt", "")
