"""What Hydra does for ``spotter train`` and ``spotter predict``: configs from words, and one job run with them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spotter.cli.aliases import old_options
from spotter.cli.conf_files import conf_folder
from spotter.cli.overrides import hydra_string
from spotter.data.fps import parse_fps
from spotter.data.sidecars import describe_streams
from spotter.errors import UsageError
from spotter.tasks import Task

NOISE = (  # what Lightning warns of and we mean
    ".*isinstance.treespec, LeafSpec.*",
    "Checkpoint directory .* exists and is not empty.*",
    "The number of training batches .* is smaller than the logging interval.*",
    ".*does not have many workers.*",
    ".*Found .* module.s. in eval mode at the start of training.*",
    ".*It is recommended to use .*sync_dist=True.*",
    "Total length of .* across ranks is zero.*",  # nothing is validated: data.splits.train=[train,valid]
    ".*predict returned None if it was on purpose.*",
)


def prepare_hydra() -> None:
    """Let Hydra compose the configs of spotter."""
    register_resolvers()
    register_options()
    register_sizes()


def register_resolvers() -> None:
    """Teach OmegaConf what configs derive: frames in seconds, anchors per frame, what a task is judged by."""
    resolvers: dict[str, Callable[..., Any]] = {
        "frames": lambda seconds, fps, scale=1: max(1, round(float(seconds) * float(parse_fps(fps)) * float(scale))),
        "scaled": lambda seconds, scale: float(seconds) * float(scale),
        "times": lambda factor, number: round(float(factor) * float(number)),
        "seconds": lambda frames, fps: float(frames) / float(parse_fps(fps)),
        "upsample": lambda fps, target: max(1, round(float(target) / float(parse_fps(fps)))),
        "monitor": lambda task: f"val/{Task.load(task).monitor}",
        "task": lambda task: Task.load(task).to_dict(),
        "of_classes": _choose_by_class,
        "needed": _need,
        "streams": lambda *arguments: OmegaConf.create(describe_streams(*arguments)),
        "first_stream": lambda streams, key: next(iter(streams.values()))[key],
        "classes": lambda task: len(Task.load(task).classes),
    }
    for name, resolver in resolvers.items():
        # What several keys ask for is found once: streams by the files beside features, which may lie far away.
        OmegaConf.register_new_resolver(name, resolver, replace=True, use_cache=name == "streams")


def register_options() -> None:
    """Offer the options of ``conf/options.yaml``, and old ones, each as if it were a file of its own."""
    store = ConfigStore.instance()
    for group, options in OmegaConf.load(conf_folder() / "options.yaml").items():
        for name, content in options.items():
            store.store(str(name), content, str(group), provider="conf/options.yaml")
    for old_group, old_name, old_content in old_options():
        store.store(old_name, old_content, old_group, provider="spotter.cli.aliases")


def register_sizes() -> None:
    """Offer the sizes of ``conf/sizes.yaml``: ``size=<name>`` chooses ``sizes/<name>-<model>``, where there is one."""
    store = ConfigStore.instance()
    for size, models in [("published", {}), *OmegaConf.load(conf_folder() / "sizes.yaml").items()]:
        store.store(str(size), {}, "size", "_global_", "conf/sizes.yaml")
        for model, changes in models.items():
            store.store(f"{size}-{model}", changes, "sizes", "_global_", "conf/sizes.yaml")


def _choose_by_class(task: str, known: str, values: Any, elsewhere: Any) -> Any:
    """Return the value of each class of a task, of ``values`` for those of the ``known`` task.

    Returns ``elsewhere`` where the task has a class that is not among them. As a node, since no interpolation may lead
    to a plain list.
    """
    value_of = dict(zip(Task.load(known).classes, values, strict=True))
    classes = Task.load(task).classes
    chosen = [value_of[name] for name in classes] if value_of.keys() >= set(classes) else elsewhere
    return OmegaConf.create({"chosen": chosen}).chosen


def _need(key: str) -> None:
    raise UsageError(f"{key}: give {key}=…; this recipe cannot guess it")


def split_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the flags that say where configs lie, and the overrides, of a command line of Hydra."""
    arguments = get_args_parser().parse_intermixed_args(list(words))
    flags = ["--config-dir", arguments.config_dir] if arguments.config_dir else []
    return flags, arguments.overrides


def compose_config(name: str, flags: Sequence[str], overrides: Sequence[str]) -> DictConfig:
    """Return the config ``train`` or ``predict`` with overrides, Hydra's own part included; nothing is run.

    flags : as ``split_flags`` returns them
    """
    prepare_hydra()
    searched = [f"hydra.searchpath=[{hydra_string(f'file://{Path(folder).absolute()}')}]" for folder in flags[1::2]]
    with _fresh_hydra(), initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose(name, [*overrides, *searched], return_hydra_config=True)


def choices_of(name: str, flags: Sequence[str], overrides: Sequence[str]) -> dict[str, str]:
    """Return the option that is chosen of every config group."""
    choices = compose_config(name, flags, overrides).hydra.runtime.choices
    return {str(group): str(option) for group, option in choices.items()}


def run_hydra(name: str, words: Sequence[str], job: Callable[[DictConfig], object]) -> None:
    """Compose the config ``name`` from the words of a command line, and call ``job`` with it, once or in a sweep.

    Flags such as ``--cfg job``, ``--multirun`` and ``--config-dir`` are Hydra's. Its folders and logs are made as
    ``conf/hydra`` says. Other uses of Hydra in this process stay as they were.
    """
    prepare_hydra()
    parser = get_args_parser()
    parser.prog = f"spotter {name}"
    with _fresh_hydra(), warnings.catch_warnings():
        for message in NOISE:
            warnings.filterwarnings("ignore", message=message)
        _run_hydra(parser.parse_intermixed_args(list(words)), parser, job, str(conf_folder()), name)


@contextmanager
def _fresh_hydra() -> Iterator[None]:
    """Set Hydra's global state aside for a while; let errors out of it as they are."""
    hydra, config, shown = GlobalHydra.instance(), HydraConfig.instance(), os.environ.get("HYDRA_FULL_ERROR")
    before = hydra.hydra, config.cfg
    hydra.hydra = None
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        hydra.hydra, config.cfg = before
        os.environ.pop("HYDRA_FULL_ERROR")
        if shown is not None:
            os.environ["HYDRA_FULL_ERROR"] = shown
