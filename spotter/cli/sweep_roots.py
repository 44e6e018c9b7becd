"""Before the first job of a sweep: is there a folder for each data set that it goes through?"""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from spotter.cli.compose import compose_config
from spotter.cli.mistakes import CONFIG_ERRORS
from spotter.data.root import check_root
from spotter.errors import FAILURE, UserError


class SweepRoots(Callback):
    """End a sweep before its first job where a data set has no folder, in place of failing job after job."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Look for the folders, and name all data sets that have none.

        Ends the process; any other exception Hydra would only warn of.
        """
        try:
            missing = missing_roots(config)
        except CONFIG_ERRORS:
            return  # the job that has it says so
        if missing:
            sys.stderr.write("".join(f"error: {message}\n" for message in missing))
            raise SystemExit(FAILURE)


def missing_roots(config: DictConfig) -> list[str]:
    """Return what is wrong with the folder of each data set of a sweep that has none."""
    sources = [source.path for source in config.hydra.runtime.config_sources if source.provider == "command-line"]
    flags = [word for path in sources for word in ("--config-dir", path)]
    listed = _listed_values(config)
    others = [f"{key}={values[0]}" for key, values in listed.items() if key != "data"]
    found = []
    for name in listed.get("data", [""]):
        cfg = compose_config("train", flags, [*others, f"data={name}"] if name else others)
        if "demo" in cfg.data or cfg.data.get("remote"):  # makes or fetches what is missing
            continue
        try:
            check_root(cfg.data.root)
        except UserError as error:
            found.append(f"data={cfg.hydra.runtime.choices.data}: {error}")
    return found


def _listed_values(config: DictConfig) -> dict[str, list[str]]:
    """Return the values of each key that a sweep is given; what a sweeper draws is left out."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    values = {}
    for override in OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task]):
        if not override.is_sweep_override():
            values[override.get_key_element()] = [override.get_value_element_as_str()]
        elif override.is_discrete_sweep():
            values[override.get_key_element()] = list(override.sweep_string_iterator())
    return values
