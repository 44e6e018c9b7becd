"""The schedule, and the module's own promises: names, seeds, plain hyper-parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import pytorch_lightning as pl
import torch
from gpu_parts import build, trainer
from hypothesis import given
from hypothesis import strategies as st

from spotter.errors import UserError
from spotter.io.checkpoints import save_checkpoint
from spotter.io.upgrade import FORMAT
from spotter.tasks import Task
from spotter.training.build import build_from
from spotter.training.checkpoint import init_from
from spotter.training.module import SpottingModule
from spotter.training.optimizer import schedule_factor

SETTINGS: dict[str, Any] = {
    "task": Task.load("soccernet-v2").to_dict(),
    "source": {"kind": "features", "root": None, "streams": {"a": {"file": "a", "fps": 1, "width": 6}}},
    "network": {
        "_target_": "spotter.models.transformer.Transformer",
        "dim": 8, "layers": 1, "heads": 2, "feedforward": 16,
        "upsample": 2,
    },
    "head": {"_target_": "spotter.models.blocks.dense.DenseHead", "radius": 2.0, "displacement_radius": 6.0},
    "clips": {"clip_len": 8},
    "postprocess": {"method": "nms", "window": 5.0},
}  # fmt: skip


def test_cosine_by_hand() -> None:
    """Four steps of warm-up, then from 1 down to ``final``, where it stays."""
    factors = [schedule_factor("cosine", step, 14, 4, 0.1) for step in range(20)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4] == 1
    assert factors[9] == pytest.approx(0.55)
    assert factors[14:] == pytest.approx([0.1] * 6)
    assert [schedule_factor("cosine", step, 100, 0.04, 0.1) for step in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])


@given(steps=st.integers(1, 500), warmup=st.floats(0, 0.99) | st.integers(1, 600), final=st.floats(0, 1))
def test_cosine_rises_then_falls_within_bounds(steps: int, warmup: float, final: float) -> None:
    """However short a run is, the factor stays above 0 and at most 1, and has one peak."""
    factors = [schedule_factor("cosine", step, steps, warmup, final) for step in range(steps)]
    assert all(0 <= factor <= 1 for factor in factors)
    peak = factors.index(max(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_state_dict_names_stay_when_compiled() -> None:
    """A compiled module has the same tensors by the same names, and takes those of one that is not."""
    task, source = SETTINGS["task"], SETTINGS["source"]
    model = {key: value for key, value in SETTINGS.items() if key not in ("task", "source")}
    plain, compiled = (build_from({**model, "compile": each}, task, source) for each in (False, True))
    assert list(plain.state_dict()) == list(compiled.state_dict())
    compiled.load_state_dict(plain.state_dict())
    assert plain.hparams == compiled.hparams  # so prediction does not compile what training did


def test_decay_is_for_matrices_only() -> None:
    """Biases, norms and learned vectors are not decayed; every parameter is trained once."""
    module = SpottingModule(**SETTINGS, optimizer={"weight_decay": 0.3})
    module._steps = lambda: lambda step: 10  # type: ignore[method-assign]
    decayed, plain = module.configure_optimizers()["optimizer"].param_groups  # type: ignore[call-overload,index]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    assert all(parameter.dim() >= 2 for parameter in decayed["params"])
    assert all(parameter.dim() < 2 for parameter in plain["params"])
    assert len(decayed["params"]) + len(plain["params"]) == len(list(module.parameters()))


@pytest.mark.parametrize(("classes", "taken"), [(["A", "B"], True), (["B", "A"], False)])
def test_weights_of_a_task_with_other_classes_begin_with_a_new_head(
    tmp_path: Path, classes: list[str], taken: bool
) -> None:
    """Though there are as many of them; the network is taken."""
    task = {**SETTINGS["task"], "name": "x"}
    first = SpottingModule(**{**SETTINGS, "task": {**task, "classes": ["A", "B"]}})
    content = {"spotter_format": FORMAT, "hyper_parameters": dict(first.hparams), "state_dict": first.state_dict()}
    save_checkpoint(tmp_path / "first.ckpt", content)
    other = SpottingModule(**{**SETTINGS, "task": {**task, "classes": classes}})
    init_from(other, tmp_path / "first.ckpt")
    for ours, theirs in ((other.head, first.head), (other.network, first.network)):
        same = all(map(torch.equal, ours.parameters(), theirs.parameters()))
        assert same is (taken or ours is other.network)


def test_a_run_does_not_start_from_weights_that_are_not_finite(tmp_path: Path) -> None:
    first = SpottingModule(**SETTINGS)
    state = first.state_dict() | {"head.rates": torch.full((17,), math.inf)}
    content = {"spotter_format": FORMAT, "hyper_parameters": dict(first.hparams), "state_dict": state}
    save_checkpoint(tmp_path / "first.ckpt", content)
    with pytest.raises(UserError, match=r"model\.init_from: the weights head\.rates in .*first\.ckpt are not finite"):
        init_from(first, tmp_path / "first.ckpt")


def test_sizes_follow_from_task_and_input() -> None:
    """Anchors, classes and the largest displacement are known from what is stated once."""
    module = SpottingModule(**SETTINGS)
    assert module.system.rate == 2.0
    assert module.head.confidence.out_features == 17
    assert module.head.max_displacement == 12  # six seconds at two anchors a second


@pytest.mark.parametrize(
    ("limit", "accumulate", "most", "expected"),
    [(1.0, 1, -1, 50), (0.5, 1, -1, 25), (3, 1, -1, 15), (99, 1, -1, 50), (3, 2, -1, 10), (1.0, 4, -1, 15),
     (1.0, 1, 20, 20), (1.0, 1, 1000, 50)],
)  # fmt: skip
def test_a_schedule_ends_with_the_run_whatever_limits_it(
    limit: int | float, accumulate: int, most: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs of 10 batches, 5 of them."""
    module, _ = build("linear", batches=10)
    limited = mock.Mock(
        callbacks=[], limit_train_batches=limit, accumulate_grad_batches=accumulate, max_epochs=5, max_steps=most
    )
    monkeypatch.setattr(SpottingModule, "trainer", limited)
    monkeypatch.setattr(SpottingModule, "_data", mock.Mock(batches_per_epoch=10))
    assert module._steps()(0) == expected


