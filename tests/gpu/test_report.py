"""How fast every model is in its published size: a table, on standard output and in the file ``$GPU_REPORT``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from gpu_examples import EXAMPLES
from gpu_parts import DEVICE, build, ema, evaluation_batch, trainer, training_batch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.utils.data import DataLoader

from spotter.inference.engine import Compute
from spotter.training.datamodule import SpottingDataModule
from spotter.types import Batch, batch_size

SMALL = DEVICE.type == "cpu"  # there only whether it runs
HEADER = ("model", "precision", "average", "clips/step", "steps/s", "clips/s", "GB", "frames/s evaluated")
TABLE: list[Sequence[str]] = []


def average_equally(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
    """Take the mean of all steps, as Lightning does, and copy whole numbers, for which it has an error."""
    if averaged[0].is_floating_point():
        torch._foreach_lerp_(averaged, current, 1 / (float(count) + 1))
    else:
        torch._foreach_copy_(averaged, current)


def serve(data: SpottingDataModule, batch: Batch, count: int) -> None:
    """Make one batch, which lies on the device, all that an epoch holds, ``count`` times."""
    data.train_dataloader = lambda: DataLoader([batch] * count, batch_size=None)  # type: ignore


class Clock(pl.Callback):
    """Measure the seconds of a step, without the first ones."""

    def __init__(self, skip: int) -> None:
        self.skip, self.seconds = skip, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Read the clock after the first steps, and after the last."""
        if batch_idx + 1 == self.skip:
            self._begin = _now()
        elif batch_idx + 1 == trainer.num_training_batches:
            self.seconds = (_now() - self._begin) / (batch_idx + 1 - self.skip)


def _now() -> float:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def train_speed(name: str, precision: str, callbacks: list[pl.Callback], folder: Path) -> tuple[int, float, float]:
    """Return clips of a step, seconds of a step, and the peak of memory in GB."""
    module, data = build(name, SMALL)
    batch = training_batch(data)
    skip, steps = (2, 6) if EXAMPLES[name].stream is None else (4, 16)
    serve(data, batch, skip + steps)
    clock = Clock(skip)
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    trainer(folder, [*callbacks, clock], precision=precision, benchmark=True).fit(module, data)
    peak = torch.cuda.max_memory_allocated() / 1e9 if DEVICE.type == "cuda" else 0.0
    return batch_size(batch), clock.seconds, peak


def frames_per_second(name: str, precision: str) -> float:
    """Return how many frames of halves are evaluated in a second, without reading them."""
    module, data = build(name, SMALL)
    system, compute = module.system.to(DEVICE).eval(), Compute(DEVICE, precision.partition("-")[0])
    batch, count = evaluation_batch(data), 3 if EXAMPLES[name].stream is None else 10
    with torch.inference_mode(), compute.autocast():
        for _ in range(2):
            system.outputs(batch)
        begin = _now()
        for _ in range(count):
            system.outputs(batch)
        return batch["valid"].numel() * count / (_now() - begin)


def table() -> str:
    """Return what has been measured so far as text."""
    device = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU, small networks"
    widths = [max(len(row[i]) for row in (HEADER, *TABLE)) for i in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (HEADER, *TABLE)]
    return "\n".join([f"{device}, torch {torch.__version__}", *lines, ""])


@pytest.fixture
def usual_matmul() -> Iterator[None]:
    """Multiply matrices of float32 as ``conf/trainer`` says."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("usual_matmul")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_speed(name: str, precision: str, tmp_path: Path) -> None:
    averages: dict[str, list[pl.Callback]] = {"spotter": [ema()]}
    if name in ("transformer", "unet", "e2e_spot"):
        averages = {"none": [], **averages, "Lightning": [WeightAveraging(multi_avg_fn=average_equally)]}
    frames = frames_per_second(name, precision)
    for average, callbacks in averages.items():
        clips, seconds, peak = train_speed(name, precision, callbacks, tmp_path)
        speed = (f"{clips}", f"{1 / seconds:.2f}", f"{clips / seconds:.0f}", f"{peak:.2f}", f"{frames:.0f}")
        TABLE.append((name, precision, average, *speed))
        assert seconds > 0
    if path := os.environ.get("GPU_REPORT"):
        Path(path).write_text(table())  # now, for a run may be cut off


def test_show_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Comes last."""
    with capsys.disabled():
        print(f"\n{table()}")  # noqa: T201
    assert TABLE
