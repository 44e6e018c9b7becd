"""``predict.py`` as a user calls it: splits, own files, odd names, and what the command line may change."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import orjson
import pytest
import torch

import spotter
from spotter.io.scores import load_scores_info
from spotter.tasks import Task
from tests.conftest import call, files_below
from tests.helpers.predicting import predict, read

FIELDS = {"gameTime", "label", "position", "half", "confidence"}


@pytest.fixture(scope="module")
def best(trained: Path) -> Path:
    """Return a checkpoint of the tiny run."""
    return trained / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def half(tree: Path) -> Path:
    """Return a feature file that the tiny run's model reads."""
    return sorted(tree.rglob("1_*.npy"))[0]


def check_official(path: Path, game: str, halves: set[str]) -> None:
    """Assert that a file has the official fields, as text, with known classes and whole milliseconds."""
    content = read(path)
    assert set(content) == {"UrlLocal", "predictions"}
    assert content["UrlLocal"] == game
    assert content["predictions"]
    assert {entry["half"] for entry in content["predictions"]} == halves
    classes = Task.load("soccernet-v2").classes
    for entry in content["predictions"]:
        assert set(entry) == FIELDS
        assert all(isinstance(value, str) for value in entry.values())
        assert entry["label"] in classes
        seconds = int(entry["position"]) // 1000
        assert entry["gameTime"] == f"{entry['half']} - {seconds // 60:02d}:{seconds % 60:02d}"
        assert 0 <= float(entry["confidence"]) <= 1


def test_keys_of_the_trainer_that_nothing_reads_are_named(
    best: Path, half: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    called = predict(tmp_path, f"ckpt={best}", f"input={half}", "out=out", "trainer.max_epochs=3", "trainer.devices=1")
    text = caplog.text + called.err
    assert text.count("trainer.max_epochs: prediction does not read this; it reads trainer.accelerator,") == 1
    assert "trainer.devices: " not in text


def test_default_split_and_folder(best: Path, tree: Path, tmp_path: Path) -> None:
    """Without further words, ``test`` goes into ``predictions/test`` beside the checkpoint, with its scores."""
    ckpt = tmp_path / "best.ckpt"
    shutil.copy(best, ckpt)
    called = predict(tmp_path, f"ckpt={ckpt}", f"data.root={tree}")
    out = tmp_path / "predictions" / "test"
    (game,) = read(tree / "splits.json")["test"]
    check_official(out / game / "results_spotting.json", game, {"1", "2"})
    assert read(out / "metrics.json")["games"] == 1
    assert "test: 1 game" in called.out
    assert f"predictions: {out}" in called.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "predictions"]
    assert "Corner" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_checkpoint_knows_no_path_but_its_run_does(best: Path, trained: Path, tmp_path: Path) -> None:
    """The data that a run was trained on is found by its folder, which may be named in place of its checkpoint."""
    for name in ("best.ckpt", "last.ckpt"):
        content = (best.parent / name).read_bytes()
        assert b"spotter_format" in content
        assert str(tmp_path.parent).encode() not in content, "no path of this machine"
    predict(tmp_path, f"ckpt={trained}", "out=out")
    assert files_below(tmp_path / "out") == files_below(trained / "predictions" / "test")
    shutil.copy(best, tmp_path / "alone.ckpt")
    called = call("predict.py", "ckpt=alone.ckpt", "trainer=cpu", cwd=tmp_path)
    assert called.status == 1
    assert called.err.strip().splitlines()[-1] == (
        "error: data.root is not set: give data.root=FOLDER, or set the environment variable SOCCERNET_ROOT "
        "(data=ngs reads NGS_ROOT, data=tennis TENNIS_ROOT)"
    )


