"""What COMEDIAN sees of a tube, a few frames one after the other: a vision transformer, or a shifted-window one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import timm
import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from spotter.errors import UserError


class Transformer(nn.Module):
    """Let tokens look at each other: (B, N, dim) in and out, normalised at the end."""

    def __init__(self, dim: int, depth: int, heads: int, drop_path: float) -> None:
        super().__init__()
        norm: Any = partial(nn.LayerNorm, eps=1e-6)
        rates = [drop_path * i / max(1, depth - 1) for i in range(depth)]
        self.blocks = nn.Sequential(
            *(Block(dim, heads, qkv_bias=True, drop_path=rate, norm_layer=norm) for rate in rates)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, dim)."""
        normed: Tensor = self.norm(self.blocks(x))
        return normed


class TubeViT(nn.Module):
    """Describe tubes by the class token of a vision transformer: (N, C, tube, H, W) -> (N, width).

    After the factorised encoder of Arnab et al., *ViViT*, 2021.
    """

    def __init__(
        self,
        image: Sequence[int],
        tube: int,
        patch: int = 16,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        drop_path: float = 0.1,
        in_chans: int = 3,
    ) -> None:
        super().__init__()
        if any(side % patch for side in image):
            raise UserError(f"model.network.image: {list(image)} is no multiple of patches of {patch} pixels")
        self.width = width
        self.embed = nn.Conv3d(in_chans, width, (tube, patch, patch), (tube, patch, patch))
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + image[0] // patch * (image[1] // patch), width))
        for parameter in (self.token, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.transformer = Transformer(width, depth, heads, drop_path)

    def forward(self, tubes: Tensor) -> Tensor:
        """Return (N, width)."""
        patches = self.embed(tubes).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.token.expand(len(tubes), -1, -1), patches), 1) + self.positions
        seen: Tensor = self.transformer(tokens)[:, 0]
        return seen

    def take_imagenet(self, state: dict[str, Tensor]) -> list[str]:
        """Take the weights of timm's vision transformer; return the names of those that do not fit.

        Its kernel serves every frame of a tube, in equal parts.
        """
        ours = {"embed.weight": "patch_embed.proj.weight", "embed.bias": "patch_embed.proj.bias"}
        ours |= {"token": "cls_token", "positions": "pos_embed"}
        ours |= {name: name.removeprefix("transformer.") for name in self.state_dict() if name.startswith("transf")}
        tube = self.embed.weight.shape[2]
        found = {name: state[their] for name, their in ours.items() if their in state}
        if "embed.weight" in found:
            found["embed.weight"] = found["embed.weight"][:, :, None].repeat(1, 1, tube, 1, 1) / tube
        return _take(self, found)


class TubeSwin(nn.Module):
    """Describe tubes by the mean over place of a Swin transformer: (N, C, tube, H, W) -> (N, width)."""

    def __init__(
        self,
        image: Sequence[int],
        tube: int,
        patch: int = 4,
        width: int = 96,
        depth: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        drop_path: float = 0.1,
        window: int = 7,
        in_chans: int = 3,
    ) -> None:
        super().__init__()
        arguments: dict[str, Any] = {"embed_dim": width, "depths": list(depth), "num_heads": list(heads)}
        arguments |= {"img_size": list(image), "patch_size": patch, "window_size": window, "drop_path_rate": drop_path}
        self.network = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, **arguments)
        self.network.patch_embed = _TubePatches(in_chans, tube, patch, width)
        self.width = width * 2 ** (len(depth) - 1)

    def forward(self, tubes: Tensor) -> Tensor:
        """Return (N, width)."""
        seen: Tensor = self.network.forward_features(tubes)  # type: ignore[operator]
        return seen.mean((1, 2))

    def take_imagenet(self, state: dict[str, Tensor]) -> list[str]:
        """Take the weights of timm's Swin transformer; see ``TubeViT.take_imagenet``."""
        kernel = "patch_embed.proj.weight"
        if kernel in state:
            tube = self.network.get_parameter(kernel).shape[2]
            state = state | {kernel: state[kernel][:, :, None].repeat(1, 1, tube, 1, 1) / tube}
        return _take(self.network, state)


class _TubePatches(nn.Module):
    """Embed patches of tubes: (N, C, tube, H, W) -> (N, h, w, dim)."""

    def __init__(self, in_chans: int, tube: int, patch: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(in_chans, dim, (tube, patch, patch), (tube, patch, patch))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tubes: Tensor) -> Tensor:
        patches: Tensor = self.norm(self.proj(tubes).squeeze(2).permute(0, 2, 3, 1))
        return patches


def _take(module: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Take tensors that fit by name and shape, and return the names of all others that the module has."""
    ours = module.state_dict()
    fits = {name: value for name, value in state.items() if name in ours and ours[name].shape == value.shape}
    module.load_state_dict(fits, strict=False)
    return sorted(ours.keys() - fits)
