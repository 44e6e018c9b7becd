"""``spotter fuse`` makes one prediction of the raw scores of several runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from spotter.cli import main
from spotter.evaluation.average_map import average_map
from spotter.inference.decode import decode
from spotter.io.predictions import read_predictions
from spotter.io.scores import Scores, ScoresInfo, load_scores, load_scores_info, save_scores, save_scores_info
from spotter.io.soccernet import SoccerNet
from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.types import Half
from tests.conftest import files_below

TASK = Task("pitch", ("PASS", "DRIVE"), "Labels.json", 5, "map_at_2", halves=(1,))
GAMES = {"valid": "league/season/a - b", "test": "league/season/c - d"}
SUPPRESSION = Postprocess("nms", 2.0)


@pytest.fixture(autouse=True)
def _no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOCCERNET_ROOT", raising=False)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Return a root of labels of both games."""
    for seed, game in enumerate(GAMES.values()):
        rng = np.random.default_rng(seed)
        annotations = [
            {"gameTime": "1 - 00:00", "position": str(time), "label": name, "visibility": "visible"}
            for name in TASK.classes
            for time in np.cumsum(rng.integers(4000, 8000, 20)).tolist()
        ]
        path = tmp_path / "labels" / game / TASK.label_file
        path.parent.mkdir(parents=True)
        path.write_bytes(orjson.dumps({"annotations": annotations}))
    return tmp_path / "labels"


def write_run(run: Path, labels: Path, seed: int, fps: float, noise: float, displaced: bool, window: float) -> Path:
    """Write valid and test scores of a run: a bump around every label, with noise."""
    rng = np.random.default_rng(seed)
    for split, game in GAMES.items():
        spots = SoccerNet().read(labels, [game], TASK)[Half(game, 1)]
        time = np.arange(int(170 * fps)) / fps
        logits = rng.normal(-3, noise, (len(time), 2))
        for label, centre in zip(spots.label, spots.time, strict=True):
            logits[:, label] += 5 * np.exp(-((time - centre) ** 2))
        displacement = rng.normal(0, 0.1, logits.shape).astype(np.float32) if displaced else None
        folder = run / "predictions" / split / "scores"
        save_scores(folder, Half(game, 1), Scores(logits.astype(np.float32), displacement, fps))
        save_scores_info(folder, ScoresInfo(TASK, split, Postprocess("nms", window)))
    return run


@pytest.fixture
def runs(tmp_path: Path, labels: Path) -> tuple[str, str]:
    """Return two runs: a dense one, and one of half its rate without displacements."""
    dense = write_run(tmp_path / "dense", labels, seed=0, fps=2.0, noise=2.0, displaced=True, window=2.0)
    return str(dense), str(write_run(tmp_path / "coarse", labels, 1, 1.0, 1.0, displaced=False, window=3.0))


def form_of(folder: Path) -> dict:
    return orjson.loads((folder / "metrics.json").read_bytes())


def alone(run: str, split: str, labels: Path) -> dict:
    """Return the form of one run, computed without the command."""
    scores = Path(run, "predictions", split, "scores")
    suppression = load_scores_info(scores).postprocess
    predictions = {half: decode(raw, suppression, TASK.fps) for half, raw in load_scores(scores)}
    form = average_map(SoccerNet().read(labels, [GAMES[split]], TASK), predictions, TASK)
    return {**form, "postprocess": suppression.to_dict(), "task": TASK.name, "split": split}


