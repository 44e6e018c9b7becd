"""The callback that makes a W&B run worth looking at; ``logger=wandb`` brings it along."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as pl

from spotter.data.statistics import dataset_statistics
from spotter.evaluation.events import collect_events
from spotter.evaluation.metrics import flatten
from spotter.tasks import ANTICIPATION, Task, monitors
from spotter.training.callbacks.average_map import AverageMap
from spotter.training.callbacks.lookup import callback_of
from spotter.training.datamodule import data_of
from spotter.training.loggers.source_code import code_changes, code_state, command
from spotter.training.loggers.wandb import Wandb, wandb_logger
from spotter.types import Metrics

if TYPE_CHECKING:
    from wandb import Run

REPORT = "report.html"
SLOW, REST = 10.0, 20  # seconds; a validation that took longer to log is followed by a pause, so many times as long


class Dashboard(pl.Callback):
    """Log tables, charts and timelines after every validation; the summary holds the numbers of the best epoch.

    monitor : the key that says which epoch is best
    halves : how many halves of the validation split are drawn, always the same
    checkpoint : upload the best checkpoint at the end
    """

    def __init__(self, monitor: str, halves: int = 3, checkpoint: bool = True) -> None:
        self.monitor, self.halves, self.checkpoint = monitor, halves, checkpoint
        self.best: float | None = None
        self._rest = 0.0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what the run is made of, and how its curves are drawn."""
        logger = wandb_logger(trainer)
        if logger is None:
            return
        with logger.tolerant("what the run is made of"):
            from spotter.training.loggers.charts import statistics_table

            data = data_of(trainer)
            counts = dataset_statistics(data.records, data.task, data.source.fps)
            about = {
                "command": command(),
                "folder": trainer.default_root_dir,
                "git": code_state(),
                "statistics": counts,
            }
            logger.experiment.config.update(about, allow_val_change=True)  # type: ignore[no-untyped-call]
            _define(logger.experiment, data.task, any(split["not_shown"] for split in counts.values()))
            logger.experiment.log({"statistics": statistics_table(counts)})
            changes = code_changes()
            if changes:
                patch = Path(logger.experiment.dir, "code.patch")
                patch.write_text(changes, encoding="utf-8")
                logger.experiment.save(str(patch), base_path=logger.experiment.dir, policy="now")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log what was scored."""
        logger, scored, began = wandb_logger(trainer), callback_of(trainer, AverageMap), time.monotonic()
        if logger is None or trainer.sanity_checking or scored is None or scored.metrics is None:
            return
        self._summarise(logger, trainer, scored.metrics)
        if began < self._rest:
            return
        with logger.tolerant("the validation"):
            from spotter.training.loggers import charts

            data = data_of(trainer)
            records = data.records["valid"]
            shown = [each for each in records if each.half in scored.predictions]
            labels = {each.half: each.spots for each in shown if each.spots is not None}
            events = collect_events(labels, scored.predictions, data.task)
            logger.experiment.log(
                {
                    "val/ap": charts.ap_chart(scored.metrics, data.task),
                    "val/classes": charts.class_table(scored.metrics, events, data.task),
                    "val/precision_recall": charts.precision_recall_chart(events, data.task),
                    "val/map_over_tolerance": charts.tolerance_chart(events),
                    "val/timelines": charts.timelines(
                        records, scored.predictions, data.task, data.source.fps, self.halves
                    ),
                    "epoch": trainer.current_epoch,
                }
            )
        took = time.monotonic() - began
        if took > SLOW:  # W&B waits for its server; training should not, more than now and then
            self._rest = began + REST * took

    def _summarise(self, logger: Wandb, trainer: pl.Trainer, metrics: Metrics) -> None:
        numbers = {f"val/{name}": value for name, value in flatten(metrics).items()}
        if "val/loss" in trainer.callback_metrics:
            numbers["val/loss"] = float(trainer.callback_metrics["val/loss"])
        value = numbers.get(self.monitor)
        if value is not None and (self.best is None or value > self.best):
            self.best = value
            with logger.tolerant("the best scores"):
                logger.experiment.summary.update({**numbers, "best_epoch": trainer.current_epoch})

    def on_run_end(self, trainer: pl.Trainer, run: Path) -> None:
        """Upload the best checkpoint, and the report where there is one."""
        logger = wandb_logger(trainer)
        if logger is None:
            return
        with logger.tolerant("the artifacts"):
            from spotter.training.loggers.charts import artifact

            files = {"report": run / REPORT, "model": run / "checkpoints" / "best.ckpt"}
            for kind, path in files.items():
                if path.is_file() and (self.checkpoint or kind != "model"):
                    made = artifact(path, kind, logger.experiment, **{self.monitor: self.best})
                    logger.experiment.log_artifact(made, aliases=["best"] if kind == "model" else [])

    def state_dict(self) -> dict[str, float | None]:
        """Return what a resumed run goes on with."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        """Restore the best score of the earlier part of the run."""
        self.best = state_dict["best"]


def _define(run: Run, task: Task, not_shown: bool) -> None:
    """Draw what is logged once an epoch over epochs; scores of an epoch that is not the best are no summary.

    Numbers that would fill the page have no panel of their own: those of single classes, which one chart shows, and of
    views that say nothing where all actions are shown.
    """
    averages = ("tight", "loose", "frames") if task.tolerances else ("tight", "loose")
    aps = [f"{average}_ap/{name}" for average in averages for name in task.classes]
    aps += [f"at_1_team_ap/{name}" for name in task.classes] if task.teams else []
    scores = monitors(task.tolerances, bool(task.teams), task.metric == ANTICIPATION)
    for name in ("loss", *scores, *aps):
        hidden = name in aps or (not not_shown and name.endswith(("_shown", "_unshown")))
        run.define_metric(f"val/{name}", step_metric="epoch", summary="none", hidden=hidden)
        run.define_metric(f"test/{name}", step_metric="epoch", hidden=hidden)
    run.define_metric("train/loss", step_metric="epoch", summary="min")


def show_run(trainer: pl.Trainer, run: Path) -> None:
    """Let the dashboard, if there is one, upload what a finished run has left in its folder."""
    dashboard = callback_of(trainer, Dashboard)
    if dashboard is not None:
        dashboard.on_run_end(trainer, run)
