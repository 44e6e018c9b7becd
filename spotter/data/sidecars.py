"""What is known of a feature file: the JSON file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from spotter.checks import is_integer, is_number
from spotter.data.fps import parse_fps
from spotter.errors import UserError, shorten
from spotter.io.files import atomic_write, json_bytes

DEPTH = 3  # folders between the root of a tree and the files of a game


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the content of the JSON file beside a feature file, empty where there is none that can be read."""
    import orjson  # here, so that networks, arrays and training do without

    try:
        about = orjson.loads(path.with_suffix(".json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return about if isinstance(about, dict) else {}


def write_sidecar(path: Path, about: Mapping[str, Any]) -> None:
    """Write what is known of a feature file into the JSON file beside it."""
    atomic_write(path.with_suffix(".json"), json_bytes(about))


def first_sidecar(root: str | Path, file: str) -> dict[str, Any]:
    """Return what is known of the first file ``<game>/{half}_<file>.npy`` below a root, empty where there is none."""
    path = _first(root, file)
    return {} if path is None else read_sidecar(path)


def describe_streams(root: str | None, names: str | Sequence[str], columns: object = None) -> dict[str, dict[str, Any]]:
    """Return the streams of feature files, as configs state them, from what lies beside the first file of each.

    names : of one kind of file, ``1_<name>.npy``, or of several side by side, of which the first is the clock
    columns : a range of those of the first, None for all

    Raises UserError where there is no such file, or no JSON file beside it that states ``fps`` and ``width``, and for
    values in it that cannot be.
    """
    if not root:
        raise UserError("data.root: give the folder that holds the features, as spotter extract wrote it")
    streams: dict[str, dict[str, Any]] = {}
    for name in [names] if isinstance(names, str) else names:
        path = _first(root, name)
        about = {} if path is None else read_sidecar(path)
        if path is None or not about.keys() >= {"fps", "width"}:
            raise UserError(
                f"{root}: no <game>/1_{name}.npy with a JSON file beside it that states its fps and width: give "
                "another data.name, let spotter prepare features write it, or state the stream in a config of your own"
            )
        width, offset = _check_numbers(about, path.with_suffix(".json"))
        streams[str(name)] = {
            "file": str(name),
            "fps": str(about["fps"]),
            "width": width,
            "groups": None,
            "columns": None if streams else columns,
            "offset": offset,
            "pca": None,
            "entities": None,
        }
    return streams


def stated_offset(path: Path, fps: Fraction) -> float | None:
    """Return the offset that the JSON file beside a feature file states, None where it states none.

    Raises UserError for an odd one, and where that file states another rate than ``fps``.
    """
    about, beside = read_sidecar(path), path.with_suffix(".json")
    if "fps" in about and parse_fps(about["fps"], f"{beside}: fps") != fps:
        raise UserError(
            f"{path}: has fps {about['fps']} by {beside.name}, not {fps}: give the fps that it was made with"
        )
    return _check_offset(about["offset"], beside) if "offset" in about else None


def _check_numbers(about: Mapping[str, Any], path: Path) -> tuple[int, float]:
    """Return width and offset that a JSON file states; raises UserError for odd ones, and for an odd ``fps``."""
    parse_fps(about["fps"], f"{path}: fps")
    width = about["width"]
    if not is_integer(width) or width < 1:
        raise UserError(f"{path}: width: expected the number of columns, found {shorten(width)}; write the file again")
    return width, _check_offset(about.get("offset", 0.0), path)


def _check_offset(offset: object, path: Path) -> float:
    if not is_number(offset):
        raise UserError(f"{path}: offset: expected seconds, found {shorten(offset)}; write the file again")
    return float(offset)


def _first(root: str | Path, file: str) -> Path | None:
    return next(_files(Path(root), file, DEPTH), None)


def _files(folder: Path, file: str, depth: int) -> Iterator[Path]:
    """Yield feature files below a folder, without looking into more folders than needed."""
    if not folder.is_dir():
        return
    names = sorted(folder.iterdir())
    yield from (path for path in names if path.name.endswith(f"_{file}.npy") and path.name[0].isdigit())
    for path in names if depth else ():
        if path.is_dir() and not path.name.startswith("."):
            yield from _files(path, file, depth - 1)
