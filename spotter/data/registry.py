"""The kinds of input that spotter reads, by name: how each is opened in a tree, or as a user's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spotter.data.anticipation import AnticipationSource
from spotter.data.features import FeatureSource
from spotter.data.source import InputSpec, Source
from spotter.data.user_files import find_feature_files, find_video_files
from spotter.data.video.source import VideoSource
from spotter.types import Half

SOURCES: dict[str, type[FeatureSource] | type[VideoSource]] = {"features": FeatureSource, "video": VideoSource}


def open_source(spec: InputSpec, root: str | Path | None, labels: str | Path | None = None) -> Source:
    """Return the source that reads what ``spec`` describes in the official tree below ``root``.

    labels : a file of labels whose paths, relative to ``root``, name the files of its halves
    """
    source = SOURCES[spec.kind].of_spec(spec, root, labels=labels)
    return source if spec.clip_seconds is None else AnticipationSource(source, spec.clip_seconds)


def open_files(spec: InputSpec, paths: Sequence[str | Path]) -> tuple[list[Half], Source]:
    """Return the halves found in files or below folders, and the source that reads them by ``spec``.

    The game is the file's stem, with its folders below the folder given; ``1_`` … ``4_`` before the name gives the
    half. A model of several feature streams takes a folder with one ``<name>_<stream's file>.npy`` for each.
    Raises UserError when there is nothing that can be read, a stream is missing, or two files have one name.
    """
    if spec.kind == "video":
        videos = find_video_files(paths)
        return list(videos), VideoSource.of_spec(spec, files=videos)
    rows = find_feature_files(paths, spec.streams)
    return list(rows), FeatureSource.of_spec(spec, files=rows)
