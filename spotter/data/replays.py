"""Replays as sequences of their own: the time before each, with the replay beside every clip.

A replay is a ``Half`` named ``<game>/replay-<half>-<start>-<end>``, in whole seconds, and numbered 1. Its frames are
those of its half that are searched for the action; their times count from the first of them.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spotter.data.features import FeatureSource, RowMaker
from spotter.data.parts import PartSource
from spotter.data.source import REPLAY, Inputs, InputSpec
from spotter.errors import UserError
from spotter.io.cameras import find_replays, read_cameras
from spotter.io.game_files import game_file
from spotter.tasks import Task
from spotter.types import Clip, Half, HalfRecord, Spots

NAME = re.compile(r"(.+)/replay-(\d+)-(\d+)-(\d+)")
LABELS = Task.load("replay-grounding")

log = logging.getLogger(__name__)


class Replay(NamedTuple):
    """Name a replay: its half, and its start and end in whole seconds."""

    half: Half
    start: int
    end: int

    @property
    def sequence(self) -> Half:
        """Return the replay as the name of a sequence."""
        return Half(f"{self.half.game}/replay-{self.half.number}-{self.start}-{self.end}", 1)

    @classmethod
    def of(cls, sequence: Half) -> Replay:
        """Return the replay that a sequence names."""
        match = NAME.fullmatch(sequence.game)
        if match is None:
            raise UserError(f"{sequence.game}: no replay: models that ground replays are used by spotter ground")
        return cls(Half(match[1], int(match[2])), int(match[3]), int(match[4]))


class ReplaySource(PartSource):
    """Read clips of the time before replays, and with each the replay, repeated as often as it fits.

    streams, root, files, labels, makers : see ``FeatureSource``
    before : seconds before a replay that are searched; inf for its whole half
    match_clock : is refused
    """

    def __init__(
        self,
        streams: Mapping[str, Mapping[str, Any]],
        root: str | Path | None = None,
        files: Mapping[Half, Mapping[str, Path]] | None = None,
        before: float = 120.0,
        match_clock: bool = False,
        labels: str | Path | None = None,
        makers: Mapping[str, RowMaker] | None = None,
    ) -> None:
        if match_clock:
            raise UserError("data.match_clock: sequences of replays have none; leave it out")
        super().__init__(FeatureSource(streams, root, files, labels=labels, makers=makers))
        self._spec = InputSpec.features(self.whole.spec.streams, before=float(before))
        self._before = float(before)

    @property
    def spec(self) -> InputSpec:
        """Return the description of the input, and how much is searched."""
        return self._spec

    @classmethod
    def of_spec(
        cls,
        spec: InputSpec,
        root: str | Path | None = None,
        files: Mapping[Half, Mapping[str, Path]] | None = None,
        makers: Mapping[str, RowMaker] | None = None,
    ) -> ReplaySource:
        """Return the source that reads what ``spec`` describes; raises UserError for one without replays."""
        if spec.before is None:
            raise UserError("ckpt: this model spots actions and does not ground replays: use spotter predict")
        return cls(spec.to_dict()["streams"], root, files, spec.before, makers=makers)

    def whole_half(self, half: Half) -> Half:
        """Return the half that a replay is shown in."""
        return Replay.of(half).half

    def first(self, half: Half) -> int:
        """Return the frame of its half at which a replay's sequence begins."""
        return self._first(Replay.of(half))

    def offset(self, half: Half) -> float:
        """Return the seconds of the first row."""
        return self.spec.offset

    def length(self, half: Half) -> int:
        """Return the number of frames that are searched."""
        replay = Replay.of(half)
        whole = self.whole.length(replay.half)
        end = whole if math.isinf(self._before) else min(whole, self._frame(replay.start) + 1)
        return max(1, end - self._first(replay))

    def seconds(self, half: Half) -> float:
        """Return where a whole half ends."""
        return self.spec.offset + self.whole.length(half) / self.fps

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return what ``FeatureSource`` does, and each stream of the replay under its name after ``replay_``."""
        replays = [Replay.of(halves[clip.half]) for clip in clips]
        of_match = [replay.half for replay in replays]
        own = [clip._replace(half=number) for number, clip in enumerate(clips)]  # each clip by a half of its own
        moved = [clip._replace(start=clip.start + self._first(each)) for clip, each in zip(own, replays, strict=True)]
        inputs, phase = self.whole.read(of_match, moved, clip_len)
        begin = [self._frame(replay.start) for replay in replays]
        end = [self._frame(replay.end) for replay in replays]
        lengths = np.clip(np.array(end, np.int64) - np.array(begin, np.int64), 1, clip_len)
        longest = int(lengths.max(initial=1))
        starts = [clip._replace(start=start) for clip, start in zip(own, begin, strict=True)]
        shown, _ = self.whole.read(of_match, starts, longest)
        for name, rows in shown.items():
            inputs[f"{REPLAY}{name}"] = repeat_rows(rows, lengths.tolist(), clip_len)
            phase[f"{REPLAY}{name}"] = torch.zeros(len(clips))
        return inputs, phase

    def _first(self, replay: Replay) -> int:
        return 0 if math.isinf(self._before) else max(0, self._frame(replay.start - self._before))

    def video(self, half: Half) -> Path | None:
        """Return nothing: times of a sequence are not those of a video."""
        return None

    def _frame(self, time: float) -> int:
        return math.floor((time - self.spec.offset) * self.fps + 1e-6)


def repeat_rows(rows: Tensor, lengths: Sequence[int], count: int) -> Tensor:
    """Return (B, count, D): the first ``lengths`` rows of each, over and over while one more row is left; then zeros.

    A replay that fills the clip is shown once.
    """
    length = torch.tensor(lengths, dtype=torch.int64)[:, None]
    place = torch.arange(count)
    copies = ((count - 1) // length).clamp(min=1)
    index = (place % length)[..., None].expand(-1, -1, rows.shape[2])
    return rows.gather(1, index) * (place < copies * length)[..., None]


def find_replay_records(root: str | Path, games: Sequence[str], source: ReplaySource) -> list[HalfRecord]:
    """Return the labelled replays of ``games``, each with its action as the one spot.

    Games without camera labels are left out and counted, for many have none; so are replays that are not usable, and
    actions that lie outside of what is searched. Raises UserError where nothing is left.
    """
    labelled = [game for game in games if game_file(root, game, LABELS.label_file).is_file()]
    if len(labelled) < len(games):
        log.info("%d of %d games have no %s", len(games) - len(labelled), len(games), LABELS.label_file)
    records, outside = [], 0
    for game, replays in find_replays(read_cameras(root, labelled, LABELS)).items():
        columns = (replays.half.tolist(), replays.start.tolist(), replays.end.tolist(), replays.time.tolist())
        for half, start, end, time in zip(*columns, strict=True):
            sequence = Replay(Half(game, half), start, end).sequence
            if missing := source.missing(sequence):
                raise UserError(f"{missing[0]}: no such feature file")
            frames, moment = source.length(sequence), time - source.first(sequence) / source.fps
            inside = 0 <= (moment - source.offset(sequence)) * source.fps < frames
            outside += not inside
            if inside:
                spots = Spots(np.zeros(1, np.int64), np.array([moment]), np.ones(1, bool))
                records.append(HalfRecord(sequence, frames, spots))
    if outside:
        log.warning("%d replays are left out: their action lies outside of the time that is searched", outside)
    if not records:
        raise UserError(f"{root}: holds no replay whose action is known: data=replays needs {LABELS.label_file}")
    return records
