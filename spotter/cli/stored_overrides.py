"""The overrides that a run was started with, from its folder: values alone, for anybody may have written them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from spotter.bounded import read_yaml
from spotter.cli.aliases import translate_words
from spotter.cli.conf_files import groups_of
from spotter.cli.overrides import key_of
from spotter.errors import UsageError, UserError, shorten
from spotter.interpolation import INTERPOLATION

LOCAL_LOGGERS = ("csv", "none", "tensorboard")  # which write into the run's folder and nowhere else
REFUSED = ("hydra", "logger", "run_dir", "trust", "sweep", "trainer.default_root_dir", "trainer.plugins")
MONITORS = ("monitor", "mode")  # the only text that is taken of callbacks
KEY = re.compile(r"[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)*")  # none that Hydra gives a meaning, as _target_
OPTION = re.compile(r"[A-Za-z0-9][\w-]*")
MOST = 1_000  # overrides
OVERRIDES = Path(".hydra", "overrides.yaml")


def stored_overrides(run: Path) -> list[str]:
    """Return the overrides that a run was started with, in today's words, whatever they are; see ``check_values``.

    Raises UserError for a file that is no list of overrides.
    """
    path = run / OVERRIDES
    content = read_yaml(path) or []
    if not isinstance(content, list) or len(content) > MOST or not all(isinstance(word, str) for word in content):
        raise UserError(f"{path}: expected the list of overrides that Hydra writes; take the checkpoint alone")
    return [word for word in translate_words(content) if key_of(word) != "ckpt"]


def check_values(words: Sequence[str], run: Path) -> None:
    """Raise UsageError where one of a run's overrides is more than a value.

    That is a ``_target_``, a new or deleted key, an interpolation, a key of Hydra, a logger that sends something away,
    a callback, a module to trust, or a place to write to.
    """
    refused = [word for word in words if not _is_value(word)]
    if refused:
        named = ", ".join(map(shorten, refused[:5]))
        raise UsageError(
            f"{run / OVERRIDES}: not taken from a file: {named}; if you want it, type it again after ckpt=…, or give "
            "another value of its key"
        )


def stored_runtime(run: Path) -> dict[str, Any]:
    """Return what Hydra noted of how a run was composed, empty where it did not; nothing of it is followed."""
    path = run / ".hydra" / "hydra.yaml"
    content: Any = read_yaml(path) if path.is_file() else {}
    for key in ("hydra", "runtime"):
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _is_value(word: str) -> bool:
    """Return whether an override does nothing but set a key of ours to a plain value."""
    try:
        (override,) = OverridesParser.create().parse_overrides([word])
    except (HydraException, ValueError, RecursionError):
        return False
    key, value = override.key_or_group, override.value()
    if override.type != OverrideType.CHANGE or override.package is not None or not KEY.fullmatch(key):
        return False
    if key in groups_of("train"):
        return _is_choice(key, value)
    if any(f"{key}.".startswith(f"{refused}.") for refused in REFUSED):
        return False
    return _is_setting_of_callback(override) if key.startswith("callbacks.") else _is_plain(value)


def _is_choice(group: str, option: object) -> bool:
    """Return whether an option is the name of one, and may come from a file."""
    if not isinstance(option, str) or not OPTION.fullmatch(option):
        return option is None and group not in REFUSED
    known = {"logger": LOCAL_LOGGERS, "callbacks": ("default",), "hydra": (), "sweep": ()}
    return group not in known or option in known[group]


def _is_setting_of_callback(override: Override) -> bool:
    """Return whether a callback is left out, or gets a number or the name of a score."""
    _, *below = override.key_or_group.split(".")
    value = override.value()
    if len(below) == 1:
        return value is None
    if len(below) == 2 and below[1] in MONITORS and isinstance(value, str):
        return bool(re.fullmatch(r"[\w/]+", value))
    return len(below) == 2 and isinstance(value, int | float | None)


def _is_plain(value: object) -> bool:
    """Return whether a value is made of text, numbers, lists and mappings, none of which Hydra would act on."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and KEY.fullmatch(key) for key in value) and _are_plain(value.values())
    if isinstance(value, list):
        return _are_plain(value)
    if isinstance(value, str):
        return not INTERPOLATION.search(value)
    return value is None or isinstance(value, bool | int | float)


def _are_plain(values: Iterable[object]) -> bool:
    return all(_is_plain(value) for value in values)
