"""What travels between the rooms: halves, spots and predictions as columns, clips, and the batch a network gets.

Shapes: B clips, T frames, A anchors, K classes, N rows of a column. Nothing here imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Arrays = dict[str, NDArray]
Targets = dict[str, "Tensor"]
Plain = Mapping[str, Any]  # values as YAML, JSON and checkpoints hold them
Metrics = Mapping[str, Any]  # scores, nested as ``metrics.json`` holds them, see ``spotter.evaluation.average_map``
OWN = ""  # the name of a run's own label set, beside the others of joint training
PSEUDO = "pseudo"  # of the clips whose labels a trained system predicted: other games of the own label set
HALF_SECONDS = 7200  # the metric's length of a half; whatever comes later falls on its last frame
METRIC_THRESHOLDS = np.linspace(0, 1, 200)  # confidences at which the metric takes precision and recall


class Half(NamedTuple):
    """Name one video of a game: ``league/season/match`` and the half's number, from 1 up."""

    game: str
    number: int


class Period(NamedTuple):
    """Say where a half lies in a file that holds more than it, in seconds of the file."""

    start: float
    end: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Hold the labelled spots of one half as columns, in file order.

    label : (N,) int64, index into ``Task.classes``
    time : (N,) float64, seconds from the start of the half
    visible : (N,) bool, False where the label file says "not shown"
    team : (N,) text as the label file names it, empty where it does not; None where it names none at all
    """

    label: NDArray[np.int64]
    time: NDArray[np.float64]
    visible: NDArray[np.bool_]
    team: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Spots:
        """Return some rows, by a mask or by index."""
        team = None if self.team is None else self.team[rows]
        return Spots(self.label[rows], self.time[rows], self.visible[rows], team)

    @classmethod
    def empty(cls) -> Spots:
        """Return a half without spots."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0, bool))


@dataclass(frozen=True, slots=True, eq=False)
class HalfRecord:
    """Hold what is known of a half: its length in frames, and its spots, or None without labels."""

    half: Half
    frames: int
    spots: Spots | None


@dataclass(frozen=True, slots=True, eq=False)
class HalfPredictions:
    """Hold the predicted spots of one half as columns; in the metric the last of equal (class, frame) counts.

    label : (N,) int64, index into ``Task.classes``
    time : (N,) float64, seconds from the start of the half, whole milliseconds
    confidence : (N,) float64
    team : (N,) int64, index into ``Task.teams``, -1 where it is unknown; None where the task has no teams
    period : where the half lies in a file that holds others, too; None where it is a file of its own
    """

    label: NDArray[np.int64]
    time: NDArray[np.float64]
    confidence: NDArray[np.float64]
    team: NDArray[np.int64] | None = None
    period: Period | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def sides(self) -> NDArray[np.int64]:
        """Return the team of each row, (N,), -1 where it is not known."""
        return np.full(len(self), -1) if self.team is None else self.team

    @property
    def start(self) -> float:
        """Return the seconds of its file at which the half begins."""
        return 0.0 if self.period is None else self.period.start

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> HalfPredictions:
        """Return some rows, by a mask or by index."""
        team = None if self.team is None else self.team[rows]
        return HalfPredictions(self.label[rows], self.time[rows], self.confidence[rows], team, self.period)

    @classmethod
    def joined(cls, halves: Sequence[HalfPredictions]) -> HalfPredictions:
        """Return the rows of several halves, one after the other."""
        halves = [cls.empty(), *halves]
        label, time, confidence = (
            np.concatenate([getattr(rows, name) for rows in halves]) for name in ("label", "time", "confidence")
        )
        known = any(rows.team is not None for rows in halves)
        return cls(label, time, confidence, np.concatenate([rows.sides for rows in halves]) if known else None)

    def between(self, start: float, end: float) -> HalfPredictions:
        """Return what lies within two moments, in seconds."""
        return self.take((self.time >= start) & (self.time <= end))

    @classmethod
    def empty(cls) -> HalfPredictions:
        """Return a half without predictions."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0))


def metric_frame(time: NDArray[np.float64], fps: float) -> NDArray[np.int64]:
    """Return the metric's frame of each time: truncated towards zero, as the official code does."""
    return np.trunc(fps * time).astype(np.int64)


