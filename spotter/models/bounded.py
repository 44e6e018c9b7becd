"""A bound on what may be created while a network of a checkpoint is built, for its settings may ask for anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from spotter.errors import UserError

FACTORIES = frozenset(
    [
        *(torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint, torch.randperm),
        *(torch.arange, torch.linspace, torch.eye, torch.empty_strided),
    ]
)
ROOM = 4, 64 * 2**20, 10_000  # times the stored bytes and tensors; and bytes and tensors beside, of tables for example


class Bounded(TorchFunctionMode):
    """Refuse new tensors of more than a few times the stored weights, before they take memory.

    stored : the weights of the checkpoint
    """

    def __init__(self, stored: Iterable[object]) -> None:
        super().__init__()
        tensors = [each for each in stored if isinstance(each, Tensor)]
        parts = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
        self.stored = sum(parts.values())  # of the file: a tensor of repeated numbers may claim to be larger
        times, beside, count = ROOM
        self._bytes, self._count = times * self.stored + beside, times * len(tensors) + count

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        """Count what a function that makes a tensor is about to make; raises UserError where it is too much."""
        kwargs = kwargs or {}
        if func in FACTORIES:
            self._take(func(*args, **{**kwargs, "device": "meta"}))
        elif func is Tensor.clone:  # by which layers are repeated
            self._take(args[0])
        return func(*args, **kwargs)

    def _take(self, made: object) -> None:
        if not isinstance(made, Tensor):
            return
        self._bytes -= made.numel() * made.itemsize
        self._count -= 1
        if min(self._bytes, self._count) < 0:
            raise UserError(
                f"ckpt: its settings ask for far more than the {self.stored / 2**20:.3g} MB of weights that it holds"
            )
