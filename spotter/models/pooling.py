"""The pooling baselines of SoccerNet: a window of features in, one vector without order out."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.checks import check_choice
from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks.stream_embedding import StreamEmbedding
from spotter.models.blocks.window import take_rows, window_path

POOLS = ("max", "mean", "netvlad", "netrvlad")
AT_ONCE = 1 << 25  # numbers in the windows of the clips that are described at once: 128 MiB


class Pooling(Network):
    """Pool windows of ``window`` frames.

    A clip of ``window`` frames is one window. In a longer clip a window is centred on every frame, its edges repeated
    beyond the ends of the half; every row is projected and assigned to clusters only once.

    pool : ``netvlad``, ``netrvlad`` (without the residual), ``max`` or ``mean``
    clusters : of NetVLAD and NetRVLAD
    aware : pool what comes before the middle of the window and what comes after separately, with half the clusters
        each, and put them side by side: the ``++`` of NetVLAD++
    dim : rows of another width are projected to it; those of a single stream of that width are left as they are, as are
        all where it is None
    normalise : bring every extractor to one scale first, which none of the published systems did

    After Giancola et al., *SoccerNet*, 2018, and *Temporally-Aware Feature Pooling for Action Spotting*, 2021.
    """

    def __init__(
        self,
        layout: Layout,
        window: int,
        pool: str = "netvlad",
        clusters: int = 64,
        aware: bool = False,
        dim: int | None = 512,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if aware and window < 2:
            raise UserError(f"model.clips.clip_len: a window of {window} frame has no halves; set it to 2 or more")
        columns = [sum(stream["groups"]) for stream in layout.values()]
        as_it_is = dim is None or columns == [dim]
        self.window = window
        self.embed = StreamEmbedding(
            layout,
            None if as_it_is else dim,
            dropout=0.0,
            extractor_dropout=0.0,
            token_dropout=0.0,
            normalise=normalise,
        )
        self.pool = WindowPool(pool, self.embed.width, clusters, aware)
        self.width = self.pool.width

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for N windows: N = 1 for clips of the window's length, else N = T."""
        rows = self.embed(inputs, phase, valid)  # (B, T, dim)
        return self.pool(take_rows(rows, window_path(valid, self.window)), self.window)


class WindowPool(nn.Module):
    """Pool every ``window`` consecutive rows: (B, N + window - 1, dim) -> (B, N, width)."""

    def __init__(self, kind: str, dim: int, clusters: int, aware: bool) -> None:
        super().__init__()
        check_choice("model.network.pool", kind, POOLS)
        vlad = kind in ("netvlad", "netrvlad")
        halves = 2 if aware else 1
        if vlad and (clusters < halves or clusters % halves):
            raise UserError(
                f"model.network.clusters: {clusters} cannot be shared by {halves} pools; give an even number"
            )
        each = clusters // halves
        self.parts = nn.ModuleList(
            Vlad(dim, each, residual=kind == "netvlad") if vlad else MaxMeanPool(kind) for _ in range(halves)
        )
        self.width = dim * (clusters if vlad else halves)

    def forward(self, rows: Tensor, window: int) -> Tensor:
        """Return the pooled windows; an odd one has its middle row in the half after."""
        if len(self.parts) == 1:
            pooled: Tensor = self.parts[0](rows, window)
            return pooled
        (before, after), middle = self.parts, window // 2
        first = before(rows[:, : rows.shape[1] - (window - middle)], middle)
        return torch.cat((first, after(rows[:, middle:], window - middle)), dim=-1)


class MaxMeanPool(nn.Module):
    """Take the ``max`` or the ``mean`` of every ``window`` consecutive rows."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, rows: Tensor, window: int) -> Tensor:
        """Return (B, N, dim) for rows (B, N + window - 1, dim)."""
        pool = F.max_pool1d if self.kind == "max" else F.avg_pool1d
        return pool(rows.mT, window, 1).mT


class Vlad(nn.Module):
    """Sum up how the rows of a window lie around learned centres, each row assigned to clusters softly.

    residual : centres are subtracted; without it, NetRVLAD, a cluster is the sum of its rows

    After Arandjelović et al., *NetVLAD*, 2016, with assignment weights of its own and no bias, as SoccerNet has it.
    """

    def __init__(self, dim: int, clusters: int, residual: bool = True) -> None:
        super().__init__()
        self.assignment = nn.Linear(dim, clusters, bias=False)
        self.centres = nn.Parameter(torch.empty(clusters, dim)) if residual else None
        for weight in self.parameters():
            nn.init.normal_(weight, std=1 / math.sqrt(dim))

    def forward(self, rows: Tensor, window: int) -> Tensor:
        """Return (B, N, K * dim), cluster by cluster, of unit length, for rows (B, N + window - 1, dim)."""
        rows = F.normalize(rows, dim=-1)
        weights = self.assignment(rows).softmax(-1)  # (B, N + window - 1, K)
        count, dim = rows.shape[1] - window + 1, rows.shape[2]
        clips = max(1, AT_ONCE // (count * window * dim))  # matrix products copy the windows, which overlap
        parts = zip(torch.split(rows, clips), torch.split(weights, clips), strict=True)
        return torch.cat([self._describe(x.unfold(1, window, 1), w.unfold(1, window, 1)) for x, w in parts])

    def _describe(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Return (B, N, K * dim) for the windows' rows (B, N, dim, window) and weights (B, N, K, window)."""
        vlad = weights @ rows.mT.to(weights.dtype)  # (B, N, K, dim)
        if self.centres is not None:
            vlad = vlad - weights.sum(-1)[..., None] * self.centres
        return F.normalize(F.normalize(vlad, dim=-1).flatten(2), dim=-1)
