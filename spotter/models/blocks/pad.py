"""Images of sizes that networks can cut into whole patches."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def pad_to(images: Tensor, multiple: int) -> Tensor:
    """Return images (…, H, W) with zeros around them, so that both sizes are multiples."""
    height, width = (-size % multiple for size in images.shape[-2:])
    return F.pad(images, (width // 2, width - width // 2, height // 2, height - height // 2))
