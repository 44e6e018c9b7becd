"""Batch norms whose statistics are those of all devices."""

from __future__ import annotations

from pytorch_lightning.plugins import TorchSyncBatchNorm
from torch import nn


class SyncBatchNorm(TorchSyncBatchNorm):
    """Turn all batch norms of a model into synchronised ones for the fit; the names of its weights stay.

    Those of timm hold an activation, which the conversion of torch, and so Lightning's, leaves out without a word.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Convert the batch norms below a model, in place."""
        from timm.layers.norm_act import convert_sync_batchnorm  # here, for features do without timm

        converted: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted

    def revert(self, model: nn.Module) -> nn.Module:
        """Leave the model as it is: in eval mode, all that follows, they compute as batch norms of one device do."""
        return model
