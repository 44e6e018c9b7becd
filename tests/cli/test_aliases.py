"""Keys and options of version 0.1 mean today what they meant then."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from spotter.cli.aliases import translate_config, translate_words


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
    ],
)
def test_words(word: str, words: list[str]) -> None:
    assert translate_words([word]) == words


def test_keys_in_files_of_a_user() -> None:
    """The targets of a model go to its head, but for what the head knows by itself."""
    targets = {"_target_": "spotter.data.targets.DenseTargets", "radius": 3.0, "upsample": 2}
    model = {"head": {"positive_share": 0.1, "positive_weight": 0.03, "radius": 2.0}, "targets": targets, "network": {}}
    cfg = OmegaConf.create({"model": model})
    translate_config(cfg)
    assert cfg.model.head == {"positive_weight": 0.1, "radius": 3.0}
