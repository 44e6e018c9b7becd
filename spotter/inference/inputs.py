"""What is predicted: files of a user, or arrays, and the part of them that is meant."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from spotter.data.anticipation import AnticipationSource
from spotter.data.arrays import ArraySource
from spotter.data.excerpt import Excerpt
from spotter.data.features import FeatureSource, RowMaker
from spotter.data.registry import open_files
from spotter.data.source import InputSpec, Source
from spotter.data.user_files import find_video_files
from spotter.errors import UserError
from spotter.inference.periods import Periods, open_periods
from spotter.io.game_files import check_games
from spotter.io.periods import Moment, parse_moment
from spotter.io.splits import USER_FILES
from spotter.types import Half, HalfRecord

log = logging.getLogger(__name__)
Given = str | os.PathLike[str] | ArrayLike | Sequence[str | os.PathLike[str] | ArrayLike]


@dataclass(frozen=True)
class Input:
    """Hold what is predicted: the halves of a split, or of a user's own files, and the source that reads them.

    split : its name, ``USER_FILES`` for a user's own files
    games : how many games the split has; some may be missing on disk
    """

    split: str
    source: Source
    records: Sequence[HalfRecord]
    games: int | None = None


def open_input(
    spec: InputSpec,
    given: Given,
    fps: float | str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    makers: Mapping[str, RowMaker] | None = None,
    periods: Periods | None = None,
    game: str | None = None,
) -> Input:
    """Return the halves that files, folders or arrays hold, or a part of each; of those that anticipate, their clips.

    spec : what the network reads
    given : a path or several, see ``open_files``, or a feature array (T, D) or one for each half
    fps : rows per second of arrays
    start, end : from the start of the half
    makers : what makes the features of each stream of a video; then videos are given
    periods, game : where the halves of a match lie in the files, see ``open_periods``

    Raises UserError for what cannot be read, and where it does not fit the network.
    """
    paths = _paths(given)
    if paths is None:
        source: Source
        halves, source = _arrays(spec, given, fps)
    elif fps is not None:
        raise UserError("fps: is for arrays; the rate of files is known from the model and from the files themselves")
    else:
        halves, source = open_files(spec, paths) if makers is None else _made(spec, paths, makers)
        check_games((half.game for half in halves), "input")  # now: predictions are written under this name
        _warn_of_low_rates(source, halves)
    halves, source = open_periods(source, halves, periods, game)
    first, last = (None if each is None else parse_moment(key, each) for key, each in (("start", start), ("end", end)))
    if first is not None or last is not None:
        source = Excerpt(source, first or 0.0, last)
    records = [HalfRecord(half, source.length(half), None) for half in halves]
    if spec.clip_seconds is not None:
        clips = AnticipationSource(source, spec.clip_seconds)
        return Input(USER_FILES, clips, clips.cut(records))
    return Input(USER_FILES, source, records)


def _paths(given: Given) -> list[Path] | None:
    """Return the paths that are given; None for arrays."""
    listed = given if isinstance(given, list | tuple) else [given]
    paths = [Path(each) for each in listed if isinstance(each, str | os.PathLike)]
    if paths and len(paths) < len(listed):
        raise UserError("input: give either paths or arrays, not both")
    return paths or None


def _arrays(spec: InputSpec, given: Given, fps: float | str | None) -> tuple[list[Half], ArraySource]:
    if fps is None:
        raise UserError(f"fps: give the rows per second of the array; this model reads fps={spec.fps:g}")
    arrays = [_array(each) for each in given] if isinstance(given, list | tuple) else _array(given)
    source = ArraySource(arrays, fps, spec)
    return source.halves, source


def _made(spec: InputSpec, paths: Sequence[Path], makers: Mapping[str, RowMaker]) -> tuple[list[Half], FeatureSource]:
    """Return the halves of videos, of which features are made when they are read."""
    files = {half: dict.fromkeys(makers, path) for half, path in find_video_files(paths).items()}
    return list(files), FeatureSource.of_spec(spec, files=files, makers=makers)


def _array(given: object) -> NDArray:
    return given.detach().float().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)


def _warn_of_low_rates(source: Source, halves: Sequence[Half]) -> None:
    """Warn of videos that have fewer images per second than the network reads."""
    if source.spec.kind != "video":
        return
    rates = {half: source.native_fps(half) for half in halves}
    low = {half: fps for half, fps in rates.items() if fps is not None and fps < 0.99 * source.fps}
    for half, fps in list(low.items())[:1]:
        log.warning(
            "%s has %.4g images per second and the model reads %.4g, so images are repeated and spots may be less "
            "precise%s; give a video of at least that rate",
            half.game,
            fps,
            source.fps,
            f" (the same in {len(low) - 1} more)" if len(low) > 1 else "",
        )
