"""A finished run as its user finds it: the folder, the checkpoints, the numbers and where they come from."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from torch import Tensor

from spotter.evaluation.average_map import average_map
from spotter.evaluation.metrics import flatten
from spotter.inference.decode import decode
from spotter.io.predictions import read_predictions
from spotter.io.scores import load_scores, load_scores_info
from spotter.io.soccernet import SoccerNet
from spotter.tasks import MONITORS, Task
from tests.conftest import call, files_below
from tests.helpers.predicting import history

TASK = Task.load("soccernet-v2")


@pytest.fixture(scope="module")
def forms(trained: Path) -> dict[str, Any]:
    """Return the run's ``metrics.json``."""
    return orjson.loads((trained / "metrics.json").read_bytes())


@pytest.fixture(scope="module")
def rows(trained: Path) -> list[dict[str, str]]:
    """Return the rows of the run's ``metrics.csv``."""
    return history(trained)


@pytest.fixture(scope="module")
def best(trained: Path) -> dict[str, Any]:
    """Return the content of ``best.ckpt``, loaded without running anything from it."""
    return torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)


def games(tree: Path, split: str) -> list[str]:
    """Return the games of a split of the tree."""
    return orjson.loads((tree / "splits.json").read_bytes())[split]


def test_folder_holds_what_is_promised(trained: Path) -> None:
    """Nothing is missing, and no temporary file is left."""
    files = files_below(trained)
    for name in (".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml", "metrics.csv", "metrics.json"):
        assert name in files
    assert sorted(p.name for p in (trained / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert not [name for name in files if name.endswith(".part")]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_predictions_of_each_labelled_split(trained: Path, tree: Path, split: str) -> None:
    """Each split holds its own games, as JSON, in the zip, and as raw scores."""
    folder, expected = trained / "predictions" / split, games(tree, split)
    assert [p.parent.relative_to(folder).as_posix() for p in folder.rglob("results_spotting.json")] == expected
    with zipfile.ZipFile(folder / "results_spotting.zip") as packed:
        assert packed.namelist() == [f"{game}/results_spotting.json" for game in expected]
        for name in packed.namelist():
            assert packed.read(name) == (folder / name).read_bytes()
    assert load_scores_info(folder / "scores").split == split
    assert [half for half, _ in load_scores(folder / "scores")] == [(game, n) for game in expected for n in (1, 2)]


def test_metrics_json_is_a_form_per_split(forms: dict[str, Any], trained: Path) -> None:
    """Each split has its FORM, the one beside its predictions too, with the suppression that gave it."""
    assert list(forms) == ["valid", "test"]
    for split, form in forms.items():
        assert list(form) == ["tight", "loose", "at_1", "at_2", "at_3", "at_4", "at_5", "games", "postprocess"]
        assert form["games"] == 1
        assert form["postprocess"] == {"method": "soft_nms", "window": 12.0, "threshold": 0.001}
        assert set(form["tight"]) == {
            f"{key}{view}" for key in ("map", "per_class") for view in ("", "_shown", "_unshown")
        }
        assert list(form["tight"]["per_class"]) == list(TASK.classes)
        beside = orjson.loads((trained / "predictions" / split / "metrics.json").read_bytes())
        assert beside == {**form, "task": TASK.name, "split": split}
    assert forms["valid"] != forms["test"]


def test_written_predictions_give_the_logged_numbers(
    forms: dict[str, Any], rows: list[dict[str, str]], trained: Path, tree: Path
) -> None:
    """What is read back from the JSON files scores the same, and the best epoch's row says so too."""
    for split in ("valid", "test"):
        labels = SoccerNet().read(tree, games(tree, split), TASK)
        predictions = read_predictions(trained / "predictions" / split, games(tree, split), TASK)
        assert {**average_map(labels, predictions, TASK), "postprocess": forms[split]["postprocess"]} == forms[split]
    logged = max(rows, key=lambda row: float(row["val/tight_map"]))
    for name, value in flatten(forms["valid"]).items():
        assert float(logged[f"val/{name}"]) == pytest.approx(value, rel=1e-6, abs=1e-9)  # logged as float32


def test_stored_scores_give_the_written_predictions(trained: Path, tree: Path, forms: dict[str, Any]) -> None:
    """Suppression can be repeated from the stored scores alone."""
    folder = trained / "predictions" / "valid"
    info = load_scores_info(folder / "scores")
    again = {half: decode(scores, info.postprocess, TASK.fps) for half, scores in load_scores(folder / "scores")}
    form = average_map(SoccerNet().read(tree, games(tree, "valid"), TASK), again, TASK)
    assert form["tight"] == forms["valid"]["tight"]


def test_metrics_csv_has_the_promised_keys(rows: list[dict[str, str]]) -> None:
    """A row an epoch, with every key that scripts rely on."""
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert [row["step"] for row in rows] == ["4", "8"]
    expected = {"train/loss", "val/loss"}
    expected |= {f"val/{monitor}" for monitor in MONITORS}
    expected |= {f"val/{tolerance}_ap/{name}" for tolerance in ("tight", "loose") for name in TASK.classes}
    assert expected <= set(rows[0])
    assert all(row[key] for row in rows for key in expected)


def test_checkpoint_holds_plain_values_only(best: dict[str, Any], trained: Path) -> None:
    """Both checkpoints load safely, and hold nothing but tensors, numbers, text and containers of them."""

    def strange(value: object, where: str) -> list[str]:
        if isinstance(value, dict):
            inside = [found for key, each in value.items() for found in strange(each, f"{where}.{key}")]
            return inside + ([] if type(value).__name__ in ("dict", "OrderedDict") else [where])
        if type(value) in (list, tuple):
            return [found for i, each in enumerate(value) for found in strange(each, f"{where}[{i}]")]
        return [] if value is None or type(value) in (bool, int, float, str) or isinstance(value, Tensor) else [where]

    for content in (best, torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)):
        assert strange(content, "") == []


def test_checkpoint_describes_all_that_prediction_needs(best: dict[str, Any]) -> None:
    """The task, the streams, the clips, the network and the suppression stand in the checkpoint."""
    known = best["hyper_parameters"]
    assert best["spotter_format"] == 2
    assert known["task"]["classes"] == list(TASK.classes)
    stream = known["source"]["streams"]["demo"]
    assert (stream["file"], stream["fps"], stream["width"]) == ("baidu_soccer_embeddings", 1.0, 32)
    assert stream["groups"] == [8, 8, 1, 7, 8]
    assert known["clips"]["clip_len"] == 200
    assert known["postprocess"]["method"] == "soft_nms"
    assert known["network"]["_target_"] == "spotter.models.transformer.Transformer"


def test_best_holds_the_averaged_weights(best: dict[str, Any]) -> None:
    """What is scored are the averaged weights; those that training goes on from stand beside them."""
    assert set(best["state_dict"]) == set(best["current_model_state"])
    assert any(not torch.equal(best["state_dict"][k], best["current_model_state"][k]) for k in best["state_dict"])


def test_predicting_with_best_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    """``predict.py`` with nothing but the checkpoint writes what the run wrote, scores included."""
    for split in ("valid", "test"):
        out = tmp_path / split
        called = call(
            "predict.py", f"ckpt={trained}/checkpoints/best.ckpt", f"split={split}", f"out={out}", cwd=tmp_path
        )
        assert called.status == 0, called.err
        assert files_below(out) == files_below(trained / "predictions" / split)


def test_moved_run_goes_on_where_it_lies(trained: Path, tiny: list[str], tmp_path: Path) -> None:
    """A run's folder can be moved; more epochs are added there, and ``metrics.csv`` keeps its rows."""
    moved = tmp_path / "a folder = moved"
    moved.mkdir()
    for name, content in files_below(trained).items():
        (moved / name).parent.mkdir(parents=True, exist_ok=True)
        (moved / name).write_bytes(content)
    called = call("train.py", f"ckpt={moved}/checkpoints/last.ckpt", "trainer.max_epochs=3", cwd=tmp_path)
    assert called.status == 0, called.err
    lines = (moved / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2"]
    assert lines[1:3] == (trained / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [path.name for path in tmp_path.iterdir()] == [moved.name]
