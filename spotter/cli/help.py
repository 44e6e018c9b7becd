"""The help of the commands that take overrides: their use, and the options of every config group."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from spotter.cli.conf_files import conf_folder, groups_of, offered, options_of
from spotter.errors import SUCCESS

FLAGS = """flags:
  --multirun                  run every combination of key=value1,value2 (train)
  --config-dir DIR            use YAML files of your own beside those of spotter
  --cfg job [--resolve]       print the config that would be used
  --hydra-help                more of Hydra's
"""


def show_help(name: str) -> int:
    """Print the help of ``train`` or ``predict``, without importing what they need."""
    about = ast.get_docstring(ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")))
    groups = [group for group in sorted(groups_of(name)) if group != "hydra" and "@" not in group]
    offers = {group: offered(options_of(group), group, name) for group in groups}
    options = "".join(f"  {group + ':':<13} {', '.join(offers[group])}\n" for group in groups)
    keys = "keys: all can be overridden, conf/train.yaml and the files it names explain them\n"
    if name == "predict":
        lines = (conf_folder() / "predict.yaml").read_text(encoding="utf-8").partition("run_dir:")[0].splitlines()
        start = next(index for index, line in enumerate(lines) if line.startswith("ckpt:"))
        keys = "keys:\n" + "".join(f"  {line}\n" if line else "\n" for line in lines[start:])
    sys.stdout.write(f"{about}\nconfig groups, group=option:\n{options}\n{keys.rstrip()}\n\n{FLAGS}")
    return SUCCESS
