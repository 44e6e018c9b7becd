"""The help of the commands that take overrides: their use, and the options of every config group."""

from __future__ import annotations

import sys
from pathlib import Path

from spotter.cli.compose import conf_folder
from spotter.cli.mistakes import offered
from spotter.errors import SUCCESS

FLAGS = """flags:
  --multirun                  run every combination of key=value1,value2 (train)
  --config-dir DIR            use YAML files of your own beside those of spotter
  --cfg job [--resolve]       print the config that would be used
  --hydra-help                more of Hydra's
"""


def show_help(name: str, about: str) -> int:
    """Print the help of ``train`` or ``predict``."""
    groups = [path for path in sorted(conf_folder().iterdir()) if path.is_dir() and path.name != "hydra"]
    if name == "predict":
        groups = [path for path in groups if path.name in ("trainer", "postprocess")]
    options = "".join(f"  {path.name + ':':<13} {', '.join(_options(path))}\n" for path in groups)
    keys = "keys: all can be overridden, conf/train.yaml and the files it names explain them\n"
    if name == "predict":
        lines = (conf_folder() / "predict.yaml").read_text(encoding="utf-8").partition("callbacks:")[0].splitlines()
        start = next(index for index, line in enumerate(lines) if line.startswith("ckpt:"))
        keys = "keys:\n" + "".join(f"  {line}\n" if line else "\n" for line in lines[start:])
    sys.stdout.write(f"{about}\nconfig groups, group=option:\n{options}\n{keys.rstrip()}\n\n{FLAGS}")
    return SUCCESS


def _options(group: Path) -> list[str]:
    return offered(path.stem for path in group.glob("*.yaml"))
