"""SoccerNet's own extraction: which images, which of their pixels, and whose weights."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pytest
import timm
import torch
from safetensors.torch import save_file

from spotter.data.pca import Pca
from spotter.data.video.times import Times
from spotter.errors import UserError
from spotter.extraction.sn_spotting import RECIPES, build_network, from_keras, shrink
from tests.conftest import call
from tests.helpers.videos import write_video

OPENCV, SKVIDEO = RECIPES["sn-spotting"], RECIPES["sn-spotting-skvideo"]


def test_images_at_25_a_second_are_theirs() -> None:
    """Facts: row 0 is image 12 or 0, steps alternate, and 2,700 s are 5,400 rows, one image less 5,399."""
    whole = Times.regular(67_500, Fraction(25))
    taken = OPENCV.choose(whole)
    assert taken[:4].tolist() == [12, 24, 37, 49]
    assert len(taken) == 5400
    assert len(OPENCV.choose(Times.regular(67_499, Fraction(25)))) == 5399
    assert SKVIDEO.choose(whole)[:4].tolist() == [0, 13, 25, 38]


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(24), Fraction(30), Fraction(50), Fraction(30000, 1001)])
def test_rows_lie_where_theirs_do(fps: Fraction) -> None:
    times = Times.regular(int(600 * fps), fps)
    late = OPENCV.choose(times) / float(fps) - np.arange(len(OPENCV.choose(times))) / 2
    assert 0.458 < late.min() <= late.max() <= 0.5
    early = SKVIDEO.choose(times) / float(fps) - np.arange(len(SKVIDEO.choose(times))) / 2
    assert -1e-9 < early.min() <= early.max() <= 0.0401


def test_a_slow_or_uneven_video_gives_what_it_has() -> None:
    assert OPENCV.choose(Times.regular(5, Fraction(1))).tolist() == [0, 1, 2, 3, 4]
    gap = np.concatenate([np.arange(100), np.arange(600, 700)])  # images missing for 20 s
    taken = OPENCV.choose(Times.stamped(gap, Fraction(1, 25)))
    assert len(taken) == pytest.approx(2 * 28, abs=1), "as many as the length asks for"


def test_pixels_are_cut_and_their_colours_taken_for_each_other() -> None:
    images = torch.randint(256, (2, 224, 398, 3), dtype=torch.uint8)
    seen = OPENCV(images)
    assert seen.shape == (2, 3, 224, 224)
    expected = images[:, :, 87:311].permute(0, 3, 1, 2) - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    torch.testing.assert_close(seen, expected)
    torch.testing.assert_close(SKVIDEO(images) + 0, (images[:, :, 87:311].flip(3).permute(0, 3, 1, 2)
        - torch.tensor([103.939, 116.779, 123.68])[:, None, None]))  # fmt: skip
    with pytest.raises(UserError, match="narrower than high"):
        OPENCV(images.transpose(1, 2))


def test_images_are_scaled_by_area() -> None:
    assert shrink(6, 2).tolist() == [[pytest.approx(1 / 3)] * 3 + [0] * 3, [0] * 3 + [pytest.approx(1 / 3)] * 3]
    assert shrink(5, 2)[0].tolist() == pytest.approx([0.4, 0.4, 0.2, 0, 0])
    assert shrink(1280, 398).sum(1).numpy() == pytest.approx(np.ones(398), abs=1e-5)
    flat = torch.full((1, 448, 796, 3), 77, dtype=torch.uint8)
    torch.testing.assert_close(OPENCV(flat)[0, 0], torch.full((224, 224), 77 - 103.939))


def keras_arrays(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Return the weights of a ResNet of timm as Keras stores them, with biases that norms make up for."""
    arrays, state = {}, network.state_dict()
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for path, module in network.named_modules():
        if not isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            continue
        names, kind = path.split("."), "bn" if isinstance(module, torch.nn.BatchNorm2d) else "conv"
        layer = "conv1"
        if len(names) > 1:
            which = "0" if names[2] == "downsample" else names[2][-1]
            layer = f"conv{int(names[0][-1]) + 1}_block{int(names[1]) + 1}_{which}"
        where = f"{layer}_{kind}/{layer}_{kind}"
        if kind == "conv":
            arrays[f"{where}/kernel:0"] = state[f"{path}.weight"].permute(2, 3, 1, 0).numpy()
            arrays[f"{where}/bias:0"] = np.full(len(state[f"{path}.weight"]), 0.25, np.float32)
        else:
            for ours, theirs in parts.items():
                values = state[f"{path}.{ours}"].numpy()
                arrays[f"{where}/{theirs}:0"] = values + 0.25 if ours == "running_mean" else values
    return arrays


