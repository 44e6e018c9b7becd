"""Runs that go on: ``ckpt=…`` brings back the overrides that the run was started with, and its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from spotter.cli.aliases import translate_words
from spotter.cli.compose import choices_of, split_flags
from spotter.cli.overrides import from_folder, hydra_string, key_of, quote, unquote
from spotter.errors import UsageError, UserError

FIXED = ("model.network", "model.head", "model.teams", "model.schedule", "model.sam")  # of a run that goes on


def resume(words: Sequence[str]) -> list[str]:
    """Turn ``ckpt=…`` into all that resuming needs: the run's own overrides, its configs, and its folder.

    Overrides on the command line win over those the run was started with; ``ckpt=last`` is looked up.
    """
    given = [word for word in words if word.startswith("ckpt=")]
    if not given or {"-m", "--multirun"} & set(words):
        return list(words)
    flags, others = split_flags([word for word in words if word not in given])
    path = unquote(given[-1].removeprefix("ckpt="))
    if path == "last":
        choices = choices_of("train", flags, others)
        path = str(newest_unfinished(Path("outputs") / f"{choices['model']}-{choices['data']}"))
    run = Path(path).absolute().parent.parent
    stored = run / ".hydra" / "overrides.yaml"
    if Path(path).parent.name == "checkpoints" and stored.is_file():
        typed = {key_of(word) for word in others}
        before = translate_words(yaml.safe_load(stored.read_text(encoding="utf-8")) or [])
        before = [word for word in before if key_of(word) != "ckpt"]
        composed = _stored_hydra(run)
        begun_in = OmegaConf.create({"cwd": composed.get("cwd", ".")}).cwd  # Hydra's file holds it as configs do
        before = [from_folder(word, begun_in) for word in before]
        _check_same_model(composed, [word for word in others if word not in before], path)
        others = [word for word in before if key_of(word) not in typed] + others
        if "hydra.run.dir" not in typed:
            others.append(f"hydra.run.dir={hydra_string(str(run))}")
        if not flags:
            flags = [word for folder in _config_folders(composed) for word in ("--config-dir", folder)]
    return [*flags, *others, quote(f"ckpt={path}")]


def newest_unfinished(folder: Path) -> Path:
    """Return ``checkpoints/last.ckpt`` of the newest run in ``folder`` that has not written its ``metrics.json``."""
    runs = [path.parent.parent for path in folder.glob("*/checkpoints/last.ckpt")]
    unfinished = [run for run in runs if not (run / "metrics.json").is_file()]
    if not unfinished:
        raise UserError(f"ckpt=last: no unfinished run in {folder}; give ckpt=PATH, or leave it out to start anew")
    return max(unfinished, key=lambda run: run.name) / "checkpoints" / "last.ckpt"


def _stored_hydra(run: Path) -> dict[str, Any]:
    """Return what Hydra noted of how a run was composed, empty where it did not."""
    path = run / ".hydra" / "hydra.yaml"
    runtime: dict[str, Any] = {}
    if path.is_file():
        runtime = yaml.safe_load(path.read_text(encoding="utf-8"))["hydra"]["runtime"]
    return runtime


def _config_folders(runtime: dict[str, Any]) -> list[str]:
    """Return the folders that ``--config-dir`` named when the run was started."""
    sources = runtime.get("config_sources", [])
    return [source["path"] for source in sources if source["provider"] == "command-line"]


def _check_same_model(runtime: dict[str, Any], words: list[str], path: str) -> None:
    """Raise UsageError where a run should go on as another model: its folder must not be touched then."""
    model = runtime.get("choices", {}).get("model")
    for word in words:
        key, value = key_of(word), word.partition("=")[2]
        another = key == "model" and model is not None and value != model
        if another or key.startswith(FIXED):
            raise UsageError(
                f"{word}: the run of {path} goes on as it began, model={model}; "
                f"leave it out, or begin anew with its weights: model.init_from={path}"
            )
