"""Checkpoints of the siamese CALF of sn-grounding: read, and put under our names."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from spotter.data.source import REPLAY, InputSpec
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.io.checkpoints import write_checkpoint
from spotter.models.grounding.head import GroundingHead
from spotter.models.grounding.siamese import SiameseCalf
from spotter.models.pretrained.options import ImportOptions
from spotter.models.pretrained.tensors import check_tensors, plain_tensors
from spotter.models.system import System
from spotter.settings import ClipConfig
from spotter.tasks import Task
from spotter.types import Plain

STREAM, WIDTH, FPS = "resnet", 512, 2.0
CLIP_LEN, FIELD = 240, 80  # frames
NAMES = {  # theirs to ours
    "conv_1": f"network.trunk.embed.streams.{STREAM}.projections.0",
    "conv_2": "network.trunk.narrow.1",
    **{f"conv_p_{i + 1}": f"network.trunk.pyramid.{i}.1" for i in range(4)},
    "conv_seg": "head.capsules",
    "batch_seg": "head.norm",
    "conv_spot_1": "head.branch.2",
    "conv_spot_2": "head.branch.5",
    "conv_conf": "head.place",
}


class GroundingReference(nn.Module):
    """Map clips and repeated replays, (B, 240, 512) each, to segmentation (B, 240) and (confidence, time) (B, 2)."""

    def __init__(self) -> None:
        super().__init__()
        spec = _spec()
        self.network = SiameseCalf(spec.layout, FIELD)
        self.head = GroundingHead(self.network.width, 1, CLIP_LEN, neutral=FIELD // 2)

    def forward(self, clip: Tensor, replay: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network says of each pair; the time is a fraction of the clip."""
        inputs = {STREAM: clip, f"{REPLAY}{STREAM}": replay}
        phase = {name: torch.zeros(len(clip), device=clip.device) for name in inputs}
        valid = torch.ones(clip.shape[:2], dtype=torch.bool, device=clip.device)
        output = self.head(self.network(inputs, phase, valid))
        slots = output["slots"][:, 0, :2]
        return output["segmentation"][..., 0], torch.cat((slots[:, :1].sigmoid(), slots[:, 1:]), dim=1)


def load_grounding(path: str | Path, options: ImportOptions) -> GroundingReference:
    """Return the network of a released checkpoint in eval mode, see ``load_published``."""
    if options.clip_len is not None or options.pool is not None:
        raise UserError("clip_len, pool: are not of sn-grounding; leave them out")
    network = GroundingReference()
    network.load_state_dict(_read(Path(path), network))
    return network.eval()


def convert_grounding(path: str | Path, out: str | Path, options: ImportOptions) -> Plain:
    """Do what ``convert_published`` does."""
    if options.fps or options.window or options.pool or options.task:
        raise UserError("--task, --fps, --window, --pool: are those of its training for sn-grounding; leave them out")
    settings = _settings(options.features or "ResNET_TF2_PCA512")
    system = System.build(settings)
    system.load_state_dict(_read(Path(path), GroundingReference()))
    write_checkpoint(out, settings, system.state_dict())
    return settings


def _read(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint under our names; raises UserError for those of another network."""
    if not path.is_file():
        raise UserError(f"no checkpoint {str(path)!r}")
    theirs = plain_tensors(path)
    ours = network.state_dict()
    expected = {their: ours[name].shape for name in ours if (their := _their_name(name))}
    found = {name: torch.Size(_squeezed(value.shape)) for name, value in theirs.items()}
    check_tensors(path, expected, found)
    return {name: theirs[_their_name(name)].reshape(ours[name].shape).to(ours[name].dtype) for name in ours}


def _their_name(name: str) -> str:
    prefix, _, end = name.rpartition(".")
    return f"{next(their for their, our in NAMES.items() if our == prefix)}.{end}"


def _squeezed(shape: torch.Size) -> tuple[int, ...]:
    """Return the shape of their images of one row or column as ours."""
    if len(shape) != 4:
        return tuple(shape)
    rows, columns, *kernel = shape
    if columns == 1 and kernel[0] == 1:
        return rows, kernel[1]  # over all columns of a frame
    return (rows, columns) if kernel == [1, 1] else (rows, columns, *(side for side in kernel if side != 1))


def _spec() -> InputSpec:
    return InputSpec.features([Stream.load(STREAM, {"file": "-", "fps": FPS, "width": WIDTH})], before=float("inf"))


def _settings(features: str) -> Plain:
    """Return the hyper-parameters of the checkpoint."""
    stream = Stream.load(STREAM, {"file": features, "fps": FPS, "width": WIDTH})
    return {
        "task": Task.load("replays").to_dict(),
        "source": InputSpec.features([stream], before=float("inf")).to_dict(),
        "network": {"_target_": "spotter.models.grounding.siamese.SiameseCalf", "receptive_field": FIELD},
        "head": {
            "_target_": "spotter.models.grounding.head.GroundingHead",
            "clip_len": CLIP_LEN,
            "neutral": FIELD // 2,
        },
        "clips": ClipConfig(CLIP_LEN, CLIP_LEN, 0.0, FIELD // 2, "balanced", 2048, spot_margin=FIELD).to_dict(),
        "postprocess": {"method": "nms", "window": 0.5, "threshold": 1e-8},
        "optimizer": {"lr": 1e-3, "weight_decay": 0.0, "schedule": "plateau"},
    }
