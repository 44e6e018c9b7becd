"""Baikulov's network and loss give what the reference gives; its checkpoints become ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spotter.errors import UserError
from spotter.io.checkpoints import open_checkpoint
from spotter.models.baikulov.head import MiddleHead
from spotter.models.pretrained import convert_published, load_published
from spotter.models.pretrained.baikulov import BaikulovReference, published_names
from spotter.models.pretrained.options import ImportOptions
from spotter.models.system import System
from spotter.types import Batch, ClipFrames, Output, Spots
from tests.helpers.networks import both
from tests.helpers.published import by_fan_in, digest, expected, weights

GOLDEN = expected("baikulov")
RULES = {
    r"^global_pool\.p$": lambda u, shape: 3 + 0.5 * u - 0.25,
    r"^classifier\.weight$": by_fan_in(3),
    r"(conv\w*|se\.\w+|projection\.0)\.weight$": by_fan_in(5),
}
SIZES = {"ball_15": (15, 2), "action_15": (15, 15), "ball_33": (33, 2)}


def shapes_of(model: BaikulovReference) -> dict[str, tuple[int, ...]]:
    return {their: tuple(model.state_dict()[ours].shape) for ours, their in published_names(model).items()}


def save(folder: Path, images: int = 15, classes: int = 2) -> Path:
    with torch.device("meta"):
        shapes = shapes_of(BaikulovReference(images, classes))
    state = weights(shapes, RULES)
    content = {"model_name": "m", "params": {"nn_module": ["multidim_stacker", {"num_classes": classes}]}}
    torch.save(content | {"nn_state_dict": state, "no_ema_nn_state_dict": {}}, folder / "model-035-0.9.pth")
    return folder / "model-035-0.9.pth"


def frames() -> Tensor:
    b, t, y, x = np.meshgrid(*map(np.arange, (2, 15, 96, 160)), indexing="ij")
    phase = 0.9 * (t + 1) * (b + 1) + 0.11 * y * (1 + 0.4 * b) + 0.07 * x * (1 + 0.05 * t)
    return torch.from_numpy(0.5 + 0.5 * np.sin(phase)).float()


@pytest.mark.slow
def test_scores_are_those_of_the_reference(tmp_path: Path) -> None:
    said, grey = GOLDEN["frames_15"], frames()
    with torch.device("meta"):
        assert digest(shapes_of(BaikulovReference(15, 2))) == GOLDEN["keys"]
    model = load_published(save(tmp_path), "baikulov")
    assert not model.training
    with torch.no_grad():
        for given, name in (
            (grey, "logits"),
            (grey.flip(-1), "logits_mirrored"),
            (grey.flip(1), "logits_frames_reversed"),
        ):
            torch.testing.assert_close(model(given), torch.tensor(said[name]), rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="14 frames"):
        model(grey[:, :14])


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_have_as_many_parameters(name: str) -> None:
    said = GOLDEN["parameter_counts"][name]
    with torch.device("meta"):
        model = BaikulovReference(*SIZES[name])
    assert sum(parameter.numel() for parameter in model.parameters()) == said["total"]
    assert len(model.state_dict()) == said["tensors"]
    assert list(model.head.classes[1].weight.shape) == said["classifier_shape"]


@pytest.mark.parametrize(("alpha", "name"), [(None, "alpha_-1.0"), (0.4, "alpha_0.4")])
def test_the_loss_is_that_of_the_reference(alpha: float | None, name: str) -> None:
    said, head = GOLDEN["focal"], MiddleHead(4, 2, 29, positive_weight=alpha)
    logits, targets = (torch.tensor(said[key])[:, None] for key in ("logits", "targets"))
    valid = torch.ones(3, 29, dtype=torch.bool)
    batch = Batch(inputs={}, phase={}, valid=valid, targets={"classes": targets})  # type: ignore[typeddict-item]
    assert float(head.loss(Output(logits=logits), batch)["loss"]) == pytest.approx(said[name], abs=1e-6)


def test_an_action_counts_within_the_middle_of_a_window() -> None:
    targets = MiddleHead(4, 2, 29).targets
    spots = Spots(np.array([1]), np.array([2.0]), np.array([True]))  # frame 50 of 25 a second
    for start, counts in ((28, False), (29, True), (43, True), (44, False)):  # of whose windows the middle is 14 later
        assert targets(spots, ClipFrames(start, 29, 25.0))["classes"].tolist() == [[0.0, float(counts)]]
    slid = targets(spots, ClipFrames(20, 60, 25.0))["classes"]
    assert np.flatnonzero(slid[:, 1]).tolist() == list(range(50 - 7 - 20, 50 + 8 - 20))
    assert not slid[:, 0].any()


@pytest.mark.slow
def test_a_checkpoint_becomes_one_of_ours(tmp_path: Path) -> None:
    path = save(tmp_path)
    convert_published(path, tmp_path / "out.ckpt", "baikulov")
    system, model = System.load(open_checkpoint(tmp_path / "out.ckpt")), load_published(path, "baikulov")
    assert (system.task.name, system.spec.fps, system.clips.clip_len) == ("ball-2023", 25, 29)
    assert system.spec.image is not None
    assert (system.spec.image.grey, system.postprocess.method) == (True, "peaks")
    grey = torch.rand(1, 29, 1, 32, 32)
    with torch.no_grad():
        valid = torch.ones(1, 29, dtype=torch.bool)
        logits, _ = both(system.head.predict(system.head(system.network({"video": grey}, {}, valid))))
        torch.testing.assert_close(logits[:, 0], model(grey[:, ::2, 0]), rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="2 classes"):
        convert_published(path, tmp_path / "out.ckpt", "baikulov", ImportOptions(task="soccernet-v2"))


def test_what_cannot_be_imported_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    for content, said in (({"nn_state_dict": {"a": torch.ones(1)}}, "conv2d_encoder"), ({}, "conv2d_encoder")):
        torch.save(content, path)
        with pytest.raises(UserError, match=said):
            load_published(path, "baikulov")
