"""Transcripts of every kind say the same, and what is wrong with one is counted or named."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.io.transcripts.files import read_transcript
from spotter.io.transcripts.segments import LATE, LATEST, ODD_KEYS, OVERLAPPING, UNREADABLE, Transcript
from spotter.io.transcripts.trees import read_transcripts
from spotter.types import Half
from tests.helpers.commentary import Segments, echoes, said, srt, vtt, whisper, write_lines, write_transcripts

SAID: Segments = [(0.5, 2.0, "Álvaro, 2-0 & out"), (2.0, 4.25, "It's a corner!")]
FORMS: list[tuple[str, Callable[[Segments], bytes]]] = [
    ("1_asr.json", echoes),
    ("1_asr.json", whisper),
    ("match.srt", srt),
    ("match.VTT", vtt),
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_every_form_says_the_same(name: str, form: Callable[[Segments], bytes], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(form(SAID))
    transcript = read_transcript(tmp_path / name)
    assert [*zip(transcript.start.tolist(), transcript.end.tolist(), transcript.text, strict=True)] == SAID
    assert not transcript.oddities
    assert transcript.english is None
    assert transcript.seconds == 4.25


def test_whisper_says_the_language(tmp_path: Path) -> None:
    for language, english in (("en", True), ("German", False)):
        (tmp_path / "a.json").write_bytes(whisper(SAID, language=language))
        assert read_transcript(tmp_path / "a.json").english is english


def test_oddities_are_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    segments = {
        "1": [5.0, 9.0, "second"],
        "0": [0.0, 6.0, "first"],
        "0:30": [30, 31, "third"],
        "3": [4.0, 2.0, "ends before it begins"],
        "4": ["a", 2.0, "no number"],
        "5": [1.0, 2.0, "  "],
        "6": [1.0, 2.0],
        "7": [-3.0, 1.0, "before the half"],
    }
    (tmp_path / "1_asr.json").write_bytes(orjson.dumps({"segments": segments}))
    transcript = read_transcript(tmp_path / "1_asr.json")
    assert transcript.text == ("first", "second", "third")
    assert transcript.oddities == {OVERLAPPING: 1, ODD_KEYS: 1, UNREADABLE: 5}


@given(st.lists(st.tuples(st.floats() | st.none(), st.floats() | st.integers(), st.text(max_size=4) | st.none())))
def test_whatever_a_file_holds_segments_come_in_order(segments: list[tuple[object, object, object]]) -> None:
    transcript = Transcript.of(segments)
    assert (transcript.start[1:] >= transcript.start[:-1]).all()
    assert (transcript.start <= transcript.end).all()
    assert len(transcript) + transcript.oddities[UNREADABLE] + transcript.oddities[LATE] == len(segments)
    assert transcript.seconds <= LATEST


CUES = """1
00:00:01,000 --> 00:00:02,000
goal
2
00:10:05,000 --> 00:10:06,000
score 1 < 2 and <i>3</i> > 1
<00:10:05.500>so 4
3

100:00.000 --> 100:01.000
5

