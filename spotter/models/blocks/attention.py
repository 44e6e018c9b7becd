"""Attention over long clips."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LongClipLayer(nn.TransformerEncoderLayer):
    """A pre-norm encoder layer that evaluates by the same kernel as it trains.

    PyTorch's own way to evaluate keeps the weights of every pair of tokens in memory, and takes one and a half times as
    long for clips of 200 tokens on a CPU.
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return tokens (B, A, dim); those of ``src_key_padding_mask`` (B, A) are not seen."""
        if self.training or src_mask is not None:
            return super().forward(src, src_mask, src_key_padding_mask, is_causal)
        tokens = src + self._attend(self.norm1(src), src_key_padding_mask)
        return tokens + self._ff_block(self.norm2(tokens))

    def _attend(self, tokens: Tensor, unseen: Tensor | None) -> Tensor:
        attention = self.self_attn
        joined = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)  # (B, A, 3 * dim)
        split = joined.view(*tokens.shape[:2], 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)  # (3, B, heads, A, d)
        query, key, value = split.unbind(0)
        mask = None
        if unseen is not None:  # an encoder hands on what is to be added
            mask = (~unseen if unseen.dtype == torch.bool else unseen.to(query.dtype))[:, None, None]
        found = F.scaled_dot_product_attention(query, key, value, mask)
        out: Tensor = attention.out_proj(found.transpose(1, 2).flatten(2))
        return out
