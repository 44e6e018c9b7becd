"""The first of two stages by a transformer that looks at time and at place in turns: divided space-time attention."""

from __future__ import annotations

from functools import partial

import torch
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import Attention  # type: ignore[attr-defined]
from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.errors import UserError
from spotter.models.base import Network
from spotter.models.blocks import backbones
from spotter.models.blocks.pad import pad_to
from spotter.models.blocks.window import window_index

PATCH = 16  # pixels, each way
IMAGENET = {192: "vit_tiny_patch16_224", 384: "vit_small_patch16_224", 768: "vit_base_patch16_224"}  # by width
norm = partial(nn.LayerNorm, eps=1e-6)


class DividedTransformer(Network):
    """Describe windows of video by the class token of a transformer over the patches of all their frames.

    A clip of ``window`` frames is one window; in a longer one a window is centred on every frame, its edges repeated
    beyond the ends of the half.

    window : frames of a window
    width, depth, heads : of the transformer; the published one is as wide and deep as ViT-B
    drop_path : rate of skipped layers at its end
    at_once : windows that evaluation computes together, which bounds memory

    Sizes that are no multiple of 16 pixels are filled with the mean colour. After Bertasius et al., *Is Space-Time
    Attention All You Need*, 2021, in the form of ppTimeSformer: one class token for all frames, no bias of queries,
    keys and values.
    """

    reads = "video"

    def __init__(
        self,
        layout: Layout,
        window: int,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        drop_path: float = 0.1,
        at_once: int = 8,
    ) -> None:
        super().__init__()
        if layout.get("video", {}).get("channels") != 3:
            raise UserError("model: this network needs video in colour; take a video data=… and model.grey=false")
        shown = layout["video"]
        self.grid = -(-shown["height"] // PATCH), -(-shown["width"] // PATCH)
        self.window, self.width, self.at_once = window, width, at_once
        self.embed = nn.Conv2d(3, width, PATCH, PATCH)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + self.grid[0] * self.grid[1], width))
        self.times = nn.Parameter(torch.zeros(1, window, width))
        rates = [drop_path * i / max(1, depth - 1) for i in range(depth)]
        blocks = [DividedBlock(width, heads, rate) for rate in rates]
        self.blocks, self.norm = nn.ModuleList(blocks), norm(width)
        self.apply(_init)
        for parameter in (self.token, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)
        for block in blocks[1:]:  # which so begin as blocks of a network of images
            nn.init.zeros_(block.time_out.weight)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, N, width) for ``inputs["video"]`` (B, T, 3, H, W): N = 1 for clips of one window, else N = T."""
        video, index = pad_to(inputs["video"], PATCH), window_index(valid, self.window)  # (B, N, window)
        embedded: Tensor = self.embed(video.flatten(0, 1)).flatten(2).mT  # (B * T, P, width)
        patches = embedded.view(*video.shape[:2], *embedded.shape[1:])
        clip = torch.arange(len(video), device=video.device)[:, None, None]
        parts = torch.split(index, index.shape[1] if self.training else self.at_once, 1)
        described = [
            self.describe(patches[clip, part].flatten(0, 1)).view(len(video), -1, self.width) for part in parts
        ]
        return torch.cat(described, 1)

    def describe(self, patches: Tensor) -> Tensor:
        """Return (N, width) for the embedded patches of windows, (N, window, P, width)."""
        token = (self.token + self.positions[:, :1]).expand(len(patches), -1, -1)
        patches = patches + self.positions[:, None, 1:] + self.times[:, :, None]
        for block in self.blocks:
            token, patches = block(token, patches)
        described: Tensor = self.norm(token)[:, 0]
        return described

    def load_imagenet(self, weights: str | None = None) -> None:
        """Take ImageNet weights of a vision transformer from a file, or those that timm downloads.

        Attention over time begins as that over place; positions of another number of patches are interpolated.
        """
        if self.width not in IMAGENET and not weights:
            raise UserError(
                f"model.pretrained: timm has no vision transformer of width {self.width}, but of "
                f"{', '.join(map(str, IMAGENET))}; set model.pretrained=false, or model.weights=FILE"
            )
        state = backbones.read_weights(weights) if weights else backbones.download(IMAGENET[self.width])
        ours, found = self.state_dict(), without_value_bias(state)
        if "pos_embed" in found and found["pos_embed"].shape[1] != self.positions.shape[1]:
            found["pos_embed"] = resample_abs_pos_embed(found["pos_embed"], list(self.grid))
        named = {name: found[their] for name in ours if (their := _imagenet_name(name)) in found}
        fits = {name: value for name, value in named.items() if value.shape == ours[name].shape}
        if "embed.weight" not in fits:
            raise UserError(f"model.weights: the patches of {weights or 'the download'} do not fit this transformer")
        self.load_state_dict(fits, strict=False)
        lacking = sorted(name for name in ours.keys() - fits.keys() if name != "times" and "time_out" not in name)
        backbones.warn_of_random(lacking)


class DividedBlock(nn.Module):
    """Let patches look at the same place in other frames, then all of a frame at each other, then a layer for each."""

    def __init__(self, width: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.time_norm, self.time_attn = norm(width), Attention(width, heads, qkv_bias=False)
        self.time_out = nn.Linear(width, width)
        self.norm1, self.attn = norm(width), Attention(width, heads, qkv_bias=False)
        self.norm2, self.mlp = norm(width), Mlp(width, 4 * width)
        self.drop_path = DropPath(drop_path)

    def forward(self, token: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return the class token (N, 1, width) and the patches (N, frames, P, width), as they are given."""
        count, frames = patches.shape[:2]
        over_time = patches.transpose(1, 2).flatten(0, 1)  # (N * P, frames, width)
        moved = self.time_out(self.drop_path(self.time_attn(self.time_norm(over_time))))
        patches = patches + moved.unflatten(0, (count, -1)).transpose(1, 2)
        images = torch.cat((token[:, None].expand(-1, frames, -1, -1), patches), 2).flatten(0, 1)
        seen = self.drop_path(self.attn(self.norm1(images))).unflatten(0, (count, frames))
        token, patches = token + seen[:, :, 0].mean(1, keepdim=True), patches + seen[:, :, 1:]
        every = torch.cat((token, patches.flatten(1, 2)), 1)
        every = every + self.drop_path(self.mlp(self.norm2(every)))
        return every[:, :1], every[:, 1:].unflatten(1, (frames, -1))


def without_value_bias(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a vision transformer with the bias of its values moved into the projection after them.

    That is the same, since what a token looks at has weights that add up to 1. A bias of keys changes nothing, as it
    raises all of a softmax alike; that of queries is left out.
    """
    moved = dict(state)
    for name in [name for name in state if name.endswith("attn.qkv.bias")]:
        projection = name.replace("qkv", "proj")
        value = moved.pop(name).chunk(3)[2]
        moved[projection] = state[projection] + state[projection.replace("bias", "weight")] @ value
    return moved


def _imagenet_name(name: str) -> str:
    """Return the name that timm gives to a tensor."""
    whole = {"token": "cls_token", "positions": "pos_embed", "embed.weight": "patch_embed.proj.weight"}
    over_place = name.replace("time_attn", "attn").replace("time_norm", "norm1")
    return {**whole, "embed.bias": "patch_embed.proj.bias"}.get(name, over_place)


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
