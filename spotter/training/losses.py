"""The mean loss of an epoch of evaluation, exact on any number of ranks."""

from __future__ import annotations

import torch
from torch import Tensor

from spotter.inference.ranks import gather


class MeanLoss:
    """Average the losses of batches by their number of clips; they stay on the device, nobody waits for them."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, loss: Tensor, clips: int) -> None:
        """Take the loss of a batch, a scalar, and the number of its clips."""
        self._losses.append(loss.detach())
        self._sizes.append(clips)

    def compute(self) -> float | None:
        """Return the mean on rank 0, None where there was no loss; every rank has to call this."""
        losses = torch.stack(self._losses).tolist() if self._losses else []
        every = [each for mine in gather(list(zip(losses, self._sizes, strict=True))) for each in mine]
        return sum(loss * clips for loss, clips in every) / sum(clips for _, clips in every) if every else None
