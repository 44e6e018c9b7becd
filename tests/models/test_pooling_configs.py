"""Published windows and suppression of the pooling systems, on the features that they were published for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from spotter.cli.compose import prepare_hydra
from tests.conftest import PROJECT


@pytest.fixture(autouse=True, scope="module")
def conf() -> Iterator[None]:
    """Let tests compose from the project's configs."""
    prepare_hydra()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        yield


AUDIO = ([], ["data=baidu_vggish"], ["data=baidu_resnet"])  # more streams change neither windows nor suppression


@pytest.mark.parametrize(
    ("words", "window", "suppression"),
    [
        (["model=maxpool", "data=resnet"], 40, ("nms", 20, 0.0)),
        (["model=netvlad", "data=resnet"], 40, ("nms", 20, 0.5)),
        (["model=netvladpp", "data=resnet"], 30, ("nms", 30, 0.0)),
        (["model=netvladpp", "data=baidu"], 15, ("nms", 30, 0.0)),
        (["model=netvladpp", "data=demo"], 15, ("nms", 30, 0.0)),
        *((["experiment=netvladpp_baidu", *data], 7, ("nms", 20, 0.0)) for data in AUDIO),
        (["experiment=audiovid"], 40, ("nms", 20, 0.5)),
        (["experiment=netvladpp_baidu", "postprocess=soft_nms"], 7, ("soft_nms", 4, 0.001)),
        (["experiment=netvladpp_baidu", "postprocess.window=9"], 7, ("nms", 9, 0.0)),
    ],
)
def test_windows_and_suppression(words: list[str], window: int, suppression: tuple[str, float, float]) -> None:
    cfg = compose("train", ["run_dir=.", "data.root=/nowhere", *words])
    model = cfg.model
    assert (model.clips.clip_len, model.network.window, model.head.window) == (window, window, window)
    found = cfg.postprocess
    assert (found.method, found.window, found.threshold) == suppression


def test_recipes_have_the_published_inputs() -> None:
    def streams(experiment: str) -> list[tuple[str, int]]:
        cfg = compose("train", ["run_dir=.", "data.root=/nowhere", f"experiment={experiment}"])
        assert (cfg.data.batch_size, cfg.model.lr, cfg.model.schedule) == (256, 1e-3, "plateau")
        return [(stream.file, stream.width) for stream in cfg.data.source.streams.values()]

    assert streams("netvladpp_resnet") == [("ResNET_TF2", 2048)]
    assert streams("netvlad_resnet") == [("ResNET_TF2_PCA512", 512)]
    assert streams("audiovid") == [("ResNET_TF2_PCA512", 512), ("vggish", 128)]
