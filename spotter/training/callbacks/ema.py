"""An exponential moving average of the weights that also suits short runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from spotter.errors import UserError


class Ema(WeightAveraging):
    """Validate and keep averaged weights; the average forgets faster while it is young.

    decay : its limit; after n steps it is at most (1 + n) / (10 + n), so that a short run is not stuck at its start
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"callbacks.ema.decay must lie within 0 … 1, found {decay}")

        @torch.no_grad()
        def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
            steps = float(count)
            kept = min(decay, (1 + steps) / (10 + steps))
            if averaged[0].is_floating_point():
                torch._foreach_lerp_(list(averaged), list(current), 1 - kept)
            else:
                for old, new in zip(averaged, current, strict=True):
                    old.copy_(new)

        super().__init__(multi_avg_fn=average)
