"""What networks of video share that shift in time: a 2-D backbone whose shifts show a frame its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks import backbones
from spotter.models.blocks.fuse import fuse_batchnorm
from spotter.models.blocks.fuse_sums import fuse_sums
from spotter.models.blocks.shift import Frames
from spotter.types import Plain


class ShiftedNetwork(Network):
    """Hold a 2-D backbone of timm with shifts in time, of random weights; see ``backbones.create``.

    backbone : its name in timm
    shift, stages, dilations : which shift, in how many of the last stages, and over which frames
    arguments : further ones of the backbone in timm
    """

    reads = "video"

    def __init__(
        self,
        layout: Layout,
        backbone: str,
        shift: str,
        stages: int | None = None,
        dilations: Sequence[int] = (1,),
        arguments: Plain | None = None,
    ) -> None:
        super().__init__()
        self.name, self.arguments, self.frames = backbone, backbones.arguments_for(layout, arguments), Frames()
        self.backbone = backbones.create(backbone, shift, self.frames, stages, dilations, **self.arguments)

    def features(self, clips: Tensor) -> Tensor:
        """Return the backbone's features of the frames (B, T, C, H, W), (B, T, d)."""
        self.frames.count = clips.shape[1]
        features = self.backbone(clips.flatten(0, 1))  # (B * T, d)
        return features.float().view(*clips.shape[:2], -1)

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights for the backbone from a file, or those that timm downloads."""
        backbones.load_imagenet(self.backbone, self.name, weights, **self.arguments)

    def fuse_batchnorm(self) -> None:
        """Fuse what the backbone does after convolutions, in eval mode, in place."""
        self.frames.count = 2
        fuse_batchnorm(self.backbone)
        self.backbone = fuse_sums(self.backbone)
