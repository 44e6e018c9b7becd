"""Predict with a checkpoint: a split of a data set, or a user's own files."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from spotter.data.registry import open_files, open_source
from spotter.data.source import Excerpt, Source
from spotter.errors import UsageError
from spotter.evaluation.table import metrics_table, spots_table
from spotter.io.checkpoints import open_checkpoint
from spotter.io.predictions import confirm_zip, write_scored
from spotter.io.splits import check_split, load_splits
from spotter.settings import Postprocess
from spotter.training.callbacks.average_map import AverageMap
from spotter.training.callbacks.progress import PredictionProgress, show
from spotter.training.checkpoint import load_module
from spotter.training.datamodule import SpottingDataModule
from spotter.training.module import SpottingModule
from spotter.training.report import report
from spotter.training.trainer import build_trainer, interruptible, plain

log = logging.getLogger(__name__)
LOADING = {"features": {"batch_size": 64, "num_workers": 0}, "video": {"batch_size": 1, "num_workers": 1}}
SETTINGS = {"root", "splits", "batch_size", "num_workers", "allow_missing"}
SHOWN = 0.2  # confidence from which the table on screen lists a spot, unless a threshold is given


def predict(cfg: DictConfig) -> dict[str, Any] | None:
    """Predict as ``conf/predict.yaml`` says; return the scores where there are labels."""
    if not cfg.ckpt:
        raise UsageError("give ckpt=PATH, a checkpoint that train.py wrote")
    content = open_checkpoint(cfg.ckpt)
    known = content["hyper_parameters"]
    module = load_module(content, **_changes(cfg, known))
    module.system = module.system.fused(_precision(cfg))
    module.network = module.system.network
    spec = module.system.spec
    settings = {key: value for key, value in plain(cfg.data).items() if value is not None}
    unknown = sorted(set(settings) - SETTINGS)
    if unknown:
        raise UsageError(
            f"data.{unknown[0]}: fixed by the checkpoint; what can be given is {', '.join(sorted(SETTINGS))}"
        )
    if not cfg.input and (cfg.start is not None or cfg.end is not None):
        raise UsageError("start and end are for input=…: a split is predicted and scored as a whole")
    if cfg.out and Path(cfg.out).exists() and not Path(cfg.out).is_dir():
        raise UsageError(f"out: {cfg.out!r} is a file; give a folder")
    settings = {**LOADING[spec.kind], "root": known["source"].get("root"), **settings}
    if cfg.input:
        paths = [cfg.input] if isinstance(cfg.input, str) else list(cfg.input)
        halves, source = open_files(spec, paths)
        data = SpottingDataModule(known["task"], _part(source, cfg), module.system.clips.to_dict(), **settings)
        data.use_own(halves)
        own = Path(paths[0]).absolute()
        name = own.name if own.is_dir() else own.stem
    else:
        name = check_split(cfg.split)
        source = open_source(spec, settings["root"])
        data = SpottingDataModule(known["task"], source, module.system.clips.to_dict(), **settings)
        data.use_split(name)
    out = Path(cfg.out) if cfg.out else Path(cfg.ckpt).parent / "predictions" / name
    trainer = build_trainer(cfg, [PredictionProgress()])
    form = predict_split(
        trainer, module, data, data.split, out, cfg.save_scores, out / "report.html", threshold=cfg.threshold
    )
    if cfg.input and trainer.is_global_zero:
        callback = average_map_of(trainer)
        least = SHOWN if cfg.threshold is None else cfg.threshold
        show(spots_table(callback.predictions, module.system.task, least))
    log.info("predictions: %s", out)
    if not cfg.input and trainer.is_global_zero:
        log.info("%s", confirm_zip(out, len(load_splits(data.task, data.root, data.splits)[name])))
    return form


def _changes(cfg: DictConfig, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters that the command line changes: suppression, and how clips overlap."""
    postprocess = plain(cfg.postprocess) if cfg.get("postprocess") else known["postprocess"]
    if cfg.threshold is not None:
        postprocess = Postprocess.load({**postprocess, "threshold": cfg.threshold}).to_dict()
    clips = {key: value for key, value in plain(cfg.clips).items() if value is not None}
    return {"postprocess": postprocess, "clips": {**known["clips"], **clips}}


def _precision(cfg: DictConfig) -> torch.dtype:
    """Return bfloat16 for a CPU that computes in it, where ``trainer.precision`` leaves the choice to us."""
    cpu = cfg.trainer.accelerator == "cpu" or not torch.cuda.is_available()
    halves = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if cpu and halves and cfg.trainer.precision == "auto" else torch.float32


def _part(source: Source, cfg: DictConfig) -> Source:
    start, end = _seconds("start", cfg.start), _seconds("end", cfg.end)
    return source if start is None and end is None else Excerpt(source, start or 0.0, end)


def _seconds(key: str, value: float | str | None) -> float | None:
    """Return a moment given in seconds, or as ``mm:ss`` or ``h:mm:ss``."""
    if value is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", str(value)):
        raise UsageError(f"{key}: expected seconds, mm:ss or h:mm:ss, found {value!r}")
    return sum(float(part) * 60**place for place, part in enumerate(reversed(str(value).split(":"))))


def average_map_of(trainer: pl.Trainer) -> AverageMap:
    """Return the trainer's callback that makes predictions."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next(each for each in callbacks if isinstance(each, AverageMap))


def predict_split(
    trainer: pl.Trainer,
    module: SpottingModule,
    data: SpottingDataModule,
    split: str,
    out: Path,
    save_scores: bool = True,
    report_to: Path | None = None,
    threshold: float | None = None,
) -> dict[str, Any] | None:
    """Predict a split that ``data`` has, write all that belongs to it, and return its scores if it has labels.

    Written to ``out``: official JSON and zip, ``metrics.json``, and the raw scores in ``scores/``.

    report_to : where a report on them is written, if anywhere
    threshold : the confidence from which that report shows spots at first
    """
    callback = average_map_of(trainer)
    data.use_split(split)
    callback.scores_folder = out / "scores" if save_scores else None
    with interruptible(trainer):
        if trainer.loggers and split == "test":
            trainer.test(module, data, verbose=False)  # logs under test/
        else:
            trainer.predict(module, data, return_predictions=False)
    if trainer.is_global_zero:
        write_scored(out, callback.predictions, module.system.task, callback.form, split)
        if callback.form is not None:
            show(metrics_table(callback.form, title=split))
        if report_to is not None:
            postprocess = module.system.postprocess.to_dict()
            report(report_to, data, split, callback.predictions, callback.form, postprocess, threshold)
    return callback.form
