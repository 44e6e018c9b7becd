"""What is typed as ``ckpt=`` and beside it: a run goes on from there as typed, or stays as it was."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from spotter.cli.run_folder import occupied
from tests.conftest import call, files_below
from tests.helpers.interrupt import Interrupt
from tests.training.test_resume import same_weights


@pytest.mark.parametrize(
    ("word", "said"),
    [("data.batch_size=0", "data.batch_size"), ("model.warmup=-1", "model.warmup"), ("trainer.x=1", "x")],
)
def test_a_refused_command_leaves_the_config_of_the_run(trained: Path, tmp_path: Path, word: str, said: str) -> None:
    """Else the next one would go on with the mistake."""
    run = tmp_path / "outputs" / "transformer-demo" / "run"
    shutil.copytree(trained, run)
    before = files_below(run / ".hydra")
    called = call("train.py", f"ckpt={run}/checkpoints/last.ckpt", word, cwd=tmp_path)
    assert called.status in (1, 2)
    assert said in called.err
    assert files_below(run / ".hydra") == before


def test_a_run_at_work_keeps_its_config(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it has written meanwhile."""
    monkeypatch.setattr("spotter.cli.run_folder.RELEASE", 0.0)
    run = tmp_path / "outputs" / "transformer-demo" / "run"
    shutil.copytree(trained, run)
    before = files_below(run / ".hydra")
    with occupied(run):
        called = call("train.py", f"ckpt={run}/checkpoints/last.ckpt", "model.lr=9", cwd=tmp_path)
    assert called.status == 1
    assert "another run is at work there" in called.err
    assert files_below(run / ".hydra") == before


def test_a_finished_run_is_not_written_over(trained: Path, tiny: list[str], tmp_path: Path) -> None:
    """Only ``ckpt`` goes on with it; the files stay as they are, but for the log."""
    run = shutil.copytree(trained, tmp_path / "run")
    before = files_below(run)
    called = call("train.py", *tiny, "seed=9", "hydra.run.dir=run", cwd=tmp_path)
    assert called.status == 1
    assert f"{run}: holds a finished run: give another hydra.run.dir" in called.err
    assert {name: content for name, content in files_below(run).items() if name != "run.log"} == {
        name: content for name, content in before.items() if name != "run.log"
    }


ANEW = {"same": [], "typed": ["model.lr=1e-2"], "low": ["model.lr=0"], "decay": ["model.weight_decay=9"]}


@pytest.mark.slow
def test_a_rate_and_a_decay_that_are_typed_act_on_a_run_that_goes_on(tiny: list[str], tmp_path: Path) -> None:
    words = [*tiny, "model=linear", "model.lr=1e-2", "callbacks.early_stopping=null", "callbacks.ema=null"]
    assert call("train.py", *words, "hydra.run.dir=begun", "trainer.max_epochs=2", cwd=tmp_path).status == 0
    for name, more in ANEW.items():
        shutil.copytree(tmp_path / "begun", tmp_path / name)
        resumed = [f"ckpt={name}/checkpoints/last.ckpt", "trainer.max_epochs=4", *more]
        assert call("train.py", *resumed, cwd=tmp_path).status == 0
    left = {
        name: torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("begun", *ANEW)
    }
    decays = {
        name: [group["weight_decay"] for group in left[name]["optimizer_states"][0]["param_groups"]] for name in left
    }
    assert decays == {name: [9 if name == "decay" else 0.01, 0.0] for name in left}
    weights = {name: torch.cat([each.ravel() for each in left[name]["state_dict"].values()]) for name in left}
    assert torch.equal(weights["same"], weights["typed"])
    assert torch.equal(weights["low"], weights["begun"]), "a rate of 0 changes nothing"
    assert not torch.equal(weights["same"], weights["begun"])
    assert not torch.equal(weights["same"], weights["decay"])


@pytest.mark.slow
def test_what_a_run_began_with_is_not_needed_to_go_on(tiny: list[str], trained: Path, tmp_path: Path) -> None:
    """The weights that it took, and the folder in which a file of its games was named."""
    shutil.copy(trained / "checkpoints" / "best.ckpt", tmp_path / "first.ckpt")
    (tmp_path / "games.txt").write_text("train", encoding="utf-8")
    words = [*tiny, "model.init_from=first.ckpt", "data.splits.train=games.txt", "callbacks.early_stopping=null"]
    called = call("train.py", *words, "hydra.run.dir=run", "trainer.max_epochs=1", cwd=tmp_path)
    assert called.status == 0, called.err
    (tmp_path / "first.ckpt").unlink()
    (tmp_path / "elsewhere").mkdir()
    called = call("train.py", "ckpt=../run/checkpoints/last.ckpt", "trainer.max_epochs=2", cwd=tmp_path / "elsewhere")
    assert called.status == 0, called.err
    assert len((tmp_path / "run" / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.slow
def test_the_best_epoch_is_a_place_to_go_on_from(trained: Path, tmp_path: Path) -> None:
    """Its row of ``metrics.csv`` stays, and those after it are as those of a run that goes on from its end."""
    one, other = (shutil.copytree(trained, tmp_path / name) for name in ("one", "other"))
    before = (one / "metrics.csv").read_text(encoding="utf-8").splitlines()
    epoch = torch.load(one / "checkpoints" / "best.ckpt", weights_only=True)["epoch"]
    called = call("train.py", f"ckpt={one}/checkpoints/best.ckpt", f"trainer.max_epochs={epoch + 1}", cwd=tmp_path)
    assert called.status == 0, called.err
    assert (one / "metrics.csv").read_text(encoding="utf-8").splitlines() == before[: epoch + 2]

    for run, name in ((one, "best"), (other, "last")):
        called = call("train.py", f"ckpt={run}/checkpoints/{name}.ckpt", "trainer.max_epochs=3", cwd=tmp_path)
        assert called.status == 0, called.err
    for name in ("metrics.csv", "metrics.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    same_weights(one, other)


@pytest.mark.slow
def test_what_an_interrupted_run_says_can_be_typed(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its folder is called."""
    monkeypatch.setattr(Interrupt, "armed", True)
    stop = "+callbacks.stop._target_=tests.helpers.interrupt.Interrupt"
    called = call("train.py", *tiny, "model=linear", stop, "hydra.run.dir='a, b (1)'", cwd=tmp_path)
    assert called.status == 130, called.err
    said = re.search("go on with (.+)", called.err)
    assert said is not None
    words = shlex.split(said[1])
    assert words == [f"ckpt={tmp_path}/a, b (1)/checkpoints/last.ckpt"]
    called = call("train.py", *words, stop, cwd=tmp_path)
    assert called.status == 0, called.err
    assert len((tmp_path / "a, b (1)" / "metrics.csv").read_text(encoding="utf-8").splitlines()) == 3
