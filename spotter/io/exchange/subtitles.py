"""Events for players and editors of video: subtitles (SRT) and edit decision lists (EDL, CMX 3600)."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from spotter.io.exchange.collection import Row, Video

BEFORE, AFTER = 1000, 2000  # milliseconds that a subtitle stands around its event
FPS = 25.0  # of an EDL, where the file says none


def write_srt(video: Video) -> bytes:
    """Return subtitles: match clock, class, team and confidence; events that stand at once share one."""
    rows = sorted(video.rows, key=lambda row: int(row["position"]))
    begins, ends = ([_edges(row)[side] for row in rows] for side in (0, 1))  # both in order, as the events are
    parts: list[str] = []
    for start, stop in pairwise(sorted({*begins, *ends})):
        lines = [describe(row) for row in rows[bisect_right(ends, start) : bisect_right(begins, start)]]
        if lines:
            parts.append(f"{len(parts) + 1}\n{_stamp(start)} --> {_stamp(stop)}\n" + "\n".join(lines) + "\n")
    return "\n".join(parts).encode()


def write_edl(video: Video) -> bytes:
    """Return an edit decision list with a cut of a second, and a marker, at each event."""
    fps = video.fps or FPS
    lines = [f"TITLE: {video.half.game.rpartition('/')[2]}", "FCM: NON-DROP FRAME"]
    for number, row in enumerate(sorted(video.rows, key=lambda each: int(each["position"])), start=1):
        start, stop = _timecode(row["position"], fps), _timecode(row["position"] + 1000, fps)
        lines += ["", f"{number:03d}  AX       V     C        {start} {stop} {start} {stop}"]
        lines.append(f"* LOC: {start} RED     {describe(row)}")
    return ("\n".join(lines) + "\n").encode()


def describe(row: Row) -> str:
    """Return an event in a line.

    >>> describe({"label": "PASS", "position": 754_321, "team": "left", "confidence": "0.874"})
    '12:34 PASS, left (0.87)'
    """
    minutes, rest = divmod(max(int(row["position"]), 0), 60_000)
    team = f", {row['team']}" if row.get("team") else ""
    score = f" ({float(row['confidence']):.2f})" if row.get("confidence") is not None else ""
    return f"{minutes:02d}:{rest // 1000:02d} {row['label']}{team}{score}"


def _edges(row: Row) -> tuple[int, int]:
    return max(0, int(row["position"]) - BEFORE), max(0, int(row["position"])) + AFTER


def _stamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{rest:03d}"


def _timecode(milliseconds: int, fps: float) -> str:
    rate = round(fps)
    seconds, rest = divmod(max(0, milliseconds), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{int(rest * rate / 1000):02d}"
