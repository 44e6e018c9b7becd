"""``spotter prepare commentary`` from its command line, a run on its features, and an own match by that run."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

import spotter
from spotter.cli import main
from spotter.data.features import FeatureSource
from spotter.errors import UserError
from spotter.io.checkpoints import open_checkpoint
from spotter.types import Half
from tests.conftest import call, files_below
from tests.helpers.commentary import (
    SPLITS,
    echoes,
    said,
    srt,
    vtt,
    whisper,
    write_labels,
    write_lines,
    write_transcripts,
    write_tree,
)

WIDTH = 6 + 4 + 7 * 17
KEYS = [
    "data=commentary",
    f"data.width={WIDTH}",
    "data.source.streams.commentary.groups=[6,4,119]",
    "model=linear",
    "model.clips.clip_len=32",
    "model.clips.per_epoch=16",
    "data.batch_size=8",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "logger=none",
]


def prepare(transcripts: Path, root: Path, *more: str) -> int:
    words = ["prepare", "commentary", str(transcripts), str(root), "--components", "6", "--min-halves", "2", *more]
    return main(words)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree with features of commentary; games of test have no labels."""
    root = write_tree(tmp_path_factory.mktemp("tree"))
    assert prepare(write_transcripts(tmp_path_factory.mktemp("echoes")), root) == 0
    return root


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on these features."""
    cwd = tmp_path_factory.mktemp("run")
    called = call("train.py", *KEYS, f"data.root={root}", cwd=cwd)
    assert called.status == 0, called.err
    return next(cwd.glob("outputs/*/*"))


def test_a_tree_gets_features_for_every_game(root: Path) -> None:
    for game in (game for listed in SPLITS.values() for game in listed):
        rows = np.load(root / game / "1_commentary.npy")
        assert (rows.shape, rows.dtype) == ((2700, WIDTH), np.float16)
        assert rows.any()
        about = orjson.loads((root / game / "1_commentary.json").read_bytes())
        assert (about["fps"], about["offset"], about["width"], about["groups"]) == ("1", 0, WIDTH, [6, 4, 119])
        assert (about["fold"] is None) == (game not in SPLITS["train"])
    np.load(root / "commentary_text_model.npz", allow_pickle=False)


def test_lines_give_the_same_and_doing_it_again_too(root: Path, tmp_path: Path) -> None:
    again = write_tree(tmp_path / "again")
    lines = write_lines(tmp_path / "all.jsonl")
    for _ in range(2):
        assert prepare(lines, again) == 0
        assert files_below(again) == files_below(root)


def test_games_without_a_transcript_are_zeros_and_oddities_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    root, echo = write_tree(tmp_path / "tree"), write_transcripts(tmp_path / "echoes", SPLITS["train"])
    here = echo / "l/s/t0"
    (here / "1_asr.json").write_bytes(echoes([*said("l/s/t0", 1), *[(9.0, 20.0, "Thank you.")] * 9]))
    (here / "2_asr.json").write_bytes(whisper([(2.0, 5000.0, "Tor")], language="de"))
    write_transcripts(echo, ["l/s/unknown"])
    np.save(root / "l/s/t0/2_baidu_soccer_embeddings.npy", np.zeros((2500, 3), np.float16))
    assert prepare(echo, root, "--fps", "2") == 0
    assert not np.load(root / "l/s/v0/1_commentary.npy").any()
    assert np.load(root / "l/s/t0/1_commentary.npy").shape == (5400, WIDTH)
    assert np.load(root / "l/s/t0/2_commentary.npy").shape == (5000, WIDTH), "as long as the other features"
    assert not (root / "l/s/e0").exists()
    for line in (
        "halves of the transcripts of no game of soccernet-v2, left out: 2",
        "halves without a transcript, all zeros: 2",
        "halves in another language than English: 1",
        "segments that repeat the one before them, counted as no speech: 8",
        "segments that begin before the one before them ends: 8",
    ):
        assert line in caplog.text
    assert "10 halves of 5 games made" in capsys.readouterr().out


def test_without_labels_of_train_there_is_no_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    root = write_tree(tmp_path / "tree")
    (root / "l/s/t1/Labels-v2.json").unlink()
    assert prepare(write_transcripts(tmp_path / "echoes"), root, "--name", "words") == 0
    assert "labels of 1 of 4 training games are missing" in caplog.text
    assert "data.width=10 data.source.streams.commentary.groups=[6,4]" in capsys.readouterr().out
    assert np.load(root / "l/s/v0/2_words.npy").shape == (2700, 10)


@pytest.mark.slow
def test_a_run_needs_no_labels_of_test_and_scores_them_when_they_come(root: Path, run: Path, tmp_path: Path) -> None:
    assert list(orjson.loads((run / "metrics.json").read_bytes())) == ["valid"]
    assert "split test has no labels here: it is predicted, not scored" in (run / "run.log").read_text()
    labelled = tmp_path / "labelled"
    shutil.copytree(root, labelled)
    write_labels(labelled, SPLITS["test"])
    best = run / "checkpoints" / "best.ckpt"
    called = call("predict.py", f"ckpt={best}", f"data.root={labelled}", f"out={tmp_path / 'out'}", cwd=tmp_path)
    assert called.status == 0, called.err
    assert orjson.loads((tmp_path / "out" / "metrics.json").read_bytes())["games"] == 1


def test_an_own_match_needs_the_checkpoint_alone(root: Path, run: Path, tmp_path: Path) -> None:
    """Whatever form it has, what is said gives the scores that its features in the tree give."""
    best = tmp_path / "best.ckpt"
    shutil.copy(run / "checkpoints" / "best.ckpt", best)
    assert (
        open_checkpoint(best)["hyper_parameters"]["source"]["streams"]["commentary"]["text_model"].dtype.itemsize == 1
    )
    model = spotter.load(best)
    expected = model.scores(np.load(root / "l/s/v0/1_commentary.npy")[:700], fps=1)
    for name, content in (
        ("1_match.srt", srt(said("l/s/v0", 1))),
        ("1_match.vtt", vtt(said("l/s/v0", 1))),
        ("1_match.json", whisper(said("l/s/v0", 1))),
        ("2_asr.json", echoes(said("l/s/v0", 1))),
    ):
        (tmp_path / name).write_bytes(content)
        scores = model.scores(tmp_path / name, progress=False)
        assert scores.half == Half(name.partition(".")[0], int(name[0]))
        count = len(scores.times) - 64
        assert count > 400
        assert np.allclose(scores.confidences[:count], expected.confidences[:count], atol=1e-6), name
    called = call("predict.py", f"ckpt={best}", "input=1_match.srt", "out=out", cwd=tmp_path)
    assert called.status == 0, called.err
    assert (tmp_path / "out" / "1_match" / "results_spotting.json").is_file()


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--fps", "fast"), 1, "--fps: expected a positive number"),
        (("--components", "0"), 2, "--components: expected at least 1, found 0"),
        (("--min-halves", "0"), 2, "--min-halves: expected at least 1, found 0"),
        (("--name", "../x"), 2, "--name: expected the name of a feature file"),
        (("--task", "chess"), 1, "task 'chess' is unknown"),
        (("--task", "ball-2023"), 1, "none of its games, as 'l/s/t0', is of a split of ball-2023"),
    ],
)
def test_mistakes_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], status: int, message: str
) -> None:
    root, echo = tmp_path / "tree", write_transcripts(tmp_path / "echoes", ["l/s/t0"])
    root.mkdir()
    if "--task" not in more:
        write_tree(root)
    assert prepare(echo, root, *more) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_what_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    echo = write_transcripts(tmp_path / "echoes", SPLITS["valid"])
    assert prepare(echo, tmp_path / "nowhere") == 1
    assert "nowhere: no such folder; give the official tree" in capsys.readouterr().err
    assert prepare(echo, write_tree(tmp_path / "tree")) == 1
    assert "holds no game of the training split" in capsys.readouterr().err


def test_features_of_two_text_models_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, echo = write_tree(tmp_path / "tree"), write_transcripts(tmp_path / "echoes")
    stream = {"file": "commentary", "fps": 1, "width": WIDTH, "groups": [6, 4, 119]}
    assert prepare(echo, root) == 0
    with monkeypatch.context() as patch:
        patch.setattr("spotter.cli.prepare.commentary.write_sidecar", interrupt)
        assert prepare(echo, root, "--min-halves", "3") == 130
    with pytest.raises(UserError, match=r"commentary_text_model\.npz: is empty, since .* give that command again"):
        FeatureSource({"commentary": stream}, root)
    assert prepare(echo, root) == 0
    assert FeatureSource({"commentary": stream}, root).spec.streams[0].text_model is not None


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_fitted_leaves_the_text_model_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, echo = write_tree(tmp_path / "tree"), write_transcripts(tmp_path / "echoes", SPLITS["train"])
    (root / "commentary_text_model.npz").write_bytes(b"of the features that are there")
    assert prepare(echo, root, "--min-halves", "1000") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert (root / "commentary_text_model.npz").is_file()


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1"], ids=["empty", "pointer"])
def test_damaged_features_that_tell_the_length_are_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, echo = write_tree(tmp_path / "tree"), write_transcripts(tmp_path / "echoes", SPLITS["train"])
    (root / "l/s/t0/2_baidu_soccer_embeddings.npy").write_bytes(content)
    assert prepare(echo, root) == 1
    assert "2_baidu_soccer_embeddings.npy: not a readable .npy file" in capsys.readouterr().err


def test_fitting_needs_scipy_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotter.cli.prepare.commentary.find_spec", lambda name: None)
    assert prepare(write_transcripts(tmp_path / "echoes"), write_tree(tmp_path / "tree")) == 1
    assert "needs scipy: pip install scipy" in capsys.readouterr().err
