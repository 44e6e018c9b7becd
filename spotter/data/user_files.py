"""A user's own files as input for prediction: no tree, no labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spotter.data.source import Source, load_source
from spotter.data.streams import Stream
from spotter.data.video.find import own_half, own_videos
from spotter.errors import UserError
from spotter.types import Half


def own_input(paths: Sequence[str | Path], description: Mapping[str, Any]) -> tuple[list[Half], Source]:
    """Return the halves found in files or below folders, and the source that reads them as ``description`` says.

    The game is the file's stem, with its folders below the folder given; ``1_`` or ``2_`` before the name gives the
    half. A model of several feature streams takes a folder with one ``<name>_<stream's file>.npy`` for each.
    Raises UserError when there is nothing that can be read, a stream is missing, or two files have one name.
    """
    files: dict[Half, Any] = {}
    if description["kind"] == "video":
        for half, file in (found for path in paths for found in own_videos(path)):
            files[half] = _only(file, files.get(half))
    else:
        found = [found for path in paths for found in _files(Path(path))]
        files = _streams_of_halves(found, description["streams"])
    return list(files), load_source(description, files=files)


def _only(file: Path, other: Path | None) -> Path:
    if other is not None and not file.samefile(other):
        raise UserError(f"input: {file} and {other} have the same name; give them different ones")
    return file


def _streams_of_halves(
    found: Sequence[tuple[str, Path]], streams: Mapping[str, Mapping[str, Any]]
) -> dict[Half, dict[str, Path]]:
    described = [Stream.load(name, content) for name, content in streams.items()]
    longest_first = sorted(described, key=lambda stream: -len(stream.file))  # x_big_feat.npy is no file of `feat`
    files: dict[Half, dict[str, Path]] = {}
    for name, file in found:
        for stream in longest_first:
            ending = f"_{stream.file}" if len(described) > 1 else ""
            if name.endswith(ending):
                parts = files.setdefault(own_half(name.removesuffix(ending)), {})
                parts[stream.name] = _only(file, parts.get(stream.name))
                break
    for half, parts in files.items():
        lacking = [stream.file for stream in described if stream.name not in parts]
        if lacking:
            raise UserError(f"input: {half.game!r} lacks its _{lacking[0]}.npy; this checkpoint reads {len(described)}")
    if not files:
        wanted = ", ".join(f"_{stream.file}.npy" for stream in described)
        raise UserError(f"input: this checkpoint reads files that end in {wanted}; none in {str(found[0][1].parent)!r}")
    return files


def _files(path: Path) -> list[tuple[str, Path]]:
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
