"""OSL JSON of OpenSportsLab, versions 1 and 2: labels and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from spotter.errors import UserError, shorten
from spotter.io.exchange.collection import (
    Collection,
    Row,
    Video,
    by_file,
    checked_rows,
    half_of_path,
    parse_clock,
    whole,
    without,
)
from spotter.io.game_files import check_game
from spotter.io.periods import KEY, read_intervals, write_intervals
from spotter.io.soccernet import game_time
from spotter.types import Half, Period

HEAD = "action"
SCORES = ("confidence", "confidence_score")  # of opensportslib, and of its annotation tool
PLAIN = ("label", "position", "team", "visibility", "confidence")
EXCLUDED = "excluded"
OUTSIDE = "events outside of all intervals"


def read_v2(document: Row, where: str, split: str | None = None) -> Collection:
    """Return what a file of version 2 holds, times as in the files that it lists, or from the start of intervals.

    A video with intervals becomes a half for each. Events of other heads than the first, those outside of all
    intervals, and videos that are excluded, are left out and counted in ``lost``.
    """
    labels = document.get("labels") if isinstance(document.get("labels"), dict) else {}
    heads = [str(name) for name in labels or {}]
    head = heads[0] if heads else None
    classes = (labels or {}).get(head, {}).get("labels", []) if head else []
    metadata = document.get("metadata") if isinstance(document.get("metadata"), dict) else {}
    predictions = (metadata or {}).get("type") == "predictions"
    videos, lost = [], dict.fromkeys(("videos that are excluded", "events of other heads", OUTSIDE), 0)
    for number, sample in enumerate(document["data"], start=1):
        at = f"{where}: data {number}"
        if not isinstance(sample, dict):
            raise UserError(f"{at}: is not an object: correct the file")
        about = sample.get("metadata") if isinstance(sample.get("metadata"), dict) else {}
        if (about or {}).get("annotation_status") == EXCLUDED:
            lost["videos that are excluded"] += 1
            continue
        rows = checked_rows(sample.get("events") or [], at)
        kept = [row for row in rows if head is None or row.get("head") in (None, head)]
        lost["events of other heads"] += len(rows) - len(kept)
        predictions = predictions or any(key in row for row in kept for key in SCORES)
        inputs = [each for each in sample.get("inputs") or [] if isinstance(each, dict)]
        named = sample.get("split") or (about or {}).get("split") or (metadata or {}).get("split") or split
        converted = [_row(row, inputs, at, index) for index, row in enumerate(kept, start=1)]
        video = Video(_half(sample, inputs, at), converted, inputs, named, without(sample, "inputs", "events"))
        halves = _in_periods(video, read_intervals((about or {}).get(KEY), at))
        lost[OUTSIDE] += len(converted) - sum(len(each.rows) for each in halves)
        videos += halves
    return Collection(videos, [str(name) for name in classes], predictions, without(document, "data"), lost)


def write_v2(collection: Collection) -> Row:
    """Return a file of version 2; predictions have both keys of the score, so that any tool shows it."""
    head = next(iter(collection.more.get("labels") or {HEAD: None}))
    metadata = collection.more.get("metadata") or {}
    if collection.predictions:
        metadata = {**metadata, "type": "predictions"}
    root = {
        "version": "2.0",
        "task": "action_spotting",
        "modalities": ["video"],
        "metadata": metadata,
        "labels": {head: {"type": "single_label", "labels": collection.named_classes()}},
        **without(collection.more, "version", "metadata"),
    }
    return {**root, "data": [_sample(videos, head, metadata.get("split")) for videos in by_file(collection.videos)]}


def read_v1(document: Row, where: str, split: str | None = None) -> Collection:
    """Return what a file of version 1 holds, which lists halves of games."""
    videos, predictions = [], False
    for number, entry in enumerate(document["videos"], start=1):
        at = f"{where}: video {number}"
        path = entry.get("path_video") or entry.get("path_features") if isinstance(entry, dict) else None
        if not isinstance(path, str):
            raise UserError(f"{at}: has neither path_video nor path_features: correct the file")
        kinds = {"path_video": "video", "path_features": "features"}
        inputs = [{"type": kind, "path": entry[key]} for key, kind in kinds.items() if entry.get(key)]
        rows = checked_rows(entry.get("annotations") or [], at)
        predictions = predictions or any(key in row for row in rows for key in SCORES)
        converted = [_row(row, [], at, index) for index, row in enumerate(rows, start=1)]
        more = without(entry, "annotations", *kinds)
        videos.append(Video(half_of_path(path, at), converted, inputs, split, more))
    classes = document.get("labels") if isinstance(document.get("labels"), list) else []
    return Collection(videos, [str(name) for name in classes or []], predictions, without(document, "videos", "labels"))


def write_v1(collection: Collection) -> Row:
    """Return a file of version 1; times are those of the files that it lists."""
    more = without(collection.more, "data", "labels", "metadata", "modalities", "task")
    videos = []
    for halves in by_file(collection.videos):
        paths = {f"path_{each.get('type')}": each.get("path") for each in inputs_of(halves[0])}
        rows = [_v1_row(row, half) for half in halves for row in half.rows]
        videos.append({**without(halves[0].more, "id", "metadata"), **paths, "annotations": rows})
    return {**more, "version": 1, "labels": collection.named_classes(), "videos": videos}


def read_v1_predictions(document: Row, where: str, split: str | None = None) -> Collection:
    """Return the predictions of one video, as version 1 writes them."""
    rows = checked_rows(document["predictions"], where)
    converted = [_row(row, [], where, index) for index, row in enumerate(rows, start=1)]
    inputs = [{"type": "video", "path": document["Url"], "fps": document.get("fps")}]
    more = without(document, "Url", "fps", "predictions")
    return Collection([Video(half_of_path(str(document["Url"]), where), converted, inputs, split, more)], [], True)


def inputs_of(video: Video) -> list[Row]:
    """Return the inputs of a video; one by the official name where none is known."""
    return video.inputs or [{"type": "video", "path": f"{video.half.game}/{video.half.number}_224p.mkv"}]


def _half(sample: Row, inputs: list[Row], where: str) -> Half:
    paths = [each["path"] for each in inputs if isinstance(each.get("path"), str)]
    if paths:
        return half_of_path(paths[0], where)
    name = sample.get("id") or sample.get("game_id")
    if name is None:
        raise UserError(f"{where}: has neither inputs nor an id: correct the file")
    return Half(check_game(str(name), where), 1)


def _row(row: Row, inputs: list[Row], where: str, number: int) -> Row:
    """Return an event in the words of the official format."""
    try:
        position = _position(row, inputs)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where}: event {number} has no time ({error}): correct the file") from error
    score = next((row[key] for key in SCORES if row.get(key) is not None), None)
    known = {"label": row["label"], "position": position}
    known |= {key: row[key] for key in ("team", "visibility") if row.get(key) is not None}
    known |= {} if score is None else {"confidence": score}
    dropped = ("position_ms", *SCORES, *PLAIN)
    return known | without(row, *dropped)


def _position(row: Row, inputs: list[Row]) -> int:
    """Return milliseconds: by the clock of the recording, the position, or the clock of the match."""
    start = next((each["UTC_time_start"] for each in inputs if each.get("UTC_time_start")), None)
    if row.get("timestamp_utc") and start:
        with suppress(ValueError, TypeError):  # only a valid one counts
            begin, moment = (datetime.fromisoformat(str(text)) for text in (start, row["timestamp_utc"]))
            return round(1000 * (moment - begin).total_seconds())
    for key in ("position_ms", "position"):
        if row.get(key) is not None:
            return whole(row[key])
    return parse_clock(row.get("gameTime"))[1]


def _in_periods(video: Video, periods: Mapping[int, Period]) -> list[Video]:
    """Return a half for each period of a video, with the events that lie in it; the video itself if it has none."""
    if not periods:
        return [video]
    halves = []
    for number, period in periods.items():
        start, end = round(1000 * period.start), 1000 * period.end
        rows = [row for row in video.rows if start <= row["position"] < end]
        moved = [{**row, "position": row["position"] - start} for row in rows]
        halves.append(replace(video, half=Half(video.half.game, number), rows=moved, period=period))
    return halves


def _sample(videos: Sequence[Video], head: str, split: str | None) -> Row:
    """Return the entry of a video file, which holds one half or several."""
    video = videos[0]
    alone = video.half.number == 1 or video.period is not None
    name = video.half.game if alone else f"{video.half.game}/{video.half.number}"
    known: Row = {"id": video.more.get("id") or name, "inputs": inputs_of(video)}
    if video.split not in (None, split, (video.more.get("metadata") or {}).get("split")):
        known["split"] = video.split
    periods = {each.half.number: each.period for each in videos if each.period is not None}
    about = video.more.get("metadata") or {}
    if periods and len(about.get(KEY) or ()) != len(periods):  # else those of the file stay, with all their keys
        known["metadata"] = {**about, KEY: write_intervals(periods)}
    return {**video.more, **known, "events": [_event(row, each, head) for each in videos for row in each.rows]}


def _event(row: Row, video: Video, head: str) -> Row:
    event = {"head": head, "label": row["label"], "position_ms": row["position"] + video.start}
    event["gameTime"] = row.get("gameTime") or game_time(video.half.number, row["position"])
    event |= {key: row[key] for key in ("team", "visibility") if key in row}
    event |= {key: _number(row["confidence"]) for key in SCORES if row.get("confidence") is not None}
    return {**without(row, *PLAIN, "gameTime", "half", "head"), **event}


def _v1_row(row: Row, video: Video) -> Row:
    clock = {"gameTime": game_time(video.half.number, row["position"])}
    return {**clock, **without(row, "head", "half"), "position": row["position"] + video.start}


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"the confidence {shorten(value)} is no number: correct the file") from error
