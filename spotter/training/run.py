"""Train one run: fit, then score its best weights on every labelled split."""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger, WandbLogger
from torch import Tensor

from spotter.data.fps import parse_fps
from spotter.data.loaders import READERS, naming_dead_readers
from spotter.data.root import check_root
from spotter.errors import FAILURE, INTERRUPTED, SUCCESS, UsageError
from spotter.evaluation.metrics import flatten
from spotter.inference.engine import Compute
from spotter.inference.inputs import Input
from spotter.inference.model import Model, load_model
from spotter.inference.precision import engine_precision
from spotter.io.checkpoints import open_checkpoint
from spotter.io.exchange.annotations import root_of_labels
from spotter.io.files import atomic_file, atomic_write, json_bytes
from spotter.io.hub import local_file
from spotter.io.run_folders import BEST
from spotter.io.splits import SCORED
from spotter.models.build import module_of, shipped_modules
from spotter.training.build import build_from
from spotter.training.checkpoint import check_fits
from spotter.training.datamodule import SpottingDataModule
from spotter.training.joint import check_spread, join, warn_of_seen_games
from spotter.training.loggers.dashboard import show_run
from spotter.training.loggers.wandb import Wandb
from spotter.training.losses import MeanLoss
from spotter.training.module import SpottingModule, parameters_of
from spotter.training.predict_input import predict_input
from spotter.training.rank_watch import watching
from spotter.training.trainer import Trainer, build_trainer, instantiate, interruptible, plain
from spotter.trust import import_trusted
from spotter.types import OWN, PSEUDO, Batch, Metrics, batch_size

