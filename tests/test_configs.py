"""Every config composes, every model fits every data set, and the keys that scripts rely on are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from spotter.settings import Postprocess
from spotter.tasks import Task
from spotter.training.run import build_data
from spotter.training.trainer import build_trainer, plain
from tests.helpers.configs import CONF, OPTIONS, composed, configs, options

NEEDED = {
    f"experiment/{name}": ["model.init_from=soccernet.ckpt"]
    for name in ("ball_from_soccernet", "baikulov_tune", "baikulov_long")
} | {"data/features": ["data.root=${oc.env:FEATURES}", "data.name=mine"]}  # what nobody can guess


@pytest.fixture(autouse=True, scope="module")
def conf() -> Iterator[None]:
    """Let tests compose from the project's configs."""
    with configs():
        yield


def word(option: str) -> str:
    """Return the override that chooses an option."""
    group, _, name = option.rpartition("/")
    return f"{group}={name}"


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option: str, features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing, no interpolation is broken, whichever option is chosen."""
    monkeypatch.setenv("SOCCERNET_ROOT", "/data/SoccerNet")
    monkeypatch.setenv("FEATURES", str(features))
    group = option.partition("/")[0]
    if group == "hydra":
        return
    if group == "sweep":
        compose("train", [word(option)], return_hydra_config=True)
        return
    cfg = composed("train", word(option), *NEEDED.get(option, []))
    assert not OmegaConf.missing_keys(cfg)
    assert set(cfg) >= {"model", "data", "trainer", "postprocess", "callbacks", "seed", "ckpt", "run_dir"}
    if group in ("trainer", "postprocess") and option != "postprocess/model":
        assert not OmegaConf.missing_keys(composed("predict", word(option)))


@pytest.mark.slow
def test_sizes_are_chosen_by_name() -> None:
    """They are of known models; a demo data set chooses its own, and the choice can be made otherwise."""
    sizes = OmegaConf.load(CONF / "sizes.yaml")
    assert {model for models in sizes.values() for model in models} <= set(options("model"))
    for data in options("data"):
        choices = compose("train", [f"data={data}"], return_hydra_config=True).hydra.runtime.choices
        assert choices["size"] == ("demo" if data.startswith("demo") else "published"), data
    assert composed("train", "data=demo", "size=published").model == composed("train", "data=baidu").model
    assert (
        composed("train", "data=demo").model.network.dim
        == composed("train", "data=baidu", "size=demo").model.network.dim
    )


def stated(*words: str) -> dict[str, Any]:
    """Return what a config states, interpolations as they are written, without its data."""
    content = OmegaConf.to_container(compose("train", list(words)), resolve=False)
    assert isinstance(content, dict)
    return {key: value for key, value in content.items() if key != "data"}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", options("experiment"))
def test_data_changes_nothing_but_data(experiment: str) -> None:
    """Whatever data a recipe is given, its windows, suppression, sizes and training stay as they are stated."""
    recipe = stated(f"experiment={experiment}", "size=published")
    for data in ("demo", "baidu_vggish", "ball_2025"):
        assert stated(f"experiment={experiment}", f"data={data}", "size=published") == recipe, data


@pytest.mark.parametrize("data", options("data"))
def test_data_states_nothing_but_data(data: str) -> None:
    """So that no recipe depends on it."""
    assert stated(f"data={data}", "size=published") == stated("size=published")


def test_published_windows_do_not_follow_the_data() -> None:
    """More streams beside those of a recipe change neither its window nor its suppression."""
    for data in ("baidu", "baidu_vggish", "baidu_resnet"):
        cfg = composed("train", "experiment=netvladpp_baidu", f"data={data}", "data.root=/nowhere")
        assert (cfg.model.clips.clip_len, cfg.postprocess.window) == (7, 20.0), data


@pytest.mark.parametrize("group", ["model", "data", "trainer", "postprocess", "logger", "callbacks", "experiment"])
def test_promised_options_are_there(group: str) -> None:
    """The options that users' scripts name."""
    promised = {
        "model": {
            *("transformer", "window_transformer", "linear", "e2e_spot", "e2e_spot_dense"),
            *("t_deed", "baikulov", "adaspot", "comedian", "clip_classifier", "clip_transformer"),
            *("maxpool", "avgpool", "netvlad", "netrvlad", "netvladpp", "calf", "rms", "ste", "unet", "astra", "tcn"),
        },
        "data": {"demo", "demo_video", "baidu", "resnet", "soccernet_video", "ball"},
        "trainer": {"auto", "cpu", "gpu", "ddp", "ddp_cpu", "slurm"},
        "postprocess": {"nms", "soft_nms"},
        "logger": {"csv", "wandb", "tensorboard", "none"},
        "callbacks": {"default"},
        "experiment": {
            *("baidu_transformer", "baidu_2021", "e2e_soccernet", "e2e_soccernet_008"),
            *("e2e_ball", "ball_from_soccernet", "stage_one"),
        },
    }
    assert promised[group] <= set(options(group))


