"""Which team acts: both ways to learn it, what a mirrored image and a label without a team do to it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spotter.data.images import ImageTransform
from spotter.data.mixup import Mixup
from spotter.errors import UserError
from spotter.models.blocks.dense import DenseHead, DenseTargets
from spotter.models.blocks.frame import FrameHead
from spotter.models.blocks.teams import RADIUS, JointHead, JointTargets, SideHead, SideTargets
from spotter.models.blocks.window import WindowHead, WindowTargets
from spotter.tasks import Task
from spotter.types import Batch, ClipFrames, Spots, TargetMaker

TASK = Task.load({**Task.load("ball-2025").to_dict(), "classes": ["PASS", "DRIVE", "GOAL"], "strict": False})
CLIP = ClipFrames(start=100, length=50, fps=12.5)
WIDTH = 8


def spots(*rows: tuple[int, int, str]) -> Spots:
    """Return spots of (frame of the clip, class, team)."""
    frame, label, team = (np.array(column) for column in zip(*rows, strict=True))
    return Spots(label.astype(np.int64), (CLIP.start + frame) / CLIP.fps, np.ones(len(rows), bool), team.astype(str))


HEADS: dict[str, Any] = {
    "frame": lambda classes: FrameHead(WIDTH, classes, dropout=0.0),
    "dense": lambda classes: DenseHead(WIDTH, classes, 0.2, 0.4, fps=12.5, displacement="none"),
}
METHODS: dict[str, Any] = {
    "joint": lambda make: JointHead(make(6), TASK),
    "side": lambda make: SideHead(make(3), TASK, WIDTH, 1),
}
LABELS = spots((10, 0, "left"), (20, 1, "right"), (30, 2, "right"), (40, 0, "right"))
SWAPPED = spots((10, 0, "right"), (20, 1, "left"), (30, 2, "left"), (40, 0, "left"))


def batch(head: Any, *labels: Spots) -> Batch:
    made = [head.targets(each, CLIP) for each in labels]
    targets = {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
    valid = torch.ones(len(labels), CLIP.length, dtype=torch.bool)
    index = torch.zeros(len(labels), dtype=torch.int64)
    return Batch(inputs={}, phase={}, valid=valid, targets=targets, half=index, start=index)


@pytest.fixture(params=[(method, head) for method in METHODS for head in HEADS], ids="-".join)
def head(request: pytest.FixtureRequest) -> Any:
    method, inner = request.param
    torch.manual_seed(0)
    return METHODS[method](HEADS[inner])


def test_it_learns_action_and_team(head: Any) -> None:
    """Tokens that say which frame it is are enough to find every spot and its team."""
    tokens = torch.randn(1, CLIP.length, WIDTH)
    tokens.requires_grad_()
    given = batch(head, LABELS)
    given["targets"] = head.mirror(given["targets"], torch.tensor([False]))
    optimizer = torch.optim.Adam([tokens, *head.parameters()], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        head.loss(head(tokens), given)["loss"].backward()
        optimizer.step()
    scores = head.predict(head(tokens))["logits"][0].sigmoid()
    assert scores.shape == (CLIP.length, 6)
    for frame, column in ((10, 0), (20, 3), (30, 5), (40, 1)):
        assert scores[frame].argmax() == column
        assert scores[frame, column] > 0.8
        assert scores[frame, column ^ 1] < 0.2, "the other team"


def test_a_mirrored_clip_swaps_the_teams(head: Any) -> None:
    given, swapped = batch(head, LABELS, LABELS), batch(head, LABELS, SWAPPED)
    nothing, second = torch.tensor([False, False]), torch.tensor([False, True])
    found, expected = head.mirror(given["targets"], second), head.mirror(swapped["targets"], nothing)
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name])


def test_home_and_away_stay_in_a_mirrored_clip() -> None:
    task = Task.load({**TASK.to_dict(), "teams": ["home", "away"]})
    head = JointHead(FrameHead(WIDTH, 6), task)
    labels = spots((10, 0, "home"))
    given = batch(head, labels)
    found = head.mirror(given["targets"], torch.tensor([True]))
    torch.testing.assert_close(found["classes"], given["targets"]["classes"])
    assert found["classes"][0, 10, 1] == 1


def test_labels_without_a_team_train_the_rest(head: Any) -> None:
    """They change nothing about teams: the gradient of what is beyond them is that of clips without them."""
    beyond = round(RADIUS * CLIP.fps) + 1
    tokens = torch.randn(1, CLIP.length, WIDTH)

    def gradient(labels: Spots) -> Tensor:
        x = tokens.clone().requires_grad_()
        given = batch(head, labels)
        head.loss(head(x), given)["loss"].backward()
        assert x.grad is not None
        return x.grad[0]

    known, unknown = spots((40, 0, "left")), spots((40, 0, "left"), (10, 1, "not applicable"))
    with_them, without = gradient(unknown), gradient(known)
    scale = with_them[45:].norm() / without[45:].norm()
    torch.testing.assert_close(with_them[10 + beyond :], without[10 + beyond :] * scale, rtol=1e-4, atol=1e-7)
    if isinstance(head, JointHead):
        assert (with_them[10] == 0).all(), "a frame whose team is unknown says nothing"
    else:
        assert (with_them[10] - without[10] * scale).norm() > 1e-4, "the action is learned"
        assert (batch(head, unknown)["targets"]["side_mask"][0, :30] == 0).all()


@pytest.mark.parametrize(
    ("targets", "frames"),
    [
        (DenseTargets(6, 0.2, 0.0, shape="gaussian"), range(3, 18)),  # all that a label reaches, 0.6 s
        (WindowTargets(6, 5), range(8, 13)),
        (WindowTargets(6, 50), range(50)),  # a clip of one window says nothing
    ],
)
def test_all_that_a_label_without_a_team_reaches_is_left_out(targets: TargetMaker, frames: range) -> None:
    made = JointTargets(targets, TASK)(spots((10, 1, "not applicable")), CLIP)
    assert np.flatnonzero(made["team_unknown"]).tolist() == list(frames)


def test_the_score_of_a_side_is_a_part_of_that_of_its_action() -> None:
    head = SideHead(DenseHead(WIDTH, 3, 0.2, 0.4), TASK, WIDTH, 1).eval()
    tokens = 4 * torch.randn(2, 9, WIDTH)
    inner, both = head.head.predict(head.head(tokens)), head.predict(head(tokens))
    sides = both["logits"].double().sigmoid().unflatten(-1, (3, 2))
    torch.testing.assert_close(sides.sum(-1), inner["logits"].double().sigmoid(), rtol=1e-4, atol=1e-6)
    assert both["displacement"].shape == both["logits"].shape
    large = torch.full((1, 1, 3), 80.0)
    extreme = head.predict({"logits": large, "side": large, "displacement": large})
    assert torch.isfinite(extreme["logits"]).all()


def test_mixed_clips_keep_what_each_says(head: Any) -> None:
    torch.manual_seed(1)
    given = batch(head, LABELS, spots((25, 1, "left"), (10, 0, "")))
    given["targets"] = head.mirror(given["targets"], torch.tensor([False, True]))
    mixed = Mixup(0.5, 1.0)(given, head.mix, partners=False)
    loss = head.loss(head(torch.randn(2, CLIP.length, WIDTH)), mixed)["loss"]
    assert torch.isfinite(loss)
    alone = head.mix(given["targets"], given["targets"], torch.tensor([1.0, 1.0]))
    for name in alone:
        weight = given["targets"]["side_mask"] if name == "side" else 1.0
        torch.testing.assert_close(weight * alone[name].float(), weight * given["targets"][name].float())


def test_a_flip_is_told_to_the_targets() -> None:
    images = ImageTransform([0.0] * 3, [1.0] * 3, {"flip": 0.5}).train()
    video = torch.arange(4, dtype=torch.uint8).expand(16, 1, 1, 4)[..., None].repeat(1, 1, 1, 1, 3)
    torch.manual_seed(0)
    seen, mirrored = images(video, torch.ones(16, 1, dtype=torch.bool))
    assert (seen[:, 0, 0, 0, 0] > seen[:, 0, 0, 0, 3]).tolist() == mirrored.tolist()
    assert 0 < mirrored.sum() < 16
    assert not images.eval()(video, torch.ones(16, 1, dtype=torch.bool))[1].any()


def test_every_head_may_have_joint_classes_but_not_a_side() -> None:
    head = JointHead(WindowHead(WIDTH, 6, window=50), TASK)
    given = batch(head, LABELS)
    assert head.mirror(given["targets"], torch.tensor([True]))["classes"].shape == (1, 1, 7)
    with pytest.raises(UserError, match=r"set model\.teams=joint"):
        SideHead(WindowHead(WIDTH, 3, window=50), TASK, WIDTH, 1)
    with pytest.raises(UserError, match=r"set model\.teams=joint"):
        SideHead(FrameHead(0, 3), TASK, 0, 1)


def test_targets_travel_to_other_processes() -> None:
    targets = SideTargets(FrameHead(WIDTH, 3).targets, TASK, 1)
    assert TASK.class_of({"label": "Pass"}) == 0
    again = pickle.loads(pickle.dumps(copy.deepcopy(targets)))
    np.testing.assert_array_equal(again(LABELS, CLIP)["side"], targets(LABELS, CLIP)["side"])
    np.testing.assert_array_equal(targets.class_prior(np.array([4, 2, 0]), 100, 12.5), [0.04, 0.02, 0])
    joint = JointHead(FrameHead(WIDTH, 6), TASK).targets
    np.testing.assert_array_equal(joint.class_prior(np.array([4, 2, 0]), 100, 12.5), [0.02, 0.02, 0.01, 0.01, 0, 0])