def test_a_fusion_is_a_prediction_like_any_other(
    runs: tuple[str, str], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["fuse", *runs, "--labels", str(labels), "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    for said in ("0.50", "nms 2 s", "nms 3 s", "fusion", "first run; those of the others differ", "1 of 1 game"):
        assert said in shown
    assert load_scores_info(out / "scores") == ScoresInfo(TASK, "test", SUPPRESSION, (Half(GAMES["test"], 1),))
    read = read_predictions(out, [GAMES["test"]], TASK)
    form = average_map(SoccerNet().read(labels, [GAMES["test"]], TASK), read, TASK)
    assert form_of(out) == {**form, "postprocess": SUPPRESSION.to_dict(), "task": TASK.name, "split": "test"}
    assert (out / "results_spotting.zip").is_file()
    assert b"<html" in (out / "report.html").read_bytes()
    fused = dict(load_scores(out / "scores"))[Half(GAMES["test"], 1)]
    dense, coarse = (dict(load_scores(Path(run, "predictions/test/scores")))[Half(GAMES["test"], 1)] for run in runs)
    np.testing.assert_allclose(fused.logits[:-1:2], (dense.logits[::2] + coarse.logits)[: len(fused.logits) // 2] / 2)
    assert fused.fps == 2.0
    assert np.array_equal(fused.displacement, dense.displacement)


def test_a_weight_of_one_gives_the_run_itself(runs: tuple[str, str], labels: Path, tmp_path: Path) -> None:
    folders = [str(Path(run, "predictions", "test")) for run in runs]  # prediction folders are taken, too
    root = ["--labels", str(labels)]
    assert main(["fuse", *folders, "--weights", "1,0", *root, "-o", str(tmp_path / "one")]) == 0
    assert form_of(tmp_path / "one") == alone(runs[0], "test", labels)
    assert main(["fuse", *folders, "--weights", "0,2", *root, "-o", str(tmp_path / "two")]) == 0
    found = orjson.loads((tmp_path / "two" / "fuse.json").read_bytes())
    assert [run["weight"] for run in found["runs"]] == [0, 1]
    assert [run["test"] for run in found["runs"]] == [alone(run, "test", labels)["at_2"]["map"] for run in runs]
    scores = str(Path(folders[0], "scores"))
    assert main(["fuse", scores, scores, scores, *root, "-o", str(tmp_path / "same")]) == 0
    one, same = files_below(tmp_path / "one"), files_below(tmp_path / "same")
    assert {name: one[name] for name in one if name != "fuse.json"} == {
        name: same[name] for name in same if name != "fuse.json"
    }


def test_learned_weights_are_the_best_on_valid(
    runs: tuple[str, str], labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCCERNET_ROOT", str(labels))
    out = tmp_path / "out"
    assert main(["fuse", *runs, "--weights", "learn", "-o", str(out)]) == 0
    found = orjson.loads((out / "fuse.json").read_bytes())
    assert found["monitor"] == "map_at_2"
    assert [run["valid"] for run in found["runs"]] == [alone(run, "valid", labels)["at_2"]["map"] for run in runs]
    assert found["fusion"]["valid"] > found["runs"][0]["valid"]
    assert found["fusion"]["test"] == form_of(out)["at_2"]["map"]
    weights = ",".join(str(run["weight"]) for run in found["runs"])
    valid = tmp_path / "valid"
    assert main(["fuse", *runs, "--split", "valid", "--weights", weights, "-o", str(valid)]) == 0
    assert form_of(valid)["at_2"]["map"] == found["fusion"]["valid"]
    for weights in ("1,0", "0.8,0.2", "0.5,0.5", "0.2,0.8", "0,1"):
        assert main(["fuse", *runs, "--split", "valid", "--weights", weights, "-o", str(tmp_path / "x")]) == 0
        assert form_of(tmp_path / "x")["at_2"]["map"] <= found["fusion"]["valid"]


def test_weights_are_learned_where_valid_says_or_on_valid_itself(
    runs: tuple[str, str], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = ["--weights", "learn", "--labels", str(labels)]
    assert main(["fuse", *runs, *learn, "-o", str(tmp_path / "beside")]) == 0
    assert main(["fuse", *runs, *learn, "--split", "valid", "-o", str(tmp_path / "itself")]) == 0
    assert "learned on these games" in capsys.readouterr().out
    moved = []
    for number, run in enumerate(runs):
        moved.append(str(shutil.move(Path(run, "predictions", "valid"), tmp_path / f"valid {number}")))
    assert main(["fuse", *runs, *learn, "-o", str(tmp_path / "none")]) == 1
    assert "give such scores by --valid, or give the weights" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["fuse", *runs, *learn, "--valid", *moved, "-o", str(tmp_path / "given")]) == 0
    found = [orjson.loads((tmp_path / name / "fuse.json").read_bytes()) for name in ("beside", "itself", "given")]
    assert len({tuple(run["weight"] for run in each["runs"]) for each in found}) == 1
    assert len({each["fusion"]["valid"] for each in found}) == 1


def test_weights_are_never_learned_on_test(
    runs: tuple[str, str], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = [str(Path(run, "predictions", "test")) for run in runs]
    command = [
        "fuse",
        *runs,
        "--weights",
        "learn",
        "--labels",
        str(labels),
        "--valid",
        *test,
        "-o",
        str(tmp_path / "o"),
    ]
    assert main(command) == 1
    assert "learned only on valid" in capsys.readouterr().err


def test_a_fusion_can_be_tuned_suppressed_anew_and_fused_again(
    runs: tuple[str, str], labels: Path, tmp_path: Path
) -> None:
    out, tuned, root = tmp_path / "out" / "valid", tmp_path / "tuned.json", ["--labels", str(labels)]
    assert main(["fuse", *runs, "--split", "valid", *root, "-o", str(out)]) == 0
    assert main(["tune", str(out / "scores"), *root, "--json", str(tuned)]) == 0
    better = orjson.loads(tuned.read_bytes())
    again = ["fuse", *runs, "--split", "valid", "--postprocess", str(tuned), *root, "-o", str(out)]
    assert main(again) == 0
    assert form_of(out)["at_2"]["map"] == better["best"]["map_at_2"]["map_at_2"]
    assert load_scores_info(out / "scores").postprocess.to_dict() == better["postprocess"]
    assert main(["fuse", str(out), runs[0], "--split", "valid", *root, "-o", str(tmp_path / "third")]) == 0
    assert form_of(tmp_path / "third")["postprocess"] == better["postprocess"]


def test_displacements_of_another_run(runs: tuple[str, str], labels: Path, tmp_path: Path) -> None:
    third = str(write_run(tmp_path / "third", labels, seed=2, fps=2.0, noise=1.0, displaced=True, window=2.0))
    out = tmp_path / "out"
    command = ["fuse", *runs, "--displacement", third, "--labels", str(labels), "-o", str(out)]
    assert main(command) == 0
    ours, theirs = (dict(load_scores(each)) for each in (out / "scores", Path(third, "predictions/test/scores")))
    half = Half(GAMES["test"], 1)
    assert np.array_equal(ours[half].displacement, theirs[half].displacement)
    equal = form_of(out)["at_2"]["map"]
    assert main([*command, "--weights", "learn"]) == 0
    found = orjson.loads((out / "fuse.json").read_bytes())
    assert found["displacement"] == third
    weights = ",".join(str(run["weight"]) for run in found["runs"])
    assert main([*command, "--weights", weights]) == 0
    assert form_of(out)["at_2"]["map"] == found["fusion"]["test"] != equal


def test_without_labels_there_are_no_scores_and_old_ones_go(
    runs: tuple[str, str], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    assert main(["fuse", *runs, "--split", "valid", "--labels", str(labels), "-o", str(out)]) == 0
    assert main(["fuse", *runs, "--labels", str(empty), "-o", str(out)]) == 0
    assert [half.game for half, _ in load_scores(out / "scores")] == [GAMES["test"]]
    assert [path.parent.relative_to(out).as_posix() for path in out.rglob("results_spotting.json")] == [GAMES["test"]]
    assert not (out / "metrics.json").exists()
    assert orjson.loads((out / "fuse.json").read_bytes())["fusion"] == {}
    assert "map" not in capsys.readouterr().out.rpartition("run")[2]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--weights", "1"], 2, "1 for 2 SCORES"),
        (["--weights", "1,x"], 2, "0.7,0.3, or learn"),
        (["--weights=-1,2"], 2, "at least 0"),
        (["--weights", "0,0"], 2, "not all 0"),
        (["--weights", "nan,1"], 2, "at least 0"),
        (["--weights", "1e308,1e308"], 2, "at least 0"),
        (["--weights", "learn"], 2, "--labels ROOT or set SOCCERNET_ROOT"),
        (["--weights", "learn", "--labels", "x", "--valid", "x"], 2, "1 for 2 runs"),
        (["--valid", "x"], 2, "--weights learn"),
        (["--displacement", "nowhere"], 1, "nowhere: no such folder"),
        (["--displacement", "{coarse}"], 1, "no displacements"),
        (["--postprocess", "{dense}/predictions/test/scores/league/season/c - d/1.npz"], 1, "spotter tune --json"),
        (["--split", "challenge"], 1, "holds valid and test, not challenge"),
    ],
)
def test_mistakes_are_one_line(
    runs: tuple[str, str], tmp_path: Path, words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.format(dense=runs[0], coarse=runs[1]) for word in words]
    assert main(["fuse", *runs, *given, "-o", str(tmp_path / "out")]) == status
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1]
    assert len(lines) == 1
    assert not (tmp_path / "out").exists()


def test_runs_that_do_not_belong_together_are_named(
    runs: tuple[str, str], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (Path(run, "predictions", "test", "scores") for run in runs)
    out = ["-o", str(tmp_path / "out")]
    assert main(["fuse", str(first), str(second.parent.parent / "valid"), *out]) == 1
    assert "of split valid" in capsys.readouterr().err
    for number in (1, 2):
        save_scores(first, Half("league/season/e - f", number), Scores(np.zeros((4, 2), np.float32), None, 1.0))
    for order in ((first, second), (second, first)):
        assert main(["fuse", *map(str, order), *out]) == 1
        assert f"{second}: lacks league/season/e - f, half 1, which {first} has" in capsys.readouterr().err
    save_scores_info(second, ScoresInfo(Task.load("ball-2023"), "test", SUPPRESSION))
    assert main(["fuse", str(first), str(second), *out]) == 1
    assert "another task (ball-2023)" in capsys.readouterr().err
    save_scores(first, Half("league/season/e - f", 1), Scores(np.zeros((4, 3), np.float32), None, 1.0))
    assert main(["fuse", str(first), str(second), *out]) == 1
    assert "1.npz: does not fit its scores.json" in capsys.readouterr().err


def test_what_is_read_is_never_overwritten(
    runs: tuple[str, str], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_below(tmp_path)
    learn = ["--weights", "learn", "--labels", str(labels)]
    for out in (runs[0], f"{runs[1]}/predictions/test", f"{runs[1]}/predictions/valid", f"{runs[0]}/fused"):
        assert main(["fuse", *runs, *learn, "-o", out]) == 2
        assert "give another folder" in capsys.readouterr().err
    copied = tmp_path / "another"
    for part in (".hydra", "checkpoints", "scores"):
        (copied / part).mkdir(parents=True)
        assert main(["fuse", *runs, "-o", str(copied)]) == 2
        assert f"holds another run or prediction ({part})" in capsys.readouterr().err
        (copied / part).rmdir()
    copied.rmdir()
    (tmp_path / "file").touch()
    assert main(["fuse", *runs, "-o", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert main(["fuse", *runs, "--postprocess", "nope.json", "-o", str(copied)]) == 1
    assert "nope.json: no such file; give the JSON of `spotter tune --json`" in capsys.readouterr().err
    (tmp_path / "file").unlink()
    assert files_below(tmp_path) == before
