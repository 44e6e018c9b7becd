"""Joint training from end to end: two label sets on one network, trained, scored, resumed, predicted, on two ranks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
import torch

import spotter
from spotter.errors import UserError
from spotter.io.checkpoints import choose_label_set, open_checkpoint
from spotter.training.joint import check_spread
from spotter.training.module import SpottingModule
from spotter.types import Batch
from tests.conftest import call, files_below, on_ranks
from tests.helpers.predicting import history, predict
from tests.helpers.videos import write_matches


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return overrides of ``train.py`` for a run of seconds on passes and drives, and beside them on twelve actions."""
    own, other = (write_matches(tmp_path_factory.mktemp(name)) for name in ("own", "other"))
    return [
        *("model=t_deed", "size=demo", "model.network.layers=1", "model.mixup={alpha:0.2,probability:1.0}"),
        *("model.clips.clip_len=8", "model.clips.per_epoch=12", "data=ball", f"data.root={own}", "data.fps=12.5"),
        *("data.size=[32,48]", "data.batch_size=4", "data.eval_batch_size=4", "data.num_workers=1"),
        f"data.joint={{more:{{task:ball-2024,root:'{other}',share:0.5}}}}",
        *("model.joint={more:{head:{dilate:1},postprocess:{window:1.0}}}", "callbacks.ema.decay=0.9"),
        *("trainer=cpu", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "logger=none"),
    ]


