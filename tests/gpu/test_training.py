"""Whole runs on the device: averaged weights, validation, compiled networks, one process of DDP, resuming."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from gpu_parts import DEVICE, allow_waiting, build, ema, state, trainer, training_batch

from spotter.training.callbacks.average_map import AverageMap

ON_GPU = DEVICE.type == "cuda"


def test_averaged_weights_stay_on_the_device(tmp_path: Path) -> None:
    module, data = build("transformer")
    average = ema()
    devices = set()

    class Look(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            devices.update(tensor.device.type for tensor in average.average.values())

    trainer(tmp_path, [average, Look()]).fit(module, data)
    assert devices == {DEVICE.type}


def test_validation_waits_for_no_batch(tmp_path: Path) -> None:
    module, data = build("transformer")

    class Watch(pl.Callback):
        def on_validation_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            allow_waiting(False)

        def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            allow_waiting(True)

    scores = AverageMap()
    trainer(tmp_path, [ema(), scores, Watch()], limit_val_batches=1.0).fit(module, data)
    assert scores.metrics is not None
    assert 0 <= scores.metrics["tight"]["map"] <= 1


@pytest.mark.parametrize("name", ["transformer", "e2e_spot", "e2e_spot_tsm"])
def test_a_compiled_network_learns_the_same(name: str, tmp_path: Path) -> None:
    losses = []
    for compiled in (False, True):
        module, data = build(name, batches=2)
        module.to(DEVICE).eval()
        for part in module.modules():
            part.training = isinstance(part, torch.nn.GRU)  # cuDNN has no gradient of one in eval mode
        if compiled:
            module.network.compile()
        batch = module.system.prepare(training_batch(data))
        loss = module.head.loss(module(batch), batch)["loss"]
        loss.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None])
        losses.append((float(loss), float(norm)))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_one_process_of_ddp_learns_what_a_single_device_does(tmp_path: Path) -> None:
    weights = []
    for strategy in ("auto", "ddp"):
        module, data = build("transformer")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MASTER_PORT", port)
            scores = AverageMap()
            trainer(tmp_path, [ema(), scores], strategy=strategy, limit_val_batches=1.0).fit(module, data)
        assert scores.metrics is not None
        weights.append(state(module))
    for key, tensor in weights[0].items():
        assert torch.allclose(tensor.float(), weights[1][key].float(), atol=1e-4), key


@pytest.mark.parametrize("name", ["transformer", "calf", "e2e_spot"])
def test_a_resumed_run_ends_where_the_whole_one_does(name: str, tmp_path: Path) -> None:
    whole, data = build(name)

    class Save(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.current_epoch == 0:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    trainer(tmp_path, [ema(), Save()], max_epochs=2).fit(whole, data)
    second, data = build(name)
    trainer(tmp_path, [ema()], max_epochs=2).fit(second, data, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    expected, found = state(whole), state(second)
    for key, tensor in expected.items():
        assert torch.allclose(tensor.float(), found[key].float(), atol=2e-3), key


@pytest.mark.skipif(not ON_GPU, reason="memory of a GPU")
def test_a_step_of_the_published_e2e_spot_fits_a_40_gb_card(tmp_path: Path) -> None:
    module, data = build("e2e_spot", small=False, batches=2)
    torch.cuda.reset_peak_memory_stats()
    trainer(tmp_path, [ema()], precision="bf16-mixed").fit(module, data)
    assert torch.cuda.max_memory_allocated() < 40e9
