"""Precomputed features as the input of a network: one or several streams, memory-mapped."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spotter.checks import end_apart
from spotter.data.arrays import ArrayRows
from spotter.data.commentary.streams import is_transcript, transcript_rows, with_text_model
from spotter.data.pca import Pca, read_components
from spotter.data.rows import ReducedRows, RowReader, cut_rows
from spotter.data.sidecars import first_sidecar
from spotter.data.source import Inputs, InputSpec
from spotter.data.streams import OTHER_WIDTH, Stream
from spotter.data.video.containers import duration_of
from spotter.data.video.find import find_video
from spotter.data.video.times import clock
from spotter.errors import UserError
from spotter.io.exchange.annotations import listed_files
from spotter.types import Clip, Half

log = logging.getLogger(__name__)
RowMaker = Callable[[Path], NDArray[np.floating]]  # of a file that is no feature file: (T, width) of the stream


def with_makers(stream: Stream, root: str | Path) -> Stream:
    """Return the stream with what made its features, where it is not known, by what lies in the root."""
    stream, components = with_text_model(stream, root), Path(root) / f"{stream.file}.npz"
    if stream.pca is None and components.is_file():
        stream = replace(stream, pca=torch.frombuffer(bytearray(components.read_bytes()), dtype=torch.uint8))
    about = first_sidecar(root, stream.file) if stream.extractor is None else {}
    if isinstance(made_by := about.get("extractor"), dict):
        dtype = {"dtype": about["dtype"]} if "dtype" in about else {}
        stream = replace(stream, extractor=made_by | dtype)
    return stream


def with_components(stream: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the description of a stream with the content of the file that its ``pca`` names, where it names one.

    Raises UserError for a file that is missing or holds no principal components.
    """
    if not isinstance(stream, Mapping) or not isinstance(stream.get("pca"), str):
        return stream
    content = read_components(Path(stream["pca"]))
    width = Pca.parse(content, stream["pca"]).width
    return {**stream, "pca": torch.frombuffer(bytearray(content), dtype=torch.uint8), "reduced": width}


