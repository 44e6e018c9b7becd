"""Keys and options that have moved since an earlier version: what users know stays valid, and is named once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

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
    "model.clips.partners": "model.clips.balanced_mixup",
    "model.clips.inset": "model.clips.spot_margin",
}
# old value of a key, or old option of a config group: the words that say the same today
VALUES: Mapping[str, Sequence[str]] = {
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
    "model.clips.sampling=tiles": ("model.clips.sampling=non_overlapping",),
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
        if any(f"{bare}={each}" in VALUES for each in value.split(",")):
            translated += _translate_values(key, value.split(","))
        elif new == bare:
            translated.append(word)
        else:
            translated += [] if new is None else [f"{marks}{new}{equals}{value}"]
            _name(bare, new)
    return translated


def _translate_values(key: str, values: Sequence[str]) -> list[str]:
    """Return the words for the values of a key, several of a sweep, some of which have another name today."""
    news = {old: VALUES[f"{key}={old}"] for old in values if f"{key}={old}" in VALUES}
    for old, words in news.items():
        log.warning("%s=%s is now %s", key, old, " ".join(words))
    if len(values) == 1:
        return list(news[values[0]])
    # what is more than one word today stays: Hydra composes it by ``old_options``, and each job translates it
    short = {old: words[0].removeprefix(f"{key}=") for old, words in news.items() if len(words) == 1}
    return [f"{key}={','.join(short.get(value, value) for value in values)}"]


def old_options() -> Iterator[tuple[str, str, ListConfig | DictConfig]]:
    """Yield group, name and content of the options that an earlier version had."""
    for word, (base, *changes) in VALUES.items():
        group, _, name = word.partition("=")
        if "." not in group:
            keys = OmegaConf.from_dotlist([change.removeprefix(f"{group}.") for change in changes])
            yield group, name, OmegaConf.merge({"defaults": [base.removeprefix(f"{group}=")]}, keys)


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
    for word, (new_word, *_) in VALUES.items():
        key, _, value = word.partition("=")
        if "." in key and OmegaConf.select(cfg, key) == value:
            OmegaConf.update(cfg, key, new_word.partition("=")[2])
            log.warning("%s is now %s", word, new_word)


def _name(old: str, new: str | None) -> None:
    log.warning(f"{old} is now {new}" if new else f"{old} is no longer used")