log = logging.getLogger(__name__)
BESIDE = ("joint", "pseudo", "pseudo_share", "pseudo_weight")  # of what is learned beside a data set, see ``join``
# Facts in data configs that other keys refer to.
STATED_ONCE = (
    "name", "fps", "time_scale", "width", "columns", "offset",
    "size", "crop", "grey", "match_clock", "augment", "before",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A training run on disk.

    folder : holds ``checkpoints/``, ``metrics.csv``, ``metrics.json``, ``predictions/`` and ``report.html``
    trusted : modules of the network and head that were trained here, which ``load`` may import
    """

    folder: Path
    trusted: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, Metrics]:
        """Return the scores of the best checkpoint by split, as ``metrics.json`` holds them; empty before the end."""
        path = self.folder / "metrics.json"
        content: dict[str, Metrics] = orjson.loads(path.read_bytes()) if path.is_file() else {}
        return content

    def load(self, device: str | torch.device | None = None, precision: str | int | None = None) -> Model:
        """Load the best checkpoint for prediction, as ``spotter.load`` does; the network trained here is trusted."""
        return load_model(self.folder / BEST, device, precision, self.trusted)


def train(cfg: DictConfig) -> Run:
    """Train one run and score its best weights on every labelled split."""
    run = Path(cfg.run_dir)
    if cfg.trainer.get("max_cpu_seconds") is None and not (cfg.trainer.get("max_epochs") or 0) > 0:
        raise UsageError(f"trainer.max_epochs: give a number of epochs, found {cfg.trainer.get('max_epochs')}")
    # Whatever a user can get wrong in the config shows before data is rendered or read.
    import_trusted(cfg.trust)
    if cfg.model.init_from and not cfg.ckpt:
        open_checkpoint(cfg.model.init_from, "model.init_from")
    data = build_data(cfg)
    trainer = build_trainer(cfg)
    check_loggers(trainer.loggers)
    check_spread(data, trainer.world_size)
    if data.remote:
        data.fetch()
        data = build_data(cfg)  # again, for what made its features has come with them
    if type(data).prepare_data is pl.LightningDataModule.prepare_data:  # which makes no folder of its own
        check_root(data.root)  # now, before weights of ImageNet are fetched
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    module = build_module(cfg, data)
    if cfg.ckpt:
        check_fits(module, open_checkpoint(cfg.ckpt), cfg.ckpt)
    data.prepare_data()
    data.trainer = trainer  # which knows the ranks
    data.setup("fit")  # now, so that a mistake shows before any logger has begun a run
    warn_of_seen_games(data)
    with finishing(trainer.loggers):
        for logger in trainer.loggers:
            logger.log_hyperparams(plain(cfg))
        log.info("%s parameters; everything goes to %s", f"{parameters_of(module):,}", run)
        log.info("%s", describe_step(trainer, data, module.optimizer_config.lr))
        if trainer.is_global_zero:
            (run / "metrics.json").unlink(missing_ok=True)  # it says that a run is finished, and this one goes on
        fit(trainer, module, data, str(local_file(cfg.ckpt)) if cfg.ckpt else None)
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            score_best(trainer, module, data, run)
            show_run(trainer, run)
    return Run(run, modules_of(cfg))


def describe_step(trainer: pl.Trainer, data: SpottingDataModule, lr: float) -> str:
    """Return a line on the clips of a step, on all devices, its learning rate, and what reads them ahead."""
    batches, devices = trainer.accumulate_grad_batches, trainer.world_size
    parts = [f"{batches} batches of {data.batch_size}"] if batches > 1 else []
    parts += [f"{data.batch_size // devices} at once on each of {devices} devices"] if devices > 1 else []
    made_of = f" ({', '.join(parts)})" if parts else ""
    kind = READERS[data.source.spec.kind]
    readers = f", {data.workers} {kind} read ahead{' on each' if devices > 1 else ''}" if data.workers else ""
    return f"{batches * data.batch_size} clips a step{made_of}, learning rate {lr:g}{readers}"


def modules_of(cfg: DictConfig) -> tuple[str, ...]:
    """Return the modules of a user's own that a config names for the network and the head."""
    named = (module_of(plain(cfg.model[part])) for part in ("network", "head"))
    return tuple(name for name in named if name not in shipped_modules())


def check_loggers(loggers: Sequence[Logger]) -> None:
    """Raise UserError for a logger that could not begin, before data is rendered or read."""
    for logger in loggers:
        if isinstance(logger, Wandb):
            logger.check_login()


@contextmanager
def finishing(loggers: Sequence[Logger]) -> Iterator[None]:
    """Close the W&B run, if there is one, with the exit status of the block; other loggers need none."""
    status = FAILURE
    try:
        yield
        status = SUCCESS
    except KeyboardInterrupt:
        status = INTERRUPTED
        raise
    finally:
        if any(isinstance(logger, WandbLogger) for logger in loggers):
            import wandb

            try:
                wandb.finish(exit_code=status)
            except Exception as error:  # the run itself is done
                log.warning("W&B: the run could not be closed (%s)", error)


def build_data(cfg: DictConfig) -> SpottingDataModule:
    """Build the data module of a config, in which mixup is switched off where the data cannot be mixed."""
    _leave_out_mixup(cfg)
    if cfg.data.get("labels"):
        cfg.data.root = root_of_labels(cfg.data.labels, cfg.data.root)
    settings = plain(cfg.data)
    stated = {key: settings.pop(key) for key in STATED_ONCE if key in settings}
    stated["fps"] = float(parse_fps(stated["fps"], "data.fps"))
    beside = {key: settings.pop(key) for key in BESIDE if key in settings}
    data = instantiate(settings, SpottingDataModule)
    join(data, **beside)
    for key, found in data.source.spec.config_values().items():
        if key in stated and stated[key] != found:
            raise UsageError(
                f"data.{key} is {stated[key]}, but data.source has {found}: "
                f"write {key}: ${{data.{key}}} there, in the config of the data"
            )
    return data


def _leave_out_mixup(cfg: DictConfig) -> None:
    """Switch mixup off for positions: what lies between those of two clips is no play."""
    streams = (cfg.data.source.get("streams") or {}).values()
    if cfg.model.get("mixup") and any(stream.get("entities") for stream in streams):
        cfg.model.mixup, cfg.model.clips.balanced_mixup = None, False
        log.info("mixup is off: positions of players cannot be mixed")


def build_module(cfg: DictConfig, data: SpottingDataModule) -> SpottingModule:
    """Build the module of a config for the task and input of ``data``, and let ``data`` make its head's targets."""
    model = {**plain(cfg.model), "postprocess": plain(cfg.postprocess)}
    if cfg.data.get("augment"):  # what may be changed in positions is a fact about the data
        model["augment"] = {**(model["augment"] or {}), "tracking": plain(cfg.data.augment)}
    if cfg.ckpt:
        model |= {"init_from": None, "pretrained": False, "weights": None}  # its weights are about to come
    others = {name: other.task.to_dict() for name, other in data.others.items() if name != PSEUDO}
    module = build_from(model, data.task.to_dict(), data.source.spec.to_dict(), others)
    for name, each in data.sets.items():
        each.targets = module.system_of(name).head.targets
    return module


def fit(trainer: pl.Trainer, module: SpottingModule, data: SpottingDataModule, ckpt: str | None) -> None:
    """Fit; after an interruption say how to go on."""
    try:
        with naming_dead_readers(), interruptible(trainer), watching(trainer.strategy.launcher):
            trainer.fit(module, data, ckpt_path=ckpt, weights_only=True)
    except KeyboardInterrupt:
        last = Path(trainer.default_root_dir, "checkpoints", "last.ckpt")
        remedy = f"go on with {shlex.quote(f'ckpt={last}')}" if last.is_file() else "nothing is saved yet"
        log.info("interrupted in epoch %d; %s", trainer.current_epoch + 1, remedy)
        raise


def score_best(trainer: Trainer, module: SpottingModule, data: SpottingDataModule, run: Path) -> dict[str, Metrics]:
    """Predict every labelled split with the best weights; write predictions and ``metrics.json``."""
    best = best_checkpoint(trainer, run / "checkpoints")
    module.load_state_dict(open_checkpoint(best)["state_dict"])
    for name in module.heads:
        if trainer.is_global_zero:
            (run / name).mkdir(exist_ok=True)
        score_labels(trainer, module, data, name, run / name)
    scored = score_labels(trainer, module, data, OWN, run)  # last, for its metrics.json says that the run is finished
    if trainer.is_global_zero:
        log.info("best weights: %s\npredictions:  %s", best, run / "predictions")
    return scored


def score_labels(
    trainer: Trainer, module: SpottingModule, every: SpottingDataModule, name: str, folder: Path
) -> dict[str, Metrics]:
    """Predict the splits of a label set with the present weights; write predictions, report and ``metrics.json``."""
    data, scored = every.sets[name], dict[str, Metrics]()
    splits = [split for split in ("challenge", *SCORED) if data.records.get(split)]
    precision = engine_precision(trainer.precision)
    compute = Compute(trainer.strategy.root_device, precision, data.eval_batch_size, data.workers)
    for split in splits:
        given, losses = Input(split, data.source, data.records[split]), MeanLoss()
        report = folder / "report.html" if split == splits[-1] else None

        def outputs(batch: Batch, losses: MeanLoss = losses) -> dict[str, Tensor]:
            evaluated = module.evaluate(batch, name)
            if evaluated["loss"] is not None:
                losses.add(evaluated["loss"], batch_size(batch))
            return evaluated["outputs"]

        out = folder / "predictions" / split
        _, metrics = predict_input(
            module.systems[name], given, out, compute, report_to=report, outputs=outputs, targets=data.targets
        )
        loss = losses.compute()
        if metrics is not None:
            scored[split] = metrics
            if split == "test":
                log_test(trainer, metrics, loss, name)
    if trainer.is_global_zero:
        atomic_write(folder / "metrics.json", json_bytes(scored))
    return scored


def log_test(trainer: pl.Trainer, metrics: Metrics, loss: float | None, labels: str = OWN) -> None:
    """Log what the best weights score on test, under ``test/``, or ``test/<labels>/`` of another label set."""
    numbers = flatten(metrics) | ({} if loss is None else {"loss": loss})
    prefix = f"test/{labels}/" if labels else "test/"
    for logger in trainer.loggers:
        logged = {f"{prefix}{name}": value for name, value in numbers.items()}
        logger.log_metrics({**logged, "epoch": trainer.current_epoch}, trainer.global_step)
        logger.save()


def best_checkpoint(trainer: pl.Trainer, folder: Path) -> Path:
    """Return the checkpoint that was selected; where nothing was validated, ``best.ckpt`` becomes the last one."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_path:
            return Path(callback.best_model_path)
    best = folder / "best.ckpt"
    if trainer.is_global_zero:
        with (folder / "last.ckpt").open("rb") as last, atomic_file(best, sync=True) as copy:
            shutil.copyfileobj(last, copy)
    trainer.strategy.barrier()
    return best
