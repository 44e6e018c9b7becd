"""E2E-Spot: from pictures to tokens in one network, which sees neighbouring frames in every block."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from spotter.errors import UserError
from spotter.models.blocks import backbones
from spotter.models.blocks.shift import Frames
from spotter.models.e2e_spot.temporal import temporal as temporal_head


class E2ESpot(nn.Module):
    """Make one token of every frame: a 2-D network with shifts in time, then a temporal head.

    backbone : any network of timm with residual blocks of convolutions; of random weights, see ``load_imagenet``
    shift : ``gsm``, ``tsm``, ``none``, or ``tsm_block`` as in published weights of TSM
    temporal : ``gru``, ``deeper_gru``, ``none``, or ``mstcn`` and ``asformer``, which end in class scores: ``width`` is
        0 then, and (stages, B, T, 1 + K) is what comes
    backbone_args : what timm should know beside the name, as ``drop_path_rate``

    After Hong et al., *Spotting Temporally Precise, Fine-Grained Events in Video*, 2022. Clips may be of any length.
    """

    reads = "video"

    def __init__(
        self,
        layout: Mapping[str, Any],
        classes: int,
        upsample: int = 1,
        backbone: str = "regnety_002",
        shift: str = "gsm",
        temporal: str = "gru",
        backbone_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if upsample != 1:
            raise UserError(f"model.upsample: e2e_spot says one thing of every frame, it must be 1, found {upsample}")
        if "video" not in layout:
            raise UserError(f"model: e2e_spot needs video, found {', '.join(layout)}; take a video data=…")
        self.name, self.arguments, self.frames = backbone, dict(backbone_args or {}), Frames()
        self.backbone = backbones.create(backbone, shift, self.frames, **self.arguments)
        self.temporal = temporal_head(temporal, backbones.width_of(self.backbone), classes)
        self.width: int = self.temporal.width  # type: ignore[assignment]

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T, width) for normalised ``inputs["video"]`` (B, T, 3, H, W); invalid frames are zeros."""
        return self.temporal(self.features(inputs["video"]))

    def features(self, clips: Tensor) -> Tensor:
        """Return what the backbone makes of the frames, (B, T, d)."""
        self.frames.count = clips.shape[1]
        dtype = next(self.backbone.parameters()).dtype
        features = self.backbone(clips.flatten(0, 1).to(dtype))  # (B * T, d)
        return features.float().view(*clips.shape[:2], -1)

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights for the backbone from a file, or those that timm downloads."""
        backbones.load_imagenet(self.backbone, self.name, weights, **self.arguments)


def load_published(path: str | Path, clip_len: int | None = None) -> nn.Module:
    """Return the network of a released E2E-Spot checkpoint, in eval mode.

    path : a ``checkpoint_*.pt`` with its ``config.json`` beside it, or their folder: then of the highest epoch
    clip_len : frames, for checkpoints that lost their ``config.json``

    The network maps normalised clips (B, T, 3, H, W), T up to the clip length, to logits (B, T, K + 1) with that
    codebase's order of classes, background first. Shorter clips are padded with zeros at their end, as it does.
    """
    from spotter.models.pretrained.e2e_spot import load

    return load(path, clip_len)
