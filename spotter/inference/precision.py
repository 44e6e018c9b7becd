"""In which precision a network runs: those that there are, and the one that is chosen where none is given."""

from __future__ import annotations

import torch

PRECISIONS = {"32": None, "16": torch.float16, "bf16": torch.bfloat16}  # and what autocast computes in
TENSOR_CORES = (7, 0)  # the first compute capability that multiplies matrices of halves


def engine_precision(name: object) -> str:
    """Return the engine's name of a precision that Lightning names, for example bf16 of bf16-mixed."""
    return str(name).partition("-")[0]


def fast_precision(device: torch.device) -> str:
    """Return the precision that a device computes fast in: bf16 on a GPU that has it, 16 on older ones, else 32."""
    if device.type != "cuda":
        return "32"
    if torch.cuda.is_bf16_supported(including_emulation=False):  # emulated, as on V100 and T4, it is slow
        return "bf16"
    return "16" if torch.cuda.get_device_capability(device) >= TENSOR_CORES else "32"