def test_a_warm_up_that_never_ends_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    module, _ = build("linear", batches=10)
    module.optimizer_config = replace(module.optimizer_config, warmup=50)
    limited = mock.Mock(callbacks=[], limit_train_batches=1.0, accumulate_grad_batches=1, max_epochs=5, max_steps=-1)
    monkeypatch.setattr(SpottingModule, "trainer", limited)
    monkeypatch.setattr(SpottingModule, "_data", mock.Mock(batches_per_epoch=10))
    with caplog.at_level("WARNING", "spotter"):
        module._steps()
    assert "model.warmup=50: the run has 50 steps" in caplog.text


def test_sharpness_aware_steps_are_refused_at_the_start_where_gradients_are_scaled(tmp_path: Path) -> None:
    module, data = build("linear", batches=1)
    module.optimizer_config = replace(module.optimizer_config, sam=0.05)
    with (
        mock.patch.object(pl.Trainer, "precision", "16-mixed"),
        pytest.raises(UserError, match=r"model\.sam: does not go with trainer\.precision=16-mixed"),
    ):
        trainer(tmp_path, accelerator="cpu").fit(module, data)


def test_what_others_draw_does_not_begin_anew_with_every_step(tmp_path: Path) -> None:
    module, data = build("transformer", batches=3)
    drawn: list[float] = []

    class Draws(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            drawn.append(torch.rand(1).item())

    trainer(tmp_path, [Draws()], accelerator="cpu").fit(module, data)
    assert len(set(drawn)) == 3
