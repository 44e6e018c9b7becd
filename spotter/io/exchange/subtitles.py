"""Events for players and editors of video: subtitles (SRT) and edit decision lists (EDL, CMX 3600)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from spotter.io.exchange.collection import Row, Video
from spotter.io.exchange.e2e_spot import FPS, frame_of
from spotter.io.periods import match_clock

BEFORE, AFTER = 1000, 2000  # milliseconds that a subtitle stands around its event


def write_srt(videos: Sequence[Video]) -> bytes:
    """Return subtitles of one video: clock, class, team and confidence; events that stand at once share one.

    videos : the halves that lie in it
    """
    events = _events(videos)
    begins = [max(0, at - BEFORE) for at, _ in events]  # in order, as the events are, and so the ends
    ends = [max(0, at) + AFTER for at, _ in events]
    parts: list[str] = []
    for start, stop in pairwise(sorted({*begins, *ends})):
        lines = [text for _, text in events[bisect_right(ends, start) : bisect_right(begins, start)]]
        if lines:
            parts.append(f"{len(parts) + 1}\n{_stamp(start)} --> {_stamp(stop)}\n" + "\n".join(lines) + "\n")
    return "\n".join(parts).encode()


def write_edl(videos: Sequence[Video]) -> bytes:
    """Return an edit decision list of one video with a cut of a second, and a marker, at each event."""
    fps = videos[0].fps or FPS
    lines = [f"TITLE: {videos[0].half.game.rpartition('/')[2]}", "FCM: NON-DROP FRAME"]
    for number, (at, text) in enumerate(_events(videos), start=1):
        start, stop = _timecode(at, fps), _timecode(at + 1000, fps)
        lines += ["", f"{number:03d}  AX       V     C        {start} {stop} {start} {stop}"]
        lines.append(f"* LOC: {start} RED     {text}")
    return ("\n".join(lines) + "\n").encode()


def describe(row: Row, half: int = 0) -> str:
    """Return an event in a line, with the clock of the match; of half 0, with that of its video.

    >>> describe({"label": "PASS", "position": 754_321, "team": "left", "confidence": "0.874"}, half=2)
    '57:34 PASS, left (0.87)'
    """
    team = f", {row['team']}" if row.get("team") else ""
    score = f" ({float(row['confidence']):.2f})" if row.get("confidence") is not None else ""
    return f"{match_clock(half, int(row['position']))} {row['label']}{team}{score}"


def _events(videos: Sequence[Video]) -> list[tuple[int, str]]:
    """Return the milliseconds of the video and the line of each event, by time."""
    events = [
        (video.start + int(row["position"]), describe(row, video.half.number if video.period else 0))
        for video in videos
        for row in video.rows
    ]
    return sorted(events, key=lambda event: event[0])


def _stamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{rest:03d}"


def _timecode(milliseconds: int, fps: float) -> str:
    """Return a time code, which counts frames: a second of it is 30 of them where 29.97 are shown in a second."""
    seconds, frame = divmod(frame_of(max(0, milliseconds), fps), round(fps))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"