def test_weights_of_keras_come_by_the_names_of_timm() -> None:
    network = timm.create_model("resnet50", num_classes=0)  # of the same blocks
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    found, wanted = from_keras(keras_arrays(network)), network.state_dict()
    assert found.keys() == {name for name in wanted if "num_batches" not in name}
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, wanted[name])


@pytest.mark.slow
def test_a_video_becomes_the_files_of_soccernet(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(timm.create_model("resnet152", num_classes=0).state_dict(), tmp_path / "weights.safetensors")
    write_video(tmp_path / "1_224p.mkv", 60, size=(224, 398))
    Pca(np.zeros(2048, np.float32), np.eye(512, 2048, dtype=np.float32)).save(tmp_path / "pca512.npz")
    words = ["1_224p.mkv", "out", "--backbone", "resnet152", "--recipe", "sn-spotting", "--device", "cpu"]
    assert "needs the weights of Keras: fetch https://" in call("extract", *words, cwd=tmp_path).err
    words += ["--weights", "weights.safetensors", "--dtype", "float32"]
    for more in ([], ["--pca", "pca512.npz"]):
        called = call("extract", *words, *more, cwd=tmp_path)
        assert called.status == 0, called.err
    folder = tmp_path / "out/1_224p"
    whole, reduced = (np.load(folder / f"1_{name}.npy") for name in ("ResNET_TF2", "ResNET_TF2_PCA512"))
    assert (whole.shape, whole.dtype, reduced.shape) == ((4, 2048), np.float32, (4, 512))
    np.testing.assert_allclose(whole[:, :512], reduced, rtol=1e-3, atol=1e-5)
    about = orjson.loads((folder / "1_ResNET_TF2_PCA512.json").read_bytes())
    assert (about["offset"], about["extractor"]["recipe"]) == (0.48, "sn-spotting")
    assert (tmp_path / "out/ResNET_TF2_PCA512.npz").is_file(), "which a head on these features keeps"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--backbone", "resnet50"], "give --backbone resnet152"),
        (["--backbone", "resnet152", "--context", "2"], "leave --fps and --context out"),
        (["--backbone", "resnet152", "--weights", "no.h5"], "no.h5"),
    ],
)
def test_what_does_not_go_with_it_is_named(tmp_path: Path, words: list[str], expected: str) -> None:
    write_video(tmp_path / "match.mp4", 5)
    called = call("extract", "match.mp4", "out", "--recipe", "sn-spotting", "--device", "cpu", *words, cwd=tmp_path)
    assert called.status in (1, 2)
    assert expected in called.err
    assert called.err.count("\n") == 1


def test_strides_are_where_keras_has_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(timm.create_model("resnet152", num_classes=0).state_dict(), tmp_path / "weights.safetensors")
    network = build_network("resnet152", str(tmp_path / "weights.safetensors"))
    strides = [network.get_submodule(f"layer{stage}.0.conv{n}").stride for stage in (2, 3, 4) for n in (1, 2)]  # type: ignore[union-attr]
    assert strides == [(2, 2), (1, 1)] * 3
