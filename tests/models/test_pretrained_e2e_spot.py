"""Published checkpoints say what the reference says, whatever wraps them; anything else is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spotter.errors import UserError
from spotter.models.pretrained import load_published
from spotter.models.pretrained.e2e_spot import published_names, read_e2e_spot
from tests.helpers import golden
from tests.helpers.golden import save, state_of

KINDS = {"gsm": "gsm", "tsm": "tsm_block"}


@pytest.mark.parametrize("shift", KINDS)
def test_logits_are_those_of_the_reference_also_for_shorter_clips(shift: str, tmp_path: Path) -> None:
    state = state_of(KINDS[shift])
    assert len(state) == {"gsm": 417, "tsm": 326}[shift]
    parity = load_published(save(tmp_path, state, clip_len=golden.CLIP_LEN, stray=0), "e2e-spot")
    assert not parity.training
    with torch.no_grad():
        whole, first = parity(golden.pictures())[0], parity(golden.pictures()[:, :7])[0]
    torch.testing.assert_close(whole, torch.tensor(golden.LOGITS[shift]["whole"]), rtol=0, atol=1e-5)
    torch.testing.assert_close(first, torch.tensor(golden.LOGITS[shift]["first_7"]), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="13 frames"):
        parity(torch.zeros(1, 13, 3, 32, 32))


@pytest.mark.parametrize("temporal", ["gru", "deeper_gru", "mstcn", "asformer", "none"])
def test_every_temporal_head_is_recognised_by_its_keys(temporal: str, tmp_path: Path) -> None:
    found = read_e2e_spot(save(tmp_path, state_of(temporal=temporal)))
    assert found.network == {"backbone": "regnety_002", "shift": "gsm", "temporal": temporal}
    assert (found.classes, found.config) == (2, {})
    parity = load_published(tmp_path, "e2e-spot", clip_len=5)
    with torch.no_grad():
        assert parity(torch.randn(2, 4, 3, 32, 32)).shape == (2, 4, 3)
    state, ours = torch.load(found.path), parity.state_dict()
    names = published_names(parity.network, parity.head)
    assert sorted(names.values()) == sorted(state)
    assert torch.equal(ours["network.backbone.stem.conv.weight"], state["_features.stem.conv.weight"])


@pytest.mark.parametrize(
    ("backbone", "shift", "key"),
    [
        ("resnet18", "tsm_block", "_features.layer2.0.conv1.net.weight"),
        ("resnet18", "none", "_features.layer2.0.conv1.weight"),
        ("regnety_008", "tsm_block", "_features.s3.b8.conv1.net.bn.weight"),
    ],
)
def test_every_backbone_is_recognised_by_its_keys(backbone: str, shift: str, key: str, tmp_path: Path) -> None:
    state = state_of(shift, "none", backbone)
    assert key in state
    found = read_e2e_spot(save(tmp_path, state))
    assert found.network == {"backbone": backbone, "shift": shift, "temporal": "none"}


@pytest.mark.parametrize("backbone", ["resnet18", "convnext_tiny"])
def test_interleaved_channels_stand_in_the_weights(backbone: str, tmp_path: Path) -> None:
    """Interleave what the first gate of the reference makes, by hand, and compare the first block."""
    state = state_of("gsm", "none", backbone)
    unit = "layer2.1.conv1" if backbone == "resnet18" else "stages.1.blocks.2.conv_dw"
    assert f"_features.{unit}.gsm.conv3D.bias" in state
    network = load_published(save(tmp_path, state, clip_len=4), "e2e-spot").network.backbone
    block = network.layer1[0] if backbone == "resnet18" else network.stages[0].blocks[0]
    shifted = block.conv1 if backbone == "resnet18" else block.conv_dw
    fold, shifted.shift.frames.count = shifted.shift.fold, 4
    x = torch.randn(4, shifted.net.in_channels, 6, 6)
    with torch.no_grad():
        ours, moved = block(x), shifted.shift(x)
        half = fold // 2
        order = [
            side * half + row + half // 2 * column for side in (0, 1) for row in range(half // 2) for column in (0, 1)
        ]
        theirs = torch.cat([moved[:, order], moved[:, fold:]], 1)
        prefix = "_features.layer1.0." if backbone == "resnet18" else "_features.stages.0.blocks.0."
        plain = {k.removeprefix(prefix).replace(".net.", "."): v for k, v in state.items() if k.startswith(prefix)}
        if backbone == "resnet18":
            shifted.shift, shifted.net.weight.data = Constant(theirs), plain["conv1.weight"]
        else:
            shifted.shift, shifted.net.weight.data = Constant(theirs), plain["conv_dw.weight"]
            shifted.net.bias.data, block.norm.weight.data = plain["conv_dw.bias"], plain["norm.weight"]
            block.norm.bias.data, block.mlp.fc1.weight.data = plain["norm.bias"], plain["mlp.fc1.weight"]
        torch.testing.assert_close(ours, block(x), rtol=1e-4, atol=1e-5)


class Constant(torch.nn.Module):
    """Return the same whatever comes."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return self.value


