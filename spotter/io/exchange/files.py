"""Tell formats apart by what they hold, read any and write any."""

from __future__ import annotations

import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spotter.bounded import parse_json, read_file
from spotter.errors import UserError, plural, shorten
from spotter.io.exchange import e2e_spot, osl
from spotter.io.exchange.collection import SPLIT_NAMES, Collection, Row, Video, by_file
from spotter.io.exchange.official import read_single, read_tree, write_tree
from spotter.io.exchange.shards import find_tables, read_shards, write_shards
from spotter.io.exchange.subtitles import write_edl, write_srt
from spotter.io.exchange.table import read_table, write_table
from spotter.io.files import atomic_write, json_bytes
from spotter.io.game_files import game_file_to_write
from spotter.io.predictions import PREDICTION_FILE
from spotter.io.trees import find_games, read_game_files
from spotter.tasks import Task
from spotter.types import Half

FORMATS = ("soccernet", "osl", "osl-shards", "osl-v1", "e2e-spot", "csv")
SHOWN = {"srt": write_srt, "edl": write_edl}  # written only
OFFICIAL, SHARDS = "soccernet", "osl-shards"


def kind_of(document: object) -> str | None:
    """Return the format of what a JSON file holds, None for anything else.

    >>> kind_of({"data": []}), kind_of({"predictions": []}), kind_of({"Url": "", "predictions": []}), kind_of([])
    ('osl', 'soccernet', 'osl-v1-predictions', 'e2e-spot')
    """
    if isinstance(document, list):
        return "e2e-spot" if all(isinstance(each, dict) and "video" in each for each in document) else None
    if not isinstance(document, dict):
        return None
    lists = {key for key, value in document.items() if isinstance(value, list)}
    if "data" in lists:
        return "osl"
    if "videos" in lists:
        return "osl-v1"
    if "predictions" in lists and "Url" in document:
        return "osl-v1-predictions"
    return OFFICIAL if lists & {"predictions", "annotations"} else None


def is_exchange(path: str | Path) -> bool:
    """Return whether a path is a file of another format than the official one, or holds shards of OSL."""
    path = Path(path)
    if find_tables(path):
        return True
    if not path.is_file() or zipfile.is_zipfile(path):
        return False
    if path.suffix.lower() in (".csv", ".tsv"):
        return True
    return path.suffix == ".json" and kind_of(parse_json(read_file(path), str(path))) not in (None, OFFICIAL)