class FeatureSource:
    """Read clips of features; the first stream is the clock whose rows are the frames.

    streams : the description of each feature file, see ``Stream``
    root : the official tree that holds the files
    files : in place of ``root``, the path of each half and stream; a transcript where the stream has a text model
    remedy : what an error about a file of another width advises; it may hold ``{width}``
    match_clock : read the time in the half, and which half it is, as one more stream
    makers : what makes the rows of a stream of its ``files``, which then are videos
    labels : a file of labels whose paths are relative to ``root``; the feature files that it names are read: that whose
        name ends as the stream's, or the only one

    Only a clip's rows are copied, whenever a clip is read, in any process.
    """

    def __init__(
        self,
        streams: Mapping[str, Mapping[str, Any]],
        root: str | Path | None = None,
        files: Mapping[Half, Mapping[str, Path]] | None = None,
        remedy: str = OTHER_WIDTH,
        match_clock: bool = False,
        makers: Mapping[str, RowMaker] | None = None,
        labels: str | Path | None = None,
    ) -> None:
        streams = {name: with_components(stream) for name, stream in streams.items()}
        spec = InputSpec.load({"kind": "features", "streams": streams, "match_clock": match_clock})
        if root is not None:
            spec = InputSpec.features([with_makers(each, root) for each in spec.streams], match_clock)
        self.spec = spec
        self.fps = self.spec.fps
        self._root, self._files, self._remedy, self._makers = root or ".", files, remedy, makers or {}
        self._listed = {} if labels is None else self._find_listed(labels)
        self._components = {stream.name: stream.components() for stream in spec.streams}
        self._open: dict[tuple[str, Half], RowReader] = {}
        self._apart = False  # streams that end far apart were warned of

    @classmethod
    def of_spec(
        cls,
        spec: InputSpec,
        root: str | Path | None = None,
        files: Mapping[Half, Mapping[str, Path]] | None = None,
        makers: Mapping[str, RowMaker] | None = None,
        labels: str | Path | None = None,
    ) -> FeatureSource:
        """Return the source that reads what ``spec`` describes, for a model that is trained already."""
        if spec.before is not None:
            raise UserError("ckpt: this model answers replays: use spotter ground")
        remedy = "give files of the features that this model was trained on"
        return cls(spec.to_dict()["streams"], root, files, remedy, spec.match_clock, makers, labels)

    def missing(self, half: Half) -> list[Path]:
        """Return the files that the half lacks."""
        paths = [self._path(stream, half) for stream in self.spec.streams]
        return [path for path in paths if not path.is_file()]

    def rows(self, half: Half) -> Iterator[tuple[str, RowReader]]:
        """Yield the half's rows of every stream, by the path of their file."""
        for stream in self.spec.streams:
            yield str(self._path(stream, half)), self._rows(stream, half)

    def video(self, half: Half) -> Path | None:
        """Return the video beside the half's features, or that they are made of, if there is one."""
        if self._files is not None and self._makers:
            return self._files[half][next(iter(self._makers))]
        return None if self._files is not None else find_video(Path(self._root) / half.game, half.number, height=224)

    def native_fps(self, half: Half) -> float | None:
        """Return the rows per second of the first stream, from its rows and the video beside it, if there is one."""
        video = self.video(half)
        seconds = duration_of(video) if video is not None else 0.0
        return len(self._rows(self.spec.streams[0], half)) / seconds if seconds else None

    def offset(self, half: Half) -> float:
        """Return the seconds of the first row of the first stream."""
        return self.spec.offset

    def length(self, half: Half) -> int:
        """Return the half's number of frames; where streams end at different times, the first end counts.

        The end of a transcript counts only where there is nothing else: nobody need speak until the end of a match.
        """
        read = [stream for stream in self.spec.streams if not is_transcript(self._path(stream, half))]
        ends = [stream.offset + len(self._rows(stream, half)) / stream.fps for stream in read or self.spec.streams]
        self._warn_of_ends(half, min(ends), max(ends))
        return max(1, math.floor((min(ends) - self.spec.offset) * self.fps + 1e-6))

    def read(self, halves: Sequence[Half], clips: Sequence[Clip], clip_len: int) -> Inputs:
        """Copy clips into one tensor per stream, zero outside the half.

        Returns the ``inputs`` and ``phase`` of ``spotter.types.Batch``. A stream of another rate or offset than the
        clock's starts at its last row before the clip, the phase says how far before, and it ends after the clip.
        """
        inputs, phases = {}, {}
        for stream in self.spec.streams:
            starts = np.array([clip.start for clip in clips], dtype=float)
            position = (starts / self.fps + self.spec.offset - stream.offset) * stream.fps
            first = np.floor(position + 1e-6).astype(np.int64)
            rows = clip_len
            if stream.fps != self.fps or stream.offset != self.spec.offset:
                rows = math.ceil(clip_len * stream.fps / self.fps - 1e-6) + 2
            files = [self._rows(stream, halves[clip.half]) for clip in clips]
            inputs[stream.name] = torch.from_numpy(cut_rows(files, first, rows, sum(stream.read_groups)))
            phases[stream.name] = torch.from_numpy((position - first).astype(np.float32))
        return self.spec.add_match_clock((inputs, phases), halves, clips, clip_len)

    def _rows(self, stream: Stream, half: Half) -> RowReader:
        key = (stream.name, half)
        if key not in self._open:
            rows, pca = self._open_rows(stream, self._path(stream, half)), self._components[stream.name]
            self._open[key] = rows if pca is None else ReducedRows(rows, pca)
        return self._open[key]

    def _open_rows(self, stream: Stream, path: Path) -> RowReader:
        if stream.name in self._makers:
            return ArrayRows(self._makers[stream.name](path)[:, slice(*(stream.columns or (None,)))])
        return ArrayRows(transcript_rows(stream, path)) if is_transcript(path) else stream.open(path, self._remedy)

    def _warn_of_ends(self, half: Half, first: float, last: float) -> None:
        """Say once that streams of a half end far apart."""
        if end_apart(last, first) and not self._apart:
            self._apart = True
            log.warning("half %d of %s: one stream ends at %s, another at %s; what only one has is not looked at, "
                        "here and in other halves", half.number, half.game, clock(first), clock(last))  # fmt: skip

    def _path(self, stream: Stream, half: Half) -> Path:
        if self._files is not None:
            return self._files[half][stream.name]
        return self._listed.get((stream.name, half)) or stream.path(self._root, half)

    def _find_listed(self, labels: str | Path) -> dict[tuple[str, Half], Path]:
        """Return the feature files that labels name, for each stream and half."""
        found: dict[tuple[str, Half], Path] = {}
        for half, paths in listed_files(labels, self._root, (".npy",)).items():
            for stream in self.spec.streams:
                named = [path for path in paths if f"_{path.stem}".endswith(f"_{stream.file}")]
                alone = paths if len(paths) == len(self.spec.streams) == 1 else []
                if named or alone:
                    found[stream.name, half] = (named or alone)[0]
        return found
