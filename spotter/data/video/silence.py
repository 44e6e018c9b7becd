"""Find the periods of a match in a recording by the silence between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from spotter.data.video.containers import open_video
from spotter.errors import UserError
from spotter.types import Period

RATE = 8000  # samples per second at which sound is listened to
QUIET = 25.0  # decibels below the usual loudness
FLOOR = -90.0  # decibels of no sound at all
GAP = 60  # seconds of quiet between two periods, at least
LEAST = 600  # seconds of a period, at least


def find_periods(path: Path) -> list[Period]:
    """Return the stretches of play of a recording, between silent gaps.

    Raises UserError for one without sound, or without a gap.
    """
    found = between_gaps(read_loudness(path))
    if len(found) < 2:
        raise UserError(
            f"{path}: no silence of {GAP} seconds parts it in periods of at least {LEAST // 60} minutes: give their "
            "times, periods=1:01-47:30,1:03:10-1:51:00"
        )
    return found


def between_gaps(loudness: NDArray[np.float64]) -> list[Period]:
    """Return the stretches that gaps of quiet part, except for short ones.

    loudness : (S,) decibels of every second
    """
    quiet = np.flatnonzero(np.diff(loudness < np.median(loudness) - QUIET, prepend=False, append=False))
    begins, ends = quiet[::2], quiet[1::2]
    long = ends - begins >= GAP
    starts = np.concatenate([[0], ends[long]])
    stops = np.concatenate([begins[long], [len(loudness)]])
    return [Period(float(a), float(b)) for a, b in zip(starts, stops, strict=True) if b - a >= LEAST]


def read_loudness(path: Path) -> NDArray[np.float64]:
    """Return the decibels, at most 0, of every second of a video's sound, (S,), counted from its first image."""
    container, stream = open_video(path)
    with container:
        if not container.streams.audio:
            raise UserError(f"{path}: has no sound to find its periods by: give their times")
        sound = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        energy: dict[int, float] = defaultdict(float)  # by second, as the number of samples
        count = Counter[int]()
        begin = float((stream.start_time or 0) * (stream.time_base or 0))
        with suppress(av.FFmpegError):  # the file ends early: what was heard counts
            for frame in container.decode(sound):
                for piece in resampler.resample(frame):
                    samples = piece.to_ndarray()
                    second = int((piece.time or 0.0) - begin + samples.size / RATE / 2)  # of its middle
                    energy[second] += float(np.square(samples).sum())
                    count[second] += samples.size
    power = [energy[second] / max(1, count[second]) for second in range(max(count, default=0) + 1)]
    return np.maximum(FLOOR, 10 * np.log10(np.maximum(power, 1e-12)))
