"""E2E-Spot: from images to tokens in one network, with a temporal shift in every block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from spotter.data.source import Layout
from spotter.models.blocks import backbones
from spotter.models.blocks.shifted import ShiftedNetwork
from spotter.models.e2e_spot.temporal import temporal as temporal_head
from spotter.types import Plain


class E2ESpot(ShiftedNetwork):
    """Make one token of every frame: a 2-D network with shifts in time, then a temporal head.

    backbone : any network of timm with residual blocks of convolutions; of random weights, see ``load_imagenet``
    shift : ``gsm``, ``gsf``, ``tsm``, ``none``, or ``tsm_block`` as in published weights of TSM
    dilations : of gated shifts: the frames by which equal parts of the channels move, ``[1, 2, 4]`` for instance
    temporal : ``gru``, ``deeper_gru``, ``none``, or ``mstcn`` and ``asformer``, which end in class scores: ``width`` is
        0 then, and (stages, B, T, 1 + K) is what comes
    backbone_args : further arguments of the backbone in timm, as ``drop_path_rate``

    After Hong et al., *Spotting Temporally Precise, Fine-Grained Events in Video*, 2022. Clips may be of any length.
    """

    def __init__(
        self,
        layout: Layout,
        classes: int,
        backbone: str = "regnety_002",
        shift: str = "gsm",
        temporal: str = "gru",
        backbone_args: Plain | None = None,
        dilations: Sequence[int] = (1,),
    ) -> None:
        super().__init__(layout, backbone, shift, None, dilations, backbone_args)
        self.temporal = temporal_head(temporal, backbones.width_of(self.backbone), classes)
        self.width = self.temporal.width

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens (B, T, width) for normalised ``inputs["video"]`` (B, T, 3, H, W); invalid frames are zeros."""
        return self.temporal(self.features(inputs["video"]))
