"""AdaSpot: whole frames at low resolution, and of each the part that matters at high resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.adaspot.region import cut_regions, find_regions
from spotter.models.base import Network
from spotter.models.blocks import backbones
from spotter.models.blocks.dropout import Dropout
from spotter.models.blocks.fuse import fuse_batchnorm
from spotter.models.blocks.shift import Frames
from spotter.types import Plain


class Scores(nn.Module):
    """Read a clip both ways and score the classes of its frames: (B, T, d) -> (B, T, 1 + K)."""

    def __init__(self, dim: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.dropout, self.classes = Dropout(dropout), nn.Linear(2 * dim, 1 + classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, T, 1 + K)."""
        logits: Tensor = self.classes(self.dropout(self.gru(x)[0]))
        return logits


class AdaSpot(Network):
    """Score frames by what a 2-D network sees of them at low resolution, and another of one region of each.

    The region is where the map of the first is high, see ``region``. In training each network's features are scored
    alone, too: (3, B, T, 1 + K) with the joint scores last; in evaluation these alone are made, (1, B, T, 1 + K).

    clip_len : the most frames that a clip may have, each of which has a learned position
    backbone, shift, dilations, backbone_args : as of ``E2ESpot``; all convolutions repeat the border of what they see
    low : height and width of the whole frames; None for half of the images'
    side : of regions, in pixels
    threshold : how much of the map a region must hold to be large enough; 0 for the smallest always
    dropout : before classes

    After Xarles et al., *AdaSpot*, 2026.
    """

    reads = "video"
    width = 0

    def __init__(
        self,
        layout: Layout,
        classes: int,
        clip_len: int,
        backbone: str = "regnety_002",
        shift: str = "gsf",
        low: Sequence[int] | None = None,
        side: int = 112,
        threshold: float = 0.0,
        dropout: float = 0.5,
        dilations: Sequence[int] = (1,),
        backbone_args: Plain | None = None,
    ) -> None:
        super().__init__()
        images = backbones.images_of(layout)
        height, width = images.get("height", side), images.get("width", side)
        if min(height, width) < side:
            raise UserError(
                f"model.network.side: {side} pixels are more than data.size={[height, width]} has; lower it"
            )
        self.name, self.frames, self.arguments = backbone, Frames(), backbones.arguments_for(layout, backbone_args)
        self.low_size, self.side, self.threshold = None if low is None else tuple(low), side, threshold
        low_net, high_net = (
            backbones.create(backbone, shift, self.frames, None, dilations, **self.arguments) for _ in range(2)
        )
        dim = backbones.width_of(low_net)
        self.positions = nn.Parameter(torch.randn(clip_len, dim) / clip_len)
        self.low, self.high = repeat_borders(low_net), repeat_borders(high_net)
        self.low_mix, self.high_mix = _mix(dim), _mix(dim)
        self.joint = Scores(dim, classes, dropout)
        self.alone: nn.ModuleList | None = nn.ModuleList(Scores(dim, classes, dropout) for _ in range(2))

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return logits (stages, B, T, 1 + K) for normalised ``inputs["video"]`` (B, T, C, H, W)."""
        high, low = self.streams(inputs["video"])
        streams = [each + self.positions[: low.shape[1]] for each in (high, low)]
        joint = self.joint(torch.maximum(high, low) + self.positions[: low.shape[1]])
        if not self.training or self.alone is None:
            return joint[None]
        return torch.stack([*(score(each) for score, each in zip(self.alone, streams, strict=True)), joint])

    def streams(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Return what both networks describe frames by (B, T, d), that of regions first."""
        if video.shape[1] > len(self.positions):
            raise UserError(
                f"model.clips.eval_len: {video.shape[1]} frames, but the network has positions for "
                f"{len(self.positions)}, the clip_len of its training; set both equal"
            )
        self.frames.count = video.shape[1]
        images = video.flatten(0, 1)
        size = (images.shape[-2], images.shape[-1])
        small = F.interpolate(images, self.low_size or [each // 2 for each in size], mode="bilinear", antialias=True)
        maps: Tensor = self.low.forward_features(small)  # type: ignore[operator]
        low: Tensor = self.low.forward_head(maps)  # type: ignore[operator]
        with torch.no_grad():
            activity = maps.detach().float().mean(1).view(*video.shape[:2], *maps.shape[-2:])
            centres, sides = find_regions(activity, size, self.side, self.threshold)
            regions = cut_regions(images, centres.flatten(0, 1), sides.flatten(), self.side)
        high: Tensor = self.high(regions)
        low, high = (each.float().view(*video.shape[:2], -1) for each in (low, high))
        return self.high_mix(high), self.low_mix(low)

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights for both backbones from a file, or those that timm downloads."""
        for network in (self.low, self.high):
            backbones.load_imagenet(network, self.name, weights, **self.arguments)

    def fuse_batchnorm(self) -> None:
        """Fuse the batch norms of the backbones, in eval mode, in place, and leave out what training alone needs."""
        self.frames.count, self.alone = 2, None
        fuse_batchnorm(self.low)
        fuse_batchnorm(self.high)


def repeat_borders(network: nn.Module) -> nn.Module:
    """Let all convolutions of a network repeat the border of what they see in place of zeros."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.padding != (0, 0):
            module.padding_mode = "replicate"
    return network


def _mix(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim))
