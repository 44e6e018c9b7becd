"""2-D backbones of timm with temporal shifts inserted, and their ImageNet weights."""

from __future__ import annotations

import difflib
import logging
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from spotter.checks import check_choice
from spotter.data.source import Layout, StreamLayout
from spotter.errors import UserError
from spotter.io.hub import reachable
from spotter.models.blocks.fused_shift import DilatedShift, FusedShift
from spotter.models.blocks.shift import Frames, GatedShift, Shifted, TemporalShift
from spotter.types import Plain

log = logging.getLogger(__name__)

SHIFTS = ("gsm", "gsf", "tsm", "tsm_block", "none")
SIDE_PATHS = ("downsample", "shortcut")  # convolutions of a block that are not on its main path


def images_of(layout: Layout) -> StreamLayout:
    """Return the description of the images in a layout; raises UserError where there are none."""
    if "video" not in layout:
        raise UserError(f"model: this network needs video, found {', '.join(layout)}; take a video data=…")
    return layout["video"]


def arguments_for(layout: Layout, arguments: Plain | None = None) -> dict[str, Any]:
    """Return the arguments of a network of timm that sees the images of a layout, grey ones too."""
    grey = {"in_chans": 1} if images_of(layout).get("channels") == 1 else {}
    return {**(arguments or {}), **grey}


def create(
    name: str,
    shift: str,
    frames: Frames,
    stages: int | None = None,
    dilations: Sequence[int] = (1,),
    **arguments: Any,
) -> nn.Module:
    """Return a network of timm, of random weights, that pools each frame to one vector: (N, 3, H, W) -> (N, d).

    shift : ``gsm``, ``gsf`` or ``tsm`` before the first convolution of every residual block, ``tsm_block`` before the
        block as a whole, so that its shortcut is shifted too (as in published TSM weights), or ``none``
    stages : how many of the last stages have shifts, None for all
    dilations : of gated shifts: the frames by which equal parts of the channels move

    Raises UserError for an unknown name and for a network without residual blocks of convolutions.
    """
    if not dilations or any(not isinstance(by, int) or by < 1 for by in dilations):
        raise UserError(f"model.network.dilations: expected frames, as [1, 2, 4], found {dilations!r}")
    check_choice("model.network.shift", shift, SHIFTS)
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=4, cutoff=0.5) or ["regnety_002", "resnet18"]
        raise UserError(f"model.network.backbone: timm has no {name!r}; it has for example {', '.join(near)}")
    network: nn.Module = timm.create_model(name, num_classes=0, **arguments)
    for module in network.modules():
        if isinstance(last := getattr(module, "act3", None), nn.ReLU):
            last.inplace = True  # of a sum that nothing else needs: RegNets keep it for no use
    if shift != "none":
        found = list(blocks(network))
        if stages is not None:
            last = tuple(f"{stage['module']}." for stage in cast(list[Plain], network.feature_info)[-stages:])
            found = [(path, block) for path, block in found if path.startswith(last)]
        if not found:
            raise UserError(f"model.network.backbone: {name} has no residual blocks to shift in; take shift=none")
        for path, block in found:
            _insert(network, path, first_convolution(block), shift, frames, dilations)
    return network


def width_of(network: nn.Module) -> int:
    """Return the width of the features that a network of timm makes of a frame."""
    return int(getattr(network, "head_hidden_size", None) or cast(int, network.num_features))


