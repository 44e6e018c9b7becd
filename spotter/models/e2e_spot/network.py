"""E2E-Spot: from images to tokens in one network, with a temporal shift in every block."""

from __future__ import annotations

import torch
from torch import Tensor

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks import backbones
from spotter.models.blocks.shift import Frames
from spotter.models.e2e_spot.fuse import fuse_batchnorm
from spotter.models.e2e_spot.temporal import temporal as temporal_head
from spotter.types import Plain


class E2ESpot(Network):
    """Make one token of every frame: a 2-D network with shifts in time, then a temporal head.

    backbone : any network of timm with residual blocks of convolutions; of random weights, see ``load_imagenet``
    shift : ``gsm``, ``tsm``, ``none``, or ``tsm_block`` as in published weights of TSM
    temporal : ``gru``, ``deeper_gru``, ``none``, or ``mstcn`` and ``asformer``, which end in class scores: ``width`` is
        0 then, and (stages, B, T, 1 + K) is what comes
    backbone_args : further arguments of the backbone in timm, as ``drop_path_rate``

    After Hong et al., *Spotting Temporally Precise, Fine-Grained Events in Video*, 2022. Clips may be of any length.
    """

    reads = "video"

    def __init__(
        self,
        layout: Layout,
        classes: int,
        backbone: str = "regnety_002",
        shift: str = "gsm",
        temporal: str = "gru",
        backbone_args: Plain | None = None,
    ) -> None:
        super().__init__()
        if "video" not in layout:
            raise UserError(f"model: e2e_spot needs video, found {', '.join(layout)}; take a video data=…")
        self.name, self.arguments, self.frames = backbone, dict(backbone_args or {}), Frames()
        self.backbone = backbones.create(backbone, shift, self.frames, **self.arguments)
        self.temporal = temporal_head(temporal, backbones.width_of(self.backbone), classes)
        self.width = self.temporal.width

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T, width) for normalised ``inputs["video"]`` (B, T, 3, H, W); invalid frames are zeros."""
        return self.temporal(self.features(inputs["video"]))

    def features(self, clips: Tensor) -> Tensor:
        """Return the backbone's features of the frames, (B, T, d)."""
        self.frames.count = clips.shape[1]
        dtype = next(self.backbone.parameters()).dtype
        features = self.backbone(clips.flatten(0, 1).to(dtype))  # (B * T, d)
        return features.float().view(*clips.shape[:2], -1)

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights for the backbone from a file, or those that timm downloads."""
        backbones.load_imagenet(self.backbone, self.name, weights, **self.arguments)

    def fuse_batchnorm(self, dtype: torch.dtype = torch.float32) -> None:
        """Fuse the batch norms of the backbone, in eval mode, in place; ``dtype`` is that of its weights."""
        self.frames.count = 2
        fuse_batchnorm(self.backbone, dtype)
