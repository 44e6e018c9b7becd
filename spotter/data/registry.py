"""The kinds of input that spotter reads, by name: how each is opened in a tree, or as a user's own files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spotter.data.anticipation import AnticipationSource
from spotter.data.features import FeatureSource
from spotter.data.source import InputSpec, Source
from spotter.data.user_files import find_feature_files, find_video_files
from spotter.data.video.source import VideoSource
from spotter.types import Half


@dataclass(frozen=True, slots=True)
class SourceKind:
    """Open an input of one kind.

    open_tree : read the official tree below a root, by the paths in a file of labels where there is one
    open_files : read files, or all that lie below folders, and return their halves, too
    """

    open_tree: Callable[[InputSpec, str | Path | None, str | Path | None], Source]
    open_files: Callable[[InputSpec, Sequence[str | Path]], tuple[list[Half], Source]]


def _feature_tree(spec: InputSpec, root: str | Path | None, labels: str | Path | None) -> Source:
    return FeatureSource.of_spec(spec, root, labels=labels)


def _video_tree(spec: InputSpec, root: str | Path | None, labels: str | Path | None) -> Source:
    return VideoSource.of_spec(spec, root, labels=labels)


def _feature_files(spec: InputSpec, paths: Sequence[str | Path]) -> tuple[list[Half], Source]:
    files = find_feature_files(paths, spec.streams)
    return list(files), FeatureSource.of_spec(spec, files=files)


def _video_files(spec: InputSpec, paths: Sequence[str | Path]) -> tuple[list[Half], Source]:
    files = find_video_files(paths)
    return list(files), VideoSource.of_spec(spec, files=files)


SOURCE_KINDS = {
    "features": SourceKind(_feature_tree, _feature_files),
    "video": SourceKind(_video_tree, _video_files),
}


def open_source(spec: InputSpec, root: str | Path | None, labels: str | Path | None = None) -> Source:
    """Return the source that reads what ``spec`` describes in the official tree below ``root``.

    labels : a file of labels whose paths, relative to ``root``, name the files of its halves
    """
    source = SOURCE_KINDS[spec.kind].open_tree(spec, root, labels)
    return source if spec.clip_seconds is None else AnticipationSource(source, spec.clip_seconds)


def open_files(spec: InputSpec, paths: Sequence[str | Path]) -> tuple[list[Half], Source]:
    """Return the halves found in files or below folders, and the source that reads them by ``spec``.

    The game is the file's stem, with its folders below the folder given; ``1_`` … ``4_`` before the name gives the
    half. A model of several feature streams takes a folder with one ``<name>_<stream's file>.npy`` for each.
    Raises UserError when there is nothing that can be read, a stream is missing, or two files have one name.
    """
    return SOURCE_KINDS[spec.kind].open_files(spec, paths)
