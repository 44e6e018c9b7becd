"""Runs that go on: ``ckpt=…`` brings back the values that the run was started with, and its folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spotter.cli.compose import choices_of, split_flags
from spotter.cli.overrides import from_folder, hydra_string, key_of, quote, unquote
from spotter.cli.stored_overrides import check_values, stored_overrides, stored_runtime
from spotter.errors import UsageError, UserError, shorten
from spotter.interpolation import plain_text
from spotter.io.run_folders import SLURM_JOB, is_finished_run, slurm_job

log = logging.getLogger(__name__)
FIXED = ("model.network", "model.head", "model.teams", "model.schedule", "model.sam")  # of a run that goes on


def resume(words: Sequence[str]) -> list[str]:
    """Turn ``ckpt=…`` into all that resuming needs: the values that the run was started with, and its folder.

    Overrides on the command line win over those the run was started with; ``ckpt=last`` is looked up. What is taken
    from the run's folder is shown, and is values alone, see ``check_values``.
    """
    words = [*words, *_requeued(words)]
    given = [word for word in words if word.startswith("ckpt=")]
    if not given or {"-m", "--multirun"} & set(words):
        return list(words)
    flags, others = split_flags([word for word in words if word not in given])
    path = unquote(given[-1].removeprefix("ckpt="))
    if path == "last":
        choices = choices_of("train", flags, others)
        path = str(newest_unfinished(Path("outputs") / f"{choices['model']}-{choices['data']}"))
    run = Path(path).absolute().parent.parent
    if Path(path).parent.name == "checkpoints" and (run / ".hydra" / "overrides.yaml").is_file():
        runtime, typed = stored_runtime(run), {key_of(word) for word in others}
        stored = stored_overrides(run)
        check_values([word for word in stored if key_of(word) not in typed], run)
        before = [from_folder(word, plain_text(runtime.get("cwd")) or ".") for word in stored]
        _check_same_model(runtime, [word for word in others if word not in before], path)
        _check_configs(runtime, flags, run)
        taken = [word for word in before if key_of(word) not in typed]
        if taken:
            log.warning("%s: goes on with %s", path, " ".join(taken))
        others = taken + others
        if "hydra.run.dir" not in typed:
            others.append(f"hydra.run.dir={hydra_string(str(run))}")
    return [*flags, *others, quote(f"ckpt={path}")]


def _requeued(words: Sequence[str]) -> list[str]:
    """Return ``ckpt=…`` of the run that this SLURM job trained before it was queued again, if it has got that far."""
    if int(os.environ.get("SLURM_RESTART_COUNT", 0)) == 0 or any(word.startswith("ckpt=") for word in words):
        return []
    given = [unquote(word.partition("=")[2]) for word in words if word.startswith("hydra.run.dir=")]
    folders = [Path(folder) for folder in given] or list(Path("outputs").glob("*/*"))
    notes = [folder / SLURM_JOB for folder in folders if (folder / SLURM_JOB).is_file()]
    _, typed = split_flags(list(words))  # a job may train several runs, one after the other
    mine = [
        note.parent.parent
        for note in notes
        if note.read_text(encoding="utf-8") == slurm_job()
        and set(stored_overrides(note.parent.parent)) == {word for word in typed if not word.startswith("hydra.")}
    ]
    saved = [run / "checkpoints" / "last.ckpt" for run in sorted(mine, key=lambda run: run.name)]
    return [quote(f"ckpt={path}") for path in saved if path.is_file()][-1:]


def newest_unfinished(folder: Path) -> Path:
    """Return ``checkpoints/last.ckpt`` of the newest run in ``folder`` that has not written its ``metrics.json``."""
    runs = [path.parent.parent for path in folder.glob("*/checkpoints/last.ckpt")]
    unfinished = [run for run in runs if not is_finished_run(run)]
    if not unfinished:
        raise UserError(f"ckpt=last: no unfinished run in {folder}; give ckpt=PATH, or leave it out to start a new run")
    return max(unfinished, key=lambda run: run.name) / "checkpoints" / "last.ckpt"


def _check_configs(runtime: dict[str, Any], flags: Sequence[str], run: Path) -> None:
    """Raise UsageError where a run was composed from a user's own configs, and the user does not say so again."""
    sources = runtime.get("config_sources")
    for source in sources if isinstance(sources, list) and not flags else []:
        if isinstance(source, dict) and source.get("provider") == "command-line":
            folder = shorten(source.get("path"))
            raise UsageError(f"{run}: was started with --config-dir {folder}, not taken from a file; give it again")


def _check_same_model(runtime: dict[str, Any], words: list[str], path: str) -> None:
    """Raise UsageError where a run should go on as another model or on other games: its folder is not touched then."""
    choices = runtime.get("choices")
    model = choices.get("model") if isinstance(choices, dict) else None
    for word in words:
        key, value = key_of(word), word.partition("=")[2]
        if key == "data.fold":
            raise UsageError(
                f"{word}: the run of {path} has trained on other games; leave it out, or give the ckpt of that fold"
            )
        another = key == "model" and model is not None and value != model
        if another or key.startswith(FIXED):
            raise UsageError(
                f"{word}: the run of {path} goes on as it began, model={model}; "
                f"leave it out, or start a new run from its weights: model.init_from={path}"
            )
