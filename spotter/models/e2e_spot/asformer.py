"""A transformer for long sequences that attends within windows, and refines its class scores stage by stage."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.models.blocks.dropout import Dropout

OUTSIDE = 1e-6  # what a frame outside of the window weighs in the sum that attention is divided by


class ASFormer(nn.Module):
    """Make class scores (stages, B, T, 1 + K) of features (B, T, d): an encoder, then decoders that refine them.

    After Yi et al., *ASFormer*, 2021, in the size that E2E-Spot gives it.
    """

    width = 0

    def __init__(self, features: int, classes: int, decoders: int = 3, dim: int = 64, layers: int = 5) -> None:
        super().__init__()
        self.dropout = nn.Dropout1d(0.3)  # of whole channels
        self.encoder = _Stage(features, dim, 1 + classes, layers, attention_weight=1.0)
        self.decoders = nn.ModuleList(
            _Stage(1 + classes, dim, 1 + classes, layers, attention_weight=math.exp(-3 * i)) for i in range(decoders)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every stage, (stages, B, T, 1 + K)."""
        first, known = self.encoder(self.dropout(x.transpose(1, 2)))
        scores = [first]
        for decoder in self.decoders:
            latest, known = decoder(scores[-1].softmax(1), known)
            scores.append(latest)
        return torch.stack(scores).transpose(2, 3)


class _Stage(nn.Module):
    def __init__(self, features: int, dim: int, outputs: int, layers: int, attention_weight: float) -> None:
        super().__init__()
        self.conv_1x1 = nn.Conv1d(features, dim, 1)
        self.layers = nn.ModuleList(_Layer(dim, 2**i, attention_weight) for i in range(layers))
        self.conv_out = nn.Conv1d(dim, outputs, 1)

    def forward(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores (B, 1 + K, T) and features (B, dim, T); a decoder takes its values from ``known`` ones."""
        x = self.conv_1x1(x)
        for layer in self.layers:
            x = layer(x, known)
        return self.conv_out(x), x


class _Layer(nn.Module):
    def __init__(self, dim: int, dilation: int, attention_weight: float) -> None:
        super().__init__()
        self.attention_weight = attention_weight
        self.feed_forward = nn.Conv1d(dim, dim, 3, padding=dilation, dilation=dilation)
        self.norm = nn.InstanceNorm1d(dim)
        self.att_layer = _Attention(dim, window=dilation)
        self.conv_1x1 = nn.Conv1d(dim, dim, 1)
        self.dropout = Dropout(0.5)

    def forward(self, x: Tensor, known: Tensor | None) -> Tensor:
        out = F.relu(self.feed_forward(x))
        normed = self.norm(out) if out.shape[2] > 1 else torch.zeros_like(out)
        out = self.attention_weight * self.att_layer(normed, known) + out
        return x + self.dropout(self.conv_1x1(out))


class _Attention(nn.Module):
    """Attend from frame t to the ``window`` frames from t - window // 2 on."""

    inside: Tensor

    def __init__(self, dim: int, window: int) -> None:
        super().__init__()
        self.query_conv, self.key_conv, self.value_conv = (nn.Conv1d(dim, dim // 2, 1) for _ in range(3))
        self.conv_out = nn.Conv1d(dim // 2, dim, 1)
        self.window, self.span = window, window + 2 * (window // 2)
        ahead = torch.arange(self.span) - torch.arange(window)[:, None]
        self.register_buffer("inside", (ahead >= 0) & (ahead < window), persistent=False)  # (window, span)

    def forward(self, x: Tensor, known: Tensor | None) -> Tensor:
        """Return (B, dim, T); queries and keys from x, values from ``known`` if there is such."""
        length, half = x.shape[2], self.window // 2
        count = -(-length // self.window)  # blocks of ``window`` queries, each with ``span`` keys around it
        rest = count * self.window - length

        def neighbourhood(each: Tensor) -> Tensor:
            return F.pad(each, (half, half + rest)).unfold(-1, self.span, self.window)  # (B, C, blocks, span)

        query = F.pad(self.query_conv(x), (0, rest))
        query = query.reshape(*query.shape[:2], count, self.window)  # (B, C, blocks, window)
        key, value = neighbourhood(self.key_conv(x)), neighbourhood(self.value_conv(x if known is None else known))
        mask = (neighbourhood(x.new_ones(1, 1, length))[0, 0, :, None] * self.inside).to(
            query.dtype
        )  # (blocks, window, span)
        energy = torch.einsum("bcnq,bcnk->bnqk", query, key) / math.sqrt(query.shape[1])
        attention = (energy + torch.log(mask + OUTSIDE)).softmax(-1) * mask
        out = torch.einsum("bnqk,bcnk->bcnq", attention, value).flatten(2)[..., :length]
        return self.conv_out(F.relu(out))
