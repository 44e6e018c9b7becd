"""The words of a transcript in time, and where there is speech at all."""

from __future__ import annotations

import re
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from spotter.io.transcripts.segments import Transcript

REPEATS = 4  # equal lines in a row from which on a recogniser is taken to have lost the thread, over crowd noise mostly
SPEECH = ("speech", "repetition", "rate", "exclamation")  # the columns of ``speech_rows``
FASTEST = 30.0  # characters per second that count as 1 in the column "rate"
ENGLISH = frozenset(("the", "of", "and", "to", "is", "it", "that", "for", "with", "but", "you", "this", "from", "they"))
LEAST_ENGLISH = 0.08  # of the words of a transcript; in other languages hardly any word is one of these
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def repeated(transcript: Transcript) -> NDArray[np.bool_]:
    """Return which of the N segments repeat the one before them, (N,), where that happens at least REPEATS times."""
    out = np.zeros(len(transcript), bool)
    first = 0
    for _, run in groupby(line.casefold() for line in transcript.text):
        count = len(list(run))
        out[first + 1 : first + count] = count >= REPEATS
        first += count
    return out


def spoken_terms(transcript: Transcript) -> tuple[NDArray[np.float64], list[str]]:
    """Return the moments (N,), in seconds, of N terms, and the terms: words, and pairs of words of one segment.

    The words of a segment are spread over its time by their characters; a pair lies at its second word. Repetitions
    are left out.
    """
    times: list[float] = []
    terms: list[str] = []
    skipped = repeated(transcript)
    for start, end, line, skip in zip(
        transcript.start.tolist(), transcript.end.tolist(), transcript.text, skipped, strict=True
    ):
        if skip:
            continue
        pace, before = (end - start) / (2 * len(line)), ""
        for word in _WORD.finditer(line.lower().replace("’", "'")):
            moment = start + pace * (word.start() + word.end())
            times.append(moment)
            terms.append(word[0])
            if before:
                times.append(moment)
                terms.append(f"{before} {word[0]}")
            before = word[0]
    return np.array(times, np.float64), terms


def is_english(transcript: Transcript) -> bool:
    """Return what the transcript itself says of its language, or else guess by how many words are common English."""
    if transcript.english is not None:
        return transcript.english
    words = [word[0] for line in transcript.text for word in _WORD.finditer(line.lower())]
    return sum(word in ENGLISH for word in words) >= LEAST_ENGLISH * len(words)


def speech_rows(transcript: Transcript, rows: int, fps: float) -> NDArray[np.float32]:
    """Return (rows, 4): whether anything is said, whether it is a repetition, how fast, and whether loudly.

    Row i covers the time from ``i / fps`` to ``(i + 1) / fps`` seconds.
    """
    out = np.zeros((rows, len(SPEECH)), np.float32)
    first = np.minimum(np.floor(transcript.start * fps).astype(np.int64), rows)
    last = np.clip(np.ceil(transcript.end * fps).astype(np.int64), np.minimum(first + 1, rows), rows)
    skip = repeated(transcript)
    length = np.array([len(line) for line in transcript.text])
    rate = np.minimum(length / np.maximum(transcript.end - transcript.start, 0.5) / FASTEST, 2.0)
    loud = np.array(["!" in line for line in transcript.text], bool)
    for column, value in enumerate((~skip, skip, ~skip * rate, ~skip & loud)):
        steps = np.zeros(rows + 1)
        np.add.at(steps, first, value)
        np.subtract.at(steps, last, value)
        out[:, column] = np.cumsum(steps)[:rows].round(6)
    return np.minimum(out, (1, 1, 2, 1), dtype=np.float32)
