"""Tokens of positions do not depend on the order of players, nor on those who are not there."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spotter.models.blocks.entity_sets import EntitySets, embed_entities, movement, pool_present
from spotter.models.blocks.stream_embedding import StreamEmbedding
from spotter.models.transformer import Transformer
from tests.helpers.networks import TINY

ENTITIES = {"ball": 1, "home": 4, "away": 3}
STREAM: Any = {"fps": 10.0, "clock_fps": 10.0, "groups": [40], "entities": ENTITIES}


def positions(clips: int = 2, count: int = 12) -> torch.Tensor:
    x = 0.3 * torch.randn(clips, count, 8, 5)
    x[..., 2] = (torch.rand(clips, count, 8) < 0.8).float()
    return x


def encoder(**changes: Any) -> EntitySets:
    torch.manual_seed(0)
    return EntitySets({**STREAM, **changes}).eval()


def inside(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(x.shape[:2], dtype=torch.bool)


def test_the_order_within_a_group_does_not_matter_and_the_group_does() -> None:
    x, encode = positions(), encoder()
    tokens = encode(x.flatten(2), inside(x))
    assert tokens.shape == (2, 12, encode.width)
    within, between = x[:, :, [0, 3, 1, 4, 2, 7, 5, 6]], x[:, :, [0, 5, 2, 3, 4, 1, 6, 7]]
    assert torch.allclose(encode(within.flatten(2), inside(x)), tokens, atol=1e-5)
    assert (encode(between.flatten(2), inside(x)) - tokens).abs().max() > 1e-3


def test_who_is_not_there_does_not_matter() -> None:
    x, encode = positions(), encoder()
    x[:, :, 2, 2] = 0
    tokens = encode(x.flatten(2), inside(x))
    x[:, :, 2, :2] = 5.0
    assert torch.equal(encode(x.flatten(2), inside(x)), tokens)
    x[:, :, 1:, 2] = 0
    assert torch.isfinite(encode(x.flatten(2), inside(x))).all(), "nobody is there"


def test_movement_is_per_second_and_ends_at_the_half() -> None:
    x = torch.zeros(1, 4, 1, 2)
    x[0, :, 0, 0] = torch.tensor([0.0, 0.5, 0.6, 0.7])
    known = torch.tensor([[False, True, True, True]])
    before, after = movement(x, known, fps=10)
    expected = torch.asinh(torch.tensor(10.0)).item()  # 0.1 in a tenth of a second
    assert before[0, :, 0, 0].tolist() == pytest.approx([0, 0, expected, expected], abs=1e-4)
    assert after[0, :, 0, 0].tolist() == pytest.approx([0, expected, expected, 0], abs=1e-4)


def test_a_group_is_its_mean_and_its_maximum() -> None:
    code, present = torch.tensor([[[[1.0], [5.0], [3.0]]]]), torch.tensor([[[[True], [False], [True]]]])
    assert pool_present(code, present).tolist() == [[[2, 3]]]
    assert pool_present(code, ~present & False).tolist() == [[[0, 0]]]
    assert pool_present(code[:, :, :1], present[:, :, 1:2]).tolist() == [[[1, 1]]], "a ball that nobody saw"


@pytest.mark.parametrize("entities", [{"ball": 1}, {"home": 4, "away": 4}, {"a": 1, "b": 2, "c": 5}])
def test_any_groups_will_do(entities: dict[str, int]) -> None:
    count = sum(entities.values())
    encode = encoder(entities=entities, groups=[3 * count])
    x = positions()[:, :, :count, :3]
    assert torch.isfinite(encode(x.flatten(2), inside(x))).all()


def test_positions_stand_beside_other_streams_at_their_own_rate() -> None:
    layout: Any = {"a": {"fps": 2.0, "clock_fps": 2.0, "groups": [6]}, "tracking": {**STREAM, "clock_fps": 2.0}}
    x = positions(2, 32)
    inputs = {"a": torch.randn(2, 6, 6), "tracking": x.flatten(2)}
    phase, valid = {"a": torch.zeros(2), "tracking": torch.tensor([0.0, 0.5])}, torch.ones(2, 6, dtype=torch.bool)
    network = Transformer(layout, 2, **TINY).eval()
    tokens = network(inputs, phase, valid)
    assert tokens.shape == (2, 12, 16)
    tokens.sum().backward()
    weights = network.embed.sets["tracking"].first.weight.grad
    assert weights is not None
    assert weights.abs().sum() > 0
    side_by_side = StreamEmbedding(layout, None, token_dropout=0.0)
    assert side_by_side(inputs, phase, valid).shape[-1] == side_by_side.width == 6 + 128
    assert embed_entities({"a": layout["a"]})[1] == {"a": layout["a"]}
