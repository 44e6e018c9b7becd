"""Loaders of batches: how many read ahead changes neither what comes nor its order."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader

from spotter.data.clips import EvaluationBatches
from spotter.data.loaders import ThreadLoader, batch_loader
from spotter.types import Batch, Clip


class Slow:
    """Stand in for a dataset: of three batches, the first takes longest; notes what is read, and by which thread."""

    source = SimpleNamespace(spec=SimpleNamespace(kind="features"))

    def __init__(self, broken: int | None = None) -> None:
        self.read: list[int] = []
        self.threads: set[str] = set()
        self._broken = broken

    def __getitem__(self, clips: Sequence[Clip]) -> Batch:
        number = clips[0].start
        self.read.append(number)
        self.threads.add(threading.current_thread().name)
        time.sleep(0.02 * (3 - number % 3))
        if number == self._broken:
            raise OSError(f"batch {number} is damaged")
        start = torch.tensor([clip.start for clip in clips])
        return Batch(inputs={}, phase={}, valid=start > 0, targets={}, half=start, start=start)


def starts(count: int) -> EvaluationBatches:
    return EvaluationBatches([[Clip(0, number)] for number in range(count)])


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order(workers: int) -> None:
    dataset = Slow()
    loader = batch_loader(dataset, starts(7), workers, pin=False)  # type: ignore[arg-type]
    assert len(loader) == 7
    for _ in range(2):  # epochs
        assert [int(batch["start"]) for batch in loader] == list(range(7))
    assert len(dataset.threads) == max(1, workers)
    assert (threading.current_thread().name in dataset.threads) == (workers == 0)


def test_no_more_is_read_ahead_than_wanted() -> None:
    dataset = Slow()
    batches = iter(ThreadLoader(dataset, starts(20), 2, pin=False, prefetch_factor=2))  # type: ignore[arg-type]
    next(batches)
    time.sleep(0.3)
    assert sorted(dataset.read) == [0, 1, 2, 3, 4]
    batches.close()  # type: ignore[attr-defined]  # as an epoch that ends early
    time.sleep(0.1)
    assert len(dataset.read) == 5


def test_an_error_comes_in_place_of_its_batch() -> None:
    found = []
    with pytest.raises(OSError, match="batch 2 is damaged"):
        found.extend(int(batch["start"]) for batch in batch_loader(Slow(2), starts(9), 3, pin=False))  # type: ignore[arg-type]
    assert not [thread.name for thread in threading.enumerate() if "readers" in thread.name]


def test_video_is_decoded_by_processes() -> None:
    dataset = Slow()
    dataset.source = SimpleNamespace(spec=SimpleNamespace(kind="video"))
    loader = batch_loader(dataset, starts(2), 2, pin=False)  # type: ignore[arg-type]
    assert isinstance(loader, DataLoader)
    assert loader.num_workers == 2
