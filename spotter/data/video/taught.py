"""Video and, beside it, features of the same halves, which a teacher made and a network is to learn (distillation)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spotter.checks import end_apart
from spotter.data.features import FeatureSource
from spotter.data.rows import rows_between
from spotter.data.source import TEACHER, Inputs
from spotter.data.video.source import VideoSource
from spotter.errors import UserError
from spotter.types import Clip, Half


class TaughtVideoSource(VideoSource):
    """Read clips of images, and for each of their frames what the teacher's features are at its time.

    teacher : describes the feature file, see ``Stream``, below the ``root`` of the video
    video : arguments of ``VideoSource``

    A checkpoint of what is trained on it reads video alone.
    """

    def __init__(self, teacher: Mapping[str, Any], **video: Any) -> None:
        super().__init__(**video)
        self._teacher = FeatureSource(
            {TEACHER: teacher},
            video.get("root"),
            labels=video.get("labels"),
            remedy="set data.source.teacher.width={width}",
        )

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks, video or features."""
        return [*super().missing(half), *self._teacher.missing(half)]

    def length(self, half: Half) -> int:
        """Return the half's number of images; raises UserError where its features end elsewhere than it."""
        frames, rows = super().length(half), self._teacher.length(half)
        shown, known = frames / self.fps, self._teacher.offset(half) + rows / self._teacher.fps
        if end_apart(shown, known):
            ((path, _),) = self._teacher.rows(half)
            raise UserError(
                f"{path}: {rows} rows last {known:.0f} s at {self._teacher.fps:g} a second, but the video "
                f"{shown:.0f} s; set data.source.teacher.fps, or take features of this video"
            )
        return frames

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return what ``VideoSource.read`` does, and ``teacher`` (B, T, D) float32, zero where it has no rows."""
        inputs, phase = super().read(halves, clips, clip_len)
        inputs[TEACHER], phase[TEACHER] = self._read_teacher(halves, clips, clip_len), torch.zeros(len(clips))
        return inputs, phase

    def _read_teacher(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Tensor:
        """Interpolate rows linearly to the times of frames."""
        step = self._teacher.fps / self.fps  # rows from one frame to the next
        starts = [
            (clip.start / self.fps - self._teacher.offset(halves[clip.half])) * self._teacher.fps for clip in clips
        ]
        first = [math.floor(start + 1e-6) for start in starts]
        moved = [clip._replace(start=row) for clip, row in zip(clips, first, strict=True)]
        rows = self._teacher.read(halves, moved, math.ceil((clip_len - 1) * step) + 2)[0][TEACHER].float()
        phase = torch.tensor([max(0.0, start - row) for start, row in zip(starts, first, strict=True)])
        return rows_between(rows, phase[:, None] + step * torch.arange(clip_len))