@pytest.mark.parametrize("experiment", options("experiment"))
def test_experiments_state_their_command_and_aim(experiment: str) -> None:
    """A recipe is headed by its command and by the score it aims at with its source."""
    head = (CONF / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8").partition("defaults:")[0]
    sweeps = "--multirun " if experiment.startswith("compare") else ""
    assert f"# spotter train {sweeps}experiment={experiment}" in head
    assert any(character.isdigit() for character in head)


@pytest.mark.parametrize(
    ("stage", "before"),
    [
        *[("baikulov_ball", None), ("baikulov_soccernet", None)],
        *[("baikulov_tune", "baikulov_soccernet"), ("baikulov_long", "baikulov_tune")],
    ],
)
def test_stages_begin_with_those_before(stage: str, before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = compose("train", ["sweep=baikulov_stages", f"experiment={stage}"], return_hydra_config=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
    folder, job = Path(cfg.hydra.sweep.dir), Path(cfg.hydra.sweep.subdir)
    assert job == Path(stage)
    assert cfg.model.init_from == (before and str(folder / before / "checkpoints" / "best.ckpt"))


@pytest.mark.parametrize("words", [[], ["hydra.sweep.dir=a folder/of mine"]])
def test_rounds_learn_from_the_round_before(words: list[str]) -> None:
    cfg = compose("train", ["sweep=rounds", *words], return_hydra_config=True)
    folder = cfg.hydra.sweep.dir
    assert cfg.data.predict_challenge
    assert cfg.hydra.sweeper.params["data.pseudo"] == f"null,'{folder}/0','{folder}/1'"


@pytest.mark.parametrize("option", options("postprocess"))
def test_postprocess_is_valid(option: str) -> None:
    Postprocess.load(plain(composed("train", f"postprocess={option}").postprocess), 17)


@pytest.mark.parametrize("option", ["auto", "cpu", "ddp_cpu", "gpu", "ddp", "slurm"])
def test_trainers(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trainer is built where its hardware is."""
    if option in ("gpu", "ddp", "slurm") and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "x", "SLURM_NTASKS_PER_NODE": "1"}.items():
        if option == "slurm":
            monkeypatch.setenv(name, value)
    cfg = compose("train", [f"trainer={option}", f"run_dir={tmp_path}", "logger=none", "trainer.max_epochs=3"])
    trainer = build_trainer(cfg)
    assert isinstance(trainer, pl.Trainer)
    assert trainer.num_devices == (2 if option == "ddp_cpu" else trainer.num_devices)
    assert trainer.max_epochs == 3


def test_callbacks_use_the_tasks_metric(tmp_path: Path) -> None:
    """Checkpoints and early stopping follow the task."""
    for task, key in (("soccernet-v2", "val/tight_map"), ("ball-2023", "val/map_at_1")):
        cfg = composed("train", f"data.task={task}")
        assert cfg.callbacks.best.monitor == cfg.callbacks.early_stopping.monitor == key
        assert f"val/{Task.load(task).monitor}" == key


def test_keys_of_predict() -> None:
    """What ``predict.py`` takes, and that a suppression can be chosen by name or by value."""
    cfg = composed("predict")
    assert set(cfg) >= {"ckpt", "split", "input", "out", "data", "trainer"}
    assert (cfg.ckpt, cfg.split, cfg.input, cfg.out) == (None, None, None, None)
    assert composed("predict", "postprocess=nms", "postprocess.window=7").postprocess.window == 7


def test_arguments_are_those_of_constructors() -> None:
    """Every ``_target_`` of the default run can be found."""

    def targets(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from [node["_target_"]] if "_target_" in node else []
            node = list(node.values())
        for each in node if isinstance(node, list) else ():
            yield from targets(each)

    found = set(targets(plain(composed("train", "logger=wandb"))))
    assert "spotter.models.transformer.Transformer" in found
    for target in found:
        assert callable(hydra.utils.get_object(target))


def test_positions_are_not_mixed() -> None:
    """Whatever model: mixup is off, and so are the clips that would be drawn for it alone."""
    cfg = compose("train", ["model=astra", "data=ngs", "data.root=/no/such/folder", "run_dir=."])
    build_data(cfg)
    assert cfg.model.mixup is None
    assert cfg.data.clips.balanced_mixup is False
