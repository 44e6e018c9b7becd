"""Predict with a checkpoint: a split of a data set, or a user's own files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from spotter.bounded import read_yaml
from spotter.data.anticipation import AnticipationSource, find_clips
from spotter.data.games import find_halves, warn_of_rates
from spotter.data.periods import PeriodSource
from spotter.data.registry import open_source
from spotter.data.source import Source
from spotter.errors import UsageError, UserError
from spotter.evaluation.table import spots_table
from spotter.extraction.two_stages import open_makers
from spotter.inference.engine import Compute
from spotter.inference.inputs import Input, open_input
from spotter.inference.model import BATCH
from spotter.inference.ranks import rank_and_world
from spotter.interpolation import plain_text
from spotter.io.anticipation import load_clip_splits
from spotter.io.checkpoints import choose_label_set, open_checkpoint
from spotter.io.exchange.annotations import Exchange, root_of_labels
from spotter.io.predictions import confirm_zip
from spotter.io.run_folders import find_checkpoint, folder_beside
from spotter.io.splits import check_split, load_splits
from spotter.models.system import System
from spotter.settings import Postprocess
from spotter.training.callbacks.progress import show
from spotter.training.predict_formats import parse_formats, write_formats
from spotter.training.predict_input import predict_input
from spotter.training.rank_watch import naming_dead_ranks
from spotter.training.trainer import device_of, launch, plain, short_precision, terminable
from spotter.trust import import_trusted
from spotter.types import Metrics, Plain

log = logging.getLogger(__name__)
WORKERS = {"features": 0, "video": 1}  # threads, and processes, that read ahead
SHOWN = 0.2  # confidence from which the table on screen lists a spot, unless a threshold is given


@dataclass(frozen=True)
class DataSettings:
    """Hold what prediction takes of ``data`` in the config.

    root : the tree of a split
    labels : as for training, a file of labels in any format
    splits : replaces the games of single splits, see ``load_splits``
    batch_size : clips at once
    num_workers : threads that read features ahead, or processes that decode video
    allow_missing : continue with what is on disk, with a counted warning
    """

    root: str | None
    batch_size: int
    num_workers: int
    labels: str | None = None
    splits: Mapping[str, str | Sequence[str] | None] | None = None
    allow_missing: bool = False


def predict(cfg: DictConfig) -> Metrics | None:
    """Predict as ``conf/predict.yaml`` says; return the metrics where there are labels."""
    if not cfg.ckpt:
        raise UsageError("give ckpt=PATH, a checkpoint that spotter train wrote")
    formats = parse_formats(str(cfg.format))
    ckpt = find_checkpoint(cfg.ckpt)
    content = choose_label_set(open_checkpoint(ckpt), cfg.label_set)
    known = content["hyper_parameters"]
    content["hyper_parameters"] = known | _changes(cfg, known)
    system = System.load(content, import_trusted(cfg.trust))
    if system.spec.anticipates and (formats or cfg.data.labels):
        raise UsageError(
            "format and data.labels are for spots; this model expects what comes after clips: leave them out"
        )
    settings = _settings(cfg, system.spec.kind, _trained_on(ckpt, cfg.label_set) or known["source"].get("root"))
    given = _own_input(cfg, system) if cfg.input else _split(cfg, system, settings)
    out = Path(cfg.out) if cfg.out else folder_beside(cfg.ckpt) / "predictions" / _name(cfg, given.split)
    with terminable(), naming_dead_ranks():
        compute = Compute(launch(cfg.trainer), short_precision(cfg.trainer), settings.batch_size, settings.num_workers)
        predictions, metrics = predict_input(
            system.fused(), given, out, compute, cfg.save_scores, out / "report.html", cfg.threshold
        )
    if cfg.input and predictions:
        show(spots_table(predictions, system.task, SHOWN if cfg.threshold is None else cfg.threshold))
    if rank_and_world()[0] == 0:
        write_formats(out, formats, given, SHOWN if cfg.threshold is None else cfg.threshold)
    log.info("predictions: %s", out)
    if given.games is not None and not system.spec.anticipates and rank_and_world()[0] == 0:
        log.info("%s", confirm_zip(out, given.games))
    return metrics


def _trained_on(ckpt: Path, label_set: str | None) -> str | None:
    """Return the root of the data that the run of a checkpoint was trained on, as the run's folder says, if it does."""
    hydra = ckpt.absolute().parent.parent / ".hydra"
    keys = ("joint", label_set) if label_set else ()
    root = _text_of(hydra / "config.yaml", "data", *keys, "root")
    variable = re.fullmatch(r"\$\{oc\.env:(\w+_ROOT),null\}", root or "")
    root = os.environ.get(variable[1]) if variable else plain_text(root)
    begun_in = plain_text(_text_of(hydra / "hydra.yaml", "hydra", "runtime", "cwd"))
    return None if root is None else str(Path(begun_in or "", root))


