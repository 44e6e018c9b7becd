"""SoccerNet's own extraction: ResNet-152 of Keras on two images a second, chosen, cut and shifted as theirs.

From facts about the code of SoccerNet/sn-spotting (Features) and of the package SoccerNet.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spotter.data.video.times import Numbers, Times
from spotter.errors import UsageError, UserError
from spotter.extraction.frames import Size
from spotter.io.feature_files import read_hdf5
from spotter.models.blocks import backbones
from spotter.models.blocks.shift import Frames
from spotter.types import Plain

BACKBONE, NAME, FPS = "resnet152", "ResNET_TF2", Fraction(2)
SIDE = 224  # pixels of the square that is seen
MEANS = (103.939, 116.779, 123.68)  # of blue, green and red, which Keras subtracts
FILE = "resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{FILE}"
PARTS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Say which images of a video are taken, and how they are shown.

    first : number from which their counter counts images
    swapped : colours are taken for their opposites, as OpenCV gives blue first and Keras expects red first

    It is the view, and the choice of images, of a ``FrameBackbone``.
    """

    name: str
    first: int
    swapped: bool

    @property
    def about(self) -> Plain:
        """Return what tells it from other ways to see images."""
        return {"recipe": self.name}

    def covering(self, size: Size) -> Size:
        """Return the size at which images are decoded: their own."""
        return size

    def choose(self, times: Times) -> Numbers:
        """Return the numbers of the images that are taken, two a second."""
        rate, frames = times.fps, times.fps * times.duration
        if frames - times.count > 1:
            rate = times.count / times.duration
        step = max(Fraction(1), rate / FPS)  # images; taken is one whose counter has just passed a multiple
        counter = self.first + np.arange(times.count)
        return np.flatnonzero(counter * step.denominator % step.numerator < step.denominator)

    def __call__(self, images: Tensor) -> Tensor:
        """Turn (N, H, W, 3) uint8 RGB into what the network takes, (N, 3, 224, 224) floats, on the same device.

        Raises UserError for images that are narrower than high.
        """
        height, width = images.shape[1:3]
        scaled = int(width * SIDE / height)
        left = (scaled - SIDE) // 2
        if left < 0:
            raise UserError(f"--recipe: images of {width}x{height} are narrower than high; {self.name} cuts a square")
        x = images.permute(0, 3, 1, 2).float()
        if height != SIDE:
            down, across = (shrink(*each).to(x.device) for each in ((height, SIDE), (width, scaled)))
            x = (down @ x @ across.T).round()
        x = x[..., left : left + SIDE] if self.swapped else x[:, [2, 1, 0], :, left : left + SIDE]
        return (x - x.new_tensor(MEANS)[:, None, None]).contiguous(memory_format=torch.channels_last)


RECIPES = {each.name: each for each in (Recipe("sn-spotting", 1, True), Recipe("sn-spotting-skvideo", 0, False))}


def shrink(length: int, wanted: int) -> Tensor:
    """Return weights (wanted, length) that scale a line of pixels by area: each is the mean of what it covers."""
    edges = torch.arange(wanted + 1, dtype=torch.float64) * length / wanted
    pixels = torch.arange(length, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp(min=0) * wanted / length).float()


def build_network(name: str, weights: str | None) -> nn.Module:
    """Return ResNet-152 as Keras has it, with the weights of a file: of Keras, or by the names of timm.

    Raises UsageError for another network, and UserError for no weights or some that do not fit.
    """
    if name != BACKBONE:
        raise UsageError(f"--recipe: is that of {BACKBONE}; give --backbone {BACKBONE}")
    if not weights:
        raise UserError(f"--recipe: needs the weights of Keras: fetch {URL} and give --weights {FILE}")
    network = backbones.create(BACKBONE, "none", Frames())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1.001e-5
    for stage in (2, 3, 4):  # strides are of the first convolution of a block, in timm of the second
        block = network.get_submodule(f"layer{stage}.0")
        first, second = block.get_submodule("conv1"), block.get_submodule("conv2")
        assert isinstance(first, nn.Conv2d)
        assert isinstance(second, nn.Conv2d)
        first.stride, second.stride = (2, 2), (1, 1)
    keras = weights.endswith((".h5", ".hdf5"))
    state = from_keras(_read(Path(weights))) if keras else backbones.read_weights(weights)
    backbones.take_weights(network, BACKBONE, state, weights)
    return network


def _read(path: Path) -> dict[str, NDArray]:
    try:
        return read_hdf5(path)
    except OSError as error:
        raise UserError(f"--weights: {path} is no file of weights of Keras ({error})") from error


def from_keras(arrays: dict[str, NDArray]) -> dict[str, Tensor]:
    """Return the weights of Keras's ResNet-152 by the names of timm; biases of convolutions move into the norms."""
    state: dict[str, Tensor] = {}
    biases: dict[str, Tensor] = {}
    for path, values in arrays.items():
        layer, weight = path.removesuffix(":0").split("/")[-2:]
        tensor = torch.from_numpy(np.asarray(values, np.float32))
        convolution, norm = _timm_names(layer)
        if weight == "kernel":
            state[f"{convolution}.weight"] = tensor.permute(3, 2, 0, 1).contiguous()
        elif weight == "bias":
            biases[norm] = tensor
        elif weight in PARTS:
            state[f"{norm}.{PARTS[weight]}"] = tensor
    for norm, bias in biases.items():
        if f"{norm}.running_mean" in state:
            state[f"{norm}.running_mean"] = state[f"{norm}.running_mean"] - bias
    return state


def _timm_names(layer: str) -> tuple[str, str]:
    """Return the names of the convolution and of the norm to which a layer of Keras, as conv3_block2_1_bn, belongs."""
    parts = layer.split("_")
    if len(parts) != 4:
        return "conv1", "bn1"
    block = f"layer{int(parts[0].removeprefix('conv')) - 1}.{int(parts[1].removeprefix('block')) - 1}"
    if parts[2] == "0":
        return f"{block}.downsample.0", f"{block}.downsample.1"
    return f"{block}.conv{parts[2]}", f"{block}.bn{parts[2]}"