@pytest.fixture(scope="module")
def run(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run."""
    cwd = tmp_path_factory.mktemp("joint run")
    called = call("train.py", *words, cwd=cwd)
    assert called.status == 0, called.err
    return next(cwd.glob("outputs/t_deed-ball/*"))


@pytest.mark.slow
def test_each_label_set_is_scored(run: Path) -> None:
    for row in history(run):
        parts = [float(row[f"train/{name}/loss"]) for name in ("own", "more")]
        assert float(row["train/loss"]) == pytest.approx(np.mean(parts), rel=1e-4)
        assert all(0 <= float(row[f"val/{name}map_at_1"]) <= 1 for name in ("", "more/"))
        assert float(row["val/more/loss"]) > 0
    for folder, count in ((run, 2), (run / "more", 12)):
        forms = orjson.loads((folder / "metrics.json").read_bytes())
        assert {split: len(form["at_1"]["per_class"]) for split, form in forms.items()} == dict.fromkeys(
            ("valid", "test"), count
        )
        assert (folder / "report.html").is_file()
        assert (folder / "predictions" / "test" / "results_spotting.zip").is_file()


def test_heads_are_those_that_were_stated(run: Path) -> None:
    content = open_checkpoint(run / "checkpoints" / "best.ckpt")
    own, more = (choose_label_set(content, name) for name in (None, "more"))
    assert own["hyper_parameters"]["head"]["dilate"] == 2
    assert more["hyper_parameters"]["head"]["dilate"] == 1
    assert more["hyper_parameters"]["postprocess"]["window"] == 1.0
    assert [each["state_dict"]["head.classes.weight"].shape[0] for each in (own, more)] == [3, 13]
    shared = [name for name in own["state_dict"] if name.startswith("network.")]
    assert all(own["state_dict"][name] is more["state_dict"][name] for name in shared)


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "more"])
def test_each_label_set_is_predicted_as_in_training(name: str | None, run: Path, tmp_path: Path) -> None:
    chosen = [] if name is None else [f"label_set={name}"]
    predict(tmp_path, f"ckpt={run}", *chosen, "out=out", "trainer.precision=32-true")
    mine, theirs = (
        orjson.loads((folder / "l/s/c/results_spotting.json").read_bytes())["predictions"]
        for folder in (tmp_path / "out", (run / (name or "")) / "predictions" / "test")
    )
    assert [each["label"] for each in mine] == [each["label"] for each in theirs]
    confidences = [[float(each["confidence"]) for each in found] for found in (mine, theirs)]
    assert confidences[0] == pytest.approx(confidences[1], abs=1e-3)


def test_python_loads_each_label_set(run: Path) -> None:
    model, more = (spotter.load(run, "cpu", label_set=name) for name in (None, "more"))
    assert (len(model.classes), len(more.classes)) == (2, 12)


def test_unknown_label_set_is_one_line(run: Path, tmp_path: Path) -> None:
    called = call("predict.py", f"ckpt={run}", "label_set=others", "trainer=cpu", cwd=tmp_path)
    assert called.status == 1
    assert called.err.splitlines()[-1].endswith(
        "label_set: 'others' is none of the others that the checkpoint knows: 'more'"
    )


@pytest.mark.slow
def test_stopped_run_goes_on_with_the_same_bits(
    run: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = SpottingModule.training_step

    def fails(self: SpottingModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 1 and batch_idx == 1:
            raise OSError("the disk went away")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(SpottingModule, "training_step", fails)
        assert call("train.py", *words, cwd=tmp_path).status == 1
    (last,) = tmp_path.glob("outputs/*/*/checkpoints/last.ckpt")
    called = call("train.py", f"ckpt={last}", cwd=tmp_path)
    assert called.status == 0, called.err
    assert history(last.parents[1]) == history(run)
    one, other = (open_checkpoint(path / "checkpoints" / "last.ckpt")["state_dict"] for path in (run, last.parents[1]))
    assert any(name.startswith("heads.more.") for name in one)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_two_ranks_see_the_clips_of_one(words: list[str], run: Path, tmp_path: Path) -> None:
    more = [*(word for word in words if word != "trainer=cpu"), "trainer=ddp_cpu", "trainer.max_epochs=1"]
    assert on_ranks(2, lambda: call("train.py", *more, cwd=tmp_path).status, limit=240) == [0, 0]
    (two,) = tmp_path.glob("outputs/*/*")
    assert [row["step"] for row in history(run)] == ["3", "6"]
    assert [row["step"] for row in history(two)] == ["3"]
    assert {name for name in files_below(two) if name.endswith(".zip")} == {
        name for name in files_below(run) if name.endswith(".zip")
    }
    state = open_checkpoint(two / "checkpoints" / "last.ckpt")["state_dict"]
    assert all(torch.isfinite(value).all() for value in state.values())


@pytest.mark.slow
def test_fine_tuning_takes_what_fits(run: Path, words: list[str], tmp_path: Path) -> None:
    """The network and the own head are those of the joint run; where classes are others, the classifier is left."""
    own = [word for word in words if not word.startswith(("data.joint", "model.joint"))]
    for name in ("same", "other"):
        (tmp_path / name).mkdir()
    start = [*own, f"model.init_from={run}/checkpoints/best.ckpt", "trainer.max_epochs=1"]
    assert "left as they were" not in call("train.py", *start, cwd=tmp_path / "same").err
    called = call("train.py", *start, "data.task=ball-2024", cwd=tmp_path / "other")
    assert called.status == 0, called.err
    assert "left as they were: head.classes.bias, head.classes.weight" in called.err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.joint={more:{task:ball-2024,share:2}}", "data.joint.more.share: expected a number between 0 and 1"),
        ("data.joint={more:{task:ball-2024,shares:0.5}}", "data.joint.more.shares: unknown"),
        ("data.joint={more:{share:0.5}}", "data.joint.more.task: give the task"),
        ("data.joint={predictions:{task:ball-2024}}", "'predictions' cannot be the name"),
        ("data.joint={a:{task:ball-2024},b:{task:ball-2024}}", "leave the data set itself none of the 4 clips"),
        ("model.clips.sampling=non_overlapping", "model.clips.sampling: other labels need clips that are drawn"),
        ("model.joint={less:{}}", "model.joint.less: data.joint has no such label set"),
        ("model.joint={more:{lr:1}}", "model.joint.more.lr: unknown"),
        ("model=adaspot", "AdaSpot ends in scores of its classes"),
    ],
)
def test_mistakes_are_one_line(word: str, message: str, words: list[str], tmp_path: Path) -> None:
    key = word.partition("=")[0]
    kept = [each for each in words if not each.startswith(f"{key}=")]
    if key == "model":
        kept = [each for each in kept if each != "model.network.layers=1"]
        kept = [each for each in kept if not each.startswith("model.joint")]
    called = call("train.py", *kept, word, cwd=tmp_path)
    assert called.status != 0
    assert message in called.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("size", "share", "remedy"),
    [(8, 0.4, "give 0.5"), (9, 0.4, None), (8, 0.5, None), (2, 0.5, "raise data.batch_size")],
)
def test_a_share_that_does_not_spread_over_ranks_names_its_key(size: int, share: float, remedy: str | None) -> None:
    """The batch itself does: its size is not what has to be changed."""
    more: Any = SimpleNamespace(batch_size=max(1, round(share * size)))
    data: Any = SimpleNamespace(batch_size=size, others={"more": more})
    if remedy is None:
        return check_spread(data, 2)
    found = f"{more.batch_size} of the {size} clips of a batch do not spread evenly over 2 devices"
    with pytest.raises(UserError, match=rf"^data\.joint\.more\.share: its {found}; {remedy}, or other"):
        check_spread(data, 2)
    more.batch_size = 2
    return check_spread(data, 2)


@pytest.mark.slow
def test_games_that_one_label_set_trains_on_and_another_scores_are_named(
    tiny: list[str], tree: Path, tmp_path: Path
) -> None:
    """Of a cross-validation, for example, of which the other label set knows nothing."""
    joint = f"data.joint={{more:{{task:soccernet-v2,root:'{tree}'}}}}"
    for words, count in (([], 0), (["data.fold=0/4"], 1)):
        called = call("train.py", *tiny, joint, "trainer.max_epochs=1", "model=linear", *words, cwd=tmp_path)
        assert called.status == 0, called.err
        found = [line for line in called.err.splitlines() if "so that those scores are too good" in line]
        assert sum("more.splits: trains on 1 game that data.splits scores" in line for line in found) == count
