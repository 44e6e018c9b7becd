"""Files of SoccerNet's pooling baselines and of NetVLAD++ give what their own networks give, or one line of error."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from spotter.errors import UserError
from spotter.models.pretrained import load_published
from tests.helpers.published_pools import DIM, reference, save, shapes_of

KINDS = ["MAX", "NetVLAD/sn", "NetVLAD", "NetRVLAD", "NetVLAD++", "NetRVLAD++", "AVG", "MAX++", "AVG++"]


def agree(kind: str, path: Path, rows: int, columns: int = DIM, **sizes: Any) -> torch.nn.Module:
    """Write a file of a kind, load it, and compare both on random windows."""
    state = save(path, shapes_of(kind, columns=columns, **sizes))
    net = (
        load_published(path, "netvladpp", pool="mean") if kind.startswith("AVG") else load_published(path, "netvladpp")
    )
    torch.manual_seed(1)
    windows = torch.randn(3, rows, columns)
    with torch.no_grad():
        found = net(windows)
    torch.testing.assert_close(found, torch.stack([reference(kind, state, window) for window in windows]))
    assert not net.training
    return net


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [7, 10])
def test_probabilities_are_theirs(kind: str, rows: int, tmp_path: Path) -> None:
    width = 512 if kind in ("MAX++", "AVG++") else DIM  # the width tells halves from a wide row
    agree(kind, tmp_path / "model.pth.tar", rows, width, dim=width)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "NetVLAD/sn"])
def test_other_widths_are_projected(kind: str, tmp_path: Path) -> None:
    net = agree(kind, tmp_path / "model.pth.tar", 8, 11)
    assert net(torch.randn(2, 8, 11)).shape == (2, 18)


@pytest.mark.parametrize("kind", ["MAX", "NetVLAD/sn"])
def test_the_first_version_has_three_classes(kind: str, tmp_path: Path) -> None:
    net = agree(kind, tmp_path / "model.pth.tar", 8, classes=3)
    assert net(torch.randn(2, 5, DIM)).shape == (2, 4)


def test_bare_and_parallel_states_are_read_too(tmp_path: Path) -> None:
    state = save(tmp_path / "a.pth.tar", shapes_of("NetVLAD++"))
    torch.save({f"module.{name}": value.half() for name, value in state.items()}, tmp_path / "b.pth.tar")
    windows = torch.randn(2, 8, DIM)
    one, other = (load_published(tmp_path / f"{name}.pth.tar", "netvladpp")(windows) for name in "ab")
    torch.testing.assert_close(one, other, atol=2e-3, rtol=1e-2)


class Trap:
    """Do something when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


def test_pickled_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "model.pth.tar", shapes_of("MAX"), trap=Trap())
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"state_dict": Trap()}))
    for name in ("model.pth.tar", "plain.pkl"):
        with pytest.raises(UserError, match=f"{name}: damaged, or no checkpoint of plain tensors"):
            load_published(tmp_path / name, "netvladpp")
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("MAX", {"fc.weight": None}, "no checkpoint of a pooling baseline"),
        ("MAX", {"fc.bias": None}, "lacks fc.bias"),
        ("MAX", {"fc.bias": (3,)}, "in another shape fc.bias"),
        ("MAX", {"fc.weight": (18,)}, "fc.weight is of odd shape"),
        ("MAX", {"fc.weight": (1, DIM), "fc.bias": (1,)}, "fc.weight is of odd shape"),
        ("MAX", {"conv1.weight": (3, 3)}, "unexpected conv1.weight"),
        ("MAX", {"feature_extractor.weight": (DIM, DIM), "feature_extractor.bias": (DIM,)}, "taken as they are"),
        ("NetVLAD/sn", {"pool_layer.conv.weight": None}, "lacks pool_layer.conv.weight"),
        ("NetVLAD/sn", {"pool_layer.centroids": (4, DIM, 1)}, "centroids is of odd shape"),
        ("NetVLAD/sn", {"fc.weight": (18, 5)}, "in another shape fc.weight"),
        ("NetVLAD++", {"pool_layer_after.clusters": None}, "lacks pool_layer_after.clusters"),
        ("NetVLAD++", {"pool_layer_after.clusters2": (DIM, 2)}, "in another shape pool_layer_after.clusters2"),
        ("NetVLAD++", {"feature_extractor.weight": (5, 9)}, "lacks feature_extractor.bias"),
    ],
)
def test_odd_files_are_named(kind: str, change: dict[str, Any], said: str, tmp_path: Path) -> None:
    shapes = {name: shape for name, shape in {**shapes_of(kind), **change}.items() if shape is not None}
    save(tmp_path / "odd.pth.tar", shapes)
    with pytest.raises(UserError, match=said) as raised:
        load_published(tmp_path / "odd.pth.tar", "netvladpp")
    assert "odd.pth.tar" in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint"):
        load_published(tmp_path / "nowhere.pth.tar", "netvladpp")
    (tmp_path / "torn.pth.tar").write_bytes(b"PK\x03\x04 and no more")
    torch.save([1, 2], tmp_path / "list.pth.tar")
    torch.save({"state_dict": 7}, tmp_path / "number.pth.tar")
    for name, said in {"torn": "damaged", "list": "pooling baseline", "number": "pooling baseline"}.items():
        with pytest.raises(UserError, match=said):
            load_published(tmp_path / f"{name}.pth.tar", "netvladpp")
    with pytest.raises(UserError, match="give one of max, mean"):
        load_published(tmp_path / "list.pth.tar", "netvladpp", pool="median")


def test_a_download_that_broke_off_is_named_wherever_it_ends(tmp_path: Path) -> None:
    """Of the format that torch wrote when these were released, too."""
    state = {"state_dict": save(tmp_path / "whole.pth.tar", shapes_of("MAX"))}
    for zipped in (True, False):
        torch.save(state, tmp_path / "whole.pth.tar", _use_new_zipfile_serialization=zipped)
        content = (tmp_path / "whole.pth.tar").read_bytes()
        for end in range(0, len(content) - 100, 7):
            (tmp_path / "torn.pth.tar").write_bytes(content[:end])
            with pytest.raises(UserError, match=r"torn\.pth\.tar: damaged, or no checkpoint of plain tensors"):
                load_published(tmp_path / "torn.pth.tar", "netvladpp")


def test_options_of_other_codebases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pool: is for pooling baselines"):
        load_published(tmp_path, "e2e-spot", pool="max")
    with pytest.raises(UserError, match="clip_len: is for e2e-spot"):
        load_published(tmp_path / "model.pth.tar", "sn-pooling", clip_len=4)