def _text_of(path: Path, *keys: str) -> str | None:
    """Return a text in a YAML file; None without it, and where it cannot be read."""
    try:
        content = read_yaml(path)
    except UserError:
        return None
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, str) else None


def _changes(cfg: DictConfig, known: Plain) -> dict[str, Any]:
    """Return the hyper-parameters that the command line changes: suppression, and how clips overlap."""
    postprocess = plain(cfg.postprocess) if cfg.get("postprocess") else known["postprocess"]
    if cfg.threshold is not None:
        postprocess = Postprocess.load({**postprocess, "threshold": cfg.threshold}).to_dict()
    clips = {key: value for key, value in plain(cfg.clips).items() if value is not None}
    return {"postprocess": postprocess, "clips": {**known["clips"], **clips}}


def _settings(cfg: DictConfig, kind: str, root: str | None) -> DataSettings:
    """Return the settings of ``data`` that prediction has, checked together with those that name input and output."""
    given = {key: value for key, value in plain(cfg.data).items() if value is not None}
    known = sorted(field.name for field in fields(DataSettings))
    for key in sorted(given):
        if key not in known:
            raise UsageError(f"data.{key}: fixed by the checkpoint; what can be given is {', '.join(known)}")
    for key in ("start", "end", "periods", "game"):
        if not cfg.input and cfg[key] is not None:
            raise UsageError(f"{key} is for input=…: a split is predicted and scored as its labels say")
    if cfg.input and cfg.split is not None:
        raise UsageError("give input=… or split=…, not both: input is your own files, split the games of a data set")
    if cfg.extractor and not cfg.input:
        raise UsageError("extractor is for input=…: a split has its features in files")
    if cfg.out and Path(cfg.out).exists() and not Path(cfg.out).is_dir():
        raise UsageError(f"out: {cfg.out!r} is a file; give a folder")
    if "labels" in given:
        given["root"] = root_of_labels(given["labels"], given.get("root"))
    return DataSettings(**{"root": root, "batch_size": BATCH[kind], "num_workers": WORKERS[kind], **given})


def _split(cfg: DictConfig, system: System, settings: DataSettings) -> Input:
    """Return the halves of a split, whose labels may be missing altogether."""
    name, root = check_split("test" if cfg.split is None else cfg.split), settings.root
    source: Source = open_source(system.spec, root, settings.labels)
    if isinstance(source, AnticipationSource):
        games = load_clip_splits(system.task, root, settings.splits)[name]
        clips = find_clips(root, name, games, system.task, source, "optional", settings.allow_missing)
        return Input(name, source, clips, len(games))
    annotations = Exchange(settings.labels) if settings.labels else None
    if annotations and (parts := annotations.parts(root or "", system.task)):
        source = PeriodSource(source, parts)
    listed = annotations.splits(root or "", system.task) if annotations else None
    games = load_splits(system.task, root, settings.splits, listed)[name]
    given = (root, name, games, system.task, source, "optional", settings.allow_missing)
    records = find_halves(*given, annotations=annotations)
    if annotations is not None:
        warn_of_rates(annotations, root, system.task, source, [record.half for record in records])
    return Input(name, source, records, len(games))


def _own_input(cfg: DictConfig, system: System) -> Input:
    """Return the halves that the user's own files hold, or a part of them."""
    paths = [cfg.input] if isinstance(cfg.input, str) else list(cfg.input)
    makers = None
    if cfg.extractor:
        extractors = cfg.extractor if isinstance(cfg.extractor, str) else list(cfg.extractor)
        makers = open_makers(system.spec, extractors, cfg.extractor_weights, str(device_of(cfg.trainer)))
    part = {"start": cfg.start, "end": cfg.end, "periods": cfg.periods, "game": cfg.game}
    return open_input(system.spec, paths, makers=makers, **part)


def _name(cfg: DictConfig, split: str) -> str:
    """Return the name of the folder that predictions are written to, where ``out`` gives none."""
    if not cfg.input:
        return split
    first = Path(cfg.input if isinstance(cfg.input, str) else cfg.input[0]).absolute()
    return first.name if first.is_dir() else first.stem
