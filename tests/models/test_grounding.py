"""The baselines of replay grounding give what theirs give; every network finds the action that a replay shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spotter.errors import UserError
from spotter.models.calf.targets import ContextTargets
from spotter.models.grounding.head import MARGINS, GroundingHead, MomentHead
from spotter.models.grounding.query import ReplayQuery
from spotter.models.grounding.siamese import SiameseCalf, SiameseVlad
from spotter.models.pretrained import load_published
from spotter.models.pretrained.grounding import GroundingReference
from spotter.types import ClipFrames, Spots
from tests.helpers.golden import weights
from tests.helpers.networks import LAYOUT

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "grounding_network.json").read_text())


def formula(number: int) -> Tensor:
    """Return the input (1, 240, 512) of a channel."""
    frame, column = np.arange(240)[:, None], np.arange(512)
    mixed = ((37 * frame + 101 * column + 61 * number) % 97) / 97 - 0.5
    return torch.from_numpy(mixed + 0.5 * np.sin(0.05 * frame * (1 + number) + 0.01 * column)).float()[None]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> GroundingReference:
    path = tmp_path_factory.mktemp("published") / "model.pth.tar"
    torch.save({"epoch": 341, "state_dict": weights({k: tuple(v) for k, v in GOLDEN["keys"].items()})}, path)
    network = load_published(path, "sn-grounding")
    assert isinstance(network, GroundingReference)
    return network


def test_outputs_are_theirs(published: GroundingReference) -> None:
    golden = GOLDEN
    assert sum(p.numel() for p in published.parameters()) == golden["parameters"]
    clip, replay = formula(0), formula(1)
    for shown, ending in ((replay, ""), (replay.flip(1), "_replay_reversed")):
        with torch.no_grad():
            segmentation, detection = published(clip, shown)
        expected = torch.tensor(golden[f"segmentation{ending}_every_24th"])
        torch.testing.assert_close(segmentation[0, ::24], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(detection[0], torch.tensor(golden[f"detection{ending}"]), atol=1e-4, rtol=0)


def targets(time: float | None) -> dict[str, Tensor]:
    times = np.array([] if time is None else [time])
    spots = Spots(np.zeros(len(times), np.int64), times, np.ones(len(times), bool))
    made = ContextTargets(240, [MARGINS], 1, 40)(spots, ClipFrames(0, 240, 2.0))
    return {name: torch.from_numpy(value)[None] for name, value in made.items()}


def test_losses_are_theirs(published: GroundingReference) -> None:
    golden, head = GOLDEN, published.head
    clip, replay = formula(0), formula(1)
    inputs = {"resnet": clip, "replay_resnet": replay}
    phase, valid = {name: torch.zeros(1) for name in inputs}, torch.ones(1, 240, dtype=torch.bool)
    with torch.no_grad():
        output = head(published.network(inputs, phase, valid))
    batch: Any = {"targets": targets(65.0), "valid": valid}
    # Theirs has the moment as a fraction of 240 frames, ours of the 239 steps between them.
    batch["targets"]["slots"][..., 1] = 130 / 240
    found = head.loss(output, batch)
    assert float(found["segmentation"]) == pytest.approx(golden["segmentation_loss_event_at_130"], abs=1e-3)
    assert float(found["spotting"]) == pytest.approx(golden["spotting_loss_event_at_130"], abs=1e-3)
    assert float(head.loss(output, {**batch, "targets": targets(None)})["spotting"]) == pytest.approx(
        golden["spotting_loss_no_event"], abs=1e-3
    )
    for score, key in ((0.3, "0_3"), (0.9, "0_9")):
        constant = torch.full((1, 240, 1), score)
        loss = head.segmentation_loss(constant, batch["targets"]["shift"]).sum()
        assert float(loss) == pytest.approx(golden[f"segmentation_loss_constant_{key}"], abs=1e-3)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    state = weights({key: tuple(shape) for key, shape in GOLDEN["keys"].items() if key != "conv_conf.bias"})
    torch.save({"state_dict": state}, tmp_path / "model.pth.tar")
    with pytest.raises(UserError, match=r"lacks conv_conf\.bias"):
        load_published(tmp_path / "model.pth.tar", "sn-grounding")
    with pytest.raises(UserError, match="no checkpoint"):
        load_published(tmp_path / "nowhere", "sn-grounding")


def test_replays_are_needed() -> None:
    with pytest.raises(UserError, match="take data=replays"):
        SiameseCalf(LAYOUT, 8)
    with pytest.raises(UserError, match="take data=replays"):
        GroundingHead(152, 17, 240)


def pair(frames: int, length: int) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Return the inputs of two clips with replays of ``length`` frames, the second of which overhangs its end."""
    torch.manual_seed(1)
    replay = torch.randn(2, frames, 6)
    replay[:, length:] = 0
    inputs = {"a": torch.randn(2, frames, 6), "replay_a": replay}
    valid = torch.ones(2, frames, dtype=torch.bool)
    valid[1, frames - 4 :] = False
    return inputs, {name: torch.zeros(2) for name in inputs}, valid


@pytest.mark.parametrize("kind", [ReplayQuery, SiameseCalf, SiameseVlad])
def test_what_is_found_depends_on_the_replay(kind: Any) -> None:
    layout = {name: {"fps": 1.0, "clock_fps": 1.0, "groups": [6]} for name in ("a", "replay_a")}
    torch.manual_seed(0)
    network = kind(layout, **({"receptive_field": 8} if kind is SiameseCalf else {})).eval()
    inputs, phase, valid = pair(20, 7)
    with torch.no_grad():
        tokens = network(inputs, phase, valid)
        other = network({**inputs, "replay_a": inputs["replay_a"].flip(0)}, phase, valid)
        empty = network({**inputs, "replay_a": torch.zeros_like(inputs["replay_a"])}, phase, valid)
    assert tokens.shape == (2, 1 if kind is SiameseVlad else 20, network.width)
    assert torch.isfinite(tokens).all()
    assert torch.isfinite(empty).all()
    assert (tokens - other).abs().max() > 1e-4
    network.train()(inputs, phase, valid).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())


def test_a_frame_knows_how_long_before_the_replay_it_lies_unless_the_clip_begins_before_its_sequence() -> None:
    network = ReplayQuery({name: {"fps": 1.0, "clock_fps": 1.0, "groups": [6]} for name in ("a", "replay_a")}, dim=8)
    valid = torch.tensor([[True] * 9 + [False] * 3, [False] * 3 + [True] * 9])
    first, second = network._bin(valid)
    assert first[:9].tolist() == [2, 1, 1, 1, 1, 0, 0, 0, 0]
    assert (second == 63).all()


def test_a_clip_is_as_likely_as_it_is_like_the_replay() -> None:
    head = MomentHead(4, 1, 12)
    output = head(torch.tensor([[[0.5, 0.1, 0.2, 0.3]], [[0.0, 0.1, 0.2, 0.3]]]))
    logits = head.predict(output)["logits"]
    assert logits.shape == (2, 12, 1)
    assert torch.sort(logits[0, :, 0].sigmoid()).values[-2:].tolist() == pytest.approx([0, 0.5], abs=1e-6)
    assert logits[1].sigmoid().max() < 1e-6