def quantise(time: NDArray[np.float64], fps: int) -> NDArray[np.int64]:
    """Return the frames of a half that the times fall on; a negative one counts from the end, as an index does."""
    frames = HALF_SECONDS * fps
    frame = np.minimum(metric_frame(np.clip(time, -2 * HALF_SECONDS, HALF_SECONDS), fps), frames - 1)
    return np.where(frame < 0, frame + frames, frame)


@dataclass(frozen=True, slots=True)
class ClipFrames:
    """Hold the times of a clip's frames: frame i lies at ``offset + (start + i) / fps`` seconds of its half.

    start : the clip's first frame, counted from the half's first
    length : number of frames
    fps : frames per second
    offset : seconds of the half's frame 0
    """

    start: int
    length: int
    fps: float
    offset: float = 0.0


class TargetMaker(Protocol):
    """Make what a head is trained on, clip by clip, in the processes that load data; a head offers one."""

    def __call__(self, spots: Spots, frames: ClipFrames) -> Arrays:
        """Return the arrays of one clip that the head's loss compares with."""

    def class_prior(self, counts: NDArray[np.int64], frames: int, fps: float) -> NDArray[np.float64]:
        """Return the expected fraction of positive anchors per class (K,), for ``counts`` spots within ``frames``."""


class Clip(NamedTuple):
    """Name the frames ``start … start + clip_len`` of a half; they may lie beyond both of its ends.

    crop : where a crop that is smaller than the image lies, across and down, from 0 to 1
    """

    half: int
    start: int
    crop: tuple[float, float] = (0.5, 0.5)


class Batch(TypedDict):
    """Hold the clips of one step; an evaluation batch may hold none at all (see ``spotter.data.clips``)."""

    # per stream (B, rows, width), float16 or float32 as stored, or "video" (B, T, H, W, 3) uint8; zero outside the half
    inputs: dict[str, Tensor]
    phase: dict[str, Tensor]  # per stream (B,) float32: rows between the stream's first row and the clip's start
    valid: Tensor  # (B, T) bool: the frame lies inside the half
    targets: dict[str, Tensor]  # what the head's loss compares with, empty when there are no labels
    half: Tensor  # (B,) int64: index of the half
    start: Tensor  # (B,) int64: the clip's first frame
    others: NotRequired[dict[str, Batch]]  # of joint training: the clips of each other label set


class Output(TypedDict, total=False):
    """Hold the output of a head for a batch."""

    logits: Tensor  # (B, A, K), or (B, A, 1 + K) with the background first
    displacement: Tensor  # (B, A, K) signed distance from anchor to spot, in anchors
    log_variance: Tensor  # (B, A, K) of the displacement
    side: Tensor  # (B, A, K) logit of the second team
    positions: Tensor  # (B, N, W) logits of the positions within each window
    time: Tensor  # (B, N, 1 + K) logit of where in each window the spot of a class lies, as a fraction of it
    segmentation: Tensor  # (B, T, K) from 0 to 1, how near to a spot each frame is (CALF)
    embedding: Tensor  # (B, N, D) of length 1, what is compared with a teacher's features
    slots: Tensor  # (B, S, 2 + K) a spot's logit of confidence, its time as a fraction of the clip, scores of its class


def map_tensors(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """Return the batch with all changed that goes to the device; ``half`` and ``start`` are for the host alone."""
    changed: Batch = {
        **batch,
        "inputs": {name: change(tensor) for name, tensor in batch["inputs"].items()},
        "phase": {name: change(tensor) for name, tensor in batch["phase"].items()},
        "valid": change(batch["valid"]),
        "targets": {name: change(tensor) for name, tensor in batch["targets"].items()},
    }
    if "others" in batch:
        changed["others"] = {name: map_tensors(other, change) for name, other in batch["others"].items()}
    return changed


def batch_size(batch: Batch) -> int:
    """Return the number of clips in ``batch``."""
    return len(batch["half"])
