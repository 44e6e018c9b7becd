"""Keys and options of version 0.1 mean today what they meant then."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from spotter.cli.aliases import VALUES, translate_config, translate_words
from spotter.cli.compose import compose_config
from spotter.cli.conf_files import offered, options_of


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("model.lr=1e-3", ["model.lr=1e-3"]),
        ("model.targets.radius=1.5", ["model.head.radius=1.5"]),
        ("model.targets.displacement_radius=3", ["model.head.displacement_radius=3"]),
        ("model.upsample=1", ["model.network.upsample=1"]),
        ("callbacks.average_map.start_epoch=9", ["trainer.validate_after=9"]),
        ("model.head.positive_share=null", ["model.head.positive_weight=null"]),
        ("model.seed=3", []),
        ("postprocess=nms_2s", ["postprocess=nms", "postprocess.window=2.0"]),
        ("postprocess=netvlad", ["postprocess=nms", "postprocess.threshold=0.5"]),
        ("postprocess=soft_nms", ["postprocess=soft_nms"]),
        ("model.clips.partners=false", ["model.clips.balanced_mixup=false"]),
        ("model.clips.inset=3", ["model.clips.spot_margin=3"]),
        ("model.clips.sampling=tiles", ["model.clips.sampling=non_overlapping"]),
        ("model.clips.sampling=uniform,tiles", ["model.clips.sampling=uniform,non_overlapping"]),
        ("postprocess=soft_nms,nms_2s", ["postprocess=soft_nms,nms_2s"]),
        ("model.clips.clip_len=8,tiles", ["model.clips.clip_len=8,tiles"]),
    ],
)
def test_words(word: str, words: list[str]) -> None:
    assert translate_words([word]) == words


def test_keys_in_files_of_a_user() -> None:
    """The targets of a model go to its head, except for what the head knows by itself."""
    targets = {"_target_": "spotter.data.targets.DenseTargets", "radius": 3.0, "upsample": 2}
    model = {"head": {"positive_share": 0.1, "positive_weight": 0.03, "radius": 2.0}, "targets": targets, "network": {}}
    cfg = OmegaConf.create({"model": model})
    translate_config(cfg)
    assert cfg.model.head == {"positive_weight": 0.1, "radius": 3.0}


def test_values_in_files_of_a_user() -> None:
    cfg = OmegaConf.create(
        {"model": {"clips": {"sampling": "tiles", "partners": True}}, "postprocess": {"method": "nms"}}
    )
    translate_config(cfg)
    assert cfg.model.clips == {"sampling": "non_overlapping", "balanced_mixup": True}


@pytest.mark.parametrize("word", [word for word in VALUES if "." not in word.partition("=")[0]])
def test_old_options_compose_as_what_they_are_today(word: str, caplog: pytest.LogCaptureFixture) -> None:
    """So that a sweep can go through them; they are not on offer."""
    old, new = compose_config("train", [], [word]), compose_config("train", [], list(VALUES[word]))
    assert old.postprocess == new.postprocess
    assert word.partition("=")[2] not in offered(options_of("postprocess"), "postprocess", "train")
    translate_words([f"{word},soft_nms"])
    assert f"{word} is now {' '.join(VALUES[word])}" in caplog.text
