"""Keys and options that have moved since an earlier version: what users know stays valid, and is named once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig, OmegaConf, open_dict

from spotter.cli.overrides import key_of

log = logging.getLogger(__name__)

# old key: new key; what lies below an old key moves with it. Without a new key what was given is left out.
KEYS: Mapping[str, str | None] = {
    "model._target_": None,
    "model.seed": None,
    "model.targets._target_": None,  # a head makes its own targets
    "model.targets.upsample": None,
    "model.targets": "model.head",
    "model.upsample": "model.network.upsample",
    "model.head.positive_share": "model.head.positive_weight",
    "model.network.row_drop": "model.network.token_dropout",
    "model.network.group_drop": "model.network.extractor_dropout",
    "data.targets": None,
    "callbacks.average_map.start_epoch": "trainer.validate_after",
}
# old option of a config group: the words that say the same today
OPTIONS: Mapping[str, Sequence[str]] = {
    "postprocess=nms_2s": ("postprocess=nms", "postprocess.window=2.0"),
    "postprocess=nms_12s": ("postprocess=nms", "postprocess.window=12.0"),
    "postprocess=nms_slots": ("postprocess=nms", "postprocess.threshold=1e-8"),
    "postprocess=netvlad": ("postprocess=nms", "postprocess.threshold=0.5"),
    "postprocess=netvladpp": ("postprocess=nms", "postprocess.window=30.0"),
    "postprocess=astra": (
        "postprocess=quadratic_nms",
        "postprocess.window=[5,7,9,12,10,14,14,5,8,8,8,8,13,5,6,6,6]",
        "postprocess.threshold=0.01",
    ),
}


def new_key(key: str) -> str | None:
    """Return the key that has taken an old one's place; the key itself if it did not move, None where it is gone."""
    for old, new in KEYS.items():
        if key == old or key.startswith(f"{old}."):
            return None if new is None else new + key.removeprefix(old)
    return key


def translate_words(words: Sequence[str]) -> list[str]:
    """Return overrides with keys and options of an earlier version in today's words; each is named once."""
    translated: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        marks, bare = key[: len(key) - len(key.lstrip("+~"))], key_of(word)
        new = new_key(bare)
        if word in OPTIONS:
            translated += OPTIONS[word]
            log.warning("%s is now %s", word, " ".join(OPTIONS[word]))
        elif new == bare:
            translated.append(word)
        else:
            translated += [] if new is None else [f"{marks}{new}{equals}{value}"]
            _name(bare, new)
    return translated


def translate_config(cfg: DictConfig) -> None:
    """Move values that a user's YAML files gave under keys of an earlier version to today's keys."""
    for old, new in KEYS.items():
        if OmegaConf.select(cfg, old, throw_on_missing=False) is None:
            continue
        parent, _, name = old.rpartition(".")
        node = OmegaConf.select(cfg, parent)
        value = OmegaConf.to_container(node)[name]  # type: ignore[call-overload,index]
        with open_dict(cfg):
            del node[name]
            if new is not None:
                OmegaConf.update(cfg, new, value, merge=True)
        _name(old, new)


def _name(old: str, new: str | None) -> None:
    log.warning(f"{old} is now {new}" if new else f"{old} is no longer used")