def test_a_checkpoint_of_an_earlier_version_finds_its_data(best: Path, tree: Path, tmp_path: Path) -> None:
    """It holds the root that it was trained on, and still is asked for it."""
    content = torch.load(best, weights_only=True)
    content["hyper_parameters"]["source"]["root"] = str(tree)
    torch.save(content, tmp_path / "old.ckpt")
    predict(tmp_path, "ckpt=old.ckpt", "out=out")
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_split_without_labels(best: Path, tree: Path, tmp_path: Path) -> None:
    """A split without labels is predicted all the same; there is nothing to score."""
    root = tmp_path / "tree"
    shutil.copytree(tree, root)
    splits = read(root / "splits.json")
    splits["challenge"] = splits.pop("test")
    (root / "splits.json").write_bytes(orjson.dumps(splits))
    (game,) = splits["challenge"]
    (root / game / "Labels-v2.json").unlink()
    predict(tmp_path, f"ckpt={best}", f"data.root={root}", "split=challenge", "out=out")
    check_official(tmp_path / "out" / game / "results_spotting.json", game, {"1", "2"})
    assert not (tmp_path / "out" / "metrics.json").exists()
    with zipfile.ZipFile(tmp_path / "out" / "results_spotting.zip") as packed:
        assert packed.namelist() == [f"{game}/results_spotting.json"]


def test_other_games_by_override(best: Path, tree: Path, tmp_path: Path) -> None:
    """``data.splits`` chooses other games for a split."""
    splits = read(tree / "splits.json")
    predict(tmp_path, f"ckpt={best}", "split=test", "data.splits.test=[train,valid]", "out=out", "save_scores=false")
    assert read(tmp_path / "out" / "metrics.json")["games"] == 3
    assert not (tmp_path / "out" / "scores").exists()
    for game in splits["train"] + splits["valid"]:
        assert (tmp_path / "out" / game / "results_spotting.json").is_file()


def test_nothing_of_earlier_predictions_stands_beside_others(best: Path, tree: Path, tmp_path: Path) -> None:
    """Raw scores and tables say what the predictions beside them are; those of another split would say it wrongly."""
    predict(tmp_path, f"ckpt={best}", "split=test", "out=out", "format=csv,osl")
    assert (tmp_path / "out" / "predictions.csv").is_file()
    predict(tmp_path, f"ckpt={best}", "split=valid", "out=out", "save_scores=false")
    names = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert names == {"metrics.json", "report.html", "results_spotting.zip"}
    assert not (tmp_path / "out" / "scores").exists()
    assert spotter.evaluate(tree, tmp_path / "out")["split"] == "valid"


def test_own_file_by_default_beside_the_checkpoint(best: Path, half: Path, tmp_path: Path) -> None:
    """An own match needs a checkpoint and a file, nothing else."""
    shutil.copy(best, tmp_path / "best.ckpt")
    shutil.copy(half, tmp_path / "2_derby.npy")
    predict(tmp_path, "ckpt=best.ckpt", "input=2_derby.npy")
    out = tmp_path / "predictions" / "2_derby"
    check_official(out / "2_derby" / "results_spotting.json", "2_derby", {"2"})
    assert not (out / "metrics.json").exists()


