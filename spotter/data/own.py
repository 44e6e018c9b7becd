"""A user's own files as input for prediction: no tree, no labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spotter.data.features import FeatureSource
from spotter.data.streams import Stream
from spotter.errors import UserError
from spotter.spots import Half


def own_features(path: str | Path, streams: Mapping[str, Mapping[str, Any]]) -> tuple[list[Half], FeatureSource]:
    """Return the halves found in a ``.npy`` file or below a folder, and the source that reads them.

    The game is the file's stem, with its folders below ``path``; ``1_`` or ``2_`` before the name gives the half. A
    model of several streams takes a folder with one ``<name>_<stream's file>.npy`` for each.
    Raises UserError when there is nothing that can be read, or a stream is missing.
    """
    described = [Stream.load(name, content) for name, content in streams.items()]
    longest_first = sorted(described, key=lambda stream: -len(stream.file))  # x_big_feat.npy is no file of `feat`
    files: dict[Half, dict[str, Path]] = {}
    for name, file in _files(Path(path)):
        for stream in longest_first:
            ending = f"_{stream.file}" if len(described) > 1 else ""
            if name.endswith(ending):
                files.setdefault(_half(name.removesuffix(ending)), {})[stream.name] = file
                break
    for half, found in files.items():
        lacking = [stream.file for stream in described if stream.name not in found]
        if lacking:
            raise UserError(f"input: {half.game!r} lacks its _{lacking[0]}.npy; this checkpoint reads {len(described)}")
    if not files:
        wanted = ", ".join(f"_{stream.file}.npy" for stream in described)
        raise UserError(f"input: this checkpoint reads files that end in {wanted}; none in {str(path)!r}")
    return list(files), FeatureSource(streams, files=files)


def _files(path: Path) -> Sequence[tuple[str, Path]]:
    """Return every ``.npy`` file with its name relative to ``path``, without suffix."""
    if path.is_dir():
        found = sorted(file for file in path.rglob("*.npy") if file.is_file())
        if not found:
            raise UserError(f"input: no .npy file in the folder {str(path)!r}")
        return [(file.relative_to(path).with_suffix("").as_posix(), file) for file in found]
    if not path.is_file():
        raise UserError(f"input: no file or folder {str(path)!r}")
    if path.suffix != ".npy":
        raise UserError(f"input: {path.name!r} is no .npy file, and this checkpoint reads features")
    return [(path.stem, path)]


def _half(name: str) -> Half:
    return Half(name, 2 if re.match(r"2(_|$)", name.rpartition("/")[2]) else 1)
