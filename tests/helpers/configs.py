"""Configs as tests compose them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from spotter.cli.compose import prepare_hydra
from tests.conftest import PROJECT

CONF = PROJECT / "conf"
FILES = [path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*.yaml") if path.parent != CONF]
SHORT = [f"{group}/{name}" for group, names in OmegaConf.load(CONF / "options.yaml").items() for name in names]
OPTIONS = sorted(
    [*(path.as_posix() for path in FILES if not path.name.startswith("_")), *SHORT]
)  # _: what others share


def options(group: str) -> list[str]:
    """Return the options of a group."""
    return [option.removeprefix(f"{group}/") for option in OPTIONS if option.startswith(f"{group}/")]


@contextmanager
def configs() -> Iterator[None]:
    """Let tests compose from the project's configs."""
    prepare_hydra()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield
    HydraConfig.instance().cfg = None


def composed(name: str, *words: str) -> DictConfig:
    """Compose a config as a script would, all interpolations resolved."""
    cfg = compose(name, ["run_dir=.", *words], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)  # what is chosen, by which W&B tags a run
    with open_dict(cfg):
        del cfg["hydra"]
    OmegaConf.resolve(cfg)
    return cfg
