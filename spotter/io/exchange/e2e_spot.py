"""The label and prediction lists of E2E-Spot and its successors: one JSON list of videos, events in frames."""

from __future__ import annotations

from spotter.checks import is_number
from spotter.errors import UserError, shorten
from spotter.io.exchange.collection import Collection, Row, Video, checked_rows, half_of_path, whole, without
from spotter.io.game_files import check_game
from spotter.types import Half

FPS = 25.0  # where no rate is known


def read_list(document: list[Row], where: str, split: str | None = None) -> Collection:
    """Return what a list holds; events with a ``score`` are predictions."""
    videos, predictions = [], False
    for number, entry in enumerate(document, start=1):
        at = f"{where}: video {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("video"), str):
            raise UserError(f"{at}: has no name: expected an object with the text 'video'")
        fps = entry.get("fps")
        if not is_number(fps) or fps <= 0:
            raise UserError(f"{at}: has the fps {shorten(fps)}, not a number above 0")
        rows = checked_rows(entry.get("events") or [], at)
        predictions = predictions or any("score" in row for row in rows)
        try:
            converted = [_row(row, float(fps)) for row in rows]
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{at}: has an event without a frame ({error}): correct the file") from error
        inputs = [{"type": "video", "path": entry["video"], "fps": fps}]
        more = without(entry, "video", "fps", "events")
        videos.append(Video(_half(entry["video"], at), converted, inputs, split, more))
    return Collection(videos, [], predictions)


def write_list(videos: list[Video], predictions: bool) -> list[Row]:
    """Return a list; times become whole frames, and where no length is known, a video ends at its last event."""
    return [_entry(video, predictions) for video in videos]


def _half(name: str, where: str) -> Half:
    game, _, last = name.rstrip("/").rpartition("/")
    if game and last.isdecimal() and len(last) == 1 and last != "0":
        return Half(check_game(game, where), int(last))
    return half_of_path(f"{name}.mp4", where)


def _row(row: Row, fps: float) -> Row:
    known: Row = {"label": row["label"], "position": round(1000 * whole(row.get("frame")) / fps)}
    team, _, visibility = (part.strip() for part in str(row.get("comment") or "").partition(";"))
    known |= {key: text for key, text in (("team", team), ("visibility", visibility)) if text}
    known |= {"confidence": row["score"]} if "score" in row else {}
    return known | without(row, "label", "frame", "comment", "score")


def _entry(video: Video, predictions: bool) -> Row:
    fps = video.fps or FPS
    events = sorted((_event(row, fps, predictions) for row in video.rows), key=lambda event: int(event["frame"]))
    length = max([0, *(event["frame"] + 1 for event in events)])
    name = f"{video.half.game}/{video.half.number}"
    known: Row = {"num_frames": video.more.get("num_frames", length), "num_events": len(events)}
    kept: Row = {key: video.more[key] for key in ("width", "height") if key in video.more}
    return {"video": name, "fps": fps, **known, **kept, "events": events}


def frame_of(position: int, fps: float) -> int:
    """Return the frame that is shown at so many milliseconds, which are rounded: half of one may be missing."""
    return int(fps * (position + 0.5) / 1000 + 1e-9)


def _event(row: Row, fps: float, predictions: bool) -> Row:
    event = {"frame": frame_of(row["position"], fps), "label": row["label"]}
    if predictions:
        score = {"score": row["confidence"]} if row.get("confidence") is not None else {}
        return event | score | ({"team": row["team"]} if "team" in row else {})
    team, visibility = row.get("team", ""), row.get("visibility")
    return event | {"comment": f"{team}; {visibility}" if visibility else team}
