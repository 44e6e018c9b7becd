"""What help offers, read without Hydra, is what Hydra composes; and help needs neither it nor torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from spotter.cli.aliases import old_options
from spotter.cli.compose import prepare_hydra
from spotter.cli.conf_files import conf_folder, groups_of, options_of
from tests.conftest import environment

SLOW = ("torch", "hydra", "omegaconf", "numpy", "pytorch_lightning", "timm")


def test_options_are_those_that_hydra_finds() -> None:
    prepare_hydra()
    old = {(group, name) for group, name, _ in old_options()}
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        for group in {*groups_of("train"), *groups_of("predict")} - {"hydra", "optional sizes@_global_"}:
            found = {option for option in loader.get_group_options(group) if (group, option) not in old}
            assert set(options_of(group)) == found, group


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["train", "--help"], ["predict", "--help"]])
def test_help_imports_nothing_slow(words: list[str]) -> None:
    program = f"try:\n import sys; from spotter.cli import main; main({words})\nfinally: print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment()
    )
    assert ran.returncode == 0, ran.stderr
    assert not set(SLOW) & set(ran.stdout.splitlines()[-1].split())
