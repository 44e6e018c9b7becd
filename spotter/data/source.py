"""What a network reads: the description of an input, and the protocol of what reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict

import torch
from torch import Tensor

from spotter.checks import is_number
from spotter.data.fps import parse_fps
from spotter.data.match_clock import STREAM, WIDTH, read_match_clock
from spotter.data.rows import RowReader
from spotter.data.streams import Stream
from spotter.errors import UserError, shorten
from spotter.io.anticipation import SECONDS, WINDOW
from spotter.types import Clip, Half

REPLAY = "replay_"  # before the name of a stream: its rows of the replay whose action is looked for
TEACHER = "teacher"  # the name of features that a network is to learn, see ``spotter.data.video.taught``
Inputs = tuple[dict[str, Tensor], dict[str, Tensor]]  # ``inputs`` and ``phase`` of ``spotter.types.Batch``


class StreamLayout(TypedDict, total=False):
    """Describe one input tensor of a network by the numbers it takes its sizes from."""

    fps: float  # feature rows or images per second
    clock_fps: float  # features only: frames per second, which is the rate of the first stream
    groups: list[int]  # features only: columns of each extractor
    entities: dict[str, int]  # positions only: how many entities each group has
    height: int  # video only, in pixels, as is the width
    width: int
    channels: int  # video only: 3, or 1 where images are grey


Layout = Mapping[str, StreamLayout]  # by the name that the tensor has in ``Batch.inputs``


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Describe the images of a video as a network sees them.

    size : height and width that images are scaled to, in pixels
    crop : height and width of the part that is shown, None for all of it
    mean, std : of red, green and blue, of pixels from 0 to 1
    grey : images hold their brightness alone, from 0 to 1, and are not normalised
    """

    size: tuple[int, int] = (224, 398)
    crop: tuple[int, int] | None = None
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    grey: bool = False

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> ImageSpec:
        """Check plain values; raises UserError naming the key."""
        default = cls()
        size = _pair(content.get("size", default.size), "data.size")
        crop = None if content.get("crop") is None else _pair(content["crop"], "data.crop")
        if crop and (crop[0] > size[0] or crop[1] > size[1]):
            raise UserError(f"data.crop: {list(crop)} is larger than the image, data.size={list(size)}")
        mean, std = (_colours(content.get(key, getattr(default, key)), f"data.{key}") for key in ("mean", "std"))
        grey = content.get("grey", False)
        if not isinstance(grey, bool):
            raise UserError(f"data.grey: expected true or false, found {grey!r}")
        return cls(size, crop, (0.0,) * 3, (1.0,) * 3, True) if grey else cls(size, crop, mean, std)

    @property
    def channels(self) -> int:
        """Return the numbers of a pixel."""
        return 1 if self.grey else 3

    @property
    def shown(self) -> tuple[int, int]:
        """Return the height and width that the network gets."""
        return self.crop or self.size

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as checkpoints hold them."""
        crop = None if self.crop is None else list(self.crop)
        content = {"size": list(self.size), "crop": crop, "mean": list(self.mean), "std": list(self.std)}
        return content | ({"grey": True} if self.grey else {})


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Describe an input so that the same can be read elsewhere: all but its folder and files.

    kind : ``features`` or ``video``; a network declares which one it ``reads``
    fps, offset : frame i of a half lies at ``offset + i / fps`` seconds
    streams : the feature files of a half; the first is the clock, whose rows are the frames
    image : of a video
    match_clock : features only: the network sees the time in the half, and which half it is
    before : of replays, which come with each clip: seconds before one that are searched, inf for its whole half; None
        where there are no replays
    clip_seconds : of clips to anticipate from, hidden seconds included, see ``AnticipationSource``; None for others
    """

    kind: Literal["features", "video"]
    fps: float
    offset: float = 0.0
    streams: tuple[Stream, ...] = ()
    image: ImageSpec | None = None
    match_clock: bool = False
    before: float | None = None
    clip_seconds: float | None = None

    @classmethod
    def features(cls, streams: Sequence[Stream], match_clock: bool = False, before: float | None = None) -> InputSpec:
        """Return the spec of one or several feature streams."""
        if not streams:
            raise UserError("data.streams: expected at least one feature stream")
        if match_clock and any(stream.name == STREAM for stream in streams):
            raise UserError(f"data.streams.{STREAM}: is the name of the match clock; give the stream another")
        clock = streams[0]
        if before is not None and not before > 0:
            raise UserError(
                f"data.before: expected the seconds before a replay that are searched, found {shorten(before)}"
            )
        if before is not None and any((each.fps, each.offset) != (clock.fps, clock.offset) for each in streams):
            raise UserError("data.streams: features of replays are all of one rate and offset")
        return cls("features", clock.fps, clock.offset, tuple(streams), match_clock=match_clock, before=before)

    @classmethod
    def video(cls, fps: float | str, image: ImageSpec) -> InputSpec:
        """Return the spec of images at ``fps``, a number or a fraction."""
        return cls("video", float(parse_fps(fps, "data.fps")), image=image)

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> InputSpec:
        """Load what ``to_dict`` returned; raises UserError for an unknown kind, and naming a wrong key."""
        kind, seconds = content.get("kind"), content.get("clip_seconds")
        if kind == "features":
            streams = [Stream.load(name, stream) for name, stream in content["streams"].items()]
            return cls.features(streams, bool(content.get(STREAM, False)), content.get("before")).of_clips(seconds)
        if kind == "video":
            return cls.video(content["fps"], ImageSpec.load(content)).of_clips(seconds)
        raise UserError(f"source: kind {shorten(kind)} is unknown: expected one of features, video")

    def of_clips(self, seconds: float | None) -> InputSpec:
        """Return the same input, of clips that last so long with their hidden end; None for input that shows all."""
        if seconds is None:
            return self
        if not is_number(seconds) or not WINDOW < seconds <= SECONDS:
            raise UserError(
                f"data.clip_seconds: expected more than {WINDOW:g} seconds, which are hidden, and at most {SECONDS:g}, "
                f"found {shorten(seconds)}"
            )
        if any((each.fps, each.offset) != (self.fps, self.offset) for each in self.streams):
            raise UserError("data.streams: features to anticipate from are all of one rate and offset")
        return replace(self, clip_seconds=float(seconds))

    @property
    def anticipates(self) -> bool:
        """Return whether the end of every clip is hidden, and expected."""
        return self.clip_seconds is not None

    @property
    def layout(self) -> dict[str, StreamLayout]:
        """Return what a network takes its sizes from: per stream rate and columns, or rate and image size."""
        if self.image is not None:
            height, width = self.image.shown
            return {"video": {"fps": self.fps, "height": height, "width": width, "channels": self.image.channels}}
        layout: dict[str, StreamLayout] = {}
        for stream in self.streams:
            layout[stream.name] = {"fps": stream.fps, "clock_fps": self.fps, "groups": stream.read_groups}
            if stream.entities is not None:
                layout[stream.name]["entities"] = dict(stream.entities)
        if self.before is not None:
            layout |= {f"{REPLAY}{name}": stream for name, stream in layout.items()}
        if self.match_clock:
            layout[STREAM] = {"fps": self.fps, "clock_fps": self.fps, "groups": [WIDTH]}
        return layout

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as checkpoints hold them."""
        optional = {} if self.clip_seconds is None else {"clip_seconds": self.clip_seconds}
        if self.image is not None:
            return {"kind": self.kind, "fps": self.fps, **self.image.to_dict(), **optional}
        streams = {stream.name: stream.to_dict() for stream in self.streams}
        optional |= ({STREAM: True} if self.match_clock else {}) | (
            {} if self.before is None else {"before": self.before}
        )
        return {"kind": self.kind, "streams": streams, **optional}

    def add_match_clock(self, inputs: Inputs, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return what a source has read with the match clock beside it, where the network sees one."""
        if not self.match_clock:
            return inputs
        clock = read_match_clock(halves, clips, clip_len, self.fps, self.offset)
        return {**inputs[0], STREAM: clock}, {**inputs[1], STREAM: torch.zeros(len(clips))}

    def config_values(self) -> dict[str, Any]:
        """Return what a data config states once and its other keys refer to."""
        if self.image is not None:
            return {**self.to_dict(), "grey": self.image.grey}
        return {key: value for key, value in self.streams[0].to_dict().items() if key != "name"}