"""


def test_cues_need_no_empty_lines_and_minutes_may_be_many(tmp_path: Path) -> None:
    for ends in ("\n", "\r\n", "\r"):
        (tmp_path / "a.srt").write_bytes(CUES.replace("\n", ends).encode())
        transcript = read_transcript(tmp_path / "a.srt")
        assert transcript.start.tolist() == [1, 605, 6000]
        assert transcript.text == ("goal", "score 1 < 2 and 3 > 1 so 4 3", "5")
        assert not transcript.oddities


@pytest.mark.parametrize(
    "times",
    ["-00:00:01,000 --> 00:00:02,000", "00:00:01:500 --> 00:00:02:000", "0:01 --> 0:02:00:5", f"{'9' * 5000}:00 --> 1"],
)
def test_cues_with_odd_times_are_counted(times: str, tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n{times}\nlost\n00:03.000 --> 00:04.000\nkept")
    transcript = read_transcript(tmp_path / "a.vtt")
    assert (transcript.text, transcript.oddities) == (("kept",), {UNREADABLE: 1})


def test_subtitles_of_a_silent_half_are_no_mistake(tmp_path: Path) -> None:
    for content in ("", "\n", "WEBVTT\n\nNOTE nothing\n"):
        (tmp_path / "a.vtt").write_text(content)
        assert len(read_transcript(tmp_path / "a.vtt")) == 0


def test_times_that_no_match_has_are_left_out_or_refused(tmp_path: Path) -> None:
    odd = [(1.0, 2.0, "a"), (3.0, 1e300, "b")]
    (tmp_path / "a.json").write_bytes(whisper(odd))
    transcript = read_transcript(tmp_path / "a.json")
    assert (transcript.text, transcript.oddities) == (("a",), {LATE: 1})
    (tmp_path / "a.json").write_bytes(whisper([(1000 * start, 1000 * start + 900, "a") for start in (1, 60, 2700)]))
    with pytest.raises(UserError, match=r"a\.json: 2 of 3 segments lie beyond 4 hours: .* milliseconds"):
        read_transcript(tmp_path / "a.json")


def test_of_what_whisper_leaves_of_a_half_the_json_is_read(tmp_path: Path) -> None:
    game = tmp_path / "l" / "s" / "g"
    game.mkdir(parents=True)
    for name, content in (("1_224p.srt", srt(SAID[:1])), ("1_224p.vtt", vtt(SAID[1:])), ("1_224p.json", whisper(SAID))):
        (game / name).write_bytes(content)
    assert dict(read_transcripts(tmp_path))[Half("l/s/g", 1)].text == tuple(text for *_, text in SAID)
    (game / "1_224p.json").unlink()
    assert dict(read_transcripts(tmp_path))[Half("l/s/g", 1)].text == (SAID[1][2],)


def test_trees_and_lines_hold_the_same_halves(tmp_path: Path) -> None:
    tree = {half: each.text for half, each in read_transcripts(write_transcripts(tmp_path / "tree"))}
    assert tree[Half("l/s/t0", 2)] == tuple(text for _, _, text in said("l/s/t0", 2))
    lines = write_lines(tmp_path / "all.jsonl")
    for name, pack in (("a.jsonl", bytes), ("a.jsonl.xz", lzma.compress), ("a.jsonl.gz", gzip.compress)):
        (tmp_path / name).write_bytes(pack(lines.read_bytes()))
        read = dict(read_transcripts(tmp_path / name))
        assert {half: each.text for half, each in read.items()} == tree
        assert all(each.english for each in read.values())


def test_what_describes_features_beside_transcripts_is_none(tmp_path: Path) -> None:
    game = tmp_path / "l" / "s" / "g"
    game.mkdir(parents=True)
    (game / "1_asr.json").write_bytes(echoes(SAID))
    (game / "1_commentary.npy").touch()
    (game / "1_commentary.json").write_text('{"fps": "1", "segments": 2}')
    ((half, transcript),) = read_transcripts(tmp_path)
    assert (half, len(transcript)) == (Half("l/s/g", 1), len(SAID))


def test_files_of_a_tree_that_are_no_transcripts_are_left_alone(tmp_path: Path) -> None:
    game = tmp_path / "l" / "s" / "g"
    game.mkdir(parents=True)
    (game / "1_224p.srt").write_bytes(srt(SAID))
    for name in ("1_player_boundingbox_maskrcnn.json", "Labels-v2.json", "1_commentary.npy", "video.ini"):
        (game / name).write_text("no transcript")
    assert [half for half, _ in read_transcripts(tmp_path)] == [Half("l/s/g", 1)]
    (game / "1_asr.json").write_bytes(echoes(SAID))
    with pytest.raises(UserError, match=r"1_asr\.json.*1_224p\.srt|1_224p\.srt.*1_asr\.json"):
        dict(read_transcripts(tmp_path))


LINE = {"game": "l/s/g", "half": 1, "segments": [[0, 1, "so"]]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "a.json: not JSON"),
        ("a.json", b"[]", "a.json: no transcript: expected an object with 'segments'"),
        ("a.json", b'{"annotations": []}', "a.json: no transcript"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n\xff\xfe", "not UTF-8 text"),
        ("a.srt", b"He shoots!\nGoal.", "a.srt: no subtitles found; expected lines such as 00:00:01,000 -->"),
        ("a.jsonl", b"{", "a.jsonl line 1: not JSON"),
        ("a.jsonl", b"\n\n[]", "a.jsonl line 3: expected an object with 'game', 'half'"),
        ("a.jsonl", orjson.dumps({**LINE, "half": "1"}), "line 1: expected an object"),
        ("a.jsonl", orjson.dumps({**LINE, "game": "../../x"}), "names the game"),
        ("a.jsonl", orjson.dumps({**LINE, "game": "/etc"}), "names the game"),
        ("a.jsonl", orjson.dumps(LINE) + b"\n" + orjson.dumps(LINE), "has a transcript already"),
        ("a.jsonl.xz", b"plain", "damaged, or not compressed as its name says"),
        ("a.jsonl", b"", "holds no transcript"),
        ("a.txt", b"", "expected a folder with <league>"),
    ],
)
def test_mistakes_are_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        _ = read_transcript(path) if path.suffix in (".json", ".srt") else dict(read_transcripts(path))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        dict(read_transcripts(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="holds no transcript"):
        dict(read_transcripts(tmp_path))
    with pytest.raises(UserError, match=r"a\.srt: cannot be read"):
        read_transcript(tmp_path / "a.srt")
