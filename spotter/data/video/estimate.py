"""Estimate the cost of making stores from a few images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import av
import numpy as np

from spotter.data.video.containers import duration_of, open_video
from spotter.data.video.jobs import Job
from spotter.data.video.jpegs import JpegFolder
from spotter.data.video.prepare import encode
from spotter.data.video.scale import Scaler, shown_size
from spotter.errors import UserError

SAMPLED = 60  # images that an estimate rests on


@dataclass(frozen=True, slots=True)
class Estimate:
    """Hold the cost of making stores: seconds of one core, bytes on disk, number of images."""

    seconds: float
    disk: float
    images: int


def estimate(jobs: Sequence[Job]) -> Estimate:
    """Return what jobs will cost in all, from a few images of the first that can be read and the length of each."""
    seconds = disk = 0.0
    images = 0
    sample: tuple[float, float] | None = None
    for job in jobs:
        try:
            if job.source.is_dir():
                folder = JpegFolder(job.source)
                count = folder.times.frames(job.recipe.fps)
                disk += count * len(folder.jpeg(folder.times.count // 3))
            else:
                sample = sample or _sample(job)
                length = duration_of(job.source)
                count = int(length * job.recipe.fps) + 1
                seconds += length * sample[0]
                disk += count * sample[1]
            images += count
        except (UserError, OSError, av.FFmpegError):
            continue  # making the store will report what is wrong with it
    return Estimate(seconds, disk, images)


def _sample(job: Job) -> tuple[float, float]:
    """Return CPU seconds for a second of video, and bytes of an image, from a moment in the middle of it."""
    container, stream = open_video(job.source)
    with container:
        if container.duration:
            container.seek(container.duration // 3)
        began = time.process_time()
        frames = list(islice(container.decode(stream), SAMPLED))
        decoding = (time.process_time() - began) / max(1, len(frames))
        if not frames:
            raise UserError(f"{job.source}: nothing can be decoded from the middle on")
        height, width = shown_size(frames[0], stream.sample_aspect_ratio)
        image = np.empty((job.recipe.height, job.recipe.width or job.recipe.height * width // height, 3), np.uint8)
        scale, sizes = Scaler(), []
        began = time.process_time()
        for frame in frames[::5]:
            scale(frame, image)
            sizes.append(len(encode(image, job.recipe.quality)))
        packing = (time.process_time() - began) / len(sizes)
        rate = float(stream.average_rate or 25)
    return decoding * rate + packing * float(job.recipe.fps), float(np.mean(sizes))