class Source(Protocol):
    """Read clips of halves: from an official tree, from a user's files, or from memory.

    A source describes what it reads by its ``spec``. It is copied into the processes that load data.
    """

    @property
    def spec(self) -> InputSpec:
        """Return the description of the input."""

    @property
    def fps(self) -> float:
        """Return the frames per second."""

    def offset(self, half: Half) -> float:
        """Return the seconds of the half's frame 0."""

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks."""

    def length(self, half: Half) -> int:
        """Return the half's number of frames."""

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Return the ``inputs`` and ``phase`` of a batch; ``Clip.half`` counts through ``halves``."""

    def rows(self, half: Half) -> Iterable[tuple[str, RowReader]]:
        """Return the half's feature rows by the name of what holds them, for each stream; nothing of video."""

    def video(self, half: Half) -> Path | None:
        """Return the video that shows the half to people, if there is one."""

    def native_fps(self, half: Half) -> float | None:
        """Return the frames per second of the stored file, None where they are unknown."""


def _pair(value: object, key: str) -> tuple[int, int]:
    """Return a height and a width."""
    match value:
        case [int(height), int(width)] if bool not in (type(height), type(width)) and min(height, width) > 0:
            return height, width
    raise UserError(f"{key}: expected [height,width] in pixels, found {shorten(value)}")


def _colours(value: object, key: str) -> tuple[float, float, float]:
    """Return a number for each of red, green and blue."""
    match value:
        case [int() | float() as red, int() | float() as green, int() | float() as blue]:
            return float(red), float(green), float(blue)
    raise UserError(f"{key}: expected three numbers, for red, green and blue, found {shorten(value)}")
