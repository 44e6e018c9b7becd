"""Every model is built, and takes a step, on every data set of its kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from spotter.data.clips import EvaluationBatches
from spotter.data.datasets import ClipDataset
from spotter.errors import UserError
from spotter.inference.stitch import clip_weights
from spotter.training.run import build_data, build_module
from spotter.training.trainer import plain
from spotter.types import Half, HalfRecord, Spots
from tests.helpers.configs import composed, configs, options
from tests.helpers.networks import both
from tests.helpers.small import SMALL, VIDEO

DEFAULT: dict[str, list[str]] = {"features": [], "video": VIDEO}
OF_DATA = {"tracking": ["data.fps=5"]}  # long clips of many rows spare no time


@pytest.fixture(autouse=True, scope="module")
def conf() -> Iterator[None]:
    """Let tests compose from the project's configs."""
    with configs():
        yield


def kinds_of(cfg: DictConfig) -> tuple[str, str]:
    """Return what the network of a config reads, and what its data is."""
    network = hydra.utils.get_class(cfg.model.network._target_)
    return getattr(network, "reads", "features"), "video" if "VideoSource" in cfg.data.source._target_ else "features"


def pairs() -> Iterator[Any]:
    """Yield every model with every data set; slow except for one data set of each kind, and one model of each."""
    for model, data in itertools.product(options("model"), options("data")):
        quick = data in ("demo", "demo_video") or model in ("transformer", "e2e_spot")
        quick |= model.startswith("grounding") and data == "demo_replays"
        yield pytest.param(model, data, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(("model", "data"), pairs())
def test_every_model_builds_on_all_data_of_its_kind(model: str, data: str, features: Path) -> None:
    """Data module and module are built from plain values, and a step can be taken, with no data on disk."""
    root = [f"data.root={features}", "data.name=mine"] if data == "features" else ["data.root=/no/such/folder"]
    cfg = composed("train", f"model={model}", f"data={data}", *root)
    reads, kind = kinds_of(cfg)
    if reads != kind:
        with pytest.raises(UserError, match="network reads"):
            build_module(cfg, build_data(cfg))
        return
    if model.startswith("grounding") and "replays" not in data:
        with pytest.raises(UserError, match="take data=replays"):
            build_module(cfg, build_data(cfg))
        return
    words = [*SMALL.get(model, DEFAULT[kind]), *OF_DATA.get(data, [])]
    cfg = composed("train", f"model={model}", f"data={data}", *root, *words)
    assert plain(cfg.model) == OmegaConf.to_container(cfg.model, resolve=True)
    module = build_data(cfg)
    network = build_module(cfg, module)
    assert network.hparams["task"] == module.task.to_dict()
    _check_plain(dict(network.hparams), "")
    batch = _random_batch(module)
    output = network.eval()(network.system.prepare(batch))
    losses = network.head.loss(output, batch)
    assert torch.isfinite(losses["loss"])
    logits, displacement = both(network.head.predict(output))
    anchors = module.clips.eval_len * network.network.upsample
    assert logits.shape == (2, anchors, len(module.task.columns))
    assert displacement is None or displacement.shape == logits.shape
    assert len(clip_weights(module.clips, network.network.upsample)) == anchors


@pytest.mark.parametrize("model", [model for model, words in SMALL.items() if "model.pretrained=false" in words])
def test_every_video_model_reads_grey_images_or_says_so(model: str) -> None:
    words = ["data=demo_video", "data.root=/no/such/folder", "model.grey=true", *SMALL[model]]
    cfg = composed("train", f"model={model}", *words)
    data = build_data(cfg)
    if model == "clip_transformer":
        with pytest.raises(UserError, match=r"model\.grey=false"):
            build_module(cfg, data)
        return
    module = build_module(cfg, data)
    batch = _random_batch(data)
    module.losses(batch)["loss"].backward()
    exact, fused = (system.eval().outputs(batch)["logits"] for system in (module.system, module.system.fused()))
    torch.testing.assert_close(fused, exact, atol=1e-4, rtol=1e-3)


def _random_batch(data: Any) -> Any:
    """Return a batch of evaluation clips of a half that lies nowhere."""

    class Anywhere:
        fps, offset = data.source.fps, data.source.offset

        def read(self, halves: Any, clips: Any, clip_len: int) -> Any:
            if data.source.spec.kind == "video":
                (size,) = data.source.spec.layout.values()
                shape = (len(clips), clip_len, size["height"], size["width"], size["channels"])
                return {"video": torch.randint(256, shape, dtype=torch.uint8)}, {"video": torch.zeros(len(clips))}
            clock, *others = data.source.spec.streams
            rows = {s.name: int(clip_len * s.fps / self.fps + 2) for s in others} | {clock.name: clip_len}
            widths = {s.name: sum(s.read_groups) for s in (clock, *others)}
            if data.source.spec.before is not None:
                rows |= {f"replay_{name}": clip_len for name in widths}
                widths |= {f"replay_{name}": width for name, width in widths.items()}
            inputs = {name: torch.randn(len(clips), rows[name], width) for name, width in widths.items()}
            return inputs, {name: torch.zeros(len(clips)) for name in inputs}

    half = HalfRecord(Half("a/b/c", 1), 2 * data.clips.eval_len, Spots.empty())
    dataset = ClipDataset([half], Anywhere(), data.clips.eval_len, data.targets)
    data.records["valid"] = [half]
    (clips, *_) = EvaluationBatches([data.evaluation_clips("valid")[:2]])
    return dataset[clips]


def _check_plain(value: Any, where: str) -> None:
    assert type(value) in (dict, list, str, int, float, bool, type(None)), f"{where}: {type(value)}"
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        _check_plain(each, f"{where}.{key}")
