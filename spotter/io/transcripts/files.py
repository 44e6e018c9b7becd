"""One transcript file: SoccerNet-Echoes' JSON, Whisper's own JSON, SRT or WebVTT."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from spotter.bounded import parse_json, read_file
from spotter.errors import UserError
from spotter.io.transcripts.segments import LATE, LATEST, Segment, Transcript

SUFFIXES = (".json", ".vtt", ".srt")  # what Whisper says of the same half, the most exact first
_CLOCK = r"(?:(\d+):)?(\d+):(\d{1,2}(?:[.,]\d+)?)"
_ARROW = "-->"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*{_ARROW}\s*{_CLOCK}(?![\d:.,])")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>|<[\d:.]+>|\{\\[^}]*\}")


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
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; save the subtitles as UTF-8") from error
    if _ARROW not in text and text.strip() and not text.startswith("WEBVTT"):
        raise UserError(f"{path}: no subtitles found; expected lines such as 00:00:01,000 {_ARROW} 00:00:04,000")
    return _check_times(Transcript.of(_cues(text)), str(path))


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
        return _check_times(Transcript.of(map(_segment, segments), english), where)
    odd = sum(not str(key).strip().isdigit() for key in segments)
    return _check_times(Transcript.of(map(_segment, segments.values()), english, odd), where)


def _check_times(transcript: Transcript, where: str) -> Transcript:
    """Return the transcript; raises UserError where most of it lies too late to be of a match."""
    if (late := transcript.oddities[LATE]) > len(transcript):
        raise UserError(
            f"{where}: {late} of {late + len(transcript)} segments lie beyond {LATEST // 3600} hours: are their times "
            "in milliseconds? give seconds"
        )
    return transcript


def _segment(entry: Any) -> Segment:
    """Return what an entry holds, be it a list of three or an object; Transcript checks it."""
    if isinstance(entry, Mapping):
        return entry.get("start"), entry.get("end"), entry.get("text")
    return (entry[0], entry[1], entry[2]) if isinstance(entry, list) and len(entry) == 3 else (None, None, None)


def _cues(text: str) -> Iterator[Segment]:
    """Yield the cues of SRT or WebVTT: a line of times, and the lines of text below it.

    Text ends at an empty line or at the next cue, to which a number on the line before it belongs. A cue whose times
    cannot be read has none.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    starts = [number for number, line in enumerate(lines) if _ARROW in line]
    for start, following in pairwise([*starts, len(lines)]):
        said = list(takewhile(str.strip, lines[start + 1 : following]))
        if following < len(lines) and len(said) == following - start - 1 and said and said[-1].strip().isdecimal():
            said.pop()
        times = _TIMES.match(lines[start])
        begin, end = (_seconds(*times.groups()[:3]), _seconds(*times.groups()[3:])) if times else (None, None)
        yield begin, end, html.unescape(_MARKUP.sub("", " ".join(said)))


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return 3600 * float(hours or 0) + 60 * float(minutes) + float(seconds.replace(",", "."))
