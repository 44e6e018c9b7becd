"""In which precision a network runs: those that there are, and the one that is chosen where none is given."""

from __future__ import annotations

import torch

PRECISIONS = {"32": None, "16": torch.float16, "bf16": torch.bfloat16}  # and what autocast computes in


def fast_precision(device: torch.device) -> str:
    """Return the precision that a device computes fast in: bf16 on a GPU that has it, else 32."""
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "32"


def fused_dtype(device: torch.device, precision: str | int | None) -> torch.dtype:
    """Return what a fused network computes in: bfloat16 on a CPU that has it, unless a precision is given."""
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native and device.type == "cpu" and precision is None else torch.float32
