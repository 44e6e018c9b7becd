"""Overrides on the command line: paths as typed, and a run's own overrides when it is resumed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from spotter.errors import UsageError

FIXED = ("model.network", "model.head", "model.schedule", "model.sam", "model.upsample")  # of a run that goes on
PATHS = ("ckpt", "input", "out", "data.root", "data.task", "model.init_from", "model.weights")


def quoted(argument: str) -> str:
    """Quote the value of an override that holds a path, so that Hydra takes it as typed.

    What is quoted already stays: users who know Hydra do it themselves, and started processes see it again.
    """
    match = re.fullmatch(rf"({'|'.join(map(re.escape, PATHS))})=(.*)", argument, re.DOTALL)
    if match is None or not match[2] or re.fullmatch(r"'.*'|\".*\"|\['.*'\]|null", match[2], re.DOTALL):
        return argument
    return f"{match[1]}={hydra_string(match[2])}"


def gathered(arguments: Sequence[str]) -> list[str]:
    """Turn several ``input=…``, each quoted, into one list of them."""
    given = [argument.removeprefix("input=") for argument in arguments if argument.startswith("input=")]
    if len(given) < 2:
        return list(arguments)
    return [*(each for each in arguments if not each.startswith("input=")), f"input=[{','.join(given)}]"]


def hydra_string(text: str) -> str:
    """Return ``text`` as a quoted string of Hydra's grammar, which stands for exactly this text."""
    text = re.sub(r"(\\*)\$\{", lambda m: 2 * m[1] + r"\${", text)  # else OmegaConf would interpolate
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


def resumed(arguments: Sequence[str], conf: Path) -> list[str]:
    """Turn ``ckpt=…`` into all that resuming needs: the run's own overrides, and its folder.

    Overrides on the command line win over those the run was started with; ``ckpt=last`` is looked up.
    """
    given = [argument for argument in arguments if argument.startswith("ckpt=")]
    if not given or {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    others = [argument for argument in arguments if argument not in given]
    path = _unquoted(given[-1].removeprefix("ckpt="))
    if path == "last":
        path = str(_last([argument for argument in others if not argument.startswith("-")], conf))
    run = Path(path).absolute().parent.parent
    stored = run / ".hydra" / "overrides.yaml"
    if Path(path).parent.name == "checkpoints" and stored.is_file():
        typed = {_key(argument) for argument in others}
        before = [line for line in yaml.safe_load(stored.read_text(encoding="utf-8")) or [] if _key(line) != "ckpt"]
        _check_same_model(run, [word for word in others if word not in before], path)
        others = [line for line in before if _key(line) not in typed] + others
        if "hydra.run.dir" not in typed:
            others.append(f"hydra.run.dir={hydra_string(str(run))}")
    return [*others, quoted(f"ckpt={path}")]


def _check_same_model(run: Path, arguments: list[str], path: str) -> None:
    """Raise UsageError where a run should go on as another model: its folder must not be touched then."""
    choices = run / ".hydra" / "hydra.yaml"
    stored = yaml.safe_load(choices.read_text(encoding="utf-8"))["hydra"]["runtime"] if choices.is_file() else {}
    model = stored.get("choices", {}).get("model")
    for argument in arguments:
        key, value = _key(argument), argument.partition("=")[2]
        another = key == "model" and model is not None and value != model
        if another or key.startswith(FIXED):
            said = f"{argument}: the run of {path} goes on as it began, model={model}"
            raise UsageError(f"{said}; leave it out, or begin anew with its weights: model.init_from={path}")


def _last(overrides: list[str], conf: Path) -> Path:
    from spotter.cli.resume import newest_unfinished

    with initialize_config_dir(str(conf.absolute()), version_base="1.3"):
        cfg = compose("train", overrides, return_hydra_config=True)
        choices = cfg.hydra.runtime.choices
    GlobalHydra.instance().clear()
    return newest_unfinished(Path("outputs") / f"{choices.model}-{choices.data}")


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        text = re.sub(r"(\\*)('|$)", lambda m: m[1][: len(m[1]) // 2] + m[2], value[1:-1])
        return re.sub(r"(\\+)\$\{", lambda m: m[1][: len(m[1]) // 2] + "${", text)
    return value
