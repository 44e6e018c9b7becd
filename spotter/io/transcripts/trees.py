"""The transcripts of many games: a tree of files, or one file with a line for each half."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from spotter.bounded import MOST_JSON, parse_json
from spotter.checks import is_integer
from spotter.errors import UserError
from spotter.io.game_files import check_game
from spotter.io.transcripts.files import SUFFIXES, of_document, read_transcript
from spotter.io.transcripts.segments import Transcript
from spotter.types import Half

LINES = (".jsonl", ".jsonl.xz", ".jsonl.gz")
LAYOUT = "<league>/<season>/<game>/1_asr.json"
_NAME = re.compile(rf"(\d+)_(?:asr|commentary|\d+p|HQ)({'|'.join(map(re.escape, SUFFIXES))})")


def read_transcripts(path: str | Path) -> Iterator[tuple[Half, Transcript]]:
    """Yield each half of a tree, or of a file of lines, with what is said in it.

    path : a folder with ``<game>/1_asr.json``, or ``.srt`` or ``.vtt`` (``1_224p.srt`` as well, as Whisper calls it
        after the video; of several with one stem that which comes first in SUFFIXES); or ``.jsonl``, also compressed
        by xz or gzip: an object a line with ``game``, ``half`` and ``segments``

    Raises UserError where there is no transcript, one is damaged, or a half has two.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give the transcripts, {LAYOUT}, or a {LINES[0]} file")
    found: dict[Half, str] = {}
    for half, where, transcript in _tree(path) if path.is_dir() else _lines(path):
        if half in found:
            raise UserError(f"{where}: half {half.number} of {half.game!r} has a transcript already: {found[half]}")
        found[half] = where
        yield half, transcript
    if not found:
        raise UserError(f"{path}: holds no transcript; expected for example {LAYOUT}")


def _tree(root: Path) -> Iterator[tuple[Half, str, Transcript]]:
    named = [file for file in root.rglob("*") if _NAME.fullmatch(file.name) and file.parent != root]
    files = [file for file in named if file.suffix != ".json" or not file.with_suffix(".npy").exists()]  # of features
    files.sort(key=lambda file: (file.with_suffix(""), SUFFIXES.index(file.suffix)))
    for stem, (file, *_) in groupby(files, key=lambda file: file.with_suffix("")):
        game = file.parent.relative_to(root).as_posix()
        yield Half(game, int(stem.name.partition("_")[0])), str(file), read_transcript(file)


def _lines(path: Path) -> Iterator[tuple[Half, str, Transcript]]:
    if not path.name.lower().endswith(LINES):
        raise UserError(f"{path}: expected a folder with {LAYOUT}, or a file {', '.join(LINES)}")
    opened: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix.lower(), open)
    try:
        with opened(path, "rb") as file:
            yield from _entries(file, path)
    except (lzma.LZMAError, gzip.BadGzipFile, EOFError) as error:
        raise UserError(f"{path}: damaged, or not compressed as its name says ({error})") from error


def _entries(file: BinaryIO, path: Path) -> Iterator[tuple[Half, str, Transcript]]:
    for number, line in enumerate(iter(lambda: file.readline(MOST_JSON + 1), b""), start=1):
        where = f"{path} line {number}"
        if not line.strip():
            continue
        entry = parse_json(line, where)
        game, half = (entry.get(key) for key in ("game", "half")) if isinstance(entry, dict) else (None, None)
        if not isinstance(game, str) or not is_integer(half) or half < 1:
            raise UserError(f"{where}: expected an object with 'game', 'half' (1, 2, …) and 'segments'")
        yield Half(check_game(game, where), half), where, of_document(entry, where)
