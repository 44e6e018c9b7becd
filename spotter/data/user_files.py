"""Find a user's files for prediction: no tree, no labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spotter.data.commentary.streams import is_transcript
from spotter.data.streams import Stream
from spotter.data.video.find import find_videos, half_of_name
from spotter.errors import UserError
from spotter.types import Half


def find_video_files(paths: Sequence[str | Path]) -> dict[Half, Path]:
    """Return the videos, stores and folders of JPEG images that ``paths`` are or hold, by half."""
    files: dict[Half, Path] = {}
    for half, file in (found for path in paths for found in find_videos(path)):
        files[half] = _single(file, files.get(half))
    return files


def find_feature_files(paths: Sequence[str | Path], streams: Sequence[Stream]) -> dict[Half, dict[str, Path]]:
    """Return the feature files that ``paths`` are or hold, by half and stream.

    Of one stream any ``.npy`` file is taken; of several those that end in ``_<stream's file>.npy``. A stream with a
    text model takes transcripts as well; of several streams ``_asr.json`` or ``_<stream's file>.srt`` and so on.
    """
    texts = any(stream.text_model is not None for stream in streams)
    found = [found for path in paths for found in _feature_files(Path(path), texts)]
    longest_first = sorted(streams, key=lambda stream: -len(stream.file))  # x_big_feat.npy is no file of `feat`
    files: dict[Half, dict[str, Path]] = {}
    for name, file in found:
        for stream in longest_first:
            endings = _endings(stream, file) if len(streams) > 1 else [""]
            ending = next((ending for ending in endings if name.endswith(ending)), None)
            if ending is not None:
                parts = files.setdefault(half_of_name(name.removesuffix(ending)), {})
                parts[stream.name] = _single(file, parts.get(stream.name))
                break
    for half, parts in files.items():
        lacking = [stream.file for stream in streams if stream.name not in parts]
        if lacking:
            raise UserError(f"input: {half.game!r} lacks its _{lacking[0]}.npy; this checkpoint reads {len(streams)}")
    if not files:
        wanted = ", ".join(f"_{stream.file}.npy" for stream in streams)
        raise UserError(f"input: this checkpoint reads files that end in {wanted}; none in {str(found[0][1].parent)!r}")
    return files


def _endings(stream: Stream, file: Path) -> list[str]:
    """Return what the name of a file of the stream, without its suffix, may end in."""
    if file.suffix == ".npy":
        return [f"_{stream.file}"]
    return [f"_{stream.file}", "_asr"] if stream.text_model is not None else []


def _single(file: Path, other: Path | None) -> Path:
    if other is not None and not file.samefile(other):
        raise UserError(f"input: {file} and {other} have the same name; give them different ones")
    return file


def _feature_files(path: Path, texts: bool) -> list[tuple[str, Path]]:
    """Return every file of features, and of transcripts if wanted, with its name relative to ``path``, without suffix.

    In a folder, where other JSON files lie as well, transcripts end in ``.srt``, ``.vtt`` or ``_asr.json``.
    """
    if path.is_dir():
        patterns = ("*.npy", "*.srt", "*.vtt", "*_asr.json") if texts else ("*.npy",)
        found = sorted(file for pattern in patterns for file in path.rglob(pattern) if file.is_file())
        if not found:
            raise UserError(f"input: no {' or '.join(patterns)} file in the folder {str(path)!r}".replace("*", ""))
        return [(file.relative_to(path).with_suffix("").as_posix(), file) for file in found]
    if not path.is_file():
        raise UserError(f"input: no file or folder {str(path)!r}")
    if path.suffix != ".npy" and not is_transcript(path):
        wanted = "transcripts and features, .npy" if texts else "features"
        remedy = "give these, or a video and extractor=…, what made those of training"
        raise UserError(f"input: {path.name!r} is no .npy file, and this checkpoint reads {wanted}: {remedy}")
    return [(path.stem, path)]
