"""Words in time, the text model fitted on them, and that no game's labels reach its own features."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotter.data.commentary.fit import FittedText, TrainingHalf, fit_text_model
from spotter.data.commentary.streams import transcript_rows, with_text_model
from spotter.data.commentary.text_model import TextModel
from spotter.data.commentary.words import is_english, repeated, speech_rows, spoken_terms
from spotter.data.registry import open_files
from spotter.data.source import InputSpec
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.io.transcripts.segments import Transcript
from spotter.types import Clip, Half, Spots
from tests.helpers.commentary import CORNER, EVERY, SECONDS, SPLITS, TASK, echoes, said, srt

CLASSES = len(TASK.classes)


def spots(times: list[float]) -> Spots:
    return Spots(np.full(len(times), CORNER), np.array(times), np.ones(len(times), bool))


def fitted(labelled: bool = True, fps: float = 1.0) -> FittedText:
    """Fit on four games in which corners are spoken of; "zebra" is said in the first game only, at its only goal."""
    corners = [float(at) for at in range(EVERY, SECONDS, EVERY)]
    halves = {}
    for game in SPLITS["train"]:
        for number in (1, 2):
            segments = said(game, number)
            if game == "l/s/t0":
                segments += [(at, at + 1.0, f"zebra {at}") for at in (301.0, 303.0, 305.0, 307.0, 309.0)]
            here = spots(corners)
            if game == "l/s/t0":
                here = Spots(
                    np.append(here.label, TASK.classes.index("Goal")), np.append(here.time, 300.0), np.ones(10, bool)
                )
            transcript = Transcript.of(segments)
            halves[Half(game, number)] = TrainingHalf(transcript, int(SECONDS * fps), here if labelled else None)
    return fit_text_model(halves, fps, CLASSES, components=6, least=2)


def evidence_of(fit: FittedText, word: str, name: str, game: str | None = None) -> float:
    """Return the largest evidence that a word gives for a class, over the lags."""
    weights = fit.model.evidence if game is None else fit.evidence_for(game)
    assert weights is not None
    row = weights[fit.model.terms.index(word)].astype(float).reshape(-1, CLASSES)
    return float(row[:, TASK.classes.index(name)].max())


def test_words_are_spread_over_their_segment() -> None:
    times, terms = spoken_terms(Transcript.of([(10.0, 20.0, "Corner, it's Don’t")]))
    assert terms == ["corner", "it's", "corner it's", "don't", "it's don't"]
    assert times.tolist() == pytest.approx([10 + 10 * 3 / 18, *2 * [10 + 10 * 10 / 18], *2 * [10 + 10 * 15.5 / 18]])


def test_lines_that_repeat_are_no_speech() -> None:
    lines = ["Shot!", *["Thank you."] * 5, "thank you.", "Goal", "Goal", "Goal"]
    transcript = Transcript.of([(float(i), i + 1.0, line) for i, line in enumerate(lines)])
    assert repeated(transcript).tolist() == [False, False, *[True] * 5, False, False, False]
    assert spoken_terms(transcript)[1].count("thank") == 1
    rows = speech_rows(transcript, 12, 1.0)
    assert rows[:, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert rows[:, 1].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert rows[:, 3].tolist() == [1] + [0] * 11


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 9), st.sampled_from(["Goal!", "a corner", "é"])), max_size=12))
def test_speech_is_within_its_bounds(segments: list[tuple[float, float, str]]) -> None:
    transcript = Transcript.of([(start, start + length, line) for start, length, line in segments])
    rows = speech_rows(transcript, 30, 1.0)
    assert rows.shape == (30, 4)
    assert (rows >= 0).all()
    assert (rows <= (1, 1, 2, 1)).all()
    for start, end in zip(transcript.start, transcript.end, strict=True):
        assert rows[int(start) : max(int(np.ceil(end)), int(start) + 1), :2].any(axis=1).all()


def test_languages_are_told_apart() -> None:
    def transcript(text: str, english: bool | None = None) -> Transcript:
        return Transcript.of([(0.0, 9.0, text)], english)

    assert is_english(transcript("It is a corner for the team that they beat"))
    assert not is_english(transcript("Es gibt einen Eckball für die Mannschaft von Pep und der kommt in den Strafraum"))
    assert not is_english(transcript("the and of", english=False))


def test_what_is_said_of_an_action_is_evidence_for_it() -> None:
    fit = fitted()
    assert evidence_of(fit, "corner", "Corner") > 0.5
    assert evidence_of(fit, "zebra", "Goal") > 0.5
    assert evidence_of(fit, "corner", "Penalty") == 0, "a class that never occurs"
    transcript = Transcript.of([(30.0, 32.0, "corner kick now"), (50.0, 51.0, "unheard of")])
    rows = fit.model.features(transcript)
    assert rows.shape == (51, 6 + 4 + 7 * CLASSES)
    assert rows.dtype == np.float16
    assert not rows[40:50].any()
    assert rows[50, 6:10].any()
    assert not rows[50, [*range(6), *range(10, 129)]].any()


def test_a_games_labels_do_not_reach_its_features() -> None:
    """What only one game says, at its only goal, must not tell that game of the goal, but may tell all others."""
    fit = fitted()
    assert evidence_of(fit, "zebra", "Goal", "l/s/t0") <= 0
    others = [game for game in SPLITS["train"] if game != "l/s/t0"]
    assert all(evidence_of(fit, "zebra", "Goal", game) > 0.3 for game in others)
    assert evidence_of(fit, "corner", "Corner", "l/s/t0") > 0.5
    assert fit.evidence_for("l/s/v0") is None


def test_without_labels_there_are_topics_and_speech_alone() -> None:
    fit = fitted(labelled=False)
    assert fit.model.groups == [6, 4]
    assert fit.folds == {}
    assert fit.model.features(Transcript.of(said("x", 1)), 700).shape == (700, 10)


def test_topics_are_the_axes_of_most_variance() -> None:
    """Compare with a dense decomposition of the same rows."""
    fit = fitted(labelled=False, fps=2.0)
    model = fit.model
    rows = np.concatenate([model.features(Transcript.of(said("l/s/t1", 1)))[:, :6]]).astype(float)
    lengths = np.linalg.norm(rows, axis=1)
    assert (lengths < 1 + 1e-2).all()
    gram = model.components.astype(float).T @ model.components.astype(float)
    assert np.allclose(gram, np.eye(6), atol=1e-2)
    assert (np.diff((rows**2).sum(axis=0)[:3]) < 0.2 * (rows**2).sum()).all()


def test_fits_are_equal_every_time() -> None:
    assert fitted().model.dump() == fitted().model.dump()


def test_too_few_words_are_named() -> None:
    half = TrainingHalf(Transcript.of([(0.0, 1.0, "hello")]), 10, None)
    with pytest.raises(UserError, match="only 0 words are said in 20 halves"):
        fit_text_model({Half("a", 1): half}, 1.0, CLASSES)


def test_a_text_model_is_a_file_without_pickles() -> None:
    model = fitted().model
    again = TextModel.parse(model.dump(), "here")
    assert again.terms == model.terms
    transcript = Transcript.of(said("x", 1))
    assert (again.features(transcript) == model.features(transcript)).all()
    with zipfile.ZipFile(io.BytesIO(model.dump())) as archive:
        for name in archive.namelist():
            np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)


def test_files_that_are_no_text_model_are_named() -> None:
    pickled, cut = io.BytesIO(), fitted().model
    np.savez(pickled, about=np.array([{}], object))
    short = TextModel(cut.fps, cut.terms[:-1], cut.rarity, cut.components, cut.evidence)
    for content in (b"", b"PK", pickled.getvalue(), short.dump()):
        with pytest.raises(UserError, match=r"^here: "):
            TextModel.parse(content, "here")


def test_a_stream_takes_the_text_model_of_its_root(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = fitted().model
    content = {"file": "commentary", "fps": 1, "width": sum(model.groups), "groups": model.groups}
    stream = Stream.load("commentary", content)
    assert with_text_model(stream, tmp_path) is stream
    (tmp_path / "match.srt").write_bytes(srt(said("x", 1)))
    with pytest.raises(UserError, match="trained without the text model"):
        transcript_rows(stream, tmp_path / "match.srt")
    (tmp_path / "commentary_text_model.npz").write_bytes(model.dump())
    stream = with_text_model(stream, tmp_path)
    again = Stream.load("commentary", stream.to_dict())
    assert (transcript_rows(again, tmp_path / "match.srt") == model.features(Transcript.of(said("x", 1)))).all()
    assert again == stream
    (tmp_path / "odd.json").write_text('{"segments": [[0, 1, "so"], [null, 2, "what"]]}')
    transcript_rows(again, tmp_path / "odd.json")
    assert caplog.messages == [f"{tmp_path / 'odd.json'}: segments without text or times: 1"]
    cut = Stream.load("commentary", {**stream.to_dict(), "columns": [6, 10]})
    assert transcript_rows(cut, tmp_path / "match.srt").shape[1] == 4
    with pytest.raises(UserError, match=r"129 wide, 1 a second, and the stream x has 5.*data.width=129 data.fps=1"):
        with_text_model(Stream.load("x", {"file": "commentary", "fps": 1, "width": 5}), tmp_path)
    with pytest.raises(UserError, match="text_model: is taken from the root"):
        Stream.load("x", {**content, "text_model": "commentary.npz"})
    assert isinstance(stream.text_model, torch.Tensor)


def test_transcripts_stand_beside_other_features_of_a_match(tmp_path: Path) -> None:
    model = fitted().model
    packed = torch.frombuffer(bytearray(model.dump()), dtype=torch.uint8)
    streams = {
        "feat": {"file": "feat", "fps": 1, "width": 2},
        "commentary": {"file": "commentary", "fps": 1, "width": sum(model.groups), "text_model": packed},
    }
    spec = InputSpec.load({"kind": "features", "streams": streams})
    for half, ending in ((1, "asr.json"), (2, "commentary.srt")):
        np.save(tmp_path / f"{half}_feat.npy", np.zeros((90, 2), np.float16))
        (tmp_path / f"{half}_{ending}").write_bytes((echoes if ending.endswith("json") else srt)(said("x", half)))
    (tmp_path / "results_spotting.json").write_text("no transcript")
    halves, source = open_files(spec, [tmp_path])
    assert halves == [Half("1", 1), Half("2", 2)]
    inputs, _ = source.read(halves, [Clip(0, 0), Clip(1, 0)], 90)
    expected = model.features(Transcript.of(said("x", 1)))[:90]
    assert (inputs["commentary"][0].numpy() == expected).all()
    assert (inputs["commentary"][1].numpy() == expected).all()
    np.save(tmp_path / "1_commentary.npy", expected)
    with pytest.raises(UserError, match="have the same name"):
        open_files(spec, [tmp_path])
