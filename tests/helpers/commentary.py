"""A tree of games of which commentators say something, with labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from spotter.io.soccernet import SoccerNet
from spotter.tasks import Task
from spotter.types import Half, Spots

TASK = Task.load("soccernet-v2")
SPLITS = {"train": [f"l/s/t{n}" for n in range(4)], "valid": ["l/s/v0"], "test": ["l/s/e0"]}
CORNER = TASK.classes.index("Corner")
EVERY = 60  # seconds from one corner to the next
SECONDS = 600
Segments = list[tuple[float, float, str]]


def said(game: str, half: int) -> Segments:
    """Return what is said in a half: of the corners three seconds after each, of the players in between."""
    corners = [(at + 3.0, at + 5.0, "They take the corner kick now!") for at in range(EVERY, SECONDS, EVERY)]
    play = [(at + 20.0, at + 24.0, f"Player {at % 7} has the ball again") for at in range(0, SECONDS, EVERY)]
    return sorted([*corners, *play])


def write_labels(root: Path, games: list[str]) -> None:
    """Write the corners of some games."""
    time = np.arange(EVERY, SECONDS, EVERY, dtype=float)
    spots = Spots(np.full(len(time), CORNER), time, np.ones(len(time), bool))
    SoccerNet().write(root, {Half(game, half): spots for game in games for half in (1, 2)}, TASK)


def write_tree(root: Path) -> Path:
    """Write an official tree with the labels of train and valid alone."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "splits.json").write_bytes(orjson.dumps(SPLITS))
    write_labels(root, [*SPLITS["train"], *SPLITS["valid"]])
    return root


def echoes(segments: Segments) -> bytes:
    """Return a transcript as SoccerNet-Echoes has it."""
    return orjson.dumps({"segments": {str(number): list(each) for number, each in enumerate(segments)}})


def whisper(segments: Segments, **more: Any) -> bytes:
    """Return a transcript as Whisper writes it."""
    entries = [
        {"id": i, "start": start, "end": end, "text": f" {text}"} for i, (start, end, text) in enumerate(segments)
    ]
    return orjson.dumps({"text": "", "segments": entries, **more})


def clock(seconds: float, comma: str) -> str:
    """Return a moment as subtitles have it."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{rest:06.3f}".replace(".", comma)


def srt(segments: Segments) -> bytes:
    """Return SRT subtitles."""
    cues = (
        f"{number}\r\n{clock(start, ',')} --> {clock(end, ',')}\r\n<i>{text}</i>\r\n\r\n"
        for number, (start, end, text) in enumerate(segments, start=1)
    )
    return "".join(cues).encode("utf-8-sig")


def vtt(segments: Segments) -> bytes:
    """Return WebVTT subtitles, with cue settings, voices and a note."""
    cues = (
        f"{clock(start, '.')[3:]} --> {clock(end, '.')[3:]} align:start\n<v Ann>{text.replace('&', '&amp;')}\n\n"
        for start, end, text in segments
    )
    return ("WEBVTT\n\nNOTE none of this is said\n\n" + "".join(cues)).encode()


def write_transcripts(root: Path, games: list[str] | None = None) -> Path:
    """Write what is said in all games, or some, as SoccerNet-Echoes lays it out."""
    for game in games if games is not None else [game for listed in SPLITS.values() for game in listed]:
        for half in (1, 2):
            path = root / game / f"{half}_asr.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(echoes(said(game, half)))
    return root


def write_lines(path: Path) -> Path:
    """Write the same as a file of lines."""
    games = [game for listed in SPLITS.values() for game in listed]
    lines = (
        orjson.dumps(
            {"game": game, "half": half, "english": True, "segments": [list(each) for each in said(game, half)]}
        )
        for game in games
        for half in (1, 2)
    )
    path.write_bytes(b"\n".join(lines))
    return path
