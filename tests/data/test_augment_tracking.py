"""Positions change together, each clip in its own way, and only as far as the data allows."""

from __future__ import annotations

import pytest
import torch

from spotter.data.augment import FeatureTransform
from spotter.data.augment_tracking import EntityTransform, swapped_teams
from spotter.errors import UserError
from tests.helpers.networks import clips

ENTITIES = {"home": 2, "ball": 1, "away": 2}


def rows(clips: int = 3, vectors: int = 1) -> torch.Tensor:
    x = torch.randn(clips, 4, 5, 3 + 2 * vectors)
    x[..., 2] = 1
    return x.flatten(2)


def seen(x: torch.Tensor) -> torch.Tensor:
    return x.unflatten(-1, (5, -1))


def test_a_mirror_turns_positions_and_vectors_and_nothing_else() -> None:
    x = rows()
    along, across = (seen(EntityTransform(**{key: 1.0})(x, ENTITIES)) for key in ("flip_x", "flip_y"))
    assert torch.equal(along, seen(x) * torch.tensor([-1, 1, 1, -1, 1]))
    assert torch.equal(across, seen(x) * torch.tensor([1, -1, 1, 1, -1]))
    assert torch.equal(EntityTransform()(x, ENTITIES), x)


def test_a_shift_moves_all_positions_of_a_clip_alike() -> None:
    x = rows()
    moved = seen(EntityTransform(shift=0.5)(x, ENTITIES)) - seen(x)
    assert moved[..., 2:].abs().max() == 0
    assert moved[..., :2].std(dim=(1, 2)).max() < 1e-6
    assert moved[:, 0, 0, 0].unique().numel() == 3, "each clip in its own way"


def test_a_dropped_entity_is_gone_for_the_whole_clip() -> None:
    x = seen(EntityTransform(drop_entities=0.5)(rows(200), ENTITIES))
    present = x[..., 2]
    assert ((present.sum(1) == 0) | (present.sum(1) == 4)).all()
    assert 0.4 < present.mean() < 0.6
    assert not x[present == 0].any()


def test_teams_change_places() -> None:
    assert swapped_teams(ENTITIES) == [3, 4, 2, 0, 1]
    x = rows()
    assert torch.equal(seen(EntityTransform(swap_teams=1.0)(x, ENTITIES)), seen(x)[:, :, [3, 4, 2, 0, 1]])
    with pytest.raises(UserError, match="as many home as away"):
        EntityTransform(swap_teams=1.0)(x, {"home": 3, "away": 2})


def test_only_streams_of_positions_change() -> None:
    batch = clips(3, 4)
    batch["inputs"]["tracking"] = rows()
    layout = {"a": {"fps": 1.0}, "tracking": {"fps": 1.0, "entities": ENTITIES}}
    changed = FeatureTransform(tracking={"flip_x": 1.0}, layout=layout)(batch)["inputs"]  # type: ignore[arg-type]
    assert torch.equal(changed["a"], batch["inputs"]["a"])
    assert not torch.equal(changed["tracking"], batch["inputs"]["tracking"])


@pytest.mark.parametrize("wrong", [{"flip_x": 2}, {"shift": -1}, {"drop_entities": "often"}])
def test_a_wrong_setting_is_named(wrong: dict) -> None:
    with pytest.raises(UserError, match=f"data.augment.{next(iter(wrong))}"):
        EntityTransform(**wrong)


def test_positions_that_are_not_there_are_named() -> None:
    with pytest.raises(UserError, match=r"data\.augment: the data has no stream of positions"):
        FeatureTransform(tracking={"flip_x": 1.0}, layout={"a": {"fps": 1.0}})
