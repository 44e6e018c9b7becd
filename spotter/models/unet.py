"""A one-dimensional U-Net with a token per anchor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding

BLOCKS = 2  # residual blocks of a level, on the way down and on the way up
SQUEEZE = 4  # by which a block's middle is narrower


class UNet(Network):
    """Embed every frame with a small network, then process the clip at ever coarser rates and back.

    mlp : widths of the layers that embed a frame. The last is the width of the finest level; the first is left out
        where the features are no wider than it
    levels : each half as fine as the one before and twice as wide, up to ``cap``
    input_dropout, normalise : of the features; the original has neither
    kernel : tokens side by side in what a head sees, so that a linear one is a convolution over time

    After Soares and Shah, *Action Spotting using Dense Detection Anchors Revisited*, 2022: pre-activated bottlenecks,
    max-pooling, transposed convolutions, skips that are added, and no normalisation.
    """

    def __init__(
        self,
        layout: Layout,
        upsample: int = 1,
        mlp: Sequence[int] = (512, 256, 64),
        levels: int = 6,
        cap: int = 2048,
        kernel: int = 3,
        input_dropout: float = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if not mlp or levels < 1 or kernel % 2 == 0:
            raise UserError(
                "model.network: expected a layer in mlp, a level and an odd kernel, "
                f"found mlp={list(mlp)}, levels={levels}, kernel={kernel}"
            )
        columns = sum(sum(stream["groups"]) for stream in layout.values())
        first, *others = mlp[1:] if len(mlp) > 1 and columns <= mlp[0] else mlp
        self.upsample, self.kernel = upsample, kernel
        self.embed = StreamEmbedding(layout, first, upsample, input_dropout, 0.0, 0.0, normalise)
        layers = [nn.Linear(before, width) for before, width in pairwise([first, *others])]
        self.mlp = nn.Sequential(nn.ReLU(), *(part for layer in layers for part in (layer, nn.ReLU())))
        widths = [min(mlp[-1] * 2**i, cap) for i in range(levels)]
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(level(before, width) for before, width in [(widths[0], widths[0]), *pairs])
        self.rise = nn.ModuleList(nn.ConvTranspose1d(coarse, fine, 2, 2) for fine, coarse in pairs)
        self.up = nn.ModuleList(level(fine, fine) for fine, _ in pairs)
        self.width = widths[0] * kernel
        self.apply(glorot)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T), of any length."""
        rows = self.mlp(self.embed(inputs, phase, valid))  # (B, A, dim)
        inside = valid.repeat_interleave(self.upsample, dim=1)
        x = (rows * inside[..., None]).transpose(1, 2)  # (B, dim, A)
        count, coarsest = x.shape[2], 2 ** len(self.rise)
        x = self._levels(F.pad(x, (0, -count % coarsest)))[..., :count]
        side = self.kernel // 2
        return F.pad(x, (side, side)).unfold(2, self.kernel, 1).transpose(1, 2).flatten(2)  # (B, A, dim * kernel)

    def _levels(self, x: Tensor) -> Tensor:
        skips = [x := self.down[0](x)]
        for blocks in self.down[1:]:
            skips.append(x := blocks(F.max_pool1d(x, 2)))
        skips.pop()
        for rise, blocks, skip in zip(reversed(self.rise), reversed(self.up), reversed(skips), strict=True):
            x = blocks(rise(x) + skip)
        return torch.relu(x)


class Bottleneck(nn.Module):
    """Add what three convolutions (1, 3, 1) make of the activated input: (B, before, A) -> (B, width, A)."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        middle = max(1, width // SQUEEZE)
        self.narrow = nn.Conv1d(before, middle, 1)
        self.look = nn.Conv1d(middle, middle, 3, padding=1)
        self.widen = nn.Conv1d(middle, width, 1)
        self.shortcut = nn.Identity() if before == width else nn.Conv1d(before, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the block and its shortcut."""
        out = self.look(torch.relu(self.narrow(torch.relu(x))))
        out = self.widen(torch.relu(out))
        return torch.add(self.shortcut(x), out)


def level(before: int, width: int) -> nn.Sequential:
    """Return the blocks of one level, the first of which changes the width."""
    return nn.Sequential(Bottleneck(before, width), *(Bottleneck(width, width) for _ in range(BLOCKS - 1)))


def glorot(module: nn.Module) -> None:
    """Start a layer as the original's framework does: uniform after Glorot and Bengio, 2010, biases at zero."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.ConvTranspose1d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
