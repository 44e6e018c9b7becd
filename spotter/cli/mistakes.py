"""Mistakes in overrides and configs, as one line each that names the key and what was probably meant."""

from __future__ import annotations

import inspect
import os
import re
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

import hydra
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from spotter.cli import aliases
from spotter.cli.compose import compose_config, split_flags
from spotter.cli.conf_files import offered
from spotter.errors import UsageError, UserError, did_you_mean

LONGEST = 600  # letters of what Hydra says
CONFIG_ERRORS = (HydraException, OmegaConfBaseException)


@contextmanager
def one_line_errors(name: str, words: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra and OmegaConf find wrong while the block runs into a UserError of one line.

    With SPOTTER_DEBUG=1 in the environment errors come out as they are.
    """
    try:
        yield
    except Exception as error:
        if os.environ.get("SPOTTER_DEBUG") == "1" or not (isinstance(error, CONFIG_ERRORS) or _is_of_hydra(error)):
            raise
        raise explain(error, name, words) from error


def _is_of_hydra(error: Exception) -> bool:
    """Return whether a general error was raised within Hydra or OmegaConf: what they checked was given by a user."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    raised_by = str(frames[-1]).partition(".")[0] if frames else ""
    return isinstance(error, ValueError | TypeError) and raised_by in ("hydra", "omegaconf")


def explain(error: Exception, name: str, words: Sequence[str]) -> UserError:
    """Return what a user did wrong, from what Hydra or OmegaConf found in the config ``name`` with these overrides."""
    cause = error.__cause__
    if isinstance(cause, UserError):  # raised in a constructor or a resolver
        return cause
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        old = {each for old_group, each, _ in aliases.old_options() if old_group == group}
        hint = did_you_mean(option, offered(set(error.options) - old, group, name))
        return UsageError(f"{group}/{option}: no such option{hint}")
    match = re.search(r"Could not override '([^']+)'", str(error))
    if isinstance(error, ConfigCompositionException) and match:
        return UsageError(f"{match[1]}: no such key{_similar_key(match[1], name, words)}")
    if isinstance(error, InstantiationException) and isinstance(cause, TypeError):
        argument = re.search(r"unexpected keyword argument '(\w+)'", str(cause))
        target = re.search(r"in call to target '([^']+)'", str(error))
        if argument and target:
            return UsageError(f"{target[1]} takes no {argument[1]!r}{_similar_argument(argument[1], target[1])}")
    reasons = [error, *([cause] if cause else [])]
    text = "; ".join(" ".join(str(reason).split())[:LONGEST] for reason in reasons)
    return UsageError(text.removeprefix("UserError raised while resolving interpolation: "))


def explain_deletion(error: BaseException, words: Sequence[str]) -> UsageError | None:
    """Return what was wrong to leave out, where a run that lacks a key or an argument was told so by ``~key``.

    None without such words, and with SPOTTER_DEBUG=1 in the environment.
    """
    deleted = " ".join(word for word in words if word.startswith("~"))
    if (
        not deleted
        or not isinstance(error, KeyError | TypeError | AttributeError)
        or os.environ.get("SPOTTER_DEBUG") == "1"
    ):
        return None
    return UsageError(f"{deleted}: a run needs what this leaves out ({error}); give it a value, or leave {deleted} out")


def check(cfg: DictConfig, choices: Mapping[str, str | None], known: Collection[str]) -> None:
    """Raise UsageError for an option that cannot be chosen, and for a top-level key that nothing reads."""
    for group, option in choices.items():
        if str(option).rpartition("/")[2].startswith("_"):
            raise UsageError(f"{group}={option}: a base that other options share, not an option itself")
    if choices.get("postprocess") == "model" and "model" not in known:
        raise UsageError("postprocess=model: leave it out, the checkpoint's own suppression is used")
    content = OmegaConf.to_container(cfg, resolve=False)
    if not isinstance(content, dict):
        raise TypeError("a config is a mapping")
    used = set(_interpolated(content))
    for key in map(str, content):
        if key not in known and key not in used:
            raise UsageError(f"{key}: nothing reads this key{did_you_mean(key, known)}")


def _interpolated(node: object) -> Iterator[str]:
    """Yield the first part of every key that an interpolation refers to."""
    if isinstance(node, str):
        yield from re.findall(r"\$\{(?:oc\.select:)?([A-Za-z_]\w*)", node)
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _interpolated(each)


def _similar_key(key: str, name: str, words: Sequence[str]) -> str:
    """Return a hint at the key that is meant: where it has moved to, one beside it, or one anywhere."""
    moved = aliases.new_key(key)
    if moved != key:
        return f": it is now {moved}" if moved else ": it is no longer used"
    flags, overrides = split_flags(words)
    groups = [word for word in overrides if re.fullmatch(r"[\w/@]+=[\w/-]+", word)]
    try:
        cfg = compose_config(name, flags, groups)
    except CONFIG_ERRORS:  # one of the groups is the mistake itself
        cfg = compose_config(name, flags, [])
    keys = list(_keys(OmegaConf.to_container(cfg, resolve=False)))
    parent = key.rpartition(".")[0]
    beside = [each for each in keys if each.rpartition(".")[0] == parent]
    if beside or get_close_matches(key, keys):
        return did_you_mean(key, beside or keys)
    if name == "predict" and key.startswith("postprocess."):  # which is null, for the checkpoint's own
        return f": choose the method, too: postprocess=soft_nms {key}=…"
    return f": spotter {name} --cfg job shows all that there are"


def _keys(node: object, prefix: str = "") -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{key}"
        yield from _keys(value, f"{prefix}{key}.")


def _similar_argument(argument: str, target: str) -> str:
    classes = inspect.getmro(hydra.utils.get_class(target))[:-1]
    known = {name for each in classes for name in inspect.signature(each).parameters}
    return did_you_mean(argument, known - {"args", "kwargs"})
