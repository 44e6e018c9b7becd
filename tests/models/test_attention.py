"""The layer for long clips gives what PyTorch's does, in training by its own code."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spotter.models.blocks.attention import LongClipLayer


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_equals_the_layer_of_pytorch(training: bool, masked: bool) -> None:
    torch.manual_seed(0)
    shape = {"dim_feedforward": 32, "activation": "gelu", "batch_first": True, "norm_first": True}
    theirs, ours = (kind(16, 4, **shape).train(training) for kind in (nn.TransformerEncoderLayer, LongClipLayer))
    ours.load_state_dict(theirs.state_dict())
    encoder = nn.TransformerEncoder(ours, 1, enable_nested_tensor=False)  # hands on another mask
    tokens, unseen = torch.randn(3, 40, 16), torch.zeros(3, 40, dtype=torch.bool)
    unseen[0, 30:], unseen[1] = True, True  # a clip that lies outside of the half as a whole
    found = []
    for layer in (theirs, ours, encoder):
        torch.manual_seed(1)
        with torch.inference_mode(not training):
            found.append(layer(tokens, src_key_padding_mask=unseen if masked else None))
    seen = ~unseen if masked else torch.ones_like(unseen)
    rounding = 0 if training else 1e-5
    for mine in found[1:]:
        torch.testing.assert_close(mine[seen], found[0][seen], rtol=rounding, atol=rounding)
        assert mine.isfinite().all()
