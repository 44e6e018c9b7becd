"""The head of single frames: shares of a softmax, as logits that later stages take for sigmoids."""

from __future__ import annotations

import torch

from spotter.models.blocks.frame import FrameHead
from spotter.types import Batch
from tests.helpers.networks import both


def batch_of(target: torch.Tensor, valid: torch.Tensor) -> Batch:
    return Batch(inputs={}, phase={}, valid=valid, targets={"classes": target})  # type: ignore[typeddict-item]


def test_the_sigmoid_of_a_prediction_is_the_share_of_the_softmax() -> None:
    torch.manual_seed(0)
    head = FrameHead(0, 3)
    logits = 4 * torch.randn(2, 5, 4, dtype=torch.float64)
    said, displacement = both(head.predict({"logits": logits}))
    torch.testing.assert_close(said.sigmoid(), logits.softmax(-1)[..., 1:])
    assert displacement is None
    extreme = torch.tensor([[[0.0, 200.0, -200.0], [90.0, -90.0, -90.0]]])
    said, _ = both(head.predict({"logits": extreme}))
    torch.testing.assert_close(said, torch.tensor([[[200.0, -400.0], [-180.0, -180.0]]]))


def test_stages_are_all_trained_and_the_last_is_told() -> None:
    torch.manual_seed(0)
    head = FrameHead(0, 3)
    stages = torch.randn(3, 2, 5, 4)
    valid = torch.rand(2, 5) < 0.7
    batch = batch_of(torch.eye(4)[torch.randint(4, (2, 5))], valid)
    each = [head.loss({"logits": stage}, batch)["loss"] for stage in stages]
    torch.testing.assert_close(head.loss(head(stages), batch)["loss"], torch.stack(each).sum())
    assert torch.equal(head.predict(head(stages))["logits"], head.predict({"logits": stages[-1]})["logits"])
    assert not list(head.parameters())


def test_frames_outside_the_half_do_not_count_and_foreground_counts_more() -> None:
    torch.manual_seed(0)
    head = FrameHead(8, 3, foreground_weight=5.0, dropout=0.0)
    output = head(torch.randn(2, 5, 8))
    valid = torch.tensor([[True] * 5, [False] * 5])
    target = torch.eye(4)[torch.tensor([[0, 0, 2, 0, 0], [1, 1, 1, 1, 1]])]
    share = output["logits"].log_softmax(-1)[0]
    expected = -(share[0, 0] + share[1, 0] + 5 * share[2, 2] + share[3, 0] + share[4, 0]) / 5
    torch.testing.assert_close(head.loss(output, batch_of(target, valid))["loss"], expected)
    assert set(head.state_dict()) == {"classes.weight", "classes.bias"}
