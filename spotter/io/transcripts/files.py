"""One transcript file: SoccerNet-Echoes' JSON, Whisper's own JSON, SRT or WebVTT."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spotter.bounded import parse_json, read_file
from spotter.errors import UserError
from spotter.io.transcripts.segments import Segment, Transcript

SUFFIXES = (".json", ".srt", ".vtt")
_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_MARKUP = re.compile(r"<[^>]*>|\{\\[^}]*\}")


def read_transcript(path: str | Path) -> Transcript:
    """Return what a file says; raises UserError for one that is missing, unreadable or no transcript."""
    path = Path(path)
    try:
        content = read_file(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        if path.suffix.lower() == ".json":
            return of_document(parse_json(content, str(path)), str(path))
        return Transcript.of(_cues(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; save the subtitles as UTF-8") from error


def of_document(document: object, where: str) -> Transcript:
    """Return the transcript in parsed JSON of SoccerNet-Echoes or Whisper.

    Raises UserError, beginning with ``where``, if there is none.
    """
    if not isinstance(document, Mapping):
        document = {}
    segments = document.get("segments")
    if not isinstance(segments, list | Mapping):
        raise UserError(f"{where}: no transcript: expected an object with 'segments', as Whisper writes it")
    english, language = document.get("english"), document.get("language")
    if not isinstance(english, bool):
        english = language.lower() in ("en", "english") if isinstance(language, str) else None
    if isinstance(segments, list):
        return Transcript.of(map(_segment, segments), english)
    odd = sum(not str(key).strip().isdigit() for key in segments)
    return Transcript.of(map(_segment, segments.values()), english, odd)


def _segment(entry: Any) -> Segment:
    """Return what an entry holds, be it a list of three or an object; Transcript checks it."""
    if isinstance(entry, Mapping):
        return entry.get("start"), entry.get("end"), entry.get("text")
    return (entry[0], entry[1], entry[2]) if isinstance(entry, list) and len(entry) == 3 else (None, None, None)


def _cues(text: str) -> Iterator[Segment]:
    """Yield the cues of SRT or WebVTT: a line of times, and the lines of text below it until an empty one."""
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        for number, line in enumerate(lines):
            if times := _TIMES.match(line):
                said = " ".join(lines[number + 1 :])
                start, end = _seconds(*times.groups()[:3]), _seconds(*times.groups()[3:])
                yield start, end, html.unescape(_MARKUP.sub("", said))
                break


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
