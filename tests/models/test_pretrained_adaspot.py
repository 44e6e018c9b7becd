"""AdaSpot gives what the reference gives; its checkpoints become ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spotter.errors import UserError
from spotter.io.checkpoints import open_checkpoint
from spotter.models.adaspot.network import AdaSpot
from spotter.models.adaspot.region import find_regions
from spotter.models.pretrained import convert_published, load_published
from spotter.models.pretrained.adaspot import AdaSpotReference, published_names
from spotter.models.pretrained.options import ImportOptions
from spotter.models.system import System
from tests.helpers.networks import both
from tests.helpers.published import SMALL, digest, expected, normalised, weights

GOLDEN = expected("adaspot")


def shapes_of(network: AdaSpot) -> dict[str, tuple[int, ...]]:
    sizes = {their: tuple(network.state_dict()[ours].shape) for ours, their in published_names(network).items()}
    gates = {name: (2, shape[1], 3, 3, 3) for name, shape in sizes.items() if name.endswith("conv3D.weight")}
    return sizes | gates


@cache
def state_of(classes: int = 3, clip_len: int = 8) -> dict[str, Tensor]:
    with torch.device("meta"):
        network = AdaSpot({"video": {}}, classes, clip_len)
    return weights(shapes_of(network), {"^temp_enc$": SMALL})


def clip() -> Tensor:
    t, c, y, x = np.meshgrid(*map(np.arange, (8, 3, 224, 280)), indexing="ij")
    near = np.exp(-((y - 60 - 12 * t) ** 2 + (x - 220 + 18 * t) ** 2) / 648)
    wave = np.sin(0.9 * (t + 1) + 0.7 * c + 0.05 * y * (1 + 0.07 * t) + 0.03 * x * (1 + 0.05 * t))
    return normalised(np.clip(0.5 + 0.3 * wave * (1 - near) + 0.5 * near * np.sin(0.8 * x + 0.5 * y), 0, 1))


@pytest.mark.slow
def test_scores_and_regions_are_those_of_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(state_of(), tmp_path / "best.pt")
    model, found = load_published(tmp_path, "adaspot"), []
    assert isinstance(model, AdaSpotReference)
    assert digest(shapes_of(model.network)) == GOLDEN["keys"]
    assert sum(parameter.numel() for parameter in model.parameters()) == GOLDEN["parameters"]

    def watch(*arguments: object) -> tuple[Tensor, Tensor]:
        found.append(find_regions(*arguments))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr("spotter.models.adaspot.network.find_regions", watch)
    with torch.no_grad():
        logits = model(clip())
        model.network.training = True  # the streams are scored, too; all parts stay in eval mode
        high, low, joint = model.network({"video": clip()}, {}, torch.ones(1, 8, dtype=torch.bool))
    torch.testing.assert_close(found[0][0][0], torch.tensor(GOLDEN["roi_centres_y_x"]), rtol=0, atol=1e-4)
    assert found[0][1][0].tolist() == [height for height, _ in GOLDEN["roi_sizes_h_w"]]
    for ours, name in ((logits, ""), (joint, ""), (high, "_high_res_head"), (low, "_low_res_head")):
        torch.testing.assert_close(ours[0], torch.tensor(GOLDEN[f"logits{name}"]), rtol=0, atol=1e-4)
    with torch.no_grad():
        model.network.threshold = 0.45
        model(clip())
    assert found[-1][1].tolist() == [[168] * 8]


@pytest.mark.parametrize(("name", "backbone"), [("ball_400MF", "regnety_004"), ("ball_200MF", "regnety_002")])
def test_published_sizes_have_as_many_parameters(name: str, backbone: str) -> None:
    said = GOLDEN["parameter_counts"][name]
    with torch.device("meta"):
        network = AdaSpot({"video": {}}, 10, 100, backbone)
    assert sum(parameter.numel() for parameter in network.parameters()) == said["total"]
    assert len(network.state_dict()) == said["tensors"]
    network.alone = None
    assert sum(parameter.numel() for parameter in network.parameters()) == said["inference_only_total"]


@pytest.mark.slow
def test_a_checkpoint_becomes_one_of_ours_also_without_what_training_needs(tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in state_of(2, 4).items() if "_pred_fine_" not in name}
    torch.save({name: value for name, value in state.items() if "_temp_fine_" not in name}, tmp_path / "best.pt")
    with pytest.raises(UserError, match="--task"):
        convert_published(tmp_path, tmp_path / "out.ckpt", "adaspot")
    convert_published(tmp_path, tmp_path / "out.ckpt", "adaspot", ImportOptions(task="ball-2023", threshold=0.3))
    system = System.load(open_checkpoint(tmp_path / "out.ckpt"))
    model = load_published(tmp_path, "adaspot", threshold=0.3)
    video, valid = torch.randn(1, 4, 3, 128, 160), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        said, _ = both(system.head.predict(system.head(system.network({"video": video}, {}, valid))))
        fused, _ = both(system.head.predict(system.head(system.fused().network({"video": video}, {}, valid))))
        share = model(video).softmax(-1)
    torch.testing.assert_close(said.sigmoid(), share[..., 1:], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(fused, said, rtol=1e-3, atol=1e-3)


def test_what_cannot_be_imported_is_said_in_one_line(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "best.pt")
    with pytest.raises(UserError, match="lowres_backbone"):
        load_published(tmp_path, "adaspot")
    state = dict(state_of())
    del state["highres_linear.0.bias"]
    torch.save(state, tmp_path / "best.pt")
    with pytest.raises(UserError, match=r"highres_linear\.0\.bias"):
        load_published(tmp_path, "adaspot")
