"""Rows and losses that are not finite: named, counted, and never in a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import orjson
import pytest
import torch

from spotter.errors import UserError
from spotter.training.callbacks.nonfinite import LAG, NonFinite
from spotter.training.module import SpottingModule
from tests.conftest import call

FAST = ["model=linear", "trainer.max_epochs=2"]


@pytest.fixture
def broken(tree: Path, tmp_path: Path) -> Callable[[str, float], tuple[Path, Path]]:
    """Return a function that copies the tree and makes two rows of a game of a split not finite."""

    def damage(split: str, value: float) -> tuple[Path, Path]:
        root = Path(shutil.copytree(tree, tmp_path / split))
        game = orjson.loads((root / "splits.json").read_bytes())[split][0]
        (file,) = (root / game).glob("2_*.npy")
        rows = np.load(file)
        rows[[100, 150], 3] = value
        np.save(file, rows)
        return root, file

    return damage


def weights_of(run: Path) -> list[torch.Tensor]:
    names = [path.name for path in (run / "checkpoints").iterdir()]
    assert sorted(names) == ["best.ckpt", "last.ckpt"]
    contents = [torch.load(run / "checkpoints" / name, weights_only=True) for name in names]
    return [tensor for content in contents for part in ("state_dict", "current_model_state")
            for tensor in content[part].values() if tensor.is_floating_point()]  # fmt: skip


@pytest.mark.parametrize(("model", "value"), [("linear", np.nan), ("netvladpp", np.inf)])
def test_training_stops_at_the_first_such_step(
    broken: Any, tiny: list[str], tmp_path: Path, model: str, value: float
) -> None:
    root, file = broken("train", value)
    called = call("train.py", *tiny, f"model={model}", f"data.root={root}", "model.clips.per_epoch=256", cwd=tmp_path)
    assert called.status == 1
    last = called.err.splitlines()[-1]
    assert "error: epoch 1, batch " in last
    assert f"{file}: row 100 is not finite, and 1 more of its rows (read for a clip of half 2 from " in last
    assert "trainer.on_nonfinite=skip" in last
    assert not list(tmp_path.glob("outputs/*/*/checkpoints/*"))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["linear", "netvladpp", "transformer"])
def test_such_steps_are_skipped_counted_and_leave_no_trace(
    broken: Any, tiny: list[str], tmp_path: Path, model: str
) -> None:
    root, file = broken("train", np.nan)
    words = [*tiny, f"model={model}", f"data.root={root}", "trainer.on_nonfinite=skip", "model.clips.per_epoch=256"]
    called = call("train.py", *words, cwd=tmp_path)
    assert called.status == 0, called.err
    assert called.err.count(f"{file}: row 100 is not finite") == 1
    assert called.err.count("steps were skipped in this epoch") == 2
    (run,) = tmp_path.glob("outputs/*/*")
    assert all(bool(tensor.isfinite().all()) for tensor in weights_of(run))
    assert "nan" not in (run / "metrics.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_prediction_takes_such_rows_for_missing(broken: Any, tiny: list[str], tmp_path: Path) -> None:
    root, file = broken("valid", np.inf)
    called = call("train.py", *tiny, *FAST, f"data.root={root}", cwd=tmp_path)
    assert called.status == 0, called.err
    said = f"2 rows in 1 file not finite, to count as missing in prediction, first {file}: row 100"
    assert called.err.count(said) == 2  # in the first validation, and when the best weights predict
    (run,) = tmp_path.glob("outputs/*/*")
    called = call("predict.py", f"ckpt={run}", f"input={file}", "out=a", cwd=tmp_path)
    assert called.status == 0, called.err
    assert said in called.err
    rows = np.load(file)
    rows[[100, 150]] = 0
    np.save(file, rows)
    called = call("predict.py", f"ckpt={run}", f"input={file}", "out=b", cwd=tmp_path)
    assert "not finite" not in called.err
    (a,), (b,) = (list((tmp_path / out).rglob("results_spotting.json")) for out in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_a_loss_that_explodes_names_the_learning_rate(tiny: list[str], tmp_path: Path) -> None:
    step = SpottingModule.training_step

    def explodes(self: SpottingModule, batch: Any, batch_idx: int) -> torch.Tensor:
        return step(self, batch, batch_idx) * (torch.inf if (self.current_epoch, batch_idx) == (1, 2) else 1)

    with mock.patch.object(SpottingModule, "training_step", explodes):
        called = call("train.py", *tiny, *FAST, "model.lr=0.25", cwd=tmp_path)
    assert called.status == 1
    last = called.err.splitlines()[-1]
    assert last.startswith("error: epoch 2, batch 3: the loss or its gradient is not finite; its input is, so look at ")
    assert "lower model.lr" in last
    (run,) = tmp_path.glob("outputs/*/*")
    assert all(bool(tensor.isfinite().all()) for tensor in weights_of(run))


def test_no_checkpoint_of_broken_weights() -> None:
    trainer: Any = SimpleNamespace(current_epoch=4)
    content = {"state_dict": {"a": torch.zeros(2), "b": torch.tensor([0.0, torch.nan])}}
    with pytest.raises(UserError, match=r"epoch 5: the weights b are not finite.*lower model\.lr"):
        NonFinite().on_save_checkpoint(trainer, None, content)  # type: ignore[arg-type]


def test_a_gpu_is_asked_some_steps_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a step is looked at before ``LAG`` more are under way; meta tensors stand for the GPU."""
    looked: list[int] = []

    class Copy:
        made = 0

        def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
            assert tensors["bad"].device.type == "meta"
            self.number = Copy.made
            Copy.made += 1

        def arrays(self) -> dict[str, Any]:
            looked.append(self.number)
            return {"bad": np.array(False)}

    monkeypatch.setattr("spotter.training.callbacks.nonfinite.HostCopy", Copy)
    module, watch = torch.nn.Linear(3, 1, device="meta"), NonFinite("skip")
    trainer: Any = SimpleNamespace(precision="32-true", current_epoch=0, fit_loop=SimpleNamespace(batch_idx=0))
    batch: Any = {"half": torch.zeros(2, dtype=torch.int64), "start": torch.zeros(2, dtype=torch.int64)}
    optimizer = torch.optim.AdamW(module.parameters())
    for number in range(5):
        watch.on_train_batch_start(trainer, module, batch, number)  # type: ignore[arg-type]
        loss = module(torch.zeros(2, 3, device="meta")).sum()
        watch.on_before_backward(trainer, module, loss)  # type: ignore[arg-type]
        loss.backward()
        watch.on_before_optimizer_step(trainer, module, optimizer)  # type: ignore[arg-type]
        watch.on_train_batch_end(trainer, module, None, batch, number)  # type: ignore[arg-type]
        assert looked == list(range(max(0, number + 1 - LAG)))
    watch.on_save_checkpoint(trainer, module, {})  # type: ignore[arg-type]
    assert looked == list(range(5))
