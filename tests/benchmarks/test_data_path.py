"""What reading, cutting and targets of training clips cost beside the training step.

600 halves of 45 minutes, one row of 257 columns a second in float16, 110 spots of 17 classes each: the size of
commentary. The files of a half are the same file, which lies in the cache.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spotter.data.clips import TrainingBatches
from spotter.data.datasets import ClipDataset
from spotter.data.features import FeatureSource
from spotter.data.loaders import batch_loader
from spotter.data.source import StreamLayout
from spotter.models.base import Network
from spotter.models.blocks.dense import DenseHead
from spotter.models.blocks.stream_embedding import StreamEmbedding
from spotter.settings import ClipConfig
from spotter.types import Batch, Half, HalfRecord, Spots
from tests.benchmarks.conftest import Note
from tests.benchmarks.pairs import Pairs, cpu_seconds

HALVES, ROWS, WIDTH, CLASSES, SPOTS = 600, 2700, 257, 17, 110
STEPS = 20


class SmallConvolutions(Network):
    """Five dilated convolutions of 40 channels: about the cheapest network that is worth training."""

    def __init__(self, layout: dict[str, StreamLayout], upsample: int) -> None:
        super().__init__()
        self.width, self.upsample = 40, upsample
        self.embed = StreamEmbedding(layout, 40, upsample)
        self.mix = nn.Sequential(
            *(nn.Sequential(nn.Conv1d(40, 40, 5, padding="same", dilation=d), nn.ReLU()) for d in (1, 2, 4, 8, 12))
        )

    def forward(self, inputs: dict[str, Tensor], phase: dict[str, Tensor], valid: Tensor) -> Tensor:
        """Return tokens."""
        tokens: Tensor = self.mix(self.embed(inputs, phase, valid).mT).mT
        return tokens


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureSource, list[HalfRecord]]:
    """Return the source and its halves, which share one file."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("commentary") / "1_words.npy"
    np.save(path, rng.normal(size=(ROWS, WIDTH)).astype(np.float16))
    names = [Half(f"league/season/{number}", 1) for number in range(HALVES)]
    stream = {"words": {"file": "words", "fps": 1, "width": WIDTH, "groups": [WIDTH - 1, 1]}}
    source = FeatureSource(stream, files={half: {"words": path} for half in names})

    def spots() -> Spots:
        return Spots(rng.integers(0, CLASSES, SPOTS), rng.integers(0, 1000 * ROWS, SPOTS) / 1000, np.ones(SPOTS, bool))

    return source, [HalfRecord(half, source.length(half), spots()) for half in names]  # opens the files


@pytest.mark.parametrize(("key", "clip_len", "batch_size"), [("data_64", 64, 32), ("data_400", 400, 10)])
def test_data_path(
    note: Note, halves: tuple[FeatureSource, list[HalfRecord]], key: str, clip_len: int, batch_size: int
) -> None:
    source, records = halves
    network = SmallConvolutions(source.spec.layout, upsample=2)
    head = DenseHead(network.width, CLASSES, 2.0, 6.0, upsample=2)
    clips = ClipConfig(clip_len, per_epoch=batch_size * (STEPS + 1))
    lengths = [record.frames for record in records]
    sampler = TrainingBatches(lengths, clips, batch_size, 0, lambda: 0)
    loader = iter(batch_loader(ClipDataset(records, source, clip_len, head.targets), sampler, 0, False))
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()])
    _step(network, head, optimizer, next(loader))
    data, whole = [], []
    for _ in range(STEPS):
        read: list[Batch] = []
        data.append(cpu_seconds(lambda: read.append(next(loader))))  # noqa: B023
        whole.append(data[-1] + cpu_seconds(lambda: _step(network, head, optimizer, read[0])))  # noqa: B023
    note(key, Pairs(data, whole))


def _step(network: Network, head: DenseHead, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    tokens = network({name: rows.float() for name, rows in batch["inputs"].items()}, batch["phase"], batch["valid"])
    head.loss(head(tokens), batch)["loss"].backward()
    optimizer.step()
    optimizer.zero_grad()