def blocks(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield path and module of the residual blocks that a shift belongs in: all, but in deep ResNets every second."""
    layer = getattr(network, "layer3", None)
    step = 2 if isinstance(layer, nn.Sequential) and len(layer) >= 23 else 1
    for path, module in network.named_modules():
        # Blocks of all families of timm that drop paths, and nothing else of them, carry this name.
        if not hasattr(module, "drop_path") or any(hasattr(inner, "drop_path") for inner in list(module.modules())[1:]):
            continue
        if first_convolution(module) and (step == 1 or int(path.rpartition(".")[2]) % step == 0):
            yield path, module


def first_convolution(block: nn.Module) -> str:
    """Return the path of the first convolution on a block's main path, "" if there is none."""
    named = (path for path, module in block.named_modules() if isinstance(module, nn.Conv2d))
    return next((path for path in named if path.partition(".")[0] not in SIDE_PATHS), "")


def _insert(network: nn.Module, block: str, first: str, shift: str, frames: Frames, dilations: Sequence[int]) -> None:
    path = f"{block}.{first}"
    channels = cast(nn.Conv2d, network.get_submodule(path)).in_channels
    if shift == "tsm_block":
        path = block
    parent, _, leaf = path.rpartition(".")
    made: nn.Module
    if shift == "gsf":
        made = FusedShift(frames, channels, dilations)
    elif shift == "gsm":
        made = GatedShift(frames, channels) if tuple(dilations) == (1,) else DilatedShift(frames, channels, dilations)
    else:
        made = TemporalShift(frames, channels)
    setattr(network.get_submodule(parent), leaf, Shifted(made, network.get_submodule(path)))


def plain_names(network: nn.Module) -> dict[str, str]:
    """Return, for every tensor that the network has without shifts, its name here and the name that timm gives it."""
    names = {name: name for name in network.state_dict()}
    for path in [path for path, module in network.named_modules() if isinstance(module, Shifted)]:
        inner = {name: name.removeprefix(f"{path}.net.") for name in names if name.startswith(f"{path}.")}
        names |= {name: f"{path}.{rest}" for name, rest in inner.items()}
        names = {name: plain for name, plain in names.items() if not name.startswith(f"{path}.shift.")}
    return names


def load_imagenet(network: nn.Module, name: str, weights: str | None = None, **arguments: Any) -> None:
    """Copy ImageNet weights into a network that ``create`` made; shifts stay as they are.

    weights : a ``.safetensors``, ``.pth`` or ``.pt`` file with the names of timm, or with the same tensors in the same
        order under the names of another codebase, as torchvision and EfficientNet-PyTorch have them; without it timm
        downloads its own, or takes what it downloaded before

    Raises UserError where no weights can be had or none fit.
    """
    take_weights(network, name, read_weights(weights) if weights else download(name, **arguments), weights)


def take_weights(network: nn.Module, name: str, state: Mapping[str, Tensor], weights: str | None) -> None:
    """Copy what fits of ``state``, which the file ``weights`` holds; raises UserError where nothing does."""
    ours = network.state_dict()
    names = plain_names(network)
    fits = {here: state[plain] for here, plain in names.items() if plain in state}
    fits = {here: value for here, value in fits.items() if value.shape == ours[here].shape}
    fits = fits or _by_order({here: ours[here] for here in names}, state)
    if not any(here.endswith("weight") for here in fits):
        raise UserError(
            f"model.weights: not one of the {len(state)} tensors in {weights or 'the download'} fits {name}"
        )
    network.load_state_dict(fits, strict=False)
    log.info("took %d of %d tensors of %s from %s", len(fits), len(names), name, weights or "timm's ImageNet weights")
    warn_of_random([plain for here, plain in names.items() if here not in fits and "num_batches" not in plain])


def warn_of_random(names: Sequence[str]) -> None:
    """Say which tensors of a network weights do not hold, if any."""
    if names:
        log.warning("no weights for %s: they start from random values", ", ".join(names))


def _by_order(ours: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of other names, one after the other, where every shape is the same; nothing else."""
    # without the counters of batch norms, which not all codebases keep
    here, theirs = ({name: t for name, t in each.items() if t.is_floating_point()} for each in (ours, state))
    pairs = dict(zip(here, theirs.values(), strict=False))
    same = len(pairs) == len(here) and all(here[name].shape == value.shape for name, value in pairs.items())
    return pairs if same else {}


def read_weights(path: str) -> dict[str, Tensor]:
    """Read the tensors of a file of weights, out of the mappings that training scripts wrap them in."""
    if not Path(path).is_file():
        raise UserError(f"model.weights: no file {path!r}")
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"model.weights: {path} is damaged, or no file of plain tensors") from error
    except Exception as error:  # safetensors has an exception of its own, which derives from nothing else
        raise UserError(f"model.weights: {path} is no readable safetensors file") from error
    for wrapper in ("state_dict", "model", "model_state_dict"):
        content = content.get(wrapper, content) if isinstance(content, Mapping) else {}
    tensors = {str(key).removeprefix("module."): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"model.weights: {path} holds no tensors with names")
    return tensors


def download(name: str, **arguments: Any) -> dict[str, Tensor]:
    """Return timm's ImageNet weights of a network; raises UserError where they cannot be had."""
    from huggingface_hub import constants as hub  # here, so that random weights do without

    remedy = "take model.pretrained=false to start from random weights, or model.weights=FILE for a file that you have"
    offline = hub.HF_HUB_OFFLINE or not reachable()
    try:
        with _hub(offline):
            network: nn.Module = timm.create_model(name, pretrained=True, num_classes=0, **arguments)
    except (OSError, RuntimeError, ValueError) as error:
        reason = "the hub cannot be reached" if offline else (str(error).splitlines() or ["no reason given"])[0]
        raise UserError(f"ImageNet weights of {name} cannot be downloaded ({reason}): {remedy}") from error
    return network.state_dict()


@contextmanager
def _hub(offline: bool) -> Iterator[None]:
    """Keep the hub's client to its cache where it is offline; else it tries for most of a minute before it gives up."""
    from huggingface_hub import constants as hub

    before, hub.HF_HUB_OFFLINE = hub.HF_HUB_OFFLINE, offline
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before
