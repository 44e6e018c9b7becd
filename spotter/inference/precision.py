"""In which precision a network runs: those that there are, and the one that is chosen where none is given."""

from __future__ import annotations

import math
import time

import torch

from spotter.inference.ranks import broadcast
from spotter.models.system import System

PRECISIONS = {"32": None, "16": torch.float16, "bf16": torch.bfloat16}  # and what autocast computes in
TENSOR_CORES = (7, 0)  # the first compute capability that multiplies matrices of halves
TRIAL = 16  # images, as many as convolutions of one pixel need to be computed as for long clips
SIDE = 112  # of these, in pixels
WORTH_ROUNDING = 1.15  # times as fast bfloat16 must be


def fast_precision(device: torch.device) -> str:
    """Return the precision that a device computes fast in: bf16 on a GPU that has it, 16 on older ones, else 32."""
    if device.type != "cuda":
        return "32"
    if torch.cuda.is_bf16_supported(including_emulation=False):  # emulated, as on V100 and T4, it is slow
        return "bf16"
    return "16" if torch.cuda.get_device_capability(device) >= TENSOR_CORES else "32"


def fuse(system: System, device: torch.device, precision: str | int | None) -> System:
    """Return the system for inference alone, as ``System.fused`` does.

    precision : None lets a network of video that runs on a CPU compute in bfloat16 where a short trial finds that much
        faster there: what the processor says of itself does not tell. All ranks take what rank 0 finds.
    """
    exact = system.fused()
    if device.type != "cpu" or precision is not None or system.spec.kind != "video":
        return exact
    rounded = system.fused(torch.bfloat16)
    if all(weights.dtype != torch.bfloat16 for weights in rounded.network.parameters()):
        return exact  # a network that has nothing to fuse
    return rounded if broadcast(_seconds(rounded) * WORTH_ROUNDING < _seconds(exact)) else exact


@torch.inference_mode()
def _seconds(system: System) -> float:
    """Return the CPU time of the network on a few small images, the shortest of three after one to warm up."""
    frames = min(TRIAL, system.clips.eval_len)
    clips = math.ceil(TRIAL / frames)
    images = {"video": torch.zeros(clips, frames, system.spec.layout["video"]["channels"], SIDE, SIDE)}
    valid = torch.ones(clips, frames, dtype=torch.bool)
    taken = []
    for _ in range(4):
        begin = time.process_time()
        system.network(images, {}, valid)
        taken.append(time.process_time() - begin)
    return min(taken[1:])
