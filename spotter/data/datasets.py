"""Clips as batches: a torch dataset that assembles a whole batch at once and copies each row only once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spotter.data.skips import Skips
from spotter.data.source import Inputs, Source
from spotter.errors import UserError
from spotter.types import Batch, Clip, ClipFrames, HalfRecord, Spots, TargetMaker


class ClipDataset(Dataset[Batch]):
    """Return the batch of a list of clips; without ``targets`` or labels it has no targets.

    clip_len : frames of a clip
    skips : clips that cannot be read are replaced and counted there; None: they are an error
    """

    def __init__(
        self,
        records: Sequence[HalfRecord],
        source: Source,
        clip_len: int,
        targets: TargetMaker | None,
        skips: Skips | None = None,
    ) -> None:
        self.skips = skips
        self.records, self.source, self.clip_len = list(records), source, clip_len
        labelled = all(record.spots is not None for record in records)
        self.targets = targets if labelled else None
        self._halves = [record.half for record in records]

    def __getitem__(self, clips: Sequence[Clip]) -> Batch:
        clips, (inputs, phase) = self._read(clips)
        half = np.array([clip.half for clip in clips], dtype=np.int64)
        start = np.array([clip.start for clip in clips], dtype=np.int64)
        frames = np.array([self.records[clip.half].frames for clip in clips], dtype=np.int64)
        index = start[:, None] + np.arange(self.clip_len)  # (B, T)
        return Batch(
            inputs=inputs,
            phase=phase,
            valid=torch.from_numpy((index >= 0) & (index < frames[:, None])),
            targets=self._targets(clips),
            half=torch.from_numpy(half),
            start=torch.from_numpy(start),
        )

    def _read(self, clips: Sequence[Clip]) -> tuple[Sequence[Clip], Inputs]:
        try:
            return clips, self.source.read(self._halves, clips, self.clip_len)
        except (UserError, OSError) as error:
            if self.skips is None:
                raise
            clips = self.skips.replace(clips, self._can_read, error, len(self._halves))
            return clips, self.source.read(self._halves, clips, self.clip_len)

    def _can_read(self, clip: Clip) -> bool:
        try:
            self.source.read(self._halves, [clip], self.clip_len)
        except (UserError, OSError):
            return False
        return True

    def _targets(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        if self.targets is None or not clips:
            return {}
        made = []
        for clip in clips:
            spots = self.records[clip.half].spots or Spots.empty()
            frames = ClipFrames(clip.start, self.clip_len, self.source.fps, self.source.offset(self._halves[clip.half]))
            made.append(self.targets(spots, frames))
        return {key: torch.from_numpy(np.stack([each[key] for each in made])) for key in made[0]}
