"""Convert a tree of features: to one layout, float16, checked number by number.

SRC is a folder of .npy, .npz, HDF5 or pickled files of features: (T, D), (T, 1, D), or dictionaries of arrays such as
{features: (T, 1, 768), …}. DST gets <game>/{1,2}_NAME.npy for each, with a JSON file beside it, and copies of labels
and splits.json. What a JSON file beside one of SRC says of its offset, and what made it, stays true. Files that are
there already are skipped. Pickles can build arrays only; nothing in them is run.

  spotter prepare features /data/float32 /data/float16 --fps 1
  spotter prepare features /data/open_pipeline /data/SoccerNet --fps 1 --name timesformer    # offset 2.5 s by itself
"""

from __future__ import annotations

import argparse
import logging
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.filesize import decimal

from spotter.cli.copy_labels import copy_labels
from spotter.data.fps import parse_fps
from spotter.data.sidecars import read_sidecar, stated_offset
from spotter.data.video.find import half_of_name
from spotter.errors import UsageError, UserError, plural
from spotter.extraction.write import is_written, write_features
from spotter.io.feature_files import PICKLED_OFFSET, SUFFIXES, read_features
from spotter.io.game_files import check_file_name
from spotter.progress import ProgressDisplay

log = logging.getLogger(__name__)
HALVES = ("1", "2", "3", "4")  # as names of files begin; 3 and 4 are extra time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("src", metavar="SRC", type=Path, help="folder of feature files")
    parser.add_argument("dst", metavar="DST", type=Path, help="where the converted files go")
    parser.add_argument("--fps", required=True, help="rows per second, such as 1, 2 or 25/24")
    parser.add_argument(
        "--offset",
        type=float,
        metavar="SECONDS",
        help="of row 0 (default: as stated beside SRC, else 0; of pickled dictionaries 2.5)",
    )
    parser.add_argument("--name", help="of the features (default: what follows the half in their names)")
    parser.add_argument("--key", help="of the array, where a file holds several (default: features)")
    parser.add_argument("--dtype", choices=("float16", "float32"), default="float16", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Convert what is missing and print a summary."""
    fps = parse_fps(arguments.fps, "--fps")
    if arguments.name is not None:
        check_file_name(arguments.name, "--name")
    if not arguments.src.is_dir():
        raise UserError(f"{arguments.src}: no such folder; give one with files of features")
    if arguments.dst.resolve().is_relative_to(arguments.src.resolve()):
        raise UsageError("DST: give a folder outside of SRC, whose files are all converted, and kept as they are")
    files = sorted(each for each in arguments.src.rglob("*") if each.suffix in SUFFIXES and each.is_file())
    if not files:
        raise UserError(f"{arguments.src}: holds no file of features; expected {' '.join(SUFFIXES)}")
    targets = _targets(files, arguments)
    offsets = {file: _offset(file, fps, arguments) for file in files}
    todo = {
        file: target for file, target in targets.items() if not _is_converted(target, fps, offsets[file], arguments)
    }
    copy_labels(arguments.src, arguments.dst)
    error, missing = 0.0, 0
    with ProgressDisplay(len(todo), "files", shown=bool(todo)) as display:
        for number, (file, target) in enumerate(todo.items()):
            relative, not_finite = _convert(file, target, fps, offsets[file], arguments)
            error, missing = max(error, relative), missing + not_finite
            display.update((number + 1) / len(todo))
    before, after = (sum(path.stat().st_size for path in paths) for paths in (todo, todo.values()))
    sys.stdout.write(
        f"{arguments.dst}: {plural(len(todo), 'file')} converted, {len(files) - len(todo)} were there; "
        f"{decimal(before)} became {decimal(after)}, largest error {error:.2g} of a file's largest number, "
        f"{plural(missing, 'row')} not finite\n"
    )
    return 0


def _targets(files: list[Path], arguments: argparse.Namespace) -> dict[Path, Path]:
    """Return what each file becomes; raises UserError where two would become one."""
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for file in files:
        stem, folder = file.stem, file.parent.relative_to(arguments.src)
        half, _, rest = stem.partition("_")
        official = half in HALVES and rest
        game = folder if official else folder / stem
        number = int(half) if official else half_of_name(stem).number
        target = arguments.dst / game / f"{number}_{arguments.name or (rest if official else 'features')}.npy"
        if target in taken:
            raise UserError(
                f"{taken[target]} and {file} would both become {target}; leave --name out, or convert one kind"
            )
        targets[file] = taken[target] = target
    return targets


def _offset(file: Path, fps: Fraction, arguments: argparse.Namespace) -> float | None:
    """Return the seconds of row 0, None where the form of the file tells; the errors are those of its JSON file."""
    stated = stated_offset(file, fps)
    return stated if arguments.offset is None else arguments.offset


def _is_converted(target: Path, fps: Fraction, offset: float | None, arguments: argparse.Namespace) -> bool:
    """Return whether a file is there; raises UserError where it was made by another command."""
    if offset is None and (stated := read_sidecar(target).get("offset")) in (0.0, PICKLED_OFFSET):
        offset = stated  # which of both is meant SRC says, and that would have to be read
    return is_written(target, arguments.dtype, fps=str(fps), offset=0.0 if offset is None else offset)


def _convert(
    file: Path, target: Path, fps: Fraction, offset: float | None, arguments: argparse.Namespace
) -> tuple[float, int]:
    """Write one file and read it back; return the largest error by the largest number, and rows that are not finite."""
    found = read_features(file, arguments.key)
    made_by = read_sidecar(file).get("extractor")
    missing = write_features(
        target, found.rows, arguments.dtype, fps, made_by, found.offset if offset is None else offset
    )
    written = np.load(target, mmap_mode="r", allow_pickle=False)
    finite = np.isfinite(found.rows)
    largest = float(np.abs(found.rows[finite]).max()) if finite.any() else 0.0
    error = float(np.abs(written[finite] - found.rows[finite]).max()) / largest if largest else 0.0
    return error, missing