def test_wrapped_and_prefixed_checkpoints_are_the_same(tmp_path: Path) -> None:
    state = state_of(temporal="none")
    plain = load_published(save(tmp_path / "a", state, clip_len=4), "e2e-spot")
    prefixed = {("backbone." if "_features" in name else "head.") + name: value for name, value in state.items()}
    osl = load_published(save(tmp_path / "b", {"state_dict": prefixed, "epoch": 3}, clip_len=4), "e2e-spot")  # type: ignore[dict-item]
    for name, value in plain.state_dict().items():
        assert torch.equal(osl.state_dict()[name], value)


def test_a_folder_means_its_last_epoch(tmp_path: Path) -> None:
    for epoch in (9, 100, 31):
        save(tmp_path, state_of(temporal="none") if epoch == 100 else {}, epoch)
    assert read_e2e_spot(tmp_path).path.name == "checkpoint_100.pt"


def test_what_cannot_be_imported_is_said_in_one_line(tmp_path: Path) -> None:
    state = state_of(temporal="none")

    def fails(*said: str, clip_len: int | None = 4, **config: Any) -> None:
        with pytest.raises(UserError) as error:
            load_published(tmp_path, "e2e-spot", clip_len=clip_len)
        assert "\n" not in str(error.value)
        assert all(word in str(error.value) for word in (str(tmp_path), *said)), error.value

    fails("checkpoint_*.pt")
    save(tmp_path, state)
    fails("config.json", "clip_len=", clip_len=None)
    save(tmp_path, {**state, "_features.more": torch.ones(1)})
    fails("_features.more", "unexpected")
    lacking = dict(state)
    del lacking["_features.s4.b7.conv3.conv.weight"]
    save(tmp_path, lacking)
    fails("lacks", "_features.s4.b7.conv3.conv.weight")
    save(tmp_path, {**state, "_features.s1.b1.conv3.conv.weight": torch.ones(3, 24, 1, 1)})
    fails("_features.s1.b1.conv3.conv.weight", "shape")
    save(tmp_path, {"weight": torch.ones(2)})
    fails("_features.")
    save(tmp_path, {**state, "_features.stem.conv.weight": torch.ones(32, 2, 3, 3)})
    fails("2 channels", "rgb")
    save(tmp_path, state, modality="flow")
    fails("flow", "rgb")
    (tmp_path / "config.json").write_text("{")
    fails("config.json")
    (tmp_path / "checkpoint_003.pt").write_bytes(b"nothing")
    (tmp_path / "config.json").unlink()
    fails("damaged")
    with pytest.raises(UserError, match="no checkpoint"):
        load_published(tmp_path / "missing.pt", "e2e-spot")
