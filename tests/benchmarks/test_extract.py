"""What extraction costs beside its two parts, each alone: decoding a video, and a network on images in memory."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import torch

from spotter.extraction.backbones import FrameBackbone
from spotter.extraction.frames import View
from spotter.extraction.write import Extractor
from spotter.inference.engine import Compute
from spotter.models.blocks.backbones import create
from spotter.models.blocks.shift import Frames
from tests.benchmarks.conftest import Note
from tests.benchmarks.images import make_images
from tests.benchmarks.pairs import compare

SECONDS, FPS, BATCH = 20, Fraction(5), 32


def write(path: Path) -> Path:
    """Write a video of 25 images a second, as large as SoccerNet's smaller ones."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 224, 398, "yuv420p"
        for image in make_images(25 * SECONDS, 224, 398):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path


def test_extraction(note: Note, tmp_path: Path) -> None:
    """Every image of the file is decoded, one in five goes through the network."""
    path, count = write(tmp_path / "match.mkv"), int(SECONDS * FPS)
    network = create("resnet18", "none", Frames()).eval().to(memory_format=torch.channels_last)
    view = View((224, 224), "centre", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    extractor = Extractor(FrameBackbone("resnet18", network, view, Compute(batch_size=BATCH)), FPS)
    images = torch.randn(count, 3, 224, 224).contiguous(memory_format=torch.channels_last)

    def apart() -> None:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 25 * SECONDS
        with torch.inference_mode():
            for part in torch.split(images, BATCH):
                network(part)

    assert len(extractor.rows(path)) == count
    note("extract", compare(lambda: extractor.rows(path), apart, 5))
