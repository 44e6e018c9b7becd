"""Predict with a checkpoint: a split of a data set, or a user's own files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson
import pytorch_lightning as pl
from omegaconf import DictConfig

from spotter.data.features import FeatureSource
from spotter.data.own import own_features
from spotter.data.splits import check_split
from spotter.errors import UsageError
from spotter.evaluation.table import form_table
from spotter.evaluation.write import write_predictions
from spotter.files import atomic_write
from spotter.training.average_map import AverageMap
from spotter.training.checkpoint import load_module, open_checkpoint
from spotter.training.datamodule import SpottingDataModule
from spotter.training.module import SpottingModule
from spotter.training.terminal import show
from spotter.training.trainer import build_trainer, interruptible, plain

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> dict[str, Any] | None:
    """Predict as ``conf/predict.yaml`` says; return the scores where there are labels."""
    if not cfg.ckpt:
        raise UsageError("give ckpt=PATH, a checkpoint that train.py wrote")
    content = open_checkpoint(cfg.ckpt)
    known = content["hyper_parameters"]
    module = load_module(content, **({"postprocess": plain(cfg.postprocess)} if cfg.get("postprocess") else {}))
    settings = plain(cfg.data)
    streams = known["source"]["streams"]
    if cfg.input:
        halves, source = own_features(cfg.input, streams)
        data = SpottingDataModule(known["task"], source, known["clips"], **settings)
        data.use_own(halves)
        own = Path(cfg.input).absolute()
        name = own.name if own.is_dir() else own.stem
    else:
        name = check_split(cfg.split)
        settings["root"] = settings["root"] or known["source"]["root"]
        data = SpottingDataModule(known["task"], FeatureSource(streams, settings["root"]), known["clips"], **settings)
        data.use_split(name)
    out = Path(cfg.out) if cfg.out else Path(cfg.ckpt).parent / "predictions" / name
    trainer = build_trainer(cfg)
    form = predict_split(trainer, module, data, data.split, out, cfg.save_scores)
    log.info("predictions: %s", out)
    return form


def predict_split(
    trainer: pl.Trainer,
    module: SpottingModule,
    data: SpottingDataModule,
    split: str,
    out: Path,
    save_scores: bool = True,
) -> dict[str, Any] | None:
    """Predict a split that ``data`` has, write all that belongs to it, and return its scores if it has labels.

    Written to ``out``: official JSON and zip, ``metrics.json``, and the raw scores in ``scores/``.
    """
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    callback = next(each for each in callbacks if isinstance(each, AverageMap))
    data.use_split(split)
    callback.scores_folder = out / "scores" if save_scores else None
    with interruptible(trainer):
        if trainer.loggers and split == "test":
            trainer.test(module, data, verbose=False)  # logs under test/
        else:
            trainer.predict(module, data, return_predictions=False)
    if trainer.is_global_zero:
        (out / "metrics.json").unlink(missing_ok=True)  # of earlier predictions
        write_predictions(out, callback.predictions, module.task)
        if callback.form is not None:
            atomic_write(out / "metrics.json", orjson.dumps(callback.form, option=orjson.OPT_INDENT_2))
            show(form_table(callback.form, title=split))
    return callback.form
