"""Make feature files of videos: one vector for every time step, in the official layout.

INPUT is a video, a prepared store, or a folder: an official tree, or any folder of videos. OUT gets a file
<game>/{1,2}_NAME.npy for every half, with a JSON file beside it that says how it was made, and copies of labels and
splits.json, so that it can be given as data.root. Files that are there already are skipped, so the same command goes
on after an interruption; several processes (RANK and WORLD_SIZE, as torchrun sets them) share the halves.

--backbone is a network of timm (resnet152, vit_small_patch14_dinov2, …), or a checkpoint of spotter that reads video.
Row i lies at exactly i / fps seconds.

  spotter extract /data/SoccerNet /data/features --backbone regnety_008 --fps 2
  spotter extract match.mp4 features --backbone outputs/RUN/checkpoints/best.ckpt --fps 2 --context 1
  spotter extract /data/SoccerNet /data/features --backbone resnet152 --fps 2 --pca 512
  spotter extract /data/SoccerNet /data/features --backbone resnet152 --recipe sn-spotting --weights KERAS.h5
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotter.cli.copy_labels import copy_labels
from spotter.data.fps import parse_fps
from spotter.data.pca import Pca
from spotter.data.sidecars import read_sidecar
from spotter.data.video.containers import duration_of
from spotter.data.video.find import VIDEOS
from spotter.data.video.readers import open_reader
from spotter.errors import UsageError, UserError, plural
from spotter.extraction.backbones import Backbone, open_backbone
from spotter.extraction.frames import CROPS, rows_in
from spotter.extraction.jobs import Job, plan_jobs
from spotter.extraction.pca import fit_pca
from spotter.extraction.rows import POOLS
from spotter.extraction.sn_spotting import FPS, NAME, RECIPES
from spotter.extraction.write import Extractor, is_written, write_features
from spotter.io.splits import load_splits
from spotter.progress import ProgressDisplay
from spotter.tasks import Task

log = logging.getLogger(__name__)
HEIGHT = 224  # of the video that is preferred where a half has several


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("inputs", metavar="INPUT", type=Path, nargs="+", help="video, store, folder or tree")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder or tree that gets the features")
    parser.add_argument("--backbone", required=True, metavar="NAME|CKPT", help="a network of timm, or a checkpoint")
    parser.add_argument("--weights", metavar="FILE", help="of a network of timm (default: those that timm downloads)")
    parser.add_argument("--fps", default="2", help="rows per second (default: %(default)s)")
    parser.add_argument("--context", type=float, default=0.0, metavar="SECONDS",
                        help="frames up to half of it away make a row as well (default: one frame a row)")  # fmt: skip
    parser.add_argument("--pool", choices=POOLS, default="mean", help="of the frames of a row (default: %(default)s)")
    parser.add_argument("--crop", choices=CROPS, default="centre",
                        help="the middle of the image, or all of it, squeezed (default: %(default)s)")  # fmt: skip
    parser.add_argument("--recipe", choices=RECIPES,
                        help="images, crop and colours as in SoccerNet's own extraction, by OpenCV or by scikit-video; "
                        "of resnet152, with the weights of Keras")  # fmt: skip
    parser.add_argument("--pca", metavar="K|FILE",
                        help="K columns, learned on the training split when all is extracted, or a file")  # fmt: skip
    parser.add_argument("--name", help="of the features (default: the backbone's)")
    parser.add_argument("--dtype", choices=("float16", "float32"), default="float16", help="default: %(default)s")
    parser.add_argument("--on-error", choices=("stop", "nan"), default="stop",
                        help="of images: stop, or leave NaN and count (default: %(default)s)")  # fmt: skip
    parser.add_argument("--task", default="soccernet-v2", help="whose training split --pca K learns from")
    parser.add_argument("--batch-size", type=int, metavar="N", help="frames at once (default: 32 on a GPU, else 8)")
    parser.add_argument("--device", help="such as cpu or cuda:1 (default: a GPU if there is one)")


def run(arguments: argparse.Namespace) -> int:
    """Extract what is missing and print a summary."""
    fps = parse_fps(arguments.fps, "--fps")
    if not 0 <= arguments.context < 3600 or (arguments.batch_size is not None and arguments.batch_size < 1):
        raise UsageError("--context: expected seconds from 0, and --batch-size at least 1")
    components = int(arguments.pca) if (arguments.pca or "").isdecimal() else None
    if components == 0:
        raise UsageError("--pca: expected at least 1 column, or a file, found 0")
    reduce = Pca.load(Path(arguments.pca)) if arguments.pca and components is None else None
    if arguments.recipe and (fps != FPS or arguments.context):
        raise UsageError("--recipe: has one image a row, two rows a second; leave --fps and --context out")
    name = _name(arguments)
    reduced = name if reduce is None else _reduced(name, reduce.width, arguments)
    jobs = plan_jobs(arguments.inputs, arguments.out, reduced, HEIGHT, fps)
    backbone = _open_backbone(arguments, components)
    extractor = Extractor(backbone, fps, arguments.context, arguments.pool, reduce)
    width = components if reduce is None else reduce.width
    kept = None if width is None else arguments.out / f"{_reduced(name, width, arguments)}.npz"
    if kept is not None:
        _check_components(kept, extractor)
    written = {job.target for job in jobs if _is_written(job.target, extractor, arguments)}
    for folder in arguments.inputs:
        if folder.is_dir():
            copy_labels(folder, arguments.out)
    if reduce is not None and kept is not None:
        reduce.save(kept)  # a head on these features keeps it
    todo = [job for job in _mine(jobs) if job.target not in written]
    _extract(todo, extractor, arguments)
    sys.stdout.write(
        f"{arguments.out}: {plural(len(todo), 'half')} extracted, {len(_mine(jobs)) - len(todo)} were there, "
        f"{extractor.width} columns, {extractor.fps} rows a second\n"
    )
    if components is not None and kept is not None:
        _reduce(jobs, extractor, components, kept, arguments)
    return 0


def _open_backbone(arguments: argparse.Namespace, components: int | None) -> Backbone:
    """Return the network; raises UserError where it has fewer columns than are to be left."""
    backbone = open_backbone(
        arguments.backbone,
        arguments.weights,
        arguments.crop,
        arguments.device,
        arguments.batch_size,
        arguments.on_error == "stop",
        arguments.recipe,
    )
    if components is not None and components > backbone.width:
        raise UserError(f"--pca: the features have {backbone.width} columns, fewer than {components}")
    return backbone


def _name(arguments: argparse.Namespace) -> str:
    """Return the name of the features, which is part of the names of files."""
    given = arguments.name or (
        Path(arguments.backbone).stem if Path(arguments.backbone).exists() else arguments.backbone
    )
    if arguments.recipe and not arguments.name:
        return NAME
    name = given if arguments.name else re.sub(r"\W+", "_", given)
    if not re.fullmatch(r"\w[\w-]*", name):
        raise UsageError(f"--name: expected letters, digits and _, found {name!r}")
    return str(name)


def _reduced(name: str, components: int, arguments: argparse.Namespace) -> str:
    """Return the name of reduced features; SoccerNet writes it in capitals."""
    return f"{name}_{'PCA' if arguments.recipe else 'pca'}{components}"


def _mine(jobs: list[Job]) -> list[Job]:
    """Return the jobs of this process of several."""
    return jobs[int(os.environ.get("RANK", "0")) :: int(os.environ.get("WORLD_SIZE", "1"))]


def _is_written(target: Path, extractor: Extractor, arguments: argparse.Namespace) -> bool:
    """Return whether a feature file is there; raises UserError where it was made another way."""
    return is_written(target, arguments.dtype, extractor=extractor.about, fps=str(extractor.fps))


def _check_components(kept: Path, extractor: Extractor) -> None:
    """Raise UserError where OUT has other principal components, or some that were learned on other features."""
    if not kept.is_file():
        return
    there = Pca.load(kept)
    if extractor.pca is not None and there.digest != extractor.pca.digest:
        raise UserError(f"{kept}: holds other components; give another --name, or delete it and what it made")
    if extractor.pca is None and there.learned_on not in ("", _learned_on(extractor)):
        raise UserError(f"{kept}: was learned on other features; give another --name, or delete it and what it made")


def _learned_on(extractor: Extractor) -> str:
    return json.dumps({**extractor.about, "rows_per_second": str(extractor.fps)}, sort_keys=True)


def _extract(todo: list[Job], extractor: Extractor, arguments: argparse.Namespace) -> None:
    counts = [rows_in(_seconds(job.source), extractor.fps) for job in todo]
    missing: dict[Path, int] = {}
    done, total = 0, sum(counts)
    with ProgressDisplay(total, "rows", shown=bool(todo)) as display:
        for job, count in zip(todo, counts, strict=True):

            def show(fraction: float, before: int = done, count: int = count) -> None:
                display.update((before + fraction * count) / max(1, total))

            rows, offset = extractor.extract(job.source, show)
            missing[job.source] = write_features(
                job.target, rows, arguments.dtype, extractor.fps, extractor.about, offset
            )
            done += count
    bad = {path: count for path, count in missing.items() if count}
    if bad:
        log.warning("%s of %s NaN, for their images cannot be decoded, first %s",
                    plural(sum(bad.values()), "row"), plural(len(bad), "half"), next(iter(bad)))  # fmt: skip


def _seconds(path: Path) -> Fraction:
    """Return how long a video is, as far as can be told without reading all of it."""
    is_video = path.suffix.lower() in VIDEOS
    return Fraction(duration_of(path)) if is_video else open_reader(path).times.duration


def _reduce(jobs: list[Job], extractor: Extractor, components: int, path: Path, arguments: argparse.Namespace) -> None:
    """Learn principal components from the training split, and write reduced files beside the others."""
    lacking = [job.target for job in jobs if not _is_written(job.target, extractor, arguments)]
    if lacking:
        raise UserError(f"{lacking[0]}: is not there yet; run the same command with --pca when all are extracted")
    if not path.is_file():
        training = set(_training_games(arguments))
        chosen = [job for job in jobs if not training or job.half.game in training]
        if not chosen:
            raise UserError(f"--pca: no game of the training split of {arguments.task} is among those extracted")
        learned = fit_pca((_rows(job.target) for job in chosen), components)
        replace(learned, learned_on=_learned_on(extractor)).save(path)
        log.info("%s: learned from %s", path, plural(len(chosen), "half"))
    pca = Pca.load(path)
    reduced = replace(extractor, pca=pca)
    for job in _mine(jobs):
        target = job.target.with_name(f"{job.half.number}_{path.stem}.npy")
        if not _is_written(target, reduced, arguments):
            offset = float(read_sidecar(job.target).get("offset", 0.0))
            write_features(target, pca(_rows(job.target)), arguments.dtype, reduced.fps, reduced.about, offset)
    sys.stdout.write(
        f"{arguments.out}: {plural(len(_mine(jobs)), 'half')} reduced to {components} columns by {path.name}\n"
    )


def _training_games(arguments: argparse.Namespace) -> list[str]:
    """Return the games of the training split; none where no input is a tree, so that all rows serve."""
    if not any(path.is_dir() for path in arguments.inputs):
        return []
    return load_splits(Task.load(arguments.task), arguments.out)["train"]


def _rows(path: Path) -> NDArray[np.floating]:
    rows: NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    return rows
