"""How many rows the features of a half have, which a transcript alone does not tell: silence may end it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from spotter.data.video.containers import duration_of
from spotter.data.video.find import find_video
from spotter.errors import UserError
from spotter.io.transcripts.segments import Transcript
from spotter.types import Half

LEAST_SECONDS = 2700.0  # of a half whose length nothing else tells
FPS = {"baidu_soccer_embeddings": 1.0, "ResNET_TF2": 2.0, "ResNET_TF2_PCA512": 2.0}  # of published feature files


def count_rows(root: Path, half: Half, transcript: Transcript, fps: float, name: str) -> int:
    """Return the rows of a half: by published features or a video beside it, else by the end of its transcript.

    Without either a half has at least 45 minutes; ``name`` is that of the features that are to be made.

    Raises UserError for features or a video that cannot be read.
    """
    folder = root / half.game
    for file, rate in FPS.items():
        path = folder / f"{half.number}_{file}.npy"
        if file != name and path.is_file():
            return max(1, math.floor(_count(path) / rate * fps + 1e-6))
    if video := find_video(folder, half.number, height=224):
        return max(1, math.floor(duration_of(video) * fps))
    return max(1, math.ceil(max(transcript.seconds, LEAST_SECONDS) * fps))


def _count(path: Path) -> int:
    try:
        return len(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: not a readable .npy file ({error}): get it again, or delete it") from error