def read_collection(path: str | Path, task: Task | None = None) -> Collection:
    """Return what a file, a folder or a zip holds, whatever its name.

    A folder of JSON files of OSL or E2E-Spot, or of shards, one for each split, is read as one. ``task`` says which
    labels of an official tree are meant, where it has several.

    Raises UserError for what is in no known format.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if tables := find_tables(path):
        return joined([osl.read_v2(read_shards(table), str(table), split) for table, split in tables])
    if path.is_file() and not zipfile.is_zipfile(path):
        return _read_file(path, task)
    if results := _osl_results(path):
        return joined([_read_document(parse_json(content, where), Path(where)) for where, content in results])
    lists = [] if path.is_file() else _lists(path)
    return joined([_read_file(file, task) for file in lists]) if lists else read_tree(path, task)


def holds_osl_results(path: str | Path) -> bool:
    """Return whether a folder or zip holds results as OpenSportsLab saves them, a file of OSL for each video.

    They are called as the official ones.
    """
    path = Path(path)
    folder = path.is_dir() or (path.is_file() and zipfile.is_zipfile(path))
    return folder and bool(_osl_results(path, first=True))


def joined(collections: Sequence[Collection]) -> Collection:
    """Return one collection of several files, which share their classes and what else they say."""
    classes = list(dict.fromkeys(name for each in collections for name in each.classes))
    lost: dict[str, int] = {}
    for each in collections:
        lost |= {what: lost.get(what, 0) + count for what, count in each.lost.items()}
    videos = [video for each in collections for video in each.videos]
    return Collection(videos, classes, any(each.predictions for each in collections), collections[0].more, lost)


def write_collection(
    path: str | Path, collection: Collection, target: str, label_file: str, source: str | Path = "."
) -> list[str]:
    """Write a collection in one of ``FORMATS`` or ``SHOWN``; return what the target cannot hold, a phrase each.

    path : a file ``.json`` or ``.csv``, or a folder, which has a file for each split
    source : what paths of inputs are relative to, which shards take in
    """
    path = Path(path)
    losses = _losses(collection, target, path)
    if target == OFFICIAL:
        write_tree(path, collection, label_file)
    elif target in SHOWN:
        _write_shown(path, collection, target)
    elif target == "csv":
        atomic_write(path if path.suffix else path / "events.csv", write_table(collection))
    elif path.suffix == ".json":
        _write_json(path, collection, target)
    elif target == SHARDS:
        for split, part in _by_split(collection):
            lacking = write_shards(path / split if split else path, osl.write_v2(part), Path(source))
            losses += [f"{lacking} inputs of {split or 'the file'}, which are not below {source}"] if lacking else []
    else:
        for split, part in _by_split(collection):
            name = split or ("predictions" if collection.predictions else "labels")
            _write_json(path / _file_name(name, target), part, target)
        if target == "e2e-spot":
            atomic_write(path / "class.txt", "\n".join(collection.named_classes()).encode())
    return losses


def at_least(collection: Collection, threshold: float) -> Collection:
    """Return a collection without predictions of a lower confidence; those without any stay.

    Raises UserError for a confidence that is no number.
    """
    videos = [
        replace(video, rows=[row for row in video.rows if _confidence(row, video.half) >= threshold])
        for video in collection.videos
    ]
    return replace(collection, videos=videos)


def with_confidence(collection: Collection) -> Collection:
    """Return predictions without those of no confidence, which count as ``lost``, unless none of them has any."""
    rows = [row for video in collection.videos for row in video.rows]
    lacking = sum(row.get("confidence") is None for row in rows)
    if not collection.predictions or not any("confidence" in row for row in rows):
        return collection
    kept = [[row for row in video.rows if row.get("confidence") is not None] for video in collection.videos]
    videos = [replace(video, rows=rows) for video, rows in zip(collection.videos, kept, strict=True)]
    return replace(collection, videos=videos, lost={**collection.lost, "predictions without a confidence": lacking})


def _confidence(row: Row, half: Half) -> float:
    value = row.get("confidence")
    try:
        return 1.0 if value is None else float(value)
    except (TypeError, ValueError) as error:
        found = f"{half.game}, half {half.number}: has the confidence {shorten(value)}, not a number"
        raise UserError(f"{found}: correct the file") from error


def _by_split(collection: Collection) -> Iterator[tuple[str | None, Collection]]:
    for split in dict.fromkeys(video.split for video in collection.videos):
        yield split, replace(collection, videos=[video for video in collection.videos if video.split == split])


def _write_shown(path: Path, collection: Collection, target: str) -> None:
    """Write a file for each video: ``path`` of a single one, else in a folder of that name.

    It is called as the video, as players look for subtitles; by its first half where that is unknown, or tells no two
    files of a game apart.
    """
    groups = by_file(collection.videos)
    if path.suffix and len(groups) != 1:
        raise UserError(f"{path}: a file shows one half, and these are {len(groups)}: give a folder")
    called = Counter((videos[0].half.game, videos[0].file_stem) for videos in groups)
    for videos in groups:
        half, stem = min(video.half for video in videos), videos[0].file_stem
        name = f"{stem}.{target}" if stem and called[half.game, stem] == 1 else f"{half.number}.{target}"
        file = path if path.suffix else game_file_to_write(path, half.game, name)
        atomic_write(file, SHOWN[target](videos))


def _read_file(path: Path, task: Task | None) -> Collection:
    content = read_file(path)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        try:
            return read_table(content.decode("utf-8-sig"), str(path), path.stem)
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: neither JSON nor a table in UTF-8: give labels or predictions") from error
    return _read_document(parse_json(content.removeprefix(b"\xef\xbb\xbf"), str(path)), path)


def _read_document(document: Any, path: Path) -> Collection:
    kind, where, split = kind_of(document), str(path), _split_of_name(path)
    if kind == "osl":
        return osl.read_v2(document, where, split)
    if kind == "osl-v1":
        return osl.read_v1(document, where, split)
    if kind == "osl-v1-predictions":
        return osl.read_v1_predictions(document, where, split)
    if kind == "e2e-spot":
        return e2e_spot.read_list(document, where, split)
    if kind == OFFICIAL:
        return read_single(document, path)
    raise UserError(f"{path}: neither labels nor predictions in a known format: {', '.join(FORMATS)}")


def _osl_results(path: Path, first: bool = False) -> list[tuple[str, bytes]]:
    """Return the results of a folder or zip with the path of each, all or the first; none if the first is official."""
    games = find_games(path, PREDICTION_FILE)
    for game, content in read_game_files(path, games[:1], PREDICTION_FILE):
        if kind_of(parse_json(content, f"{path}/{game}/{PREDICTION_FILE}")) in (None, OFFICIAL):
            return []
    wanted = games[:1] if first else games
    return [(f"{path}/{game}/{PREDICTION_FILE}", content)
            for game, content in read_game_files(path, wanted, PREDICTION_FILE)]  # fmt: skip


def _lists(folder: Path) -> list[Path]:
    """Return the files of a folder that are in another format than the official one."""
    return [path for path in sorted(folder.glob("*.json")) if is_exchange(path)]


def _split_of_name(path: Path) -> str | None:
    words = path.stem.lower().replace("-", "_").split("_")
    return next((SPLIT_NAMES[word] for word in reversed(words) if word in SPLIT_NAMES), None)


def _file_name(split: str, target: str) -> str:
    if target == "e2e-spot":
        return f"{'val' if split == 'valid' else split}.json"
    return f"annotations_{split}.json"


def _write_json(path: Path, collection: Collection, target: str) -> None:
    if target == "osl":
        content: object = osl.write_v2(collection)
    elif target == "osl-v1":
        content = osl.write_v1(collection)
    else:
        content = e2e_spot.write_list(collection.videos, collection.predictions)
    atomic_write(path, json_bytes(content))


def _losses(collection: Collection, target: str, path: Path) -> list[str]:
    rows = [(row, video) for video in collection.videos for row in video.rows]
    known = {"label", "position", "team", "visibility", "confidence", "head", "frame"}
    losses = [f"{count} {what}" for what, count in collection.lost.items() if count]
    if target in ("e2e-spot", "edl"):
        unknown = sum(not video.fps for video in collection.videos)
        losses += [f"the rate of {plural(unknown, 'video')}, which is taken as {e2e_spot.FPS:g} fps"] if unknown else []
    if target in SHOWN:
        return losses
    if target in ("e2e-spot", "osl-v1"):
        parts = sum(video.period is not None for video in collection.videos)
        losses += [f"where {parts} halves lie in their videos"] if parts else []
    if target == "csv":
        empty = sum(not video.rows for video in collection.videos)
        losses += [f"{plural(empty, 'half')} without events"] if empty else []
        ends = sum(video.period is not None and video.period.end < math.inf for video in collection.videos)
        losses += [f"the end of {plural(ends, 'half')} within a video"] if ends else []
    if target == "csv" or (target in ("e2e-spot", "osl-v1") and path.suffix == ".json"):
        named = sum(video.split not in (None, _split_of_name(path)) for video in collection.videos)
        losses += [f"the split of {plural(named, 'half')}"] if named else []
    if target in ("e2e-spot", "csv"):
        clocks = {"gameTime"} if target == "csv" else set()  # which has a column of its own
        others = sum(bool(set(row) - known - clocks) for row, _ in rows)
        losses += [f"other keys of {others} events"] if others else []
    if target == "e2e-spot":
        moved = sum(_moves(video, row["position"]) for row, video in rows)
        losses += [f"the exact time of {moved} events, which fall on frames"] if moved else []
        unseen = sum("visibility" in row for row, _ in rows) if collection.predictions else 0
        losses += [f"the visibility of {unseen} predictions"] if unseen else []
        unknown = sum("num_frames" not in video.more for video in collection.videos)
        losses += [f"the length of {unknown} videos, which end at their last event"] if unknown else []
    if target not in ("osl", SHARDS) and collection.more.get("metadata"):
        losses.append("what the file says of itself (metadata)")
    return losses


def _moves(video: Video, position: int) -> bool:
    fps = video.fps or e2e_spot.FPS
    return round(1000 * e2e_spot.frame_of(position, fps) / fps) != position
