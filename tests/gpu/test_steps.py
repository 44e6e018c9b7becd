"""One training step of every model, and no step that waits for the device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from gpu_examples import EXAMPLES
from gpu_parts import DEVICE, NoSync, build, ema, state, trainer


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_step_changes_the_weights_on_the_device(name: str, tmp_path: Path) -> None:
    module, data = build(name, batches=1)
    before = state(module)
    run = trainer(tmp_path)
    run.fit(module, data)
    assert run.strategy.root_device.type == DEVICE.type
    assert torch.isfinite(run.callback_metrics["train/loss_step"])
    changed = [key for key, tensor in state(module).items() if not torch.equal(tensor, before[key])]
    assert changed
    assert all(torch.isfinite(tensor).all() for tensor in state(module).values())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_step_waits_for_the_device(name: str, precision: str, tmp_path: Path) -> None:
    module, data = build(name, batches=4)
    watch = NoSync()
    trainer(tmp_path, [ema(), watch], precision=precision).fit(module, data)
    assert watch.steps == 4
