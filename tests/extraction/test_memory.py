"""Extraction takes little memory beside what PyTorch and the weights take, however long the video is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spotter.models.blocks.backbones import create
from spotter.models.blocks.shift import Frames
from tests.conftest import PROJECT, environment
from tests.helpers.videos import write_video

NETWORK, MINUTES, FPS = "mobilenetv3_small_100", 45, 2
LIMIT = 300  # MB; of a half of 45 minutes, 1024 columns
GROWN = """
import resource, sys
from spotter.cli import main
import spotter.cli.extract

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = main(sys.argv[1:])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the largest memory is counted otherwise")
def test_a_half_takes_little_memory(tmp_path: Path) -> None:
    video = write_video(tmp_path / "1_224p.mkv", MINUTES * 60 * FPS, FPS, (224, 398), options={"preset": "ultrafast"})
    torch.save(create(NETWORK, "none", Frames()).state_dict(), weights := tmp_path / "weights.pth")
    words = ["extract", str(video), str(tmp_path / "out"), "--backbone", NETWORK, "--weights", str(weights)]
    words += ["--device", "cpu"]
    ran = subprocess.run(
        [sys.executable, "-c", GROWN, *words], cwd=PROJECT, capture_output=True, text=True, check=False,
        env=environment({}),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.splitlines()[-1]) < LIMIT
