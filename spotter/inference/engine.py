"""Run a network over whole halves: any network, any source, on any number of ranks, without Lightning.

Shapes: B clips, L anchors of a clip, T anchors of a half, D numbers per anchor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spotter.checks import check_choice
from spotter.data.clips import EvaluationBatches, batches, evaluation_clips
from spotter.data.datasets import ClipDataset
from spotter.data.loaders import batch_loader, naming_dead_readers
from spotter.data.source import Source
from spotter.errors import UserError
from spotter.inference.halves import HalfStitcher
from spotter.inference.precision import PRECISIONS
from spotter.inference.ranks import exchange, rank_and_world
from spotter.settings import ClipConfig
from spotter.types import Arrays, Batch, Clip, Half, HalfRecord, TargetMaker, batch_size, map_tensors

Outputs = Callable[[Batch], Mapping[str, Tensor]]


def pick_device(name: str | torch.device | None) -> torch.device:
    """Return the device of a name, for None a GPU if there is one; raises UserError for one that is not there."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the second of a torch that was built without CUDA
        raise UserError(f"device: no {str(name)!r} here; give cpu, or cuda:0 where there is a GPU") from error
    return device


@dataclass(frozen=True, slots=True)
class Compute:
    """Say how a network is run.

    precision : of products and convolutions: 32, 16 or bf16
    batch_size : clips at once
    num_workers : threads that read features, or processes that decode video; 0 for this one
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "32"
    batch_size: int = 1
    num_workers: int = 0

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the network runs."""
        dtype = PRECISIONS[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)


def run(
    outputs: Outputs,
    source: Source,
    records: Sequence[HalfRecord],
    clips: ClipConfig,
    upsample: int = 1,
    compute: Compute | None = None,
    *,
    targets: TargetMaker | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[Half, Arrays]]:
    """Yield every half with its stitched outputs, by name (T, D) float32, T = frames of the half * ``upsample``.

    Where torch.distributed is initialised, each rank runs a contiguous part of the batches and yields the halves whose
    first clip it ran; all ranks together yield each half once, with the same bits as a single one. All of them have to
    run to the end: what lies across the border of two ranks is exchanged there.

    outputs : the network, in eval mode on the device; maps a batch to (B, L, D) tensors by name, L = ``upsample`` *
        frames of a clip, for example ``System.outputs``
    records : the halves, in order
    clips : how halves are cut into overlapping clips
    upsample : anchors per frame
    compute : on the CPU, a clip at a time, if None
    targets : makes the targets of each batch, where all halves have labels
    progress : called with the fraction of this rank's clips that is done

    Raises UserError for input that cannot be read.
    """
    compute = compute or Compute()
    rank, world = rank_and_world()
    lengths = [record.frames for record in records]
    every = evaluation_clips(lengths, clips)
    parts = [batches(every, compute.batch_size, each, world) for each in range(world)]
    dataset, pin = ClipDataset(records, source, clips.eval_len, targets), compute.device.type == "cuda"
    loader = batch_loader(dataset, EvaluationBatches(parts[rank]), compute.num_workers, pin)
    collector = HalfCollector(records, parts, rank, clips, upsample)
    for number, batch in enumerate(_named(loader)):
        if batch_size(batch):
            with torch.inference_mode(), compute.autocast():
                found = outputs(to_device(batch, compute.device))
            yield from collector.add(batch, found)
        if progress is not None:
            progress((number + 1) / len(parts[rank]))
    yield from collector.finish()


def _named(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches; the death of a process that reads them is a UserError."""
    with naming_dead_readers():
        yield from loader


class HalfCollector:
    """Take the outputs of one batch after another and yield the halves that become whole, in order.

    Outputs are copied to the host without waiting, and stitched when the next batch comes: the device meanwhile works
    on that one. The arguments are those of ``HalfStitcher``.
    """

    def __init__(
        self,
        records: Sequence[HalfRecord],
        parts: Sequence[Sequence[Sequence[Clip]]],
        rank: int,
        clips: ClipConfig,
        upsample: int = 1,
    ) -> None:
        self._halves = [record.half for record in records]
        self._stitcher = HalfStitcher([record.frames for record in records], parts, rank, clips, upsample)
        self._last: tuple[NDArray[np.int64], NDArray[np.int64], HostCopy] | None = None

    def add(self, batch: Batch, outputs: Mapping[str, Tensor]) -> Iterator[tuple[Half, Arrays]]:
        """Take a batch and its outputs, (B, L, D) each; yield halves with their (T, D) arrays."""
        before, self._last = self._last, (batch["half"].numpy(), batch["start"].numpy(), HostCopy(outputs))
        return self._stitch(before)

    def finish(self) -> Iterator[tuple[Half, Arrays]]:
        """Exchange what lies across the borders of ranks, all of which call this; yield the halves that are left."""
        before, self._last = self._last, None
        yield from self._stitch(before)
        for index, arrays in self._stitcher.receive(exchange(self._stitcher.outgoing())):
            yield self._halves[index], arrays

    @property
    def incomplete(self) -> int:
        """Return how many halves of this rank are not whole, as in an epoch of a few batches only."""
        return len(self._stitcher.incomplete)

    def _stitch(
        self, before: tuple[NDArray[np.int64], NDArray[np.int64], HostCopy] | None
    ) -> Iterator[tuple[Half, Arrays]]:
        if before is not None:
            halves, starts, copy = before
            for index, arrays in self._stitcher.add(halves, starts, copy.arrays()):
                yield self._halves[index], arrays


class HostCopy:
    """Copy tensors to the host as float32; only ``arrays`` waits until they are there."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        device = next(iter(tensors.values())).device
        cuda = device.type == "cuda"
        self._tensors = {name: t.detach().float().to("cpu", non_blocking=cuda) for name, t in tensors.items()}
        self._copied = torch.cuda.Event() if cuda else None  # type: ignore[no-untyped-call]
        if self._copied is not None:
            self._copied.record(torch.cuda.current_stream(device))

    def arrays(self) -> Arrays:
        """Return the tensors as arrays."""
        if self._copied is not None:
            self._copied.synchronize()
        return {name: tensor.numpy() for name, tensor in self._tensors.items()}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on a device; ``half`` and ``start``, which only the host needs, stay where they are."""
    cuda = device.type == "cuda"
    return map_tensors(batch, lambda tensor: tensor.to(device, non_blocking=cuda))
