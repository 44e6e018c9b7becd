"""A transformer over features with a token per anchor, after dilated convolutions or alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from spotter.data.source import Layout
from spotter.models.base import Network
from spotter.models.blocks.attention import LongClipLayer
from spotter.models.blocks.convolution import DilatedBlock
from spotter.models.blocks.stream_embedding import StreamEmbedding, encoder, positional_encoding


class Transformer(Network):
    """Encode a clip of features densely, one token per anchor.

    The transformer head of Zhou et al., *Feature Combination Meets Attention*, 2021, without its window: the clip is
    long, tokens are upsampled after the projection, and every one of them is an anchor as in Soares and Shah, 2022.
    Attention knows nothing of what is near; convolutions before it do, and learn much sooner.

    dilations : of the convolutions, one each; none for a transformer alone
    kernel : tokens side by side that a convolution sees
    layers, heads, feedforward : of the transformer
    attention_dropout : of the attention itself, by default as ``dropout``; 0 makes long clips several times cheaper
    dropout : in convolutions and transformer; ``input_dropout``, ``extractor_dropout`` and ``token_dropout`` as in
        ``StreamEmbedding``
    """

    def __init__(
        self,
        layout: Layout,
        upsample: int = 1,
        dim: int = 256,
        layers: int = 4,
        heads: int = 8,
        feedforward: int = 1024,
        dropout: float = 0.1,
        input_dropout: float = 0.4,
        extractor_dropout: float = 0.1,
        token_dropout: float = 0.2,
        dilations: Sequence[int] = (),
        kernel: int = 5,
        attention_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.width, self.upsample = dim, upsample
        self.embed = StreamEmbedding(layout, dim, upsample, input_dropout, extractor_dropout, token_dropout)
        alone = [DilatedBlock(dim, 1, 1, dropout)] if dilations else []  # every token by itself
        around = [DilatedBlock(dim, kernel, step, dropout) for step in dilations]
        self.convolutions = nn.ModuleList([*alone, *around])
        self.encoder = encoder(dim, layers, heads, feedforward, dropout, attention_dropout, LongClipLayer)

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return (B, T * upsample, width) for inputs (B, rows, features) and ``valid`` (B, T)."""
        x = self.embed(inputs, phase, valid)  # (B, A, dim)
        outside = ~valid.repeat_interleave(self.upsample, dim=1)  # (B, A)
        for block in self.convolutions:
            x = block(x, outside)
        x = x + positional_encoding(x.shape[1], x.shape[2], x.device)
        return self.encoder(x, src_key_padding_mask=outside)
