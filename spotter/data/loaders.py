"""Loaders of batches: threads read features ahead, processes decode video."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spotter.data.clips import EvaluationBatches, TrainingBatches
from spotter.data.datasets import ClipDataset
from spotter.data.joint import JointBatches, JointDataset
from spotter.errors import UserError
from spotter.types import Batch, map_tensors

Batches = TrainingBatches | EvaluationBatches | JointBatches
READERS = {"features": "threads", "video": "processes"}  # what reads ahead


class ThreadLoader:
    """Iterate over batches of features that threads of this process read ahead, in their order.

    Features are copied, not computed: Python's lock is free meanwhile, and a batch of 200 MB need not pass through
    shared memory, which costs a process more than reading does.

    threads : how many read
    pin : in memory from which a GPU copies without waiting
    prefetch_factor : batches that each of the threads has ready
    """

    def __init__(
        self, dataset: Dataset[Batch], batches: Batches, threads: int, pin: bool, prefetch_factor: int
    ) -> None:
        self._dataset, self._batches, self._pin = dataset, batches, pin
        self._threads, self._ahead = threads, threads * prefetch_factor

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        pool, pending = ThreadPoolExecutor(self._threads, "spotter readers"), deque[Future[Batch]]()
        try:
            for clips in self._batches:
                pending.append(pool.submit(self._read, clips))
                if len(pending) > self._ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, clips: Sequence[object]) -> Batch:
        batch = self._dataset[clips]
        return map_tensors(batch, Tensor.pin_memory) if self._pin else batch


BatchLoader = DataLoader[Batch] | ThreadLoader


def batch_loader(
    dataset: ClipDataset | JointDataset, batches: Batches, num_workers: int, pin: bool, prefetch_factor: int = 2
) -> BatchLoader:
    """Return a loader over batches of clips.

    num_workers : threads that read features, or processes that decode video; 0: they are read when they are wanted
    pin : in memory from which a GPU copies without waiting
    prefetch_factor : batches that each of the workers has ready
    """
    if num_workers and READERS[dataset.source.spec.kind] == "threads":
        return ThreadLoader(dataset, batches, num_workers, pin, prefetch_factor)
    return DataLoader(
        dataset,
        batch_size=None,  # the sampler yields whole batches
        sampler=batches,
        num_workers=num_workers,
        prefetch_factor=prefetch_factor if num_workers else None,
        persistent_workers=num_workers > 0,
        pin_memory=pin,
    )


@contextmanager
def naming_dead_readers() -> Iterator[None]:
    """Turn torch's error about a process that reads data and has died into a UserError."""
    try:
        yield
    except RuntimeError as error:
        found = re.search(r"DataLoader worker \(pid.*\) (exited unexpectedly|is killed by signal: (\w+))", str(error))
        if found is None or found[2] == "Terminated":
            raise
        how = f"was killed ({found[2]})" if found[2] else "died"
        raise UserError(
            f"a process that reads data {how}, maybe since the machine has run out of memory: lower data.num_workers "
            "or data.batch_size, or ask for more memory"
        ) from error