def test_folder_of_own_files(best: Path, half: Path, tmp_path: Path) -> None:
    """Every ``.npy`` below a folder is predicted, each under its own name, in halves by prefix."""
    names = {"1_home.npy": "1", "2_home.npy": "2", "away/match.npy": "1", "away/21_july.npy": "1"}
    for name in names:
        (tmp_path / "own 3.5" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(half, tmp_path / "own 3.5" / name)
    shutil.copy(best, tmp_path / "best.ckpt")
    predict(tmp_path, "ckpt=best.ckpt", "input=own 3.5")
    out = tmp_path / "predictions" / "own 3.5"
    for name, number in names.items():
        game = name.removesuffix(".npy")
        check_official(out / game / "results_spotting.json", game, {number})
    with zipfile.ZipFile(out / "results_spotting.zip") as packed:
        assert len(packed.namelist()) == len(names)


@pytest.mark.parametrize(
    "name",
    [
        "epoch=3",
        "match (1)",
        "Málaga",
        "it's",
        "a,b",
        "100% {x}",
        "${seed}",
        "[1]",
        'say "hi"',
        "a\\'b\\",
        "+1~#!",
        " ",
    ],
)
def test_odd_names_are_taken_as_typed(best: Path, half: Path, tmp_path: Path, name: str) -> None:
    """Checkpoint, input and output may be called anything that the file system takes, folders included."""
    folder = tmp_path / f"some folder = {name}"
    folder.mkdir()
    shutil.copy(best, folder / f"{name}.ckpt")
    shutil.copy(half, folder / f"{name}.npy")
    words = [f"ckpt={folder}/{name}.ckpt", f"input={folder}/{name}.npy", f"out={folder}/out {name}"]
    predict(tmp_path, *words)
    check_official(folder / f"out {name}" / name / "results_spotting.json", name, {"1"})


def test_odd_root(best: Path, tree: Path, trained: Path, tmp_path: Path) -> None:
    """So may the data's root, which need not be where the model was trained."""
    root = tmp_path / "it's a = root, (copied) ${x}"
    shutil.copytree(tree, root)
    predict(tmp_path, f"ckpt={best}", f"data.root={root}", "out=out")
    assert files_below(tmp_path / "out") == files_below(trained / "predictions" / "test")


def test_postprocess_on_the_command_line_wins(best: Path, trained: Path, tmp_path: Path) -> None:
    """Another suppression gives other predictions from the same scores, and is recorded beside them."""
    predict(
        tmp_path, f"ckpt={best}", "postprocess=nms", "postprocess.window=7", "postprocess.threshold=0.01", "out=out"
    )
    expected = {"method": "nms", "window": 7.0, "threshold": 0.01}
    assert read(tmp_path / "out" / "metrics.json")["postprocess"] == expected
    assert load_scores_info(tmp_path / "out" / "scores").postprocess.to_dict() == expected
    one, other = files_below(tmp_path / "out" / "scores"), files_below(trained / "predictions" / "test" / "scores")
    assert {k: v for k, v in one.items() if k.endswith(".npz")} == {
        k: v for k, v in other.items() if k.endswith(".npz")
    }
    assert read(tmp_path / "out" / "metrics.json")["tight"] != read(trained / "metrics.json")["test"]["tight"]


def test_part_of_own_files_above_a_threshold(best: Path, half: Path, tmp_path: Path) -> None:
    """Between two moments, with a table of what is found; several files at once."""
    for name in ("one", "a,b"):
        shutil.copy(half, tmp_path / f"{name}.npy")
    words = [f"ckpt={best}", "input=one.npy", "input=a,b.npy", "start=1:00", "end=150", "out=out"]
    called = predict(tmp_path, *words, "threshold=0.003")
    for name in ("one", "a,b"):
        found = read(tmp_path / "out" / name / "results_spotting.json")["predictions"]
        assert found
        assert all(60_000 <= int(entry["position"]) <= 150_000 for entry in found)
        assert all(float(entry["confidence"]) >= 0.003 for entry in found)
        assert f"{name}, half 1" in called.out
    assert "spots with a confidence of at least 0.003" in called.out
    assert "frames/s" in called.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start=late"], "start: expected seconds, mm:ss or h:mm:ss, found 'late'"),
        (["start=50", "end=20"], "end=20 must be later than start=50"),
        (["start=1:00:00"], "ends after"),
        (["threshold=2"], "threshold: expected a number from 0 to 1"),
    ],
)
def test_wrong_parts(best: Path, half: Path, tmp_path: Path, words: list[str], said: str) -> None:
    called = call("predict.py", f"ckpt={best}", f"input={half}", *words, "trainer=cpu", cwd=tmp_path)
    assert called.status in (1, 2)
    assert called.err.count("\n") == 1
    assert said in called.err


def test_own_files_of_one_name(best: Path, half: Path, tmp_path: Path) -> None:
    """Halves in one folder are told apart by their folders, so that nothing is overwritten."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(half, tmp_path / folder / "x.npy")
    called = call("predict.py", f"ckpt={best}", "input=a", "input=b", "trainer=cpu", cwd=tmp_path)
    assert called.status == 1
    assert "have the same name" in called.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start=5"], "start is for input="),
        (["split="], "split '' is unknown"),
        (["input=match.npy", "split=valid"], "give input=… or split=…, not both"),
        (["+data.size=[9,9]"], "data.size: fixed by the checkpoint"),
        (["out=notes.txt"], "out: 'notes.txt' is a file"),
        (["clips.eval_len=abc"], "eval_len"),
    ],
)
def test_what_a_split_cannot_be_told(best: Path, tmp_path: Path, words: list[str], said: str) -> None:
    """One line names the key, and nothing is predicted."""
    (tmp_path / "notes.txt").touch()
    called = call("predict.py", f"ckpt={best}", *words, "trainer=cpu", cwd=tmp_path)
    assert called.status in (1, 2)
    assert called.err.count("\n") == 1
    assert said in called.err
