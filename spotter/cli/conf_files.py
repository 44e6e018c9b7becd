"""The files of ``conf/``, looked at without Hydra: config groups, and the options that each has."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml


def conf_folder() -> Path:
    """Return the folder of the configs: ``conf/`` beside the package in a checkout, else the installed package."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "conf" / "train.yaml").is_file():
        return checkout / "conf"  # not that of another checkout which happens to be installed
    return Path(str(importlib.resources.files("spotter.conf")))


def groups_of(name: str) -> list[str]:
    """Return the config groups that ``train`` or ``predict`` has, from the defaults of its config."""
    return [group for entry in _content(name)["defaults"] if isinstance(entry, dict) for group in entry]


def keys_of(name: str) -> set[str]:
    """Return the keys that the config ``name`` has at its top: its own, and a key for each group in its defaults."""
    return {*_content(name), *groups_of(name)} - {"defaults"}


def options_of(group: str) -> list[str]:
    """Return all options of a config group: its files, and what conf/options.yaml and conf/sizes.yaml add."""
    if group == "size":
        return ["published", *_content("sizes")]
    return [*(path.stem for path in (conf_folder() / group).glob("*.yaml")), *_content("options").get(group, {})]


def offered(options: Iterable[str], group: str, name: str) -> list[str]:
    """Return the options of a group that the config ``name`` offers: no bases, which begin with ``_``."""
    hidden = {"model"} if (group, name) == ("postprocess", "predict") else set()  # a checkpoint holds its model's
    return sorted(option for option in options if not option.startswith("_") and option not in hidden)


@cache
def _content(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((conf_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    return content
